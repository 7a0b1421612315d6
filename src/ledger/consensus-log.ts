// The vote log: what must be on the disk before a vote leaves (docs/protocol.md, "What is durable before what is sent").
//
// Append-only, a file of its own, one frame and one fdatasync for all records of a sync. Its random id is part of the validator's
// identity: whoever lost the log lost the right to vote, so it is never created or mended silently.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sha256 } from '../crypto/hash.ts'
import { syncFolder } from '../synced.ts'
import { toHex } from '../types/hex.ts'
import {
  assertFits,
  encodeFrames,
  encodeHeader,
  ID_BYTES,
  type LogHeader,
  MARKER_BYTES,
  readLog,
} from './consensus-frames.ts'

export interface ConsensusLog {
  /** In hexadecimal, as validator records carry it. */
  readonly id: string
  /** Takes records for the next sync. */
  append(records: readonly Uint8Array[]): void
  /** Resolves when all appended so far is on the disk. Any error is final: stop the process, never retry. */
  sync(): Promise<void>
  /** Replaces all contents by these records, all or nothing, under the same id. Everything appended must be synced before. */
  rewrite(records: readonly Uint8Array[]): Promise<void>
  /** Bytes on the disk. */
  bytes(): number
  close(): Promise<void>
}

export type OpenedLog = { log: ConsensusLog; records: Uint8Array[] } | { fault: 'MISSING' | 'DAMAGED'; reason: string }

/** Makes an empty log. Only `init` does this; it refuses to replace a log, which may hold votes that left this node. */
export async function createConsensusLog(path: string, id: Uint8Array): Promise<void> {
  if (id.length !== ID_BYTES) throw new RangeError(`A consensus log id has ${ID_BYTES} bytes, got ${id.length}.`)
  const file = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    throw new Error(
      `The consensus log ${path} exists and may hold votes of this validator; it is never replaced. ` +
        'Choose another home, or move the file away and renew the log on the ledger.',
      { cause: error },
    )
  })
  await fill(file, encodeHeader({ id, marker: randomBytes(MARKER_BYTES) }))
  await syncFolder(dirname(path))
}

/** Opens and reads a log; cuts off a torn last write. A damaged file is left as it is. */
export async function openConsensusLog(path: string): Promise<OpenedLog> {
  const contents = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (contents === undefined) return { fault: 'MISSING', reason: `there is no consensus log at ${path}` }
  const read = readLog(contents)
  if ('fault' in read) return { fault: read.fault, reason: `the consensus log ${path} is damaged: ${read.reason}` }
  // A rewrite that did not come to its rename left this; the log itself is whole.
  await rm(`${path}.new`, { force: true })
  const file = await open(path, constants.O_RDWR)
  try {
    if (read.intactBytes < contents.length) {
      await file.truncate(read.intactBytes)
      await file.datasync()
    }
  } catch (error) {
    await file.close()
    throw error
  }
  const state = { path, file, header: read.header, chain: read.chain, length: read.intactBytes }
  return { log: createLog(state), records: read.records }
}

interface State {
  path: string
  file: FileHandle
  header: LogHeader
  chain: Uint8Array
  length: number
}

function createLog(state: State): ConsensusLog {
  let waiting: Uint8Array[] = []
  let last: Promise<void> = Promise.resolve()
  let failure: unknown
  let closed = false

  function assertUsable(): void {
    if (closed) throw new Error('The consensus log is closed.')
    if (failure !== undefined) {
      throw new Error('The consensus log failed to write and cannot be trusted any more; stop the process.', {
        cause: failure,
      })
    }
  }

  /** One write at a time, in the order asked; after an error no other is tried. */
  function queue(work: () => Promise<void>): Promise<void> {
    const done = last.then(async () => {
      assertUsable()
      try {
        await work()
      } catch (error) {
        failure = error
        throw error
      }
    })
    last = done.catch(() => undefined)
    return done
  }

  async function flush(): Promise<void> {
    if (waiting.length === 0) return
    const records = waiting
    waiting = []
    const { frames, chain } = encodeFrames(state.header.marker, state.chain, records)
    // More than one frame is rare and synced one by one: were the first torn and a later one whole, that would look like damage.
    for (const frame of frames) {
      await writeAll(state.file, frame, state.length)
      await state.file.datasync()
      state.length += frame.length
    }
    state.chain = chain
  }

  async function replace(records: readonly Uint8Array[]): Promise<void> {
    const { path } = state
    // A new marker: the old one stood in a file that others may have seen.
    const header = { id: state.header.id, marker: randomBytes(MARKER_BYTES) }
    const head = encodeHeader(header)
    const { frames, chain } = encodeFrames(header.marker, sha256(head), records)
    const contents = Buffer.concat([head, ...frames])
    await rm(`${path}.new`, { force: true })
    await fill(await open(`${path}.new`, 'wx', 0o600), contents)
    await rename(`${path}.new`, path)
    await syncFolder(dirname(path))
    await state.file.close()
    state.file = await open(path, constants.O_RDWR)
    state.header = header
    state.chain = chain
    state.length = contents.length
  }

  return {
    id: toHex(state.header.id),
    append(records) {
      assertUsable()
      for (const record of records) assertFits(record)
      for (const record of records) waiting.push(record)
    },
    sync: () => queue(flush),
    rewrite(records) {
      if (waiting.length > 0)
        return Promise.reject(new Error('The consensus log has records that are not synced; sync first.'))
      return queue(() => replace(records))
    },
    bytes: () => state.length,
    async close() {
      if (closed) return
      await last
      closed = true
      await state.file.close()
    },
  }
}

/** A write may take fewer bytes than it was given. */
async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

async function fill(file: FileHandle, bytes: Uint8Array): Promise<void> {
  try {
    await writeAll(file, bytes, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}
