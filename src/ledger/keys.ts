// Every key of the ledger's store, in one place; docs/data.md describes the same layout byte for byte.
//
// A key's first byte is its kind. Heights are 8 bytes and indices 4, both big-endian, so that order by bytes is order by number.
import type { Evidence } from '../types/evidence.ts'
import { fromHex } from '../types/hex.ts'

export const FORMAT_VERSION = 1

export const kinds = {
  format: 'f',
  head: 'e',
  certified: 'z',
  history: 'o',
  oldest: 'l',
  header: 'h',
  batch: 'b',
  receipts: 'r',
  certificate: 'c',
  executed: 'x',
  skipped: 'k',
  nonce: 'n',
  bySender: 'a',
  byContract: 'd',
  bySenderAndContract: 'g',
  state: 's',
  undo: 'u',
  undone: 'v',
  path: 'p',
  trunk: 't',
  stale: 'w',
  evidence: 'y',
  writeDigests: 'i',
  divergence: 'j',
} as const
export type Kind = keyof typeof kinds

const kindNames = new Map(Object.entries(kinds).map(([name, letter]) => [letter.charCodeAt(0), name as Kind]))

/** What kind of entry a key names, for error messages. */
export const kindOf = (key: Uint8Array): Kind | 'unknown' => kindNames.get(key[0] ?? 0) ?? 'unknown'

const letter = (kind: Kind): Buffer => Buffer.from(kinds[kind], 'latin1')

export function heightBytes(height: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(height))
  return bytes
}
export const readHeight = (bytes: Buffer, offset = 0): number => Number(bytes.readBigUInt64BE(offset))

/** Where a transaction stands: its block and its place in it. */
export function placeBytes(height: number, index: number): Buffer {
  const bytes = Buffer.allocUnsafe(12)
  bytes.writeBigUInt64BE(BigInt(height))
  bytes.writeUInt32BE(index, 8)
  return bytes
}
export function readPlace(bytes: Buffer): { height: number; index: number } {
  return { height: readHeight(bytes), index: bytes.readUInt32BE(8) }
}

export const formatKey = letter('format')
export const headKey = letter('head')
export const certifiedKey = letter('certified')
export const historyKey = letter('history')
export const oldestKey = letter('oldest')
export const divergenceKey = letter('divergence')

export type HeightKind = 'header' | 'batch' | 'receipts' | 'certificate'
export const heightKey = (kind: HeightKind, height: number): Buffer =>
  Buffer.concat([letter(kind), heightBytes(height)])
export const writeDigestsKey = (height: number): Buffer => Buffer.concat([letter('writeDigests'), heightBytes(height)])
export const transactionKey = (kind: 'executed' | 'skipped', id: string): Buffer =>
  Buffer.concat([letter(kind), fromHex(id)])
export const nonceKey = (sender: string, nonce: number): Buffer =>
  Buffer.concat([letter('nonce'), fromHex(sender), heightBytes(nonce)])

/** Whose transactions to list: an account's, a contract's, or an account's to one contract. */
export interface Listing {
  sender?: string | undefined
  contract?: string | undefined
}

/** The keys of one listing all start with this; the place follows. Undefined where no index serves the listing. */
export function listingPrefix({ sender, contract }: Listing): Buffer | undefined {
  const name = contract === undefined ? undefined : Buffer.from(contract, 'utf8')
  if (name !== undefined && name.length > 255) return undefined
  const sized = name === undefined ? undefined : Buffer.concat([Buffer.of(name.length), name])
  if (sender !== undefined && sized !== undefined) {
    return Buffer.concat([letter('bySenderAndContract'), fromHex(sender), sized])
  }
  if (sender !== undefined) return Buffer.concat([letter('bySender'), fromHex(sender)])
  if (sized !== undefined) return Buffer.concat([letter('byContract'), sized])
  return undefined
}
export const listingKey = (prefix: Buffer, height: number, index: number): Buffer =>
  Buffer.concat([prefix, placeBytes(height, index)])

/** One entry for each thing a validator did wrong: a second proof of the same says nothing new. */
export function evidenceKey({ epoch, validator, kind, view, height }: Evidence): Buffer {
  const name = Buffer.from(kind, 'latin1')
  const place = [heightBytes(epoch), heightBytes(validator), heightBytes(view), heightBytes(height)]
  return Buffer.concat([letter('evidence'), ...place, name])
}

/** State keys are `contract NUL key`, as UTF-8. */
export const stateKey = (key: string): Buffer => Buffer.from(kinds.state + key, 'utf8')
export const readStateKey = (stored: Buffer): string => stored.toString('utf8', 1)

/**
 * State key bytes in a form whose order is that of the bytes even when more follows: 00 becomes 00 FF, and `ending` closes the key.
 * With the ending 00 01 it is the key's history, with 00 02 the point after all of it, with nothing every key that starts so.
 */
function escaped(kind: Kind, key: Buffer, ending: readonly number[]): Buffer {
  let zeros = 0
  for (const byte of key) if (byte === 0) zeros++
  const out = Buffer.allocUnsafe(1 + key.length + zeros + ending.length)
  let at = out.write(kinds[kind], 0, 'latin1')
  for (const byte of key) {
    out[at++] = byte
    if (byte === 0) out[at++] = 0xff
  }
  for (const byte of ending) out[at++] = byte
  return out
}

/** The value a state key had until the block at `height` changed it. */
export const undoKey = (key: Buffer, height: number): Buffer =>
  Buffer.concat([escaped('undo', key, [0, 1]), heightBytes(height)])
export const undoPrefix = (key: Buffer): Buffer => escaped('undo', key, [])
export const undoAfter = (key: Buffer): Buffer => escaped('undo', key, [0, 2])

export function readUndoKey(stored: Buffer): { key: Buffer; height: number } {
  const end = stored.length - 10
  const key = Buffer.allocUnsafe(Math.max(0, end - 1))
  let length = 0
  for (let at = 1; at < end; at++) {
    key[length++] = stored[at]!
    if (stored[at] === 0) at++
  }
  return { key: key.subarray(0, length), height: readHeight(stored, end + 2) }
}

/** Which state keys have an undo entry of this height. */
export const undoneKey = (height: number): Buffer => Buffer.concat([letter('undone'), heightBytes(height)])

/** The state key whose path this is. */
export const pathKey = (path: Uint8Array): Buffer => Buffer.concat([letter('path'), path])

/** The paths that begin with the first `bits` of this one. */
export function pathRange(path: Uint8Array, bits: number): { gte: Buffer; lt: Buffer } {
  const first = pathKey(path.subarray(0, Math.ceil(bits / 8)))
  const unused = first.length > 1 ? (8 - (bits & 7)) & 7 : 0
  const last = first.length - 1
  if (unused > 0) first[last] = (first[last]! >> unused) << unused
  const lt = Buffer.from(first)
  // The last of the bits is counted up, and where it overflows the bytes before it.
  lt[last] = lt[last]! | ((1 << unused) - 1)
  return { gte: first, lt: after(lt) }
}

/** How far the pages reach: what makes them fit the head, or not. */
export const trunkKey = letter('trunk')

/** The records of one page of the state tree start with this; the height follows. `place`: the path to it, filled up with zeros. */
export function pagePrefix(depth: number, place: Uint8Array): Buffer {
  const bytes = (depth + 7) >>> 3
  const prefix = Buffer.allocUnsafe(2 + bytes)
  prefix.write(kinds.trunk, 0, 'latin1')
  prefix[1] = depth / 4
  prefix.set(place.subarray(0, bytes), 2)
  // A depth is a number of nibbles; the last byte's other nibble is not of the place.
  if ((depth & 7) !== 0) prefix[1 + bytes]! &= 0xf0
  return prefix
}
export const pageKey = (prefix: Buffer, height: number): Buffer => Buffer.concat([prefix, heightBytes(height)])

/** What a block made stale: pages it wrote whole, and keys it deleted. */
export const staleKey = (height: number): Buffer => Buffer.concat([letter('stale'), heightBytes(height)])

/** Keys one after the other, each its length in 4 bytes and its bytes. */
export function packKeys(keys: readonly Buffer[]): Buffer {
  const packed = Buffer.allocUnsafe(keys.reduce((total, key) => total + 4 + key.length, 0))
  let at = 0
  for (const key of keys) {
    at = packed.writeUInt32BE(key.length, at)
    at += key.copy(packed, at)
  }
  return packed
}

export function unpackKeys(packed: Buffer): Buffer[] {
  const keys: Buffer[] = []
  for (let at = 0; at < packed.length; ) {
    const end = at + 4 + packed.readUInt32BE(at)
    keys.push(packed.subarray(at + 4, end))
    at = end
  }
  return keys
}

/** The first key after all that start with `prefix`. Kinds are ASCII letters, so there always is one. */
export function after(prefix: Buffer): Buffer {
  let end = prefix.length
  while (prefix[end - 1] === 0xff) end--
  const next = Buffer.from(prefix.subarray(0, end))
  next[end - 1]!++
  return next
}
export const kindRange = (kind: Kind): { gte: Buffer; lt: Buffer } => ({ gte: letter(kind), lt: after(letter(kind)) })
