// What the records of a journal hold: batches of writes (leveldb, db/write_batch.cc), each a sequence number (8 bytes), a count (4), then
// keys with their values, or without where they are deleted.
import { createFields, Malformed } from './varint.ts'

const HEAD_BYTES = 12
const VALUE = 1
const DELETION = 0
/** Seven bytes of an internal key. LevelDB ends the process where a number is above. */
const SEQUENCE_MAX = 2n ** 56n - 1n

export interface WriteBatch {
  /** The first write's; each further one has the next. */
  sequence: bigint
  entries: [key: Buffer, value: Buffer | undefined][]
}

/** Throws Malformed where the record is no batch, as when another file lies under a journal's name. */
export function readWriteBatch(record: Buffer): WriteBatch {
  if (record.length < HEAD_BYTES) throw new Malformed(`${record.length} bytes are no batch of writes`)
  const sequence = record.readBigUInt64LE(0)
  const count = record.readUInt32LE(8)
  if (sequence + BigInt(count) > SEQUENCE_MAX) throw new Malformed(`there is no sequence number ${sequence}`)
  const fields = createFields(record, HEAD_BYTES)
  const entries: WriteBatch['entries'] = []
  while (!fields.isAtEnd()) {
    const type = fields.number()
    if (type !== VALUE && type !== DELETION) throw new Malformed(`there is no write of type ${type}`)
    const key = fields.text()
    entries.push([key, type === VALUE ? fields.text() : undefined])
  }
  if (entries.length !== count) throw new Malformed(`expected ${count} writes, got ${entries.length}`)
  return { sequence, entries }
}
