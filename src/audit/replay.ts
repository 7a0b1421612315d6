// Where running the blocks again begins: at genesis, or at the oldest state that is still kept; in a folder of its own.
import { join } from 'node:path'
import { openLedgerBuilder } from '../ledger/builder.ts'
import { createStateView } from '../ledger/history.ts'
import { openStore, type Store } from '../ledger/store.ts'
import { differentField, type Execution, startExecution } from './execution.ts'
import { type Finding, finding } from './finding.ts'
import type { Network } from './network.ts'
import { readCertificate, readHeader } from './source.ts'

export interface Replay extends Execution {
  /** The state that running begins from is the one after this height. */
  readonly base: number
  /** The ledger in which the blocks are run. */
  readonly store: Store
}

const PAGE_KEYS = 4_096
/** Nobody reads the past of this ledger. */
const HISTORY_BLOCKS = 0

export interface ReplayOptions {
  network: Network
  /** The ledger that is checked. */
  store: Store
  /** Base of that ledger, and the lowest height whose state it has. */
  oldest: number
  oldestState: number
  /** An empty folder. */
  directory: string
}

export async function startReplay(options: ReplayOptions): Promise<Replay | Finding> {
  const { network, store, oldest, oldestState } = options
  const directory = join(options.directory, 'ledger')
  const base = oldest === 0 ? 0 : Math.max(oldest, oldestState)
  if (base > 0) {
    const wrong = await copyState(store, network.genesisHash, base, directory)
    if (wrong !== undefined) return wrong
  }
  const execution = await startExecution({
    network,
    directory,
    historyBlocks: HISTORY_BLOCKS,
    offline: 'replay',
    valueAt: (height, key) => createStateView(store, height).get(key),
  })
  const own = await openStore(directory)
  const replay: Replay = {
    ...execution,
    base,
    store: own,
    async close() {
      await own.close()
      await execution.close()
    },
  }
  const wrong = base === 0 ? differentGenesis(store, own) : undefined
  if (wrong === undefined) return replay
  await replay.close()
  return wrong
}

/** Block 0 follows from the genesis document. */
function differentGenesis(store: Store, executed: Store): Finding | undefined {
  const [found, expected] = [readHeader(store, 0), readHeader(executed, 0)]
  if ('part' in found) return found
  if ('part' in expected) return expected
  if (found.blockHash === expected.blockHash) return undefined
  return differentField(expected.header, found.header) ?? finding(0, 'the header', expected.blockHash, found.blockHash)
}

async function copyState(store: Store, genesisHash: string, base: number, directory: string) {
  const header = readHeader(store, base)
  if ('part' in header) return header
  const certificate = readCertificate(store, base, true)
  if (certificate === null || 'part' in certificate) return certificate ?? undefined
  const builder = await openLedgerBuilder(directory, genesisHash)
  const view = createStateView(store, base)
  let last: string | undefined
  for (;;) {
    const page = await view.scan('', last, PAGE_KEYS)
    await builder.putState(page)
    if (page.length < PAGE_KEYS) break
    last = page.at(-1)![0]
  }
  const { stateRoot } = header.header
  const root = builder.root()
  if (root !== stateRoot) {
    await builder.abandon()
    return finding(base, 'the state as it was after it', `the root ${stateRoot}`, root)
  }
  await builder.finish({ header: header.header, certificate })
  return undefined
}
