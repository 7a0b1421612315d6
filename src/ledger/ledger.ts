// The ledger: blocks, state and indexes on one disk, each block one atomic and synced batch. See docs/data.md for what is stored.
//
// Several threads of one process hold a ledger on the same folder: the executor commits blocks, the main thread puts certificates
// and reads. So no handle keeps in memory what another one changes; the state tree belongs to the one thread that commits.
import { blockHash as hashOfHeader } from '../crypto/digest.ts'
import { STATE_HISTORY_BLOCKS } from '../limits.ts'
import { type Certificate, certificateCodec, ZERO_HASH } from '../types/block.ts'
import { type Divergence, divergenceCodec } from '../types/divergence.ts'
import type { Evidence } from '../types/evidence.ts'
import { decode, encode } from '../types/schema.ts'
import {
  type BlockToCommit,
  blockOperations,
  createBlockReader,
  type Head,
  readHead,
  readOldest,
  readOldestBlock,
} from './blocks.ts'
import { checkBodies, checkStore, headStateRoot } from './check.ts'
import { evidenceOperation, readEvidence } from './evidence.ts'
import type { Fault } from './fault.ts'
import { claim } from './format.ts'
import { createStateView, readOldestState, type StateView } from './history.ts'
import {
  certifiedKey,
  divergenceKey,
  heightBytes,
  heightKey,
  kindRange,
  pagePrefix,
  readHeight,
  readStateKey,
  stateKey,
  trunkKey,
} from './keys.ts'
import { type Leaf, type LeafRange, readLeaves } from './leaves.ts'
import { pruningOperations } from './pruning.ts'
import { openProvable, proveState, type StatePath } from './state-paths.ts'
import { oldValues, stateOperations } from './state-writes.ts'
import { type Operation, openStore, type Store } from './store.ts'
import { createStateTree, type StateTree, type TreeChange, type Writes } from './tree.ts'
import { makesStale, pageOperation, trunkState, trunkStateOperation } from './trunk.ts'
import { ensureTrunk } from './trunk-check.ts'
import { createValueCache, type ValueCache } from './value-cache.ts'

export type { BlockToCommit, Head, StoredBlock, TransactionPlace, TransactionQuery } from './blocks.ts'
export type { Fault } from './fault.ts'
export type { StateView } from './history.ts'
export type { Leaf, LeafRange } from './leaves.ts'
export type { StatePath } from './state-paths.ts'

export interface LedgerOptions {
  directory: string
  genesisHash: string
  /** Heights behind the head whose state stays readable; 0: the head's alone, of which nothing is proven. The committing handle's setting counts. */
  historyBlocks?: number
  /** Whole blocks kept behind the head; 0 keeps all. The committing handle's setting counts. */
  keepBlocks?: number
  /** Only the committing thread needs the state tree; it takes about 130 bytes a key. */
  readonly tree: boolean
  /** Subtrees with more leaves have a page on the disk; what is below is hashed when a path is asked for. */
  readonly twigLeaves?: number
  /** False: writes are left to the system, so a power failure may take the last ones, always whole blocks from the end. */
  readonly isDurable?: boolean
}

export interface Ledger extends ReturnType<typeof createLedger> {}

const TREE_CHUNK_KEYS = 65_536
const TWIG_LEAVES = 128
/** A block adds one and removes up to two, so its work is bounded, and what a shorter setting left shrinks with every block. */
const BLOCKS_PRUNED_PER_BLOCK = 2

export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const store = await openStore(options.directory, options.isDurable)
  try {
    await claim(store, options.directory, options.genesisHash)
    const tree = options.tree ? await loadTree(store) : undefined
    if (tree !== undefined) await fitTrunk(store, tree, options)
    return createLedger(store, tree, options)
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Streams the whole state into a new tree. */
async function loadTree(store: Store): Promise<StateTree> {
  const tree = createStateTree()
  const cursor = store.cursor(kindRange('state'))
  try {
    let chunk: [string, string][] = []
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      chunk.push([readStateKey(entry[0]), entry[1].toString('utf8')])
      if (chunk.length < TREE_CHUNK_KEYS) continue
      tree.adopt(tree.prepare(chunk))
      chunk = []
    }
    tree.adopt(tree.prepare(chunk))
  } finally {
    await cursor.close()
  }
  return tree
}

/** A state that is not the head's is damage to report, and no reason to build anything from it. */
async function fitTrunk(store: Store, tree: StateTree, options: LedgerOptions): Promise<void> {
  const { twigLeaves = TWIG_LEAVES, historyBlocks } = options
  if (historyBlocks === 0) return
  const head = readHead(store)
  // The first block brings the first trunk.
  if (head === undefined || (await headStateRoot(store, head.height)) !== tree.root()) return
  await ensureTrunk(store, tree, head.height, twigLeaves)
}

function createLedger(store: Store, tree: StateTree | undefined, options: LedgerOptions) {
  const reader = createBlockReader(store)
  const stored = (key: string): string | undefined => store.getSync(stateKey(key))?.toString('utf8')
  const values = tree === undefined ? undefined : createValueCache()
  const latestOf = values === undefined ? stored : (key: string) => readThrough(values, stored, key)
  const committer = createCommitter(store, tree, {
    ...options,
    known: (key) => values?.get(key),
    onWritten: (key, value) => values?.set(key, value),
  })
  const certifiedHeight = (): number => {
    const stored = store.getSync(certifiedKey)
    return stored === undefined ? 0 : readHeight(stored)
  }
  let certifying: Promise<unknown> = Promise.resolve()

  async function writeCertificates(certificates: Certificate[]): Promise<void> {
    const fresh = new Set<number>()
    const operations: Operation[] = []
    for (const certificate of certificates) {
      const { height, blockHash } = certificate
      // Certified long ago, or it would not be pruned.
      if (height >= 1 && height < readOldest(store)) continue
      const executed = height < 1 ? undefined : await reader.blockHash(height)
      if (executed !== blockHash) {
        const have = executed === undefined ? 'no such block is executed' : `the executed block is ${executed}`
        throw new Error(`A certificate for block ${height} with hash ${blockHash} was put, but ${have}.`)
      }
      fresh.add(height)
      operations.push({
        type: 'put',
        key: heightKey('certificate', height),
        value: encode(certificateCodec, certificate),
      })
    }
    const before = certifiedHeight()
    let certified = before
    while (fresh.has(certified + 1) || (await reader.certificate(certified + 1)) !== undefined) certified++
    if (certified > before) operations.push({ type: 'put', key: certifiedKey, value: heightBytes(certified) })
    if (operations.length > 0) await store.write(operations)
  }

  return {
    ...reader,
    /** The last executed block; undefined on an empty ledger. */
    head: (): Head | undefined => readHead(store),
    /**
     * The base: the header, the certificate and the state of this height are there, whole blocks only above it; 0 while every block is
     * kept. Headers and certificates of epochs' ends are there below it too. Reads of what is gone throw Pruned.
     */
    oldestHeight: (): number => readOldest(store),
    /** The lowest height whose whole block is kept: the one above the base, or 0. */
    oldestBlock: (): number => readOldestBlock(store),
    /** The latest executed value of a state key. */
    getState: latestOf,
    /** The state root there would be after these writes. Nothing changes. */
    rootAfter: (writes: Writes): string => committer.rootAfter(writes),
    /** Writes a block and its state, all or nothing. Throws on a block that does not follow the head: a bug of the caller. */
    commitBlock: (block: BlockToCommit): Promise<void> => committer.commitBlock(block),
    /** Keeps certificates of executed blocks. */
    putCertificates(certificates: Certificate[]): Promise<void> {
      const written = certifying.then(() => writeCertificates(certificates))
      certifying = written.catch(() => undefined)
      return written
    },
    /** Keeps what proves a validator faulty. The caller bounds how much. */
    putEvidence: (evidence: Evidence): Promise<void> => store.write([evidenceOperation(evidence)]),
    /** All evidence kept, by epoch and validator. */
    evidence: (): Promise<Evidence[]> => readEvidence(store),
    /** Keeps that a quorum contradicts a block of this ledger, for as long as that block is in it. */
    putDivergence: (divergence: Divergence): Promise<void> =>
      store.write([{ type: 'put', key: divergenceKey, value: encode(divergenceCodec, divergence) }]),
    async divergence(): Promise<Divergence | undefined> {
      const stored = await store.get(divergenceKey)
      const divergence = stored === undefined ? undefined : decode(divergenceCodec, stored)
      if (divergence === undefined) return undefined
      // One from before the base was of a block that the network has certified since.
      const { height } = divergence.certificate
      const block = height < readOldest(store) ? undefined : await reader.blockHash(height)
      return block === divergence.ours ? divergence : undefined
    },
    /** The highest height up to which every block is certified; genesis needs no certificate. */
    certifiedHeight,
    /** The state after the block at `height`. */
    stateAt: (height: number): StateView => createStateView(store, height),
    /** The path from `key` to the state root after the block at `height`. Refuses what `stateAt` refuses, and heights from before the tree was built. */
    proveState: (height: number, key: string): Promise<StatePath> => proveState(store, height, key),
    /** The lowest height whose state can be proven. */
    oldestProvableHeight(): number {
      const stored = trunkState(store.getSync(trunkKey))
      return Math.max(stored?.base ?? 0, readOldestState(store), readOldest(store))
    },
    /** The state after the block at `height` in the order of the keys' paths: all, or what is below the first bits of one. Refuses what `proveState` refuses. */
    async *leavesAt(height: number, range: LeafRange = { path: new Uint8Array(), bits: 0 }): AsyncGenerator<Leaf> {
      const at = await openProvable(store, height)
      try {
        yield* readLeaves(store, at, range)
      } finally {
        await at.snapshot.close()
      }
    },
    /** The lowest height whose state can be read. */
    oldestState: (): number => readOldestState(store),
    /** What is wrong with the ledger on the disk, as start-up wants to know it. */
    check: (): Promise<Fault[]> => checkStore(store, tree?.root()),
    /** What is wrong with any batch or receipts on the disk: reads them all. */
    checkBodies: (): Promise<Fault[]> => checkBodies(store),
    /** Bytes on the disk. */
    approximateSize: (): Promise<number> => store.size(),
    async close(): Promise<void> {
      await committer.close()
      await certifying
      await store.close()
    },
  }
}

interface CommitterOptions extends LedgerOptions {
  /** The latest value of a state key as it is remembered: null for no value, undefined where nothing is remembered. */
  known(key: string): string | null | undefined
  /** Called for each value once it is written. */
  onWritten(key: string, value: string | null): void
}

function readThrough(values: ValueCache, read: (key: string) => string | undefined, key: string): string | undefined {
  const known = values.get(key)
  if (known !== undefined) return known ?? undefined
  const value = read(key)
  values.set(key, value ?? null)
  return value
}

interface Prepared {
  entries: [string, string | null][]
  change: TreeChange
  /** The entries' keys as they are stored. */
  keys: Buffer[]
  /** What the entries replace. */
  old: Promise<(string | undefined)[]>
}

/** The one writer of blocks: holds the tree and the change last computed against it, so a root asked for is not computed twice. */
function createCommitter(store: Store, tree: StateTree | undefined, options: CommitterOptions) {
  const { historyBlocks = STATE_HISTORY_BLOCKS, keepBlocks = 0, twigLeaves = TWIG_LEAVES, known } = options
  let prepared: Prepared | undefined
  let running: Promise<void> | undefined
  let failure: unknown
  let closed = false

  function ownTree(): StateTree {
    if (tree === undefined) throw new Error('This ledger was opened without its state tree; open it with tree: true.')
    return tree
  }

  function prepare(writes: Writes): Prepared {
    if (prepared !== undefined) {
      // The caller's map may have changed since, so its entries are compared, not its identity.
      if (sameEntries(prepared.entries, writes)) return prepared
      ownTree().drop(prepared.change)
      prepared = undefined
    }
    const entries = [...writes]
    for (const [key, value] of entries) {
      // Lone surrogates would all become U+FFFD on the disk, and two keys one.
      if (!key.isWellFormed()) throw new Error(`The state key ${JSON.stringify(key)} has a lone surrogate.`)
      if (value?.isWellFormed() === false) throw new Error(`The value of ${JSON.stringify(key)} has a lone surrogate.`)
    }
    // Other threads read what will be replaced while this one hashes. Whoever commits sees what fails.
    const keys = entries.map(([key]) => stateKey(key))
    const remembered = entries.map(([key]) => known(key))
    const old = oldValues(store, keys, remembered)
    old.catch(() => undefined)
    prepared = { entries, keys, old, change: ownTree().prepare(entries) }
    return prepared
  }

  function oldBlocks(height: number): Operation[] {
    if (keepBlocks === 0) return []
    return pruningOperations(store, height - keepBlocks + 1, BLOCKS_PRUNED_PER_BLOCK)
  }

  async function commit(block: BlockToCommit): Promise<void> {
    assertFollows(readHead(store), block, options.genesisHash)
    const { header, writes } = block
    const { change, keys, old } = prepare(writes)
    if (change.root !== header.stateRoot) {
      throw new Error(`Block ${header.height} has state root ${header.stateRoot}, but its writes give ${change.root}.`)
    }
    // From here on the change belongs to this commit: a root asked for meanwhile must not drop it.
    prepared = undefined
    try {
      const { height } = header
      const pages = historyBlocks === 0 ? [] : ownTree().changedPages(change, twigLeaves)
      const stalePages = pages.filter(makesStale).map(({ depth, place }) => pagePrefix(depth, place))
      const state = await stateOperations(store, { height, writes, keys, old: await old, historyBlocks, stalePages })
      const trunk = pages.map((page) => pageOperation(page, height))
      const { base } = trunkState(store.getSync(trunkKey)) ?? { base: height }
      // Without history nothing is proven from this folder, and what is opened with one later builds its trunk then.
      if (historyBlocks === 0) trunk.push({ type: 'del', key: trunkKey })
      else trunk.push(trunkStateOperation({ base, height, twigLeaves }))
      // What goes comes first: this block may skip a transaction again whose entry goes with an old block.
      await store.write([...oldBlocks(height), ...blockOperations(block), ...state, ...trunk])
    } catch (error) {
      failure = error
      throw error
    }
    ownTree().adopt(change)
    for (const [key, value] of writes) options.onWritten(key, value)
  }

  return {
    rootAfter(writes: Writes): string {
      if (running !== undefined) throw new Error('rootAfter was called while a block is being committed.')
      return prepare(writes).change.root
    },
    async commitBlock(block: BlockToCommit): Promise<void> {
      if (running !== undefined) throw new Error('commitBlock was called while a block is being committed.')
      if (closed) throw new Error('commitBlock was called on a closed ledger.')
      // After a failed write nobody knows what the disk holds; only a restart reads it again.
      if (failure !== undefined)
        throw new Error('An earlier block could not be written; restart the node.', { cause: failure })
      running = commit(block)
      try {
        await running
      } finally {
        running = undefined
      }
    },
    /** Takes no more blocks; resolves when the last one is written. */
    async close(): Promise<void> {
      closed = true
      await running?.catch(() => undefined)
    },
  }
}

function sameEntries(entries: readonly (readonly [string, string | null])[], writes: Writes): boolean {
  if (entries.length !== writes.size) return false
  let index = 0
  for (const [key, value] of writes) {
    const entry = entries[index++]!
    if (entry[0] !== key || entry[1] !== value) return false
  }
  return true
}

function assertFollows(head: Head | undefined, block: BlockToCommit, genesisHash: string): void {
  const { header, blockHash, transactions, receipts } = block
  const expected = { height: head === undefined ? 0 : head.height + 1, parent: head?.blockHash ?? ZERO_HASH }
  const refuse = (what: string): never => {
    throw new Error(`Block ${header.height} cannot be committed: ${what}.`)
  }
  if (header.height !== expected.height) refuse(`expected height ${expected.height}`)
  if (header.parentHash !== expected.parent) refuse(`expected parent ${expected.parent}, got ${header.parentHash}`)
  if (header.genesisHash !== genesisHash)
    refuse(`it is of network ${header.genesisHash}, this ledger of ${genesisHash}`)
  const hash = hashOfHeader(header)
  if (hash !== blockHash) refuse(`its header's hash is ${hash}, not ${blockHash}`)
  const matches =
    receipts.length === transactions.length && receipts.every((receipt, i) => receipt.txId === transactions[i]!.id)
  if (!matches) refuse('its receipts are not those of its transactions, in their order')
}
