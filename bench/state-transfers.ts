// What a token transfer costs as the state grows: a node's own executor runs blocks of them, sandbox, state tree, history and disk included.
//
//   node bench/state-transfers.ts [--accounts 1000,100000,1000000] [--blocks 100] [--transfers 100]
//
// The accounts get money by transfers too, so a million of them take some minutes. Then blocks of transfers to random ones of them; what
// counts is the growth of a transfer's cost with the accounts there are. Medians by the clock, and processor time of the whole process:
// executor, LevelDB and the runtime's own threads. Signing is done before.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodesOf, prepareFolder } from '../src/cli/devnet-folder.ts'
import { createRandom } from '../src/simulator/random.ts'
import { createMaker } from './made-chain.ts'
import { quantile, settled } from './support.ts'

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '1000,100000,1000000' },
    blocks: { type: 'string', default: '100' },
    transfers: { type: 'string', default: '100' },
    port: { type: 'string', default: '7200' },
  },
})
const blocks = Number(values.blocks)
const transfers = Number(values.transfers)
const FILL_TRANSFERS = 400
const WARM_UP_BLOCKS = 20

type Maker = Awaited<ReturnType<typeof createMaker>>

async function transfersTo(maker: Maker, count: number, account: (n: number) => number): Promise<Uint8Array[]> {
  const txs: Uint8Array[] = []
  for (let n = 0; n < count; n++) txs.push(await maker.next(account(n)))
  return txs
}

async function measure(accounts: number) {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-state-transfers-'))
  await prepareFolder(folder, { validators: 1, observers: 0 }, Number(values.port), () => {})
  const homes = nodesOf({ validators: 1, observers: 0 }, folder, Number(values.port)).map(({ home }) => home)
  const maker = await createMaker(folder, homes, accounts + (WARM_UP_BLOCKS + blocks) * transfers)
  try {
    for (let filled = 0; filled < accounts; filled += FILL_TRANSFERS) {
      const count = Math.min(FILL_TRANSFERS, accounts - filled)
      await maker.add(await transfersTo(maker, count, (n) => filled + n))
    }
    const random = createRandom(1)
    const batches: Uint8Array[][] = []
    for (let block = 0; block < WARM_UP_BLOCKS + blocks; block++) {
      batches.push(await transfersTo(maker, transfers, () => random.below(accounts)))
    }
    for (const batch of batches.splice(0, WARM_UP_BLOCKS)) await maker.add(batch)
    await settled(maker.ledger)
    const times: number[] = []
    const before = process.cpuUsage()
    for (const batch of batches) {
      const start = performance.now()
      await maker.add(batch)
      times.push(((performance.now() - start) * 1_000) / transfers)
    }
    const { user, system } = process.cpuUsage(before)
    await maker.finish()
    return {
      accounts,
      clockUs: Math.round(quantile(times, 0.5)),
      processorUs: Math.round((user + system) / (blocks * transfers)),
    }
  } finally {
    await maker.close()
    await rm(folder, { recursive: true })
  }
}

const results = []
for (const accounts of values.accounts.split(',').map(Number)) {
  results.push(await measure(accounts))
  console.log(JSON.stringify(results.at(-1)))
}
const [first, last] = [results[0]!, results.at(-1)!]
const growth = (field: 'clockUs' | 'processorUs') => Number((last[field] / first[field]).toFixed(2))
console.log(JSON.stringify({ growth: { clock: growth('clockUs'), processor: growth('processorUs') } }))
