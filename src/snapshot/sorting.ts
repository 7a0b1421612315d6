// State entries in the order of their paths, with bounded memory: what does not fit is put into one file for each first byte of a path,
// and a file at a time is read back and sorted.
import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { compareBytes } from '../types/hex.ts'
import { decode, encode, list, struct, text } from '../types/schema.ts'
import { CHUNK_BYTES_MAX, type ChunkEntry } from '../types/snapshot.ts'
import { pathOf } from './subtree.ts'

/** Entries kept in memory before they go to the files. */
const HELD_BYTES_MAX = 32 * 1024 * 1024
const BUCKETS = 256

export interface Placed extends ChunkEntry {
  path: Uint8Array
}

export interface Sorting {
  add(entry: Placed): Promise<void>
  /** The entries whose paths begin with this byte, in order. */
  bucket(firstByte: number): Promise<Placed[]>
}

const entriesCodec = list(
  struct('', { key: text(CHUNK_BYTES_MAX), value: text(CHUNK_BYTES_MAX) }),
  Number.MAX_SAFE_INTEGER,
)

/** Files go into `directory`, which the caller removes. */
export function createSorting(directory: string, heldBytesMax = HELD_BYTES_MAX): Sorting {
  let held: Placed[][] = Array.from({ length: BUCKETS }, () => [])
  let heldBytes = 0
  let hasFiles = false
  const fileOf = (bucket: number) => join(directory, `entries-${bucket}`)

  async function spill(): Promise<void> {
    const full = held
    held = Array.from({ length: BUCKETS }, () => [])
    heldBytes = 0
    hasFiles = true
    for (const [bucket, entries] of full.entries()) {
      if (entries.length === 0) continue
      const bytes = encode(entriesCodec, entries)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      await appendFile(fileOf(bucket), Buffer.concat([length, bytes]), { mode: 0o600 })
    }
  }

  async function readBack(bucket: number): Promise<Placed[]> {
    const contents = await readFile(fileOf(bucket)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0)
      throw error
    })
    const entries: Placed[] = []
    for (let at = 0; at < contents.length; ) {
      const end = at + 4 + contents.readUInt32BE(at)
      for (const { key, value } of decode(entriesCodec, contents.subarray(at + 4, end)))
        entries.push({ key, value, path: pathOf(key) })
      at = end
    }
    await rm(fileOf(bucket), { force: true })
    return entries
  }

  return {
    async add(entry) {
      held[entry.path[0]!]!.push(entry)
      heldBytes += entry.key.length + entry.value.length + 64
      if (heldBytes > heldBytesMax) await spill()
    },
    async bucket(firstByte) {
      const kept = held[firstByte]!
      held[firstByte] = []
      const entries = hasFiles ? (await readBack(firstByte)).concat(kept) : kept
      return entries.sort((a, b) => compareBytes(a.path, b.path))
    },
  }
}
