// Frames on a byte stream: four bytes of length, most significant first, then that many bytes. An empty frame is a fault.
//
// A libp2p stream keeps order but no boundaries, and its `send` buffers without bound when the reader is slow, so both directions are
// paced here: the reader refuses a length before it buffers the bytes, the writer hands over a piece only when the last one is gone.
import type { Stream } from '@libp2p/interface'
import { LengthPrefixedDecoder } from '@libp2p/utils'

export const HEADER_BYTES = 4

/** What a stream may hold undelivered while it is paused (see swarm.ts); one chunk can be that long. */
const CHUNK_BYTES_MAX = 5 * 1024 * 1024

type Chunk = Parameters<LengthPrefixedDecoder['decode']>[0]

/** A function from chunks to whole frames. It throws on a length of zero or above the bound. Each frame is a copy that pins nothing. */
export function frameReader(frameBytesMax: number): (chunk: Chunk) => Generator<Uint8Array> {
  const decoder = new LengthPrefixedDecoder({
    maxDataLength: frameBytesMax,
    maxBufferSize: HEADER_BYTES + frameBytesMax + CHUNK_BYTES_MAX,
    encodingLength: () => HEADER_BYTES,
    lengthDecoder: readLength,
  })
  return function* read(chunk) {
    for (const frame of decoder.decode(chunk)) yield frame.slice()
  }
}

function readLength(data: Chunk): number {
  // The decoder takes a RangeError for "wait for more bytes", and a negative length for a fault.
  if (data.byteLength < HEADER_BYTES) throw new RangeError('the length is not complete')
  const bytes = data.subarray(0, HEADER_BYTES)
  const length = bytes[0]! * 0x1000000 + (bytes[1]! << 16) + (bytes[2]! << 8) + bytes[3]!
  return length === 0 ? -1 : length
}

export function writeHeader(target: Uint8Array, offset: number, length: number): void {
  target[offset] = length >>> 24
  target[offset + 1] = (length >>> 16) & 0xff
  target[offset + 2] = (length >>> 8) & 0xff
  target[offset + 3] = length & 0xff
}

/** One frame in one piece, made of the parts given. */
export function encodeFrame(...parts: Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const frame = new Uint8Array(HEADER_BYTES + length)
  writeHeader(frame, 0, length)
  let offset = HEADER_BYTES
  for (const part of parts) {
    frame.set(part, offset)
    offset += part.length
  }
  return frame
}

/** True when the stream has passed everything on and takes more. */
function takesMore(stream: Stream): boolean {
  return (
    stream.status === 'open' &&
    stream.writeStatus === 'writable' &&
    !stream.writableNeedsDrain &&
    stream.writeBufferLength === 0
  )
}

export interface PacedWriter {
  /** Says that `next` may have something. Pieces go out in a microtask, so frames queued together leave together. */
  wake(): void
}

/**
 * Sends what `next` gives, piece by piece, as the stream takes it. It listens to `drain` and to `idle`: a window update raises `drain`
 * only while bytes wait inside the stream, and its `onDrain()` promise resolves but once.
 */
export function pacedWriter(stream: Stream, next: () => Uint8Array | undefined): PacedWriter {
  let scheduled = false
  function pump(): void {
    scheduled = false
    while (takesMore(stream)) {
      const piece = next()
      if (piece === undefined) return
      try {
        stream.send(piece)
      } catch {
        // The stream has closed under us; its `close` event tells the owner.
        return
      }
    }
  }
  function wake(): void {
    if (scheduled) return
    scheduled = true
    queueMicrotask(pump)
  }
  stream.addEventListener('drain', wake)
  stream.addEventListener('idle', wake)
  return { wake }
}
