// Do contracts that burn their whole gas limit delay votes? Four validators as four processes: transfers at a steady rate, first alone,
// then beside a stream of calls that never end by themselves.
//
//   node bench/burn.ts [--rate 40] [--burners 2] [--seconds 20] [--port 6700]
//
// The figure that counts is the wait of votes, from what made them due to their leaving, as the validators measure it themselves
// (`quorate_vote_wait_seconds`), and beside it the longest pauses of their main threads.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { signTransaction } from '../src/client/transaction.ts'
import { bundleWithMap } from '../src/contract/bundle.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { createKeyPair, type KeyPair } from '../src/crypto/signer.ts'
import { base64, createTransfers, type Devnet, get, post, startDevnet } from './support.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '40' },
    burners: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '20' },
    port: { type: 'string', default: '6700' },
  },
})
const rate = Number(values.rate)
const spanMs = Number(values.seconds) * 1_000

const BURNER = `import { contract } from 'quorate/contract'
export default contract({ calls: { burn() { for (;;); } } })`

/** Calls of one sender, each of which uses all the gas there may be. */
async function createBurner({ urls, genesisHash }: Devnet, gasLimit: number, key: KeyPair) {
  let nonce = 0
  return async (contract: string, method: string, args: unknown) => {
    const call = {
      network: genesisHash,
      nonce: nonce++,
      expires: 0,
      gasLimit,
      contract,
      method,
      args: JSON.stringify(args),
    }
    const { wire } = await signTransaction(key, call)
    return await post<{ status?: string }>(urls[nonce % urls.length]!, [base64(wire)])
  }
}

/** What the buckets of the histogram have counted, by their upper bounds in ms, added up over the validators. */
async function voteWaits({ urls }: Devnet): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  for (const url of urls) {
    const text = await (await fetch(`${url}/metrics`)).text()
    for (const [, seconds, count] of text.matchAll(/^quorate_vote_wait_seconds_bucket\{le="([^"]+)"\} (\d+)/gm)) {
      const bound = seconds === '+Inf' ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000
      counts.set(bound, (counts.get(bound) ?? 0) + Number(count))
    }
  }
  return counts
}

/** The upper bound of the bucket in which this share of the waits between two looks lies. */
function bucketOf(before: Map<number, number>, after: Map<number, number>, share: number): number {
  const counts = [...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)] as const)
  const all = Math.max(...counts.map(([, count]) => count))
  return Math.min(...counts.filter(([, count]) => count >= all * share).map(([bound]) => bound))
}

/** The longest and the 99th pause of each main thread since the last look, in ms. */
async function pauses({ urls }: Devnet): Promise<{ p99: number; max: number }> {
  const found = await Promise.all(
    urls.map(async (url) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      const read = (name: string) =>
        Number(new RegExp(`^quorate_nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1]) * 1_000
      return { p99: read('p99'), max: read('max') }
    }),
  )
  return {
    p99: Math.round(Math.max(...found.map(({ p99 }) => p99))),
    max: Math.round(Math.max(...found.map(({ max }) => max))),
  }
}

/** Transfers at the rate for the span, with or without company. */
async function measure(devnet: Devnet, next: (count: number) => Promise<string[]>, company: () => Promise<unknown>) {
  let isOver = false
  const burning = Array.from({ length: Number(values.burners) }, async () => {
    let burnt = 0
    for (; !isOver; burnt++) await company()
    return burnt
  })
  const before = await voteWaits(devnet)
  await pauses(devnet)
  const height = (await get<{ height: number }>(`${devnet.urls[0]}/v1/status`)).height
  const start = performance.now()
  const open = new Set<Promise<unknown>>()
  let sent = 0
  while (performance.now() - start < spanMs) {
    const due = Math.floor(((performance.now() - start) / 1_000) * rate) - sent
    if (due > 0) {
      sent += due
      const one = post(devnet.urls[sent % devnet.urls.length]!, await next(due), '').finally(() => open.delete(one))
      open.add(one)
    }
    await sleep(10)
  }
  await Promise.all(open)
  const after = await voteWaits(devnet)
  const mainThread = await pauses(devnet)
  const blocks = (await get<{ height: number }>(`${devnet.urls[0]}/v1/status`)).height - height
  isOver = true
  const burnt = (await Promise.all(burning)).reduce((sum, each) => sum + each, 0)
  return {
    transfers: sent,
    burnt,
    blocks,
    voteWaitMsAtMost: { p50: bucketOf(before, after, 0.5), p99: bucketOf(before, after, 0.99) },
    mainThreadPauseMs: mainThread,
  }
}

const devnet = await startDevnet(4, Number(values.port))
try {
  const { genesis } = await get<{ genesis: { parameters: { transactionGasMax: number } } }>(
    `${devnet.urls[0]}/v1/genesis`,
  )
  const gasLimit = genesis.parameters.transactionGasMax
  const { bundle } = await bundleWithMap({ source: BURNER, folder: import.meta.dirname, name: 'burner.ts' })
  const callers = await Promise.all(
    Array.from({ length: Number(values.burners) }, (_, index) =>
      createBurner(devnet, gasLimit, createKeyPair(sha256(Buffer.from(`burner ${index}`)))),
    ),
  )
  await callers[0]!('system', 'deploy', { name: 'burner', code: bundle.code })
  const transfers = await createTransfers(devnet, 100)
  let turn = 0
  const free = [...callers]
  const burn = async () => {
    const call = free.shift() ?? callers[turn++ % callers.length]!
    await call('burner', 'burn', {})
    free.push(call)
  }
  const alone = await measure(devnet, transfers.next, () => sleep(100))
  const burning = await measure(devnet, transfers.next, burn)
  console.log(JSON.stringify({ gasLimit, alone, burning }, null, 1))
} finally {
  await devnet.stop()
}
