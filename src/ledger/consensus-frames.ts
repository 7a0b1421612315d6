// The byte format of the consensus log: a header, then frames, each holding the records of one sync. docs/data.md has the picture.
//
// Header: "QUORLOG1" (8), log id (32), marker (8), CRC-32 of these (4).
// Frame: marker (8), payload length (4), CRC-32 of length, previous hash and payload (4), previous hash (32), payload.
// Payload: records, each its length (4) and bytes. All numbers are big-endian. The previous hash is SHA-256 of the whole frame
// before, or of the header.
//
// The marker is random for each file. Records carry other people's bytes, and a marker they could guess would let them plant a
// frame inside a record, which would pass for a later frame once the real one around it is torn.
import { crc32 } from 'node:zlib'
import { sha256 } from '../crypto/hash.ts'
import { equalBytes } from '../types/hex.ts'

export const ID_BYTES = 32
export const MARKER_BYTES = 8
export const HEADER_BYTES = 8 + ID_BYTES + MARKER_BYTES + 4
export const FRAME_HEAD_BYTES = MARKER_BYTES + 4 + 4 + 32
/** Payload bytes of one frame: room for the largest batch body and all votes beside it. */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024
const magic = Buffer.from('QUORLOG1', 'latin1')

export interface LogHeader {
  id: Uint8Array
  marker: Uint8Array
}

export function encodeHeader({ id, marker }: LogHeader): Buffer {
  const body = Buffer.concat([magic, id, marker])
  const sum = Buffer.allocUnsafe(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([body, sum])
}

/** Undefined where the bytes are no intact header. */
function decodeHeader(file: Buffer): LogHeader | undefined {
  if (file.length < HEADER_BYTES || !file.subarray(0, 8).equals(magic)) return undefined
  if (file.readUInt32BE(HEADER_BYTES - 4) !== crc32(file.subarray(0, HEADER_BYTES - 4))) return undefined
  const id = new Uint8Array(file.subarray(8, 8 + ID_BYTES))
  const marker = new Uint8Array(file.subarray(8 + ID_BYTES, 8 + ID_BYTES + MARKER_BYTES))
  return { id, marker }
}

export function assertFits(record: Uint8Array): void {
  if (4 + record.length <= FRAME_BYTES_MAX) return
  throw new RangeError(`A consensus log record has ${record.length} bytes; at most ${FRAME_BYTES_MAX - 4} fit a frame.`)
}

/** One frame, or several where the records are more than one holds, chained to `previous`; `chain` is what the next one chains to. */
export function encodeFrames(marker: Uint8Array, previous: Uint8Array, records: readonly Uint8Array[]) {
  const frames: Buffer[] = []
  let chain = previous
  let group: Uint8Array[] = []
  let bytes = 0
  const flush = () => {
    const frame = encodeFrame(marker, chain, group, bytes)
    frames.push(frame)
    chain = sha256(frame)
    group = []
    bytes = 0
  }
  for (const record of records) {
    const size = 4 + record.length
    if (size > FRAME_BYTES_MAX) {
      throw new RangeError(
        `A consensus log record has ${record.length} bytes; at most ${FRAME_BYTES_MAX - 4} fit a frame.`,
      )
    }
    if (bytes + size > FRAME_BYTES_MAX) flush()
    group.push(record)
    bytes += size
  }
  if (group.length > 0) flush()
  return { frames, chain }
}

function encodeFrame(
  marker: Uint8Array,
  previous: Uint8Array,
  records: readonly Uint8Array[],
  payloadBytes: number,
): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payloadBytes)
  frame.set(marker, 0)
  frame.writeUInt32BE(payloadBytes, MARKER_BYTES)
  frame.set(previous, MARKER_BYTES + 8)
  let at = FRAME_HEAD_BYTES
  for (const record of records) {
    at = frame.writeUInt32BE(record.length, at)
    frame.set(record, at)
    at += record.length
  }
  frame.writeUInt32BE(checksum(frame), MARKER_BYTES + 4)
  return frame
}

/** Over the length and all that follows the checksum itself. */
const checksum = (frame: Buffer): number =>
  crc32(frame.subarray(MARKER_BYTES + 8), crc32(frame.subarray(MARKER_BYTES, MARKER_BYTES + 4)))

/** The intact frame at `offset`, its chain not looked at; undefined where there is none. */
function frameAt(file: Buffer, offset: number, marker: Uint8Array): Buffer | undefined {
  if (offset + FRAME_HEAD_BYTES > file.length) return undefined
  if (!equalBytes(file.subarray(offset, offset + MARKER_BYTES), marker)) return undefined
  const payloadBytes = file.readUInt32BE(offset + MARKER_BYTES)
  if (payloadBytes > FRAME_BYTES_MAX || offset + FRAME_HEAD_BYTES + payloadBytes > file.length) return undefined
  const frame = file.subarray(offset, offset + FRAME_HEAD_BYTES + payloadBytes)
  return frame.readUInt32BE(MARKER_BYTES + 4) === checksum(frame) ? frame : undefined
}

function recordsOf(frame: Buffer): Uint8Array[] | undefined {
  const records: Uint8Array[] = []
  let at = FRAME_HEAD_BYTES
  while (at < frame.length) {
    if (at + 4 > frame.length) return undefined
    const end = at + 4 + frame.readUInt32BE(at)
    if (end > frame.length) return undefined
    records.push(new Uint8Array(frame.subarray(at + 4, end)))
    at = end
  }
  return records
}

export type ReadLog =
  | { header: LogHeader; records: Uint8Array[]; chain: Uint8Array; intactBytes: number }
  | { fault: 'DAMAGED'; reason: string }

/**
 * The records of a whole file. What follows `intactBytes` is a torn last write: bytes that are no frame and after which there is
 * none either. Anything else that is wrong is damage, because a vote that once left this node may be among what is unreadable.
 */
export function readLog(file: Buffer): ReadLog {
  const header = decodeHeader(file)
  if (header === undefined) return { fault: 'DAMAGED', reason: 'its header is not intact' }
  const records: Uint8Array[] = []
  let chain = sha256(file.subarray(0, HEADER_BYTES))
  let offset = HEADER_BYTES
  while (offset < file.length) {
    const frame = frameAt(file, offset, header.marker)
    if (frame === undefined) {
      const later = laterFrame(file, offset + 1, header.marker)
      if (later === undefined) break
      return {
        fault: 'DAMAGED',
        reason: `the frame at byte ${offset} is not intact, yet an intact one follows at byte ${later}`,
      }
    }
    if (!equalBytes(frame.subarray(MARKER_BYTES + 8, FRAME_HEAD_BYTES), chain)) {
      return { fault: 'DAMAGED', reason: `the frame at byte ${offset} does not follow from the one before it` }
    }
    const found = recordsOf(frame)
    if (found === undefined)
      return { fault: 'DAMAGED', reason: `the frame at byte ${offset} does not divide into records` }
    for (const record of found) records.push(record)
    chain = sha256(frame)
    offset += frame.length
  }
  return { header, records, chain, intactBytes: offset }
}

function laterFrame(file: Buffer, from: number, marker: Uint8Array): number | undefined {
  for (let at = file.indexOf(marker, from); at >= 0; at = file.indexOf(marker, at + 1)) {
    if (frameAt(file, at, marker) !== undefined) return at
  }
  return undefined
}
