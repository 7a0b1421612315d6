// Blocks as they are stored: written by a commit, read by height, by transaction, and by whom they concern.

import { WRITE_DIGEST_BLOCKS } from '../limits.ts'
import {
  BATCH_TRANSACTIONS_MAX,
  type Certificate,
  certificateCodec,
  type Header,
  headerCodec,
  type Receipt,
  receiptCodec,
} from '../types/block.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { type Codec, decode, encode, list } from '../types/schema.ts'
import { Pruned } from './errors.ts'
import {
  after,
  certifiedKey,
  type HeightKind,
  headKey,
  heightBytes,
  heightKey,
  kindRange,
  type Listing,
  listingKey,
  listingPrefix,
  nonceKey,
  oldestKey,
  placeBytes,
  readHeight,
  readPlace,
  transactionKey,
  writeDigestsKey,
} from './keys.ts'
import { missing, type Operation, type Store } from './store.ts'

export interface Head {
  height: number
  blockHash: string
}

export interface BlockToCommit {
  header: Header
  blockHash: string
  /** The encoded batch, kept as it came. */
  batch: Uint8Array
  transactions: { id: string; sender: string; nonce: number; contract: string }[]
  /** One for each transaction, in their order. */
  receipts: Receipt[]
  /** State key to JSON text; null deletes. */
  writes: ReadonlyMap<string, string | null>
  /** One for each transaction; absent where the block was not executed here. */
  writeDigests?: readonly Uint8Array[]
}

export interface StoredBlock {
  header: Header
  blockHash: string
  batch: Uint8Array
  receipts: Receipt[]
  certificate: Certificate | undefined
}

export interface TransactionPlace {
  id: string
  height: number
  index: number
}

/** Newest first, from just before (`beforeHeight`, `beforeIndex`) on; without an index, from the block below on. */
export interface TransactionQuery extends Listing {
  beforeHeight?: number | undefined
  beforeIndex?: number | undefined
  limit: number
}

export const receiptsCodec = list(receiptCodec, BATCH_TRANSACTIONS_MAX)

/** The same bytes without Buffer's behaviour, which must not reach what is decoded from them. */
const plain = (stored: Buffer): Uint8Array => new Uint8Array(stored.buffer, stored.byteOffset, stored.length)

export function readHead(store: Store): Head | undefined {
  const stored = store.getSync(headKey)
  return stored === undefined ? undefined : { height: readHeight(stored), blockHash: toHex(stored.subarray(8)) }
}

/** The base: below it no block is kept, at it the header, the certificate and the state, above it whole blocks. 0 is block 0 itself, whole. */
export function readOldest(store: Store): number {
  const stored = store.getSync(oldestKey)
  return stored === undefined ? 0 : readHeight(stored)
}

/** The lowest height whose batch and receipts are kept. */
export function readOldestBlock(store: Store): number {
  const oldest = readOldest(store)
  return oldest === 0 ? 0 : oldest + 1
}

/** Everything a block adds to the store but its state, and the write digests that it is time to forget. */
export function blockOperations(block: Omit<BlockToCommit, 'writes'>): Operation[] {
  const { header, blockHash, batch, transactions, receipts, writeDigests = [] } = block
  const { height } = header
  const hash = fromHex(blockHash)
  const put = (key: Buffer, value: Uint8Array): Operation => ({ type: 'put', key, value })
  const operations = [
    put(heightKey('header', height), Buffer.concat([hash, encode(headerCodec, header)])),
    put(heightKey('batch', height), batch),
    put(heightKey('receipts', height), encode(receiptsCodec, receipts)),
    put(headKey, Buffer.concat([heightBytes(height), hash])),
  ]
  if (writeDigests.length > 0) operations.push(put(writeDigestsKey(height), Buffer.concat(writeDigests)))
  if (height > WRITE_DIGEST_BLOCKS) operations.push({ type: 'del', key: writeDigestsKey(height - WRITE_DIGEST_BLOCKS) })
  for (const [index, { id, sender, nonce, contract }] of transactions.entries()) {
    const place = placeBytes(height, index)
    if (receipts[index]!.status === 'skipped') {
      operations.push(put(transactionKey('skipped', id), place))
      continue
    }
    const idBytes = fromHex(id)
    operations.push(put(transactionKey('executed', id), place), put(nonceKey(sender, nonce), idBytes))
    for (const listing of [{ sender }, { contract }, { sender, contract }]) {
      const prefix = listingPrefix(listing)
      if (prefix !== undefined) operations.push(put(listingKey(prefix, height, index), idBytes))
    }
  }
  return operations
}

export function createBlockReader(store: Store) {
  /** Undefined where there is none yet; throws Pruned where there was one. Headers and certificates of epochs' ends stay for ever. */
  async function get(kind: HeightKind, height: number): Promise<Buffer | undefined> {
    const stored = await store.get(heightKey(kind, height))
    if (stored !== undefined) return stored
    const isBody = kind === 'batch' || kind === 'receipts'
    const oldest = isBody ? readOldestBlock(store) : readOldest(store)
    if (height < oldest) throw new Pruned(height, oldest, 'block')
    if (!isDue(kind, height)) return undefined
    // It may have come between the two looks: then it is there now.
    const late = await store.get(heightKey(kind, height))
    if (late === undefined) throw missing(`${kind} of block ${height}`)
    return late
  }
  /** Start-up leaves batches and receipts to be missed by whoever reads them (leveldb/files.ts). */
  function isDue(kind: HeightKind, height: number): boolean {
    if (kind !== 'certificate') return height <= (readHead(store)?.height ?? -1)
    const stored = store.getSync(certifiedKey)
    return height >= 1 && stored !== undefined && height <= readHeight(stored)
  }
  async function read<T>(kind: HeightKind, height: number, codec: Codec<T>, skip = 0): Promise<T | undefined> {
    const stored = await get(kind, height)
    return stored === undefined ? undefined : decode(codec, plain(stored.subarray(skip)))
  }
  const header = (height: number) => read('header', height, headerCodec, 32)
  const receipts = (height: number) => read('receipts', height, receiptsCodec)
  const certificate = (height: number) => read('certificate', height, certificateCodec)
  async function batch(height: number): Promise<Uint8Array | undefined> {
    const stored = await get('batch', height)
    return stored === undefined ? undefined : plain(stored)
  }

  /** 32 bytes for each transaction; undefined where they are not kept. */
  async function writeDigests(height: number): Promise<Uint8Array | undefined> {
    const stored = await store.get(writeDigestsKey(height))
    return stored === undefined ? undefined : plain(stored)
  }

  async function blockHash(height: number): Promise<string | undefined> {
    const stored = await get('header', height)
    return stored === undefined ? undefined : toHex(stored.subarray(0, 32))
  }

  async function block(height: number): Promise<StoredBlock | undefined> {
    const stored = await get('header', height)
    if (stored === undefined) return undefined
    const [body, outcome] = await Promise.all([batch(height), receipts(height)])
    return {
      header: decode(headerCodec, plain(stored.subarray(32))),
      blockHash: toHex(stored.subarray(0, 32)),
      // There as surely as the header: one write made them all.
      batch: body!,
      receipts: outcome!,
      certificate: await certificate(height),
    }
  }

  /** Asked several times for each transaction that a client waits for: synchronous reads, which take a tenth of the others' time. */
  async function findTransaction(id: string) {
    const executed = store.getSync(transactionKey('executed', id))
    if (executed !== undefined) return { ...readPlace(executed), executed: true }
    const skipped = store.getSync(transactionKey('skipped', id))
    return skipped === undefined ? undefined : { ...readPlace(skipped), executed: false }
  }

  async function executedBy(sender: string, nonce: number): Promise<string | undefined> {
    const id = await store.get(nonceKey(sender, nonce))
    return id === undefined ? undefined : toHex(id)
  }

  async function transactionsBy(query: TransactionQuery): Promise<TransactionPlace[]> {
    if (query.limit <= 0) return []
    if (query.sender === undefined && query.contract === undefined) return fromReceipts(store, query)
    return fromListing(store, query)
  }
  const byHeight = { header, receipts, certificate, batch, blockHash, block, writeDigests }
  return { ...byHeight, findTransaction, executedBy, transactionsBy }
}

async function fromListing(store: Store, query: TransactionQuery): Promise<TransactionPlace[]> {
  const prefix = listingPrefix(query)
  // A name too long for the index is no contract's.
  if (prefix === undefined) return []
  const { beforeHeight, beforeIndex = 0, limit } = query
  const lt = beforeHeight === undefined ? after(prefix) : listingKey(prefix, beforeHeight, beforeIndex)
  const cursor = store.cursor({ gte: prefix, lt, reverse: true, limit })
  const found: TransactionPlace[] = []
  try {
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      found.push({ id: toHex(entry[1]), ...readPlace(entry[0].subarray(prefix.length)) })
    }
  } finally {
    await cursor.close()
  }
  return found
}

/** All that ran, newest first: the receipts themselves are the list. One that is left out would be a wrong answer. */
async function fromReceipts(store: Store, query: TransactionQuery): Promise<TransactionPlace[]> {
  const { beforeHeight, beforeIndex = 0, limit } = query
  const snapshot = store.snapshot()
  const { gte } = kindRange('receipts')
  const head = await store.get(headKey, snapshot)
  const last = Math.min(beforeHeight ?? Number.MAX_SAFE_INTEGER, head === undefined ? -1 : readHeight(head))
  const cursor = store.cursor({ gte, lt: heightKey('receipts', last + 1), reverse: true, snapshot })
  const found: TransactionPlace[] = []
  let expected = last
  try {
    for (let entry = await cursor.next(); entry !== undefined && found.length < limit; entry = await cursor.next()) {
      const height = readHeight(entry[0], 1)
      if (height !== expected) throw missing(`receipts of block ${expected}`)
      expected--
      const receipts = decode(receiptsCodec, entry[1])
      let index = height === beforeHeight ? Math.min(beforeIndex, receipts.length) : receipts.length
      while (index-- > 0 && found.length < limit) {
        const { txId, status } = receipts[index]!
        if (status !== 'skipped') found.push({ id: txId, height, index })
      }
    }
    if (found.length < limit && expected >= readOldestBlock(store)) throw missing(`receipts of block ${expected}`)
  } finally {
    await cursor.close()
    await snapshot.close()
  }
  return found
}
