// The consensus log of a simulated node, in the real file's format: what a power loss leaves of its last write is read back by the
// code that reads it in production.

import { sha256 } from '../crypto/hash.ts'
import { encodeFrames, encodeHeader, type LogHeader, readLog } from '../ledger/consensus-frames.ts'
import { LOG_REWRITE_BYTES } from '../limits.ts'
import type { VoteLog } from '../replica.ts'
import type { Disk } from './disk.ts'
import type { Random } from './random.ts'
import type { Remains } from './scenario.ts'

/** The file on the disk. */
export interface LogFile {
  header: LogHeader
  chunks: Uint8Array[]
}

export function createLogFile(random: Random): LogFile {
  const header = { id: randomBytes(random, 32), marker: randomBytes(random, 8) }
  return { header, chunks: [encodeHeader(header)] }
}

const randomBytes = (random: Random, length: number) => Uint8Array.from({ length }, () => random.below(256))

/** What was read at a start and what a rewrite leaves is all there is; the rest is added to it. */
export type Keeping = 'read' | 'added' | 'rewritten'

export interface OpenLogOptions {
  file: LogFile
  disk: Disk
  random: Random
  /** The log counts as grown enough to rewrite from so many bytes on. */
  rewriteBytes: number
  /** These records are durable now. */
  onDurable(records: readonly Uint8Array[], keeping: Keeping): void
}

/** Reads the file, cuts off a torn last write, and gives the log. Throws where the file counts as damaged: no power loss does that. */
export function openVoteLog(options: OpenLogOptions): { log: VoteLog; records: Uint8Array[] } {
  const { file, disk, random, onDurable } = options
  const contents = Buffer.concat(file.chunks)
  const read = readLog(contents)
  if ('fault' in read) throw new Error(`a power loss damaged the consensus log: ${read.reason}`)
  file.chunks = [contents.subarray(0, read.intactBytes)]
  let chain = read.chain
  let waiting: Uint8Array[] = []
  let bytes = read.intactBytes
  onDurable(read.records, 'read')

  const log: VoteLog = {
    append: (records) => void waiting.push(...records),
    async sync() {
      const records = waiting
      waiting = []
      const encoded = encodeFrames(file.header.marker, chain, records)
      for (const frame of encoded.frames) {
        await disk.write((remains) => {
          const kept = remainsOf(frame, remains, random)
          if (kept.length > 0) file.chunks.push(kept)
          if (remains === 'all') onDurable(records, 'added')
        })
        bytes += frame.length
      }
      chain = encoded.chain
    },
    async rewrite(records) {
      const header = { id: file.header.id, marker: randomBytes(random, 8) }
      const head = encodeHeader(header)
      const encoded = encodeFrames(header.marker, sha256(head), records)
      await disk.write((remains) => {
        // A file beside the old one, then a rename: all or nothing.
        if (remains !== 'all') return
        file.header = header
        file.chunks = [head, ...encoded.frames]
        onDurable(records, 'rewritten')
      })
      chain = encoded.chain
      bytes = head.length + encoded.frames.reduce((sum, frame) => sum + frame.length, 0)
    },
    bytes: () => (bytes > options.rewriteBytes ? LOG_REWRITE_BYTES + 1 : bytes),
  }
  return { log, records: read.records }
}

/** Sectors reach the disk in any order, so a hole in the middle is as likely as a missing end. */
function remainsOf(frame: Uint8Array, remains: Remains, random: Random): Uint8Array {
  switch (remains) {
    case 'none':
      return frame.subarray(0, 0)
    case 'short':
      return frame.subarray(0, Math.min(frame.length - 1, random.between(1, 12)))
    case 'torn':
      return frame.subarray(0, random.between(1, frame.length - 1))
    case 'misordered': {
      const holed = Uint8Array.from(frame)
      const from = random.below(frame.length - 1)
      holed.fill(0, from, random.between(from + 1, frame.length))
      // A hole where zeros stood anyway is no hole: the frame is whole.
      return holed
    }
    case 'all':
      return frame
  }
}
