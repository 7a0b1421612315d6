// Which files make up a LevelDB folder: CURRENT names a MANIFEST, whose records say which tables were added and removed (leveldb,
// doc/impl.md and db/version_edit.cc).
import { readJournal } from './journal.ts'
import { createFields, Malformed } from './varint.ts'

export interface TableEntry {
  number: number
  bytes: number
  /** Internal keys: the entry's key, then 8 bytes of sequence and type. */
  smallest: Buffer
  largest: Buffer
}

export interface Manifest {
  tables: TableEntry[]
  /** Journals below this number are in tables already. */
  journalsFrom: number
}

/** Or what is wrong with it, as the end of a sentence. */
export function readManifest(file: Buffer): Manifest | string {
  const { records, damagedAt } = readJournal(file)
  if (damagedAt !== undefined) return `its record at byte ${damagedAt} is not intact, yet a later one is`
  if (records.length === 0) return 'it has no intact record'
  const tables = new Map<number, TableEntry>()
  let journalsFrom = 0
  try {
    for (const record of records) journalsFrom = apply(record, tables) ?? journalsFrom
  } catch (error) {
    if (error instanceof Malformed) return `one of its records cannot be read: ${error.message}`
    throw error
  }
  return { tables: [...tables.values()], journalsFrom }
}

function apply(record: Buffer, tables: Map<number, TableEntry>): number | undefined {
  const fields = createFields(record)
  let journalsFrom: number | undefined
  while (!fields.isAtEnd()) {
    const tag = fields.number()
    switch (tag) {
      case 1: // The comparator's name.
        fields.text()
        break
      case 2:
        journalsFrom = fields.number()
        break
      case 3: // The next file's number.
      case 4: // The last sequence.
      case 9: // The previous journal, which nothing has written for years.
        fields.number()
        break
      case 5: // Where the next compaction of a level starts.
        fields.number()
        fields.text()
        break
      case 6:
        fields.number()
        tables.delete(fields.number())
        break
      case 7: {
        fields.number()
        const number = fields.number()
        tables.set(number, { number, bytes: fields.number(), smallest: fields.text(), largest: fields.text() })
        break
      }
      default:
        throw new Malformed(`there is no field ${tag}`)
    }
  }
  return journalsFrom
}
