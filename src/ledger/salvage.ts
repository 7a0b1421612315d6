// What can be saved of a damaged ledger folder: every header, batch, receipts, certificate and evidence entry whose checksum holds,
// whatever else is gone. LevelDB is not asked, as it would change the folder: the files are read as they lie there, those that no MANIFEST
// names any more included. None of these entries is ever written twice with another meaning, so it does not matter which is newer.
//
// Nothing here is proven: whoever takes the blocks checks links, certificates and results.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Evidence } from '../types/evidence.ts'
import { createBlockReader } from './blocks.ts'
import { LedgerDamaged } from './errors.ts'
import { readEvidence } from './evidence.ts'
import { kindRange, kinds, readHeight } from './keys.ts'
import { JOURNAL, namesIn, numbered, TABLE } from './leveldb/files.ts'
import { readJournal } from './leveldb/journal.ts'
import { readEntries, readTableIndex, TableFault } from './leveldb/table.ts'
import { Malformed } from './leveldb/varint.ts'
import { readWriteBatch } from './leveldb/write-batch.ts'
import { type Operation, openStore, type Store, unseal } from './store.ts'

const SAVED = new Set<number>(
  [kinds.header, kinds.batch, kinds.receipts, kinds.certificate, kinds.evidence].map((kind) => kind.charCodeAt(0)),
)
const WRITE_BYTES = 4 * 1024 * 1024
/** Behind each key in a table: a sequence number and, in the lowest byte, whether this is a value. */
const SUFFIX_BYTES = 8
const VALUE = 1

type Entry = [key: Buffer, stored: Buffer]

export interface Salvage {
  /** Each part undefined where it could not be saved. */
  block(height: number): Promise<SavedBlock>
  /** The highest height of which a header was saved; 0 if of none. */
  highest(): Promise<number>
  evidence(): Promise<Evidence[]>
  close(): Promise<void>
}

type Reader = ReturnType<typeof createBlockReader>
type Saved<Part extends keyof Reader> = Reader[Part] extends (height: number) => Promise<infer Value> ? Value : never
export interface SavedBlock {
  header: Saved<'header'>
  blockHash: Saved<'blockHash'>
  batch: Saved<'batch'>
  receipts: Saved<'receipts'>
  certificate: Saved<'certificate'>
}

/** Copies what is whole in `directory` into a store of its own in `into`, an empty folder. */
export async function salvage(directory: string, into: string): Promise<Salvage> {
  const store = await openStore(into, false)
  try {
    for await (const entries of portionsOf(directory)) await store.write(entries.flatMap(toOperation))
  } catch (error) {
    await store.close()
    throw error
  }
  const reader = createBlockReader(store)
  return {
    async block(height) {
      const [header, blockHash, batch, receipts, certificate] = await Promise.all([
        reader.header(height),
        reader.blockHash(height),
        reader.batch(height),
        reader.receipts(height),
        reader.certificate(height),
      ])
      return { header, blockHash, batch, receipts, certificate }
    },
    highest: () => highestHeader(store),
    evidence: () => readEvidence(store),
    close: store.close,
  }
}

async function highestHeader(store: Store): Promise<number> {
  const cursor = store.cursor({ ...kindRange('header'), reverse: true, limit: 1 })
  const entry = await cursor.next()
  await cursor.close()
  return entry === undefined ? 0 : readHeight(entry[0], 1)
}

function toOperation([key, stored]: Entry): Operation[] {
  try {
    return [{ type: 'put', key, value: unseal(key, stored) }]
  } catch (error) {
    if (error instanceof LedgerDamaged) return []
    throw error
  }
}

async function* portionsOf(directory: string): AsyncGenerator<Entry[]> {
  let portion: Entry[] = []
  let bytes = 0
  const names = await namesIn(directory)
  const sources: [names: Iterable<string>, read: (file: Buffer) => Iterable<Entry>][] = [
    [numbered(names, TABLE).values(), entriesOfTable],
    [numbered(names, JOURNAL).values(), entriesOfJournal],
  ]
  for (const [files, read] of sources) {
    for (const name of files) {
      for (const entry of read(await readFile(join(directory, name)))) {
        if (!SAVED.has(entry[0][0]!)) continue
        portion.push(entry)
        bytes += entry[0].length + entry[1].length
        if (bytes < WRITE_BYTES) continue
        yield portion
        portion = []
        bytes = 0
      }
    }
  }
  yield portion
}

/** A block that is damaged takes its own entries with it, an index those of the table. */
function* entriesOfTable(file: Buffer): Generator<Entry> {
  for (const block of orNothing(() => readTableIndex(file, { needsFilter: false }).blocks)) {
    for (const [key, stored] of orNothing(() => [...readEntries(file, block)])) {
      if (key[key.length - SUFFIX_BYTES] === VALUE) yield [key.subarray(0, -SUFFIX_BYTES), stored]
    }
  }
}

function* entriesOfJournal(file: Buffer): Generator<Entry> {
  for (const record of readJournal(file, { past: true }).records) {
    for (const [key, stored] of orNothing(() => readWriteBatch(record).entries)) {
      if (stored !== undefined) yield [key, stored]
    }
  }
}

function orNothing<T>(read: () => T[]): T[] {
  try {
    return read()
  } catch (error) {
    if (error instanceof TableFault || error instanceof Malformed) return []
    throw error
  }
}
