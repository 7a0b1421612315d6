// `quorate ledger verify --replay` of a ledger of token transfers: how fast, and how many times as fast as four validators make it.
//
//   node bench/replay.ts [--transactions 20000] [--per-block 100] [--senders 200] [--live [--port 6600]]
//
// The ledger is made without a network, by the executor's own thread, with real signatures and certificates. --live then runs
// bench/transfers.ts with as many transactions and prints the ratio of the two rates, both of the same minutes,
// and that of the processor time they take.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { verifyLedger } from '../src/audit/verify.ts'
import { makeLedger } from '../test/audit/chain.ts'

const { values } = parseArgs({
  options: {
    transactions: { type: 'string', default: '20000' },
    'per-block': { type: 'string', default: '100' },
    senders: { type: 'string', default: '200' },
    live: { type: 'boolean', default: false },
    port: { type: 'string', default: '6600' },
  },
})
const perBlock = Number(values['per-block'])
const folder = await mkdtemp(join(tmpdir(), 'quorate-replay-bench-'))

async function measure(directory: string, genesis: Parameters<typeof verifyLedger>[0]['genesis'], replayIn?: string) {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const { fault, transactions, signatures, blocks } = await verifyLedger({
    directory,
    genesis,
    replayIn,
    workers: availableParallelism(),
  })
  if (fault !== null) throw new Error(`the ledger has a fault: ${JSON.stringify(fault)}`)
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return {
    seconds: +seconds.toFixed(2),
    transactionsPerSecond: Math.round(transactions / seconds),
    blocksPerSecond: Math.round(blocks / seconds),
    signatures,
    cpuMicrosecondsPerTransaction: Math.round((user + system) / transactions),
  }
}

try {
  const directory = join(folder, 'ledger')
  const blocks = Math.ceil(Number(values.transactions) / perBlock)
  const made = await makeLedger({
    directory,
    blocks,
    transactionsPerBlock: perBlock - 1,
    senders: Number(values.senders),
  })
  const verify = await measure(directory, made.genesis)
  const replay = await measure(directory, made.genesis, await mkdtemp(join(folder, 'replay-')))
  const report = { cores: availableParallelism(), transactions: made.transactions, blocks, verify, replay }
  if (!values.live) console.log(JSON.stringify(report, null, 1))
  else {
    const transfers = join(import.meta.dirname, 'transfers.ts')
    const args = [transfers, '--transactions', values.transactions, '--senders', values.senders, '--port', values.port]
    const live = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as {
      perSecond: number
      cpuMicrosecondsPerTransaction: number[]
    }
    const ratio = +(replay.transactionsPerSecond / live.perSecond).toFixed(2)
    // Beside other work on the machine the rates depend on how many threads ask for a core; what is spent does not.
    const liveCpu = live.cpuMicrosecondsPerTransaction.reduce((sum, one) => sum + one, 0)
    const cpuRatio = +(liveCpu / replay.cpuMicrosecondsPerTransaction).toFixed(2)
    console.log(JSON.stringify({ ...report, livePerSecond: live.perSecond, ratio, cpuRatio }, null, 1))
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
