// LevelDB's log files, the format of its journals and of MANIFEST (leveldb, doc/log_format.md): blocks of 32 KiB, in them fragments of
// records, each with a CRC-32C.
//
// LevelDB itself drops what it cannot read of a journal without a word and goes on behind it, so a record in the middle can be gone
// while later ones count. Here that is told from a torn last write, which no sync had made good on.
import { maskedCrc32c } from './crc32c.ts'

const BLOCK_BYTES = 32_768
const HEAD_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4

interface Fragment {
  type: number
  data: Buffer
  next: number
}

export interface JournalRecords {
  records: Buffer[]
  /** Where the first byte is that is no intact record, if a later record is intact all the same. */
  damagedAt: number | undefined
  /** A torn end: bytes behind the last intact record. */
  tornBytes: number
}

/** All intact records. With `past`, those behind damage too: for whoever saves what can be saved. */
export function readJournal(file: Buffer, { past = false }: { past?: boolean } = {}): JournalRecords {
  const records: Buffer[] = []
  let parts: Buffer[] | undefined
  let at = 0
  let intact = 0
  let damagedAt: number | undefined
  for (;;) {
    const start = fragmentStart(file, at)
    if (start + HEAD_BYTES > file.length) break
    const fragment = fragmentAt(file, start)
    const isExpected = fragment !== undefined && fragment.type <= FIRST === (parts === undefined)
    if (!isExpected) {
      // A record that was begun and another that follows: the first one's end is gone.
      const later = fragment !== undefined && fragment.type <= FIRST ? start : laterRecord(file, start)
      parts = undefined
      if (later === undefined) break
      damagedAt ??= start
      if (!past) break
      at = later
      continue
    }
    parts ??= []
    parts.push(fragment.data)
    at = fragment.next
    if (fragment.type !== FULL && fragment.type !== LAST) continue
    records.push(parts.length === 1 ? parts[0]! : Buffer.concat(parts))
    parts = undefined
    intact = at
  }
  return { records, damagedAt, tornBytes: damagedAt === undefined ? file.length - intact : 0 }
}

/** No fragment begins in the last bytes of a block. */
const fragmentStart = (file: Buffer, at: number): number => {
  const left = BLOCK_BYTES - (at % BLOCK_BYTES)
  return left < HEAD_BYTES ? Math.min(at + left, file.length) : at
}

function fragmentAt(file: Buffer, at: number): Fragment | undefined {
  if (at + HEAD_BYTES > file.length) return undefined
  const length = file.readUInt16LE(at + 4)
  const type = file[at + 6]!
  const next = at + HEAD_BYTES + length
  if (type < FULL || type > LAST || next > file.length || (at % BLOCK_BYTES) + HEAD_BYTES + length > BLOCK_BYTES)
    return undefined
  if (file.readUInt32LE(at) !== maskedCrc32c(file, at + 6, next)) return undefined
  return { type, data: file.subarray(at + HEAD_BYTES, next), next }
}

/**
 * Where an intact record begins behind damage: right behind what the damaged fragment says of its length, or in a later block. The
 * rest of a record that was begun before does not count: a torn write can have left its later blocks only.
 */
function laterRecord(file: Buffer, damagedAt: number): number | undefined {
  const length = file.readUInt16LE(damagedAt + 4)
  const candidates = [damagedAt + HEAD_BYTES + length]
  for (let block = (Math.floor(damagedAt / BLOCK_BYTES) + 1) * BLOCK_BYTES; block < file.length; block += BLOCK_BYTES)
    candidates.push(block)
  for (const candidate of candidates) {
    for (let at = candidate; ; ) {
      const start = fragmentStart(file, at)
      const fragment = fragmentAt(file, start)
      if (fragment === undefined) break
      if (fragment.type <= FIRST) return start
      at = fragment.next
    }
  }
  return undefined
}
