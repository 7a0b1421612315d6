// Certified token transfers per second: four validators as four processes on this machine, the load generator beside them.
//
//   node bench/transfers.ts [--transactions 20000] [--senders 200] [--batch 100] [--in-flight 40] [--validators 4]
//
// The figure that counts is the ratio to the signature bound: every validator checks every transaction's signature once, so c cores and
// n validators can do c·V/n at most, V being verifications per second and core, measured in the same run.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { signTransaction } from '../src/client/transaction.ts'
import { addressOf } from '../src/crypto/address.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { loadKey } from '../src/crypto/keystore.ts'
import { createKeyPair, verify } from '../src/crypto/signer.ts'

const { values } = parseArgs({
  options: {
    transactions: { type: 'string', default: '20000' },
    senders: { type: 'string', default: '200' },
    batch: { type: 'string', default: '100' },
    'in-flight': { type: 'string', default: '40' },
    validators: { type: 'string', default: '4' },
    port: { type: 'string', default: '6600' },
  },
})
const count = Number(values.transactions)
const senderCount = Number(values.senders)
const batchSize = Number(values.batch)
const inFlightMax = Number(values['in-flight'])
const validators = Number(values.validators)
const port = Number(values.port)
const quorate = join(import.meta.dirname, '../bin/quorate.js')

/** Verifications per second of one core, over messages as long as a transfer. */
function measureVerify(): number {
  const { publicKey, sign } = createKeyPair(sha256(Buffer.from('bench')))
  const message = new Uint8Array(230)
  const signature = sign(message)
  const start = performance.now()
  let done = 0
  while (performance.now() - start < 500) for (let i = 0; i < 100; i++, done++) verify(publicKey, message, signature)
  return (done / (performance.now() - start)) * 1000
}

async function post(
  url: string,
  body: unknown,
): Promise<{ status: number; body: { results?: { id: string; code?: string }[]; height?: number } }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as never }
}

async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T
}

/** CPU seconds a process has used, its threads included. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'))
const devnet = spawn(
  process.execPath,
  [quorate, 'devnet', '--dir', directory, '--port', String(port), '--validators', String(validators)],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
try {
  await new Promise<void>((resolve, reject) => {
    let text = ''
    devnet.stdout.on('data', (chunk) => {
      text += chunk
      if (text.includes('Ctrl-C')) resolve()
    })
    devnet.on('exit', (code) => reject(new Error(`the devnet ended with code ${code}`)))
  })
  const urls = Array.from({ length: validators }, (_, index) => `http://127.0.0.1:${port + index}`)
  const { genesisHash } = await get<{ genesisHash: string }>(`${urls[0]}/v1/status`)
  const alice = await loadKey(join(directory, 'keystore'), 'alice')
  const senders = Array.from({ length: senderCount }, (_, index) =>
    createKeyPair(sha256(Buffer.from(`sender ${index}`))),
  )
  const call = (nonce: number, to: string, amount: string) => ({
    network: genesisHash,
    nonce,
    expires: 0,
    gasLimit: 200_000,
    contract: 'token',
    method: 'transfer',
    args: JSON.stringify({ to, amount }),
  })
  const base64 = (wire: Uint8Array) => Buffer.from(wire).toString('base64')

  const funding = await Promise.all(
    senders.map((sender, index) => signTransaction(alice, call(index, addressOf(sender.publicKey), '1000'))),
  )
  await post(`${urls[0]}/v1/transactions?wait=certified&timeout=60000`, {
    txs: funding.map(({ wire }) => base64(wire)),
  })

  const V = measureVerify()
  const wires: string[] = []
  for (let nonce = 0; wires.length < count; nonce++) {
    for (const [index, sender] of senders.entries()) {
      const to = addressOf(senders[(index + 1) % senderCount]!.publicKey)
      wires.push(base64((await signTransaction(sender, call(nonce, to, '1'))).wire))
    }
  }
  const batches: string[][] = []
  for (let i = 0; i < count; i += batchSize) batches.push(wires.slice(i, i + batchSize))

  const pids = (await readFile(`/proc/${devnet.pid}/task/${devnet.pid}/children`, 'utf8')).trim().split(' ').map(Number)
  const cpuBefore = await Promise.all(pids.map(cpuSeconds))
  const before = await get<{ height: number }>(`${urls[0]}/v1/status`)
  const latencies: number[] = []
  let next = 0
  let refused = 0
  const start = performance.now()
  await Promise.all(
    Array.from({ length: inFlightMax }, async () => {
      for (let index = next++; index < batches.length; index = next++) {
        const sent = performance.now()
        const { status, body } = await post(
          `${urls[index % validators]}/v1/transactions?wait=certified&timeout=60000`,
          { txs: batches[index] },
        )
        if (status !== 200) throw new Error(`batch ${index}: ${status} ${JSON.stringify(body).slice(0, 300)}`)
        refused += (body.results ?? []).filter((result) => result.code !== undefined).length
        latencies.push(performance.now() - sent)
      }
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const cpu = (await Promise.all(pids.map(cpuSeconds))).map((after, index) => after - cpuBefore[index]!)
  const after = await get<{ height: number }>(`${urls[0]}/v1/status`)
  const rss = await Promise.all(
    pids.map(async (pid) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024),
  )
  latencies.sort((a, b) => a - b)
  const bound = (availableParallelism() * V) / validators
  const rate = count / seconds
  console.log(
    JSON.stringify(
      {
        transactions: count,
        refused,
        seconds: +seconds.toFixed(2),
        perSecond: Math.round(rate),
        V: Math.round(V),
        bound: Math.round(bound),
        ratio: +(rate / bound).toFixed(3),
        blocks: after.height - before.height,
        perBlock: Math.round(count / (after.height - before.height)),
        batchLatencyMs: {
          p50: Math.round(latencies[latencies.length >> 1]!),
          p99: Math.round(latencies[Math.floor(latencies.length * 0.99)]!),
        },
        cpuMicrosecondsPerTransaction: cpu.map((one) => Math.round((one / count) * 1e6)),
        rssMiB: rss.map(Math.round),
      },
      null,
      1,
    ),
  )
} finally {
  devnet.kill('SIGINT')
  if (devnet.exitCode === null) await new Promise((resolve) => devnet.once('exit', resolve))
  await rm(directory, { recursive: true, force: true })
}
