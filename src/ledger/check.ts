// What start-up wants to know of a ledger folder: is it this network's, whole, and does its state fit its head?
//
// Values are checked at every read, so this looks for what reads cannot see: entries that are gone. LevelDB drops what it cannot
// read of its journal without a word, which takes whole batches, that is, whole blocks.
import { blockHash as hashOfHeader } from '../crypto/digest.ts'
import { type Header, headerCodec, ZERO_HASH } from '../types/block.ts'
import { toHex } from '../types/hex.ts'
import { decode } from '../types/schema.ts'
import { readHead, readOldest, readOldestBlock } from './blocks.ts'
import { LedgerDamaged, LedgerForeign, LedgerLocked } from './errors.ts'
import { damaged, type Fault } from './fault.ts'
import { certifiedKey, type HeightKind, heightKey, type Kind, kindRange, kinds, readHeight } from './keys.ts'
import type { Store } from './store.ts'

export type { Fault } from './fault.ts'

/** The last blocks are read whole and their links followed. */
const RECENT_BLOCKS = 64
/** What is wrong with the folder as a whole, or with an entry that the reason names. */
export const THE_FOLDER = 'the ledger folder'
const FAULTS_MAX = 20

/** `stateRoot` is the root of the state on the disk, where the caller has the tree. */
export async function checkStore(store: Store, stateRoot: string | undefined): Promise<Fault[]> {
  try {
    const head = readHead(store)
    if (head === undefined) return checkEmpty(store)
    const faults = [
      ...(await checkHeights(store, 'header', readOldest(store), head.height)),
      ...(await checkCertificates(store, head.height)),
      ...(await checkNoneAbove(store, head.height)),
      ...(await checkRecent(store, head)),
    ]
    const expected = await headStateRoot(store, head.height)
    if (stateRoot !== undefined && expected !== undefined && expected !== stateRoot) {
      faults.push(damaged('the state', `its root is ${stateRoot}, but block ${head.height} says ${expected}`))
    }
    return faults.slice(0, FAULTS_MAX)
  } catch (error) {
    return [faultOf(error)]
  }
}

/** What the head's header says of the state; undefined where there is none, which is a fault of its own. */
export async function headStateRoot(store: Store, height: number): Promise<string | undefined> {
  const stored = await store.get(heightKey('header', height))
  return stored === undefined ? undefined : decode(headerCodec, stored.subarray(32)).stateRoot
}

/** Every batch and all receipts: there, and by their checksums what was written. */
export async function checkBodies(store: Store): Promise<Fault[]> {
  try {
    const head = readHead(store)
    if (head === undefined) return []
    const oldest = readOldestBlock(store)
    const [batches, receipts] = [
      await checkHeights(store, 'batch', oldest, head.height),
      await checkHeights(store, 'receipts', oldest, head.height),
    ]
    return [...batches, ...receipts].slice(0, FAULTS_MAX)
  } catch (error) {
    return [faultOf(error)]
  }
}

async function checkEmpty(store: Store): Promise<Fault[]> {
  const cursor = store.cursor({ gte: Buffer.of(0), lt: Buffer.of(0xff) })
  try {
    // Before block 0 there is nothing else, and the tree of no state.
    const early = ['format', 'evidence', 'path', 'trunk', 'stale'].map((kind) => kinds[kind as Kind])
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      if (!(early as string[]).includes(String.fromCharCode(entry[0][0]!)))
        return [damaged('the head', 'there are blocks, but no entry says which is the last')]
    }
  } finally {
    await cursor.close()
  }
  return []
}

/** Exactly one entry of this kind for each height from `from` to `to`. */
async function checkHeights(store: Store, kind: HeightKind, from: number, to: number): Promise<Fault[]> {
  const { lt } = kindRange(kind)
  const cursor = store.cursor({ gte: heightKey(kind, from), lt })
  const faults: Fault[] = []
  try {
    let expected = from
    for (
      let entry = await cursor.next();
      entry !== undefined && faults.length < FAULTS_MAX;
      entry = await cursor.next()
    ) {
      const height = readHeight(entry[0], 1)
      if (height > to && kind === 'header') {
        faults.push(damaged(`the ${kind} at height ${height}`, `the head is at height ${to}`))
      } else if (height > expected && expected <= to) {
        faults.push(damaged(`the ${kind} at heights ${expected} to ${Math.min(height - 1, to)}`, 'it is missing'))
      }
      expected = height + 1
    }
    if (expected <= to && faults.length < FAULTS_MAX) {
      faults.push(damaged(`the ${kind} at heights ${expected} to ${to}`, 'it is missing'))
    }
  } finally {
    await cursor.close()
  }
  return faults
}

async function checkCertificates(store: Store, head: number): Promise<Fault[]> {
  const stored = store.getSync(certifiedKey)
  const certified = stored === undefined ? 0 : readHeight(stored)
  if (certified > head) return [damaged('the certified height', `it is ${certified}, above the head at ${head}`)]
  const oldest = readOldest(store)
  if (certified < oldest)
    return [damaged('the certified height', `it is ${certified}, below the oldest kept at ${oldest}`)]
  return certified === 0 ? [] : checkHeights(store, 'certificate', Math.max(1, oldest), certified)
}

/** Nothing of a block is there before the block is. */
async function checkNoneAbove(store: Store, head: number): Promise<Fault[]> {
  const faults: Fault[] = []
  for (const kind of ['batch', 'receipts', 'certificate'] as const) {
    const cursor = store.cursor({ gte: heightKey(kind, head + 1), lt: kindRange(kind).lt, limit: 1 })
    const entry = await cursor.next()
    await cursor.close()
    if (entry !== undefined)
      faults.push(damaged(`the ${kind} at height ${readHeight(entry[0], 1)}`, `the head is at height ${head}`))
  }
  return faults
}

/** The last blocks' parts, the head's own hash, and each parent link below it. */
async function checkRecent(store: Store, head: { height: number; blockHash: string }): Promise<Fault[]> {
  const faults: Fault[] = []
  const oldest = readOldest(store)
  const oldestBlock = readOldestBlock(store)
  let expected = head.blockHash
  for (let height = head.height; height >= oldest && height > head.height - RECENT_BLOCKS; height--) {
    const stored = await store.get(heightKey('header', height))
    if (stored === undefined) break // Reported as a gap.
    const header: Header = decode(headerCodec, stored.subarray(32))
    const actual = hashOfHeader(header)
    const source = height === head.height ? 'the head entry' : `block ${height + 1}`
    if (actual !== expected || toHex(stored.subarray(0, 32)) !== expected) {
      faults.push(damaged(`block ${height}`, `its hash is ${actual}, but ${source} says ${expected}`))
    }
    for (const kind of height < oldestBlock ? [] : (['batch', 'receipts'] as const)) {
      const part = await store.get(heightKey(kind, height))
      if (part === undefined) faults.push(damaged(`the ${kind} of block ${height}`, 'it is missing'))
    }
    if (header.height !== height) faults.push(damaged(`block ${height}`, `its header says height ${header.height}`))
    expected = header.parentHash
    if (height === 0 && expected !== ZERO_HASH) faults.push(damaged('block 0', 'it has a parent'))
  }
  return faults
}

/** An error of opening or reading as a fault; anything unforeseen is thrown on. */
export function faultOf(error: unknown): Fault {
  if (error instanceof LedgerDamaged || error instanceof LedgerForeign || error instanceof LedgerLocked) {
    const [reason, ...mend] = error.message.split(/(?<=\.) (?=[A-Z])/)
    return { code: error.code, thing: THE_FOLDER, reason: reason!.replace(/\.$/, ''), mend: mend.join(' ') }
  }
  throw error
}
