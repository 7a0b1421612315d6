// LevelDB with checksums of our own.
//
// The binding offers no checksum options, and a flipped byte in a table came back as a wrong value without an error. So each
// stored value is CRC-32(key ‖ value), 4 bytes big-endian, then the value; it is checked at every read. The key is covered too:
// a value found under the wrong key is damage.
import { existsSync, realpathSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import { LedgerDamaged, LedgerLocked } from './errors.ts'
import { REPAIR_MEND } from './fault.ts'
import { kindOf } from './keys.ts'
import { type Level, openSharedLevel } from './shared-level.ts'

export type Operation = { type: 'put'; key: Buffer; value: Uint8Array } | { type: 'del'; key: Buffer }
export type Snapshot = ReturnType<ClassicLevel['snapshot']>
export interface Range {
  gte: Buffer
  lt: Buffer
  reverse?: boolean
  limit?: number
  snapshot?: Snapshot | undefined
}

/** Entries in order; `seek` jumps to the first key at or after a target. Close it, or it pins its version of the store. */
export interface Cursor {
  next(): Promise<[key: Buffer, value: Buffer] | undefined>
  /** The next entries, as many as there are up to this number; for where the next one alone is not enough. */
  take(limit: number): Promise<[key: Buffer, value: Buffer][]>
  seek(target: Buffer): void
  close(): Promise<void>
}

export interface Store {
  get(key: Buffer, snapshot?: Snapshot): Promise<Buffer | undefined>
  getSync(key: Buffer, snapshot?: Snapshot): Buffer | undefined
  getMany(keys: Buffer[], snapshot?: Snapshot): Promise<(Buffer | undefined)[]>
  cursor(range: Range): Cursor
  /** Writes all or nothing; resolves when it is on the disk, or with the system where the store was opened without durability. */
  write(operations: Operation[]): Promise<void>
  /** Deletes a range, in no one atomic step. */
  clear(range: Pick<Range, 'gte' | 'lt'>): Promise<void>
  /** One unchanging version of the whole store. Close it. */
  snapshot(): Snapshot
  /** Gives the room of deleted entries back to the disk. Takes long on a large store. */
  compact(): Promise<void>
  /** Bytes of all files in the folder. */
  size(): Promise<number>
  close(): Promise<void>
}

/** The stored form of a value. */
export function seal(key: Uint8Array, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(4 + value.length)
  stored.writeUInt32BE(crc32(value, crc32(key)))
  stored.set(value, 4)
  return stored
}

/** The value in a stored form; throws LedgerDamaged where the checksum does not fit. */
export function unseal(key: Buffer, stored: Buffer): Buffer {
  const value = stored.subarray(4)
  if (stored.length >= 4 && stored.readUInt32BE(0) === crc32(value, crc32(key))) return value
  throw new LedgerDamaged(
    `The ledger's ${kindOf(key)} entry ${key.toString('hex', 0, 48)} fails its checksum: its bytes changed on the disk. ${REPAIR_MEND}`,
  )
}

export const missing = (thing: string): LedgerDamaged => new LedgerDamaged(`The ledger has no ${thing}. ${REPAIR_MEND}`)

export async function openStore(directory: string, isDurable = true): Promise<Store> {
  const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
  const { level, close } = await openSharedLevel(directory).catch((error: unknown) => {
    throw openFailure(directory, error)
  })
  return {
    async get(key, snapshot) {
      const stored = await level.get(key, { ...encodings, snapshot }).catch(rethrow)
      return stored === undefined ? undefined : unseal(key, stored)
    },
    getSync(key, snapshot) {
      const stored = readSync(level, key, snapshot)
      return stored === undefined ? undefined : unseal(key, stored)
    },
    async getMany(keys, snapshot) {
      const found = await level.getMany(keys, { ...encodings, snapshot }).catch(rethrow)
      return found.map((stored, index) => (stored === undefined ? undefined : unseal(keys[index]!, stored)))
    },
    cursor: (range) => openCursor(level, range),
    async write(operations) {
      // A chained batch takes about two thirds of the time of an array of operations.
      const batch = level.batch()
      for (const operation of operations) {
        if (operation.type === 'put') batch.put(operation.key, seal(operation.key, operation.value))
        else batch.del(operation.key)
      }
      await batch.write({ sync: isDurable }).catch(rethrow)
    },
    clear: (range) => level.clear({ ...range, keyEncoding: 'buffer' }),
    snapshot: () => level.snapshot(),
    compact: () => level.compactRange(Buffer.of(0), Buffer.of(0xff)),
    size: () => folderSize(directory),
    close,
  }
}

/**
 * Throws LedgerLocked where another process has the folder open, and changes nothing in it: this opening is refused for what is there
 * after the lock was had, or for what is not.
 */
export async function assertUnlocked(directory: string): Promise<void> {
  if (!existsSync(directory)) return
  const level = new ClassicLevel(realpathSync(directory), { createIfMissing: false, errorIfExists: true })
  const error = await level.open().then(
    () => undefined,
    (error: unknown) => openFailure(directory, error),
  )
  await level.close()
  if (error instanceof LedgerLocked) throw error
}

function readSync(level: Level, key: Buffer, snapshot: Snapshot | undefined): Buffer | undefined {
  try {
    return snapshot === undefined ? level.getSync(key) : level.getSync(key, { snapshot })
  } catch (error) {
    return rethrow(error)
  }
}

function openCursor(level: Level, range: Range): Cursor {
  const iterator = level.iterator({ ...range, keyEncoding: 'buffer', valueEncoding: 'buffer' } as never)
  return {
    async next() {
      const entry = await iterator.next().catch(rethrow)
      if (entry === undefined) return undefined
      const [key, stored] = entry as [Buffer, Buffer]
      return [key, unseal(key, stored)]
    },
    async take(limit) {
      const entries = await iterator.nextv(limit).catch(rethrow)
      return (entries as [Buffer, Buffer][]).map(([key, stored]) => [key, unseal(key, stored)])
    },
    seek: (target) => iterator.seek(target),
    close: () => iterator.close(),
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function rethrow(error: unknown): never {
  if (codeOf(error) === 'LEVEL_CORRUPTION') {
    throw new LedgerDamaged(`LevelDB reports damage: ${(error as Error).message}. ${REPAIR_MEND}`, { cause: error })
  }
  throw error
}

function openFailure(directory: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  if (codeOf(cause) === 'LEVEL_LOCKED') {
    return new LedgerLocked(
      `The ledger folder ${directory} is open in another process: another node runs on it. Stop that node, or start this one with a home of its own.`,
      { cause },
    )
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  if (codeOf(cause) === 'LEVEL_CORRUPTION') {
    return new LedgerDamaged(`The ledger folder ${directory} cannot be opened: ${reason}. ${REPAIR_MEND}`, { cause })
  }
  return new Error(
    `The ledger folder ${directory} cannot be opened: ${reason}. Check that it exists on a disk with free space and that this user may write to it.`,
    { cause },
  )
}

async function folderSize(directory: string): Promise<number> {
  let total = 0
  for (const name of await readdir(directory)) {
    // LevelDB may delete a file between the listing and this look at it.
    const file = await stat(join(directory, name)).catch(() => undefined)
    total += file?.size ?? 0
  }
  return total
}
