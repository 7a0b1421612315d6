// A bounded queue of frames for one peer and channel, handed out in pieces that suit the stream below.
import { HEADER_BYTES, writeHeader } from './framing.ts'

/** Small frames are put together up to this size; large ones are cut, so that other channels get their turn on the connection. */
const PIECE_BYTES = 64 * 1024
/** What a queued frame costs beyond its bytes, so that a flood of tiny frames is bounded too. */
const FRAME_OVERHEAD_BYTES = 64

export interface Outbox {
  /** False when the frame was refused. */
  push(frame: Uint8Array): boolean
  take(): Uint8Array | undefined
  /** After a stream broke: a frame that was cut in the middle starts again on the next stream. */
  rewind(): void
  readonly bytes: number
}

export function createOutbox(bytesMax: number, whenFull: 'drop-oldest' | 'refuse'): Outbox {
  let frames: Uint8Array[] = []
  let head = 0
  let bytes = 0
  let current: { frame: Uint8Array; offset: number } | undefined

  const costOf = (frame: Uint8Array) => frame.length + FRAME_OVERHEAD_BYTES

  function shift(): Uint8Array | undefined {
    const frame = frames[head]
    if (frame === undefined) return undefined
    frames[head] = undefined as never
    head++
    if (head > 32 && head * 2 > frames.length) {
      frames = frames.slice(head)
      head = 0
    }
    return frame
  }

  function push(frame: Uint8Array): boolean {
    const cost = costOf(frame)
    if (frame.length === 0) return false
    // An empty queue takes any frame, so that the largest one can be sent at all.
    while (bytes > 0 && bytes + cost > bytesMax) {
      if (whenFull === 'refuse') return false
      const oldest = shift()
      if (oldest === undefined) return false
      bytes -= costOf(oldest)
    }
    frames.push(frame)
    bytes += cost
    return true
  }

  function takeCurrent(): Uint8Array {
    const { frame, offset } = current!
    const piece = frame.subarray(offset, offset + PIECE_BYTES)
    current!.offset += piece.length
    if (current!.offset === frame.length) {
      bytes -= costOf(frame)
      current = undefined
    }
    return piece
  }

  function take(): Uint8Array | undefined {
    if (current !== undefined) return takeCurrent()
    let size = 0
    let end = head
    for (; end < frames.length; end++) {
      const next = size + HEADER_BYTES + frames[end]!.length
      if (next > PIECE_BYTES) break
      size = next
    }
    // The next frame does not fit: its header still goes along, and its body follows in pieces that need no copy.
    const cut = end < frames.length && size + HEADER_BYTES <= PIECE_BYTES
    if (cut) size += HEADER_BYTES
    if (size === 0) return undefined
    const piece = Buffer.allocUnsafe(size)
    let offset = 0
    for (let count = end - head; count > 0; count--) {
      const frame = shift()!
      writeHeader(piece, offset, frame.length)
      piece.set(frame, offset + HEADER_BYTES)
      offset += HEADER_BYTES + frame.length
      bytes -= costOf(frame)
    }
    if (cut) {
      current = { frame: shift()!, offset: 0 }
      writeHeader(piece, offset, current.frame.length)
    }
    return piece
  }

  function rewind(): void {
    if (current === undefined) return
    frames = [current.frame, ...frames.slice(head)]
    head = 0
    current = undefined
  }

  return {
    push,
    take,
    rewind,
    get bytes() {
      return bytes
    },
  }
}
