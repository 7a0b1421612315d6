// The indexes of a ledger: each must lead from every transaction of the blocks to its place, and no entry anywhere else.
//
// Looking every entry up takes longer than all else that is checked of a transaction. So of the entries that there must be, and of those
// that there are, a sum of digests is taken, in whatever order they come; only where the two differ are entries looked up one by one.
import { sha256 } from '../crypto/hash.ts'
import {
  kindRange,
  listingKey,
  listingPrefix,
  nonceKey,
  placeBytes,
  readPlace,
  transactionKey,
} from '../ledger/keys.ts'
import type { Store } from '../ledger/store.ts'
import { batchCodec, type Receipt } from '../types/block.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { decode } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'
import { type Finding, finding } from './finding.ts'
import { readBody, unreadable } from './source.ts'

/** Indexes of what ran: one entry for each transaction that did. */
const RAN = ['executed', 'nonce', 'bySender', 'byContract', 'bySenderAndContract'] as const
type Ran = (typeof RAN)[number]
type Index = Ran | 'skipped'

const NAMES: Record<Index, string> = {
  executed: 'the index of executed transactions',
  skipped: 'the index of skipped transactions',
  nonce: 'the index by nonce',
  bySender: 'the index by sender',
  byContract: 'the index by contract',
  bySenderAndContract: 'the index by sender and contract',
}

interface Placed {
  height: number
  index: number
  transaction: Transaction
  receipt: Receipt
}

export interface IndexAudit {
  /** Takes note of the entries that a block's transactions must have. */
  addBlock(height: number, transactions: Transaction[], receipts: Receipt[]): Finding | undefined
  /** After the last block. `oldestBlock` is the first that was added. */
  check(oldestBlock: number): Promise<Finding | undefined>
}

export function createIndexAudit(store: Store): IndexAudit {
  const expected = createSums()
  let last = 0

  return {
    addBlock(height, transactions, receipts) {
      last = height
      for (const [index, transaction] of transactions.entries()) {
        const placed = { height, index, transaction, receipt: receipts[index]! }
        // The entry of one that is skipped again later tells the last time, so it has no fixed value.
        const wrong = placed.receipt.status === 'skipped' ? checkSkipped(store, placed) : addRan(expected, placed)
        if (wrong !== undefined) return wrong
      }
      return undefined
    },
    async check(oldestBlock) {
      const found = createSums()
      for (const kind of RAN) {
        const damaged = await eachEntry(store, kind, (key, value) => found.add(kind, key, value))
        if (damaged !== undefined) return damaged
      }
      const wrong = RAN.filter((kind) => !expected.equals(kind, found))
      const missing = wrong.length === 0 ? undefined : findWrong(store, wrong, oldestBlock, last)
      if (missing !== undefined) return missing
      for (const kind of [...wrong, 'skipped'] as const) {
        const stray = await findStray(store, kind)
        if (stray !== undefined) return stray
      }
      return undefined
    },
  }
}

/** For each index the number of its entries and the sum, modulo 2^48, of 48 bits of each one's SHA-256. */
function createSums() {
  const sums = new Map<Ran, { entries: number; sum: number }>(RAN.map((kind) => [kind, { entries: 0, sum: 0 }]))
  return {
    add(kind: Ran, key: Buffer, value: Buffer): undefined {
      const own = sums.get(kind)!
      own.entries++
      own.sum = (own.sum + sum48(key, value)) % 2 ** 48
    },
    equals(kind: Ran, other: { of(kind: Ran): { entries: number; sum: number } }): boolean {
      const [own, found] = [sums.get(kind)!, other.of(kind)]
      return own.entries === found.entries && own.sum === found.sum
    },
    of: (kind: Ran) => sums.get(kind)!,
  }
}

function sum48(key: Buffer, value: Buffer): number {
  const digest = sha256(Buffer.concat([key, value]))
  return Buffer.from(digest.buffer, digest.byteOffset, 6).readUIntBE(0, 6)
}

function addRan(sums: ReturnType<typeof createSums>, placed: Placed): undefined {
  for (const kind of RAN) {
    const entry = entryOf(kind, placed)
    if (entry !== undefined) sums.add(kind, entry.key, entry.value)
  }
}

/** The first entry of these indexes that is missing or has another value. */
function findWrong(store: Store, kinds: Ran[], from: number, to: number): Finding | undefined {
  for (let height = from; height <= to; height++) {
    const body = readBody(store, height)
    if ('part' in body) return body
    const wires = decode(batchCodec, body.batch).txs
    for (const [index, receipt] of body.receipts.entries()) {
      const placed = { height, index, transaction: decodeTransaction(wires[index]!), receipt }
      const wrong = receipt.status === 'skipped' ? undefined : wrongOf(store, kinds, placed)
      if (wrong !== undefined) return wrong
    }
  }
  return undefined
}

function wrongOf(store: Store, kinds: Ran[], placed: Placed): Finding | undefined {
  for (const kind of kinds) {
    const entry = entryOf(kind, placed)
    if (entry === undefined) continue
    const found = readEntry(store, entry.key)
    if (typeof found !== 'string' && found?.equals(entry.value)) continue
    return wrongEntry(kind, placed, textOf(kind, entry.value), textOf(kind, found))
  }
  return undefined
}

/** The entry that a transaction which ran must have; undefined where the index has none for it. */
function entryOf(
  kind: Ran,
  { height, index, transaction, receipt }: Placed,
): { key: Buffer; value: Buffer } | undefined {
  const { sender, nonce, contract } = transaction
  const id = Buffer.from(fromHex(receipt.txId))
  if (kind === 'executed') return { key: transactionKey('executed', receipt.txId), value: placeBytes(height, index) }
  if (kind === 'nonce') return { key: nonceKey(sender, nonce), value: id }
  const listings = { bySender: { sender }, byContract: { contract }, bySenderAndContract: { sender, contract } }
  const prefix = listingPrefix(listings[kind])
  return prefix === undefined ? undefined : { key: listingKey(prefix, height, index), value: id }
}

/** It may have been skipped again later: the entry tells the last time. */
function checkSkipped(store: Store, placed: Placed): Finding | undefined {
  const place = placeBytes(placed.height, placed.index)
  const found = readEntry(store, transactionKey('skipped', placed.receipt.txId))
  if (typeof found !== 'string' && found !== undefined && Buffer.compare(found, place) >= 0) return undefined
  return wrongEntry('skipped', placed, `${textOf('skipped', place)} or later`, textOf('skipped', found))
}

const wrongEntry = (kind: Index, { height, receipt }: Placed, expected: string, found: string): Finding =>
  finding(height, `${NAMES[kind]}, transaction ${receipt.txId}`, expected, found)

/** The entry's value, or why it cannot be read. */
function readEntry(store: Store, key: Buffer): Buffer | string | undefined {
  try {
    return store.getSync(key)
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    return reason
  }
}

function textOf(kind: Index, value: Buffer | string | undefined): string {
  if (value === undefined) return 'no entry'
  if (typeof value === 'string') return value
  if (kind !== 'executed' && kind !== 'skipped') return toHex(value)
  const { height, index } = readPlace(value)
  return `height ${height}, index ${index}`
}

/** The first entry that the block it leads to does not account for. */
async function findStray(store: Store, kind: Index): Promise<Finding | undefined> {
  return await eachEntry(store, kind, (key, value) => {
    const place = placeIn(store, kind, key, value)
    const placed = place === undefined ? undefined : placedAt(store, place)
    if (placed !== undefined && accountsFor(kind, placed, key, value)) return undefined
    const id = toHex(kind === 'executed' || kind === 'skipped' ? key.subarray(1) : value)
    const found = `one that leads to ${place === undefined ? 'no block' : `height ${place.height}, index ${place.index}`}`
    return finding(place?.height ?? 0, `${NAMES[kind]}, transaction ${id}`, 'no such entry', found)
  })
}

function accountsFor(kind: Index, placed: Placed, key: Buffer, value: Buffer): boolean {
  const isSkipped = placed.receipt.status === 'skipped'
  if (kind === 'skipped') return isSkipped && key.equals(transactionKey('skipped', placed.receipt.txId))
  const own = isSkipped ? undefined : entryOf(kind, placed)
  return own?.key.equals(key) === true && own.value.equals(value)
}

function placeIn(store: Store, kind: Index, key: Buffer, value: Buffer) {
  if (kind === 'executed' || kind === 'skipped') return readPlace(value)
  if (kind !== 'nonce') return readPlace(key.subarray(key.length - 12))
  const place = readEntry(store, transactionKey('executed', toHex(value)))
  return place === undefined || typeof place === 'string' ? undefined : readPlace(place)
}

function placedAt(store: Store, { height, index }: { height: number; index: number }): Placed | undefined {
  const body = readBody(store, height)
  if ('part' in body) return undefined
  const wire = decode(batchCodec, body.batch).txs[index]
  const receipt = body.receipts[index]
  if (wire === undefined || receipt === undefined) return undefined
  return { height, index, transaction: decodeTransaction(wire), receipt }
}

async function eachEntry(
  store: Store,
  kind: Index,
  look: (key: Buffer, value: Buffer) => Finding | undefined,
): Promise<Finding | undefined> {
  const cursor = store.cursor(kindRange(kind))
  try {
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      const found = look(entry[0], entry[1])
      if (found !== undefined) return found
    }
    return undefined
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    return finding(0, NAMES[kind], 'intact entries', reason)
  } finally {
    await cursor.close()
  }
}
