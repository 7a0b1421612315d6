// The files of a ledger folder, looked at before LevelDB opens them.
//
// Afterwards would be too late: where CURRENT is missing LevelDB makes a new, empty store and deletes the tables of the old one, and
// tables that a shortened MANIFEST does not name are deleted as well. What it does not check at all is checked here: that every table is
// the one that was written, and the checksums of all that a read relies on to find a key (table.ts says why).
//
// Batches and receipts are most of a ledger. Their blocks are left to be checked when they are read: there is one for each height, so
// one that is not found is known to be damage, where any other key that is not found is an answer.
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { damaged, type Fault } from '../fault.ts'
import { kindOf, kinds, readHeight } from '../keys.ts'
import { readJournal } from './journal.ts'
import { type Manifest, readManifest, type TableEntry } from './manifest.ts'
import { checkDataBlock, type DataBlock, readEnds, readEntries, readTableIndex, TableFault } from './table.ts'
import { Malformed } from './varint.ts'
import { readWriteBatch } from './write-batch.ts'

const FAULTS_MAX = 20
/** A store that was never made whole: the process ended within its first moments. */
const UNMADE = /^(LOCK|LOG|LOG\.old|MANIFEST-000001|\d+\.dbtmp)$/
export const TABLE = /^(\d+)\.(?:ldb|sst)$/
export const JOURNAL = /^(\d+)\.log$/

/** True where there is no store yet, or one that was never written to. */
export async function isUnmade(directory: string): Promise<boolean> {
  return (await namesIn(directory)).every((name) => UNMADE.test(name))
}

export interface FilesOptions {
  /** The blocks of batches and receipts too. */
  isThorough?: boolean
}

/** What is wrong with the files of a folder that nobody has open. Reads all but the data of batches and receipts, at about half a gigabyte a second. */
export async function checkFiles(directory: string, { isThorough = false }: FilesOptions = {}): Promise<Fault[]> {
  const names = await namesIn(directory)
  if (names.every((name) => UNMADE.test(name))) return []
  const manifest = await findManifest(directory, names)
  if ('code' in manifest) return [manifest]
  const tables = numbered(names, TABLE)
  const faults: Fault[] = []
  for (const entry of manifest.tables) {
    if (faults.length >= FAULTS_MAX) break
    const name = tables.get(entry.number)
    if (name === undefined) {
      faults.push(damaged(`the table file ${fileNumber(entry.number)}.ldb`, 'it is missing'))
      continue
    }
    const reason = await tableFault(join(directory, name), entry, isThorough)
    if (reason !== undefined) faults.push(damaged(`the table file ${name}`, reason))
  }
  for (const [number, name] of numbered(names, JOURNAL)) {
    if (number < manifest.journalsFrom || faults.length >= FAULTS_MAX) continue
    const reason = journalFault(await readFile(join(directory, name)))
    if (reason !== undefined) faults.push(damaged(`the journal ${name}`, reason))
  }
  return faults
}

export async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}

const fileNumber = (number: number): string => String(number).padStart(6, '0')

/** File names by their number. */
export function numbered(names: readonly string[], pattern: RegExp): Map<number, string> {
  const found = new Map<number, string>()
  for (const name of names) {
    const number = pattern.exec(name)?.[1]
    if (number !== undefined) found.set(Number(number), name)
  }
  return found
}

async function findManifest(directory: string, names: readonly string[]): Promise<Manifest | Fault> {
  if (!names.includes('CURRENT')) return damaged('the file CURRENT', 'it is missing')
  const current = await readFile(join(directory, 'CURRENT'), 'latin1')
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1]
  if (name === undefined) return damaged('the file CURRENT', 'it does not name a MANIFEST')
  if (!names.includes(name)) return damaged(`the file ${name}`, 'it is missing, and CURRENT names it')
  const manifest = readManifest(await readFile(join(directory, name)))
  return typeof manifest === 'string' ? damaged(`the file ${name}`, manifest) : manifest
}

async function tableFault(path: string, entry: TableEntry, isThorough: boolean): Promise<string | undefined> {
  const { size } = await stat(path)
  if (size !== entry.bytes) return `it has ${size} bytes, MANIFEST says ${entry.bytes}`
  const skipsData = !isThorough && isBulk(entry.smallest, entry.largest)
  try {
    const file = skipsData ? await readTableEnds(path, size) : await readFile(path)
    const { blocks } = readTableIndex(file)
    let before: Buffer | undefined
    for (const block of blocks) {
      const first = before ?? entry.smallest
      if (isThorough || !isBulk(first, block.last)) checkBetween(file, block, first)
      before = block.last
    }
    return boundsFault(file, blocks, entry)
  } catch (error) {
    if (error instanceof TableFault) return error.message
    throw error
  }
}

/** Says too which entries a damaged block holds: what of the ledger is gone with it. */
function checkBetween(file: Buffer, block: DataBlock, first: Buffer): void {
  try {
    checkDataBlock(file, block)
  } catch (error) {
    if (!(error instanceof TableFault)) throw error
    const [from, to] = [nameOf(first), nameOf(block.last)]
    throw new TableFault(`${error.message}; its entries: ${from === to ? from : `${from} to ${to}`}`)
  }
}

const BY_HEIGHT: readonly string[] = ['header', 'batch', 'receipts', 'certificate', 'undone', 'stale', 'writeDigests']

/** An internal key's kind, and its height where it has one. */
function nameOf(internal: Buffer): string {
  const key = internal.subarray(0, -8)
  const kind = kindOf(key)
  return BY_HEIGHT.includes(kind) && key.length === 9 ? `${kind} ${readHeight(key, 1)}` : kind
}

function journalFault(file: Buffer): string | undefined {
  const { records, damagedAt } = readJournal(file)
  if (damagedAt !== undefined) return `its record at byte ${damagedAt} is not intact, yet a later one is`
  try {
    let before = -1n
    for (const record of records) {
      const { sequence } = readWriteBatch(record)
      if (sequence < before) return `its writes are out of order: ${sequence} after ${before}`
      before = sequence
    }
    return undefined
  } catch (error) {
    if (error instanceof Malformed) return `it is no journal: ${error.message}`
    throw error
  }
}

async function readTableEnds(path: string, bytes: number): Promise<Buffer> {
  const handle = await open(path, 'r')
  try {
    return await readEnds(bytes, async (file, from, to) => {
      await handle.read(file, from, to - from, from)
    })
  } finally {
    await handle.close()
  }
}

/** All keys between these two are of batches, or of receipts. */
function isBulk(from: Buffer, to: Buffer): boolean {
  const kind = String.fromCharCode(to[0]!)
  return from[0] === to[0] && (kind === kinds.batch || kind === kinds.receipts)
}

/** Keys have a sequence number in them, so that no two tables begin and end alike. */
function boundsFault(file: Buffer, blocks: readonly DataBlock[], { smallest, largest }: TableEntry) {
  const [first] = readEntries(file, blocks[0]!)
  const last = [...readEntries(file, blocks.at(-1)!)].at(-1)
  const isIt = first?.[0].equals(smallest) && last?.[0].equals(largest)
  return isIt ? undefined : 'it is another table than MANIFEST says'
}
