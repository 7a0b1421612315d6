// Certified token transfers per second: four validators as four processes on this machine, the load generator beside them.
//
//   node bench/transfers.ts [--transactions 20000] [--senders 200] [--batch 100] [--in-flight 40] [--validators 4]
//
// The figure that counts is the ratio to the signature bound: every validator checks every transaction's signature once, so c cores and
// n validators can do c·V/n at most, V being verifications per second and core, measured in the same run.
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { cpuSeconds, createTransfers, get, measureVerify, post, quantile, residentMiB, startDevnet } from './support.ts'

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
const batchSize = Number(values.batch)
const inFlightMax = Number(values['in-flight'])
const validators = Number(values.validators)

const devnet = await startDevnet(validators, Number(values.port))
try {
  const { urls, pids } = devnet
  const transfers = await createTransfers(devnet, Number(values.senders))
  const V = measureVerify()
  const batches: string[][] = []
  for (let i = 0; i < count; i += batchSize) batches.push(await transfers.next(Math.min(batchSize, count - i)))

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
        const answer = await post<{ results?: { code?: string }[] }>(urls[index % validators]!, batches[index]!)
        refused += (answer.results ?? []).filter((result) => result.code !== undefined).length
        latencies.push(performance.now() - sent)
      }
    }),
  )
  const seconds = (performance.now() - start) / 1000
  const cpu = (await Promise.all(pids.map(cpuSeconds))).map((after, index) => after - cpuBefore[index]!)
  const after = await get<{ height: number }>(`${urls[0]}/v1/status`)
  const resident = await Promise.all(pids.map(residentMiB))
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
        batchLatencyMs: { p50: Math.round(quantile(latencies, 0.5)), p99: Math.round(quantile(latencies, 0.99)) },
        cpuMicrosecondsPerTransaction: cpu.map((one) => Math.round((one / count) * 1e6)),
        rssMiB: resident.map(Math.round),
      },
      null,
      1,
    ),
  )
} finally {
  await devnet.stop()
}
