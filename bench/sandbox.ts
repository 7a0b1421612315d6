// The contract sandbox alone, on one core: transfers, what restoring and metering cost, nested calls, images that are not in memory, and
// the attacks that take the longest for their gas.
//
//   node bench/sandbox.ts [--seconds 5] [--attacks 12]
//
// Two times are given: the processor time of this thread over the whole measurement, which leaves out what other processes took, and
// the wall clock of the fastest tenth of short windows. On a shared machine the ratios are what counts; the signature check is there
// to compare machines and moments by.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundleContract } from '../src/contract/bundle.ts'
import { createKeyPair, verify } from '../src/crypto/signer.ts'
import { bootBaseImage, restoreImage, takeImage } from '../src/execution/sandbox/image.ts'
import { createSandbox, hashCode, type Invocation } from '../src/execution/sandbox/index.ts'
import { createMachine } from '../src/execution/sandbox/machine.ts'
import { openImageFiles } from '../src/image-files.ts'
import { instantiatePublished, startEngine } from '../test/execution/metering/engines.ts'
import { attacks } from '../test/execution/sandbox/attacks/list.ts'
import { runAttack } from '../test/execution/sandbox/attacks/run.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '5' }, attacks: { type: 'string', default: '12' } },
})
const seconds = Number(values.seconds)
const attackCount = Number(values.attacks)
const TRANSACTION_GAS = 300_000_000

/** Processor time of this thread so far, in microseconds. */
const now = () => {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

interface Time {
  processor: number
  fast: number
}

/** Microseconds per run of `work`, after a warm-up of a quarter of the time. */
function measure(work: () => void, runs: number, budgetMs = seconds * 1_000): Time {
  const times: number[] = []
  const until = (end: number) => {
    while (performance.now() < end) {
      const start = performance.now()
      for (let run = 0; run < runs; run++) work()
      times.push(((performance.now() - start) * 1_000) / runs)
    }
  }
  until(performance.now() + budgetMs / 4)
  times.length = 0
  const before = now()
  until(performance.now() + budgetMs)
  const processor = (now() - before) / (times.length * runs)
  const sorted = times.sort((left, right) => left - right)
  return { processor, fast: sorted[Math.floor(sorted.length / 10)]! }
}

const show = (what: string, { processor, fast }: Time, more = '') =>
  console.log(
    `${what.padEnd(40)} ${processor.toFixed(1).padStart(7)} µs of processor, fastest tenth ${fast.toFixed(1)}  ${more}`,
  )

const sandbox = createSandbox()
const state = new Map<string, string>()
const absent = () => {
  throw new Error('the benchmark offers no such operation')
}
const host: Invocation['host'] = {
  get: (key) => state.get(key),
  set: (key, json) => void state.set(key, json),
  delete: (key) => void state.delete(key),
  scan: absent,
  emit: () => {},
  call: absent,
  view: absent,
  sha256: absent,
  verifyEd25519: absent,
  isAddress: () => true,
  hasRole: () => false,
}
const invocationOf = (code: string, codeHash: string, method: string, args: unknown, sender: string): Invocation => ({
  ...{ code, codeHash, kind: method === 'init' ? 'init' : 'call', method, args: JSON.stringify(args), host, depth: 0 },
  context: {
    sender,
    origin: sender,
    contract: 'bench',
    block: { height: 7, time: 1_700_000_000_000 },
    tx: { id: 'ab'.repeat(32) },
  },
  gasLimit: TRANSACTION_GAS,
})

async function transfers(): Promise<void> {
  const { code, codeHash } = await bundleContract(new URL('../contracts/token', import.meta.url).pathname)
  const accounts = Array.from({ length: 200 }, (_, index) => `qr1${hashCode(String(index)).slice(0, 58)}`)
  const owner = accounts[0]!
  for (const account of accounts) state.set(`balance/${account}`, '"1000000000"')
  let next = 0
  let gas = 0
  const transfer = () => {
    next++
    const to = accounts[(next * 7 + 1) % accounts.length]!
    const sender = accounts[next % accounts.length]!
    const outcome = sandbox.run(invocationOf(code, codeHash, 'transfer', { to, amount: '1' }, sender))
    if (outcome.status !== 'ok') throw new Error(`a transfer ended with ${JSON.stringify(outcome)}`)
    gas = outcome.gasUsed
  }
  sandbox.run(invocationOf(code, codeHash, 'init', { owner }, owner))
  const time = measure(transfer, 50)
  const rate = (microseconds: number) => Math.round(1e6 / microseconds).toLocaleString('en')
  show(
    'token transfer, everything',
    time,
    `${rate(time.processor)}/s, at best ${rate(time.fast)}/s; ${gas.toLocaleString('en')} gas`,
  )

  const empty = 'var quorateContract = { default: { calls: { run() {} } } }'
  const call = invocationOf(empty, hashCode(empty), 'run', {}, owner)
  show(
    'call of an empty handler',
    measure(() => sandbox.run(call), 25),
  )
}

function restoring(): void {
  const image = bootBaseImage()
  const machine = createMachine()
  const time = measure(() => restoreImage(machine, image), 100)
  show('restore of the base image', time, `${Math.round(image.bytes.length / 1_024)} KiB`)
  const large = takeImage(machine, image.handles)
  if (Buffer.compare(large.bytes, image.bytes) !== 0) throw new Error('the restored machine has another image')
}

function nesting(): void {
  const callee = 'var quorateContract = { default: { calls: { run() {} } } }'
  const codeHash = hashCode(callee)
  const inner = { ...invocationOf(callee, codeHash, 'run', {}, 'a'), depth: 1 }
  const nested = (_name: string, _method: string, args: string, gasLimit: number) => {
    const { status, ...rest } = sandbox.run({ ...inner, args, gasLimit })
    return { kind: status, ...rest } as ReturnType<Invocation['host']['call']>
  }
  const caller = (count: number) => {
    const code = `var quorateContract = { default: { calls: { run(ctx) { for (let i = 0; i < ${count}; i++) ctx.call('b', 'run') } } } }`
    const call = { ...invocationOf(code, hashCode(code), 'run', {}, 'a'), host: { ...host, call: nested } }
    return () => sandbox.run(call)
  }
  const [none, ten] = [measure(caller(0), 25), measure(caller(10), 10)]
  show('nested call', { processor: (ten.processor - none.processor) / 10, fast: (ten.fast - none.fast) / 10 })
}

/** The same scripts in the engine as published and as metered. */
function metering(): void {
  const scripts = {
    fib: 'const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)); fib(17)',
    json: `const o = Array.from({ length: 60 }, (_, i) => ({ id: i, name: 'name' + i })); for (let i = 0; i < 5; i++) JSON.parse(JSON.stringify(o))`,
    regexp: `for (let i = 0; i < 20; i++) /^(?:[a-z]+ )+end$/.test('words and words and words and words and the end')`,
    text: `let s = ''; for (let i = 0; i < 2000; i++) s += i; s.indexOf('19991999x')`,
  }
  const metered = startEngine(createMachine().engine)
  const plain = startEngine(instantiatePublished())
  for (const [name, script] of Object.entries(scripts)) {
    const [slow, fast] = [measure(metered(script).run, 3, 1_000), measure(plain(script).run, 3, 1_000)]
    console.log(
      `metering, ${name}`.padEnd(44),
      `${(slow.processor / fast.processor).toFixed(2).padStart(8)} times the time (fastest tenth ${(slow.fast / fast.fast).toFixed(2)})`,
    )
  }
}

/** Contracts called in turn that never are in memory, for the gas that calls nested in one transaction cost: read back, and evaluated anew. */
function forgetting(): void {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-bench-'))
  const NESTED_GAS = 30_000
  try {
    for (const [name, keptBytes] of Object.entries({ smallest: 0, 'about 512 KiB': 120_000, 'about 1 MiB': 600_000 })) {
      for (const imageStore of [openImageFiles(folder, 1e9), undefined]) {
        const forgetful = createSandbox({ imageCacheBytes: 1, imageStore })
        const calls = Array.from({ length: 16 }, (_, index) => {
          const work = `const kept = new Uint8Array(${keptBytes}).fill(1); for (let n = ${index}; n < 400000; n++);`
          const code = `${work} var quorateContract = { default: { calls: { run() {} } } }`
          return invocationOf(code, hashCode(code), 'run', {}, 'a')
        })
        let gas = 0
        let next = 0
        const time = measure(() => {
          const outcome = forgetful.run(calls[next++ % calls.length]!)
          if (outcome.status !== 'ok') throw new Error(`a call ended with ${JSON.stringify(outcome)}`)
          gas = outcome.gasUsed + NESTED_GAS
        }, calls.length)
        const ms = (time.processor * TRANSACTION_GAS) / gas / 1_000
        const how = imageStore === undefined ? 'evaluated' : 'read back'
        show(`image, ${name}, ${how}`, time, `${gas.toLocaleString('en')} gas; ${ms.toFixed(0)} ms for 300 million gas`)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function attacking(): void {
  const timed = attacks.map((attack) => {
    let gas = 0
    const run = () => {
      gas = runAttack(sandbox, attack, { gasLimit: TRANSACTION_GAS }).outcome.gasUsed
    }
    // Other processes lengthen the one or the other, and neither is ever too short.
    const { fast, processor } = measure(run, 1, 240)
    const ms = Math.min(fast, processor) / 1_000
    return { name: attack.name, ms, gas, rate: gas / ms / 1e6 }
  })
  // The host here refuses every signature at once, so that one attack says nothing.
  const burning = timed.filter(({ name, gas }) => gas === TRANSACTION_GAS && !name.startsWith('signature'))
  const rates = burning.map(({ rate }) => rate).sort((left, right) => left - right)
  console.log(
    `\n${attacks.length} attacks with ${TRANSACTION_GAS.toLocaleString('en')} gas; ${burning.length} use all of it`,
  )
  console.log(
    `gas per ns: least ${rates[0]!.toFixed(1)}, median ${rates[Math.floor(rates.length / 2)]!.toFixed(1)}, most ${rates.at(-1)!.toFixed(1)}`,
  )
  for (const { name, ms, rate } of timed.sort((left, right) => right.ms - left.ms).slice(0, attackCount)) {
    console.log(`  ${name.padEnd(48)} ${ms.toFixed(1).padStart(6)} ms  ${rate.toFixed(1)} gas per ns`)
  }
}

const { publicKey, sign } = createKeyPair(new Uint8Array(32))
const message = new Uint8Array(230)
const signature = sign(message)
show(
  'signature check, to compare by',
  measure(() => verify(publicKey, message, signature), 50, 1_000),
)
await transfers()
restoring()
nesting()
metering()
forgetting()
attacking()
