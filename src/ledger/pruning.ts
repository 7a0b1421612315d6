// Forgetting old blocks: the base moves up, and what only lower blocks need goes with it, each step one atomic write.
//
// Bodies, receipts and indexes go, and so do headers and certificates, but for those of block 0 and of each epoch's last block, by which
// light clients cross epochs. State history has a length of its own (history.ts).
import { batchCodec, headerCodec, type Receipt } from '../types/block.ts'
import { decode } from '../types/schema.ts'
import { decodeTransaction } from '../types/transaction.ts'
import { readOldest, readOldestBlock, receiptsCodec } from './blocks.ts'
import { PruningRefused } from './errors.ts'
import { claim } from './format.ts'
import {
  certifiedKey,
  heightBytes,
  heightKey,
  listingKey,
  listingPrefix,
  nonceKey,
  oldestKey,
  readHeight,
  readPlace,
  transactionKey,
} from './keys.ts'
import { type Operation, openStore, type Store } from './store.ts'

/** What makes `before` the oldest whole block, or comes nearer to it by at most so many blocks, two or more; nothing where it is that already. */
export function pruningOperations(store: Store, before: number, blocksMax: number): Operation[] {
  const oldest = readOldestBlock(store)
  // The base needs its certificate.
  const target = Math.min(before, readCertified(store) + 1, oldest + blocksMax)
  // A base of 0 means that block 0 is whole, so it goes together with block 1.
  if (target <= oldest || target === 1) return []
  const operations: Operation[] = []
  for (let height = oldest; height < target; height++) {
    operations.push(...bodyDeletions(store, height))
    if (height > 0) operations.push(...headerDeletions(store, height - 1))
  }
  operations.push({ type: 'put', key: oldestKey, value: heightBytes(target - 1) })
  return operations
}

function readCertified(store: Store): number {
  const stored = store.getSync(certifiedKey)
  return stored === undefined ? 0 : readHeight(stored)
}

function headerDeletions(store: Store, height: number): Operation[] {
  const stored = store.getSync(heightKey('header', height))
  if (stored === undefined) return []
  // Block 0 counts as one: it ends nothing, and what follows is trusted by it.
  const isBoundary = decode(headerCodec, stored.subarray(32)).epochEnd === height
  if (isBoundary) return []
  return (['header', 'certificate'] as const).map((kind) => ({ type: 'del', key: heightKey(kind, height) }))
}

function bodyDeletions(store: Store, height: number): Operation[] {
  const [batch, receipts] = [store.getSync(heightKey('batch', height)), store.getSync(heightKey('receipts', height))]
  const operations: Operation[] = (['batch', 'receipts'] as const).map((kind) => ({
    type: 'del',
    key: heightKey(kind, height),
  }))
  if (batch === undefined || receipts === undefined) return operations
  const outcomes = decode(receiptsCodec, receipts)
  // Most blocks of a quiet network are empty.
  const wires = outcomes.length === 0 ? [] : decode(batchCodec, batch).txs
  for (const [index, wire] of wires.entries()) {
    for (const key of indexKeys(store, { height, index, wire, receipt: outcomes[index]! }))
      operations.push({ type: 'del', key })
  }
  return operations
}

interface Placed {
  height: number
  index: number
  wire: Uint8Array
  receipt: Receipt
}

function indexKeys(store: Store, { height, index, wire, receipt }: Placed): Buffer[] {
  const { txId, status, sender, nonce } = receipt
  if (status === 'skipped') {
    const key = transactionKey('skipped', txId)
    const place = store.getSync(key)
    // It may have been skipped again later.
    return place === undefined || readPlace(place).height > height ? [] : [key]
  }
  const { contract } = decodeTransaction(wire)
  const keys = [transactionKey('executed', txId), nonceKey(sender, nonce)]
  for (const listing of [{ sender }, { contract }, { sender, contract }]) {
    const prefix = listingPrefix(listing)
    if (prefix !== undefined) keys.push(listingKey(prefix, height, index))
  }
  return keys
}

export interface PruneOptions {
  directory: string
  genesisHash: string
  /** The lowest height to keep whole. */
  before: number
  /** Blocks behind the head that stay in any case. */
  keepMin: number
  onProgress?(progress: { height: number; from: number; to: number }): void
}

export interface PruneReport {
  /** The lowest height with a whole block, before and after. */
  from: number
  oldestBlock: number
  bytesBefore: number
  bytesAfter: number
}

/** Blocks in one write: some thousand deletions at most with full blocks. */
const BLOCKS_PER_WRITE = 16

/** Prunes a ledger that no node has open, and gives the room back to the disk. Throws PruningRefused. */
export async function pruneLedger(options: PruneOptions): Promise<PruneReport> {
  const { directory, before, keepMin, onProgress } = options
  const store = await openStore(directory)
  try {
    await claim(store, directory, options.genesisHash)
    const certified = readCertified(store)
    const highest = Math.max(0, certified + 1 - keepMin)
    if (before > highest) throw new PruningRefused(before, highest, keepMin)
    const from = readOldestBlock(store)
    const bytesBefore = await store.size()
    for (;;) {
      const operations = pruningOperations(store, before, BLOCKS_PER_WRITE)
      if (operations.length === 0) break
      await store.write(operations)
      onProgress?.({ height: readOldest(store), from, to: before - 1 })
    }
    await store.compact()
    return { from, oldestBlock: readOldestBlock(store), bytesBefore, bytesAfter: await store.size() }
  } finally {
    await store.close()
  }
}
