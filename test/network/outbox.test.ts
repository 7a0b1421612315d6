import fc from 'fast-check'
import { expect, it } from 'vitest'
import { frameReader } from '../../src/network/framing.ts'
import { createOutbox } from '../../src/network/outbox.ts'

function readAll(pieces: Uint8Array[], frameBytesMax = 1 << 20): Buffer[] {
  const read = frameReader(frameBytesMax)
  return pieces.flatMap((piece) => [...read(piece)].map((frame) => Buffer.from(frame)))
}

const frameSizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 65_000, max: 140_000 })), {
  maxLength: 20,
})

it('gives back what was put in, whatever the sizes and wherever it is taken', () => {
  fc.assert(
    fc.property(frameSizes, fc.integer({ min: 1, max: 5 }), (sizes, every) => {
      const outbox = createOutbox(Number.MAX_SAFE_INTEGER, 'refuse')
      const frames = sizes.map((size, index) => Buffer.alloc(size, index + 1))
      const pieces: Uint8Array[] = []
      for (const [index, frame] of frames.entries()) {
        expect(outbox.push(frame)).toBe(true)
        const piece = index % every === 0 ? outbox.take() : undefined
        if (piece !== undefined) pieces.push(piece)
      }
      for (let piece = outbox.take(); piece !== undefined; piece = outbox.take()) pieces.push(piece)
      expect(outbox.bytes).toBe(0)
      expect(pieces.every((piece) => piece.length <= 65_536)).toBe(true)
      expect(readAll(pieces)).toEqual(frames)
    }),
    { numRuns: 200 },
  )
})

it('starts a cut frame again for the next stream', () => {
  const outbox = createOutbox(Number.MAX_SAFE_INTEGER, 'refuse')
  const large = Buffer.alloc(200_000, 1)
  outbox.push(large)
  outbox.push(Buffer.of(2))
  outbox.take()
  outbox.take()
  outbox.rewind()
  const pieces: Uint8Array[] = []
  for (let piece = outbox.take(); piece !== undefined; piece = outbox.take()) pieces.push(piece)
  expect(readAll(pieces)).toEqual([large, Buffer.of(2)])
  expect(outbox.bytes).toBe(0)
})

it('is bounded: it refuses, or gives up the oldest', () => {
  const refusing = createOutbox(1000, 'refuse')
  expect([1, 2, 3].map((value) => refusing.push(Buffer.alloc(400, value)))).toEqual([true, true, false])
  const dropping = createOutbox(1000, 'drop-oldest')
  expect([1, 2, 3].map((value) => dropping.push(Buffer.alloc(400, value)))).toEqual([true, true, true])
  expect(dropping.bytes).toBeLessThanOrEqual(1000)
  expect(readAll([dropping.take()!]).map((frame) => frame[0])).toEqual([2, 3])
  expect(dropping.push(Buffer.alloc(5000))).toBe(true)
  expect(dropping.push(Buffer.alloc(400, 7))).toBe(true)
  expect(readAll([dropping.take()!]).map((frame) => frame[0])).toEqual([7])
})

it('counts tiny frames by more than their bytes', () => {
  const outbox = createOutbox(10_000, 'refuse')
  let accepted = 0
  while (outbox.push(Buffer.of(1))) accepted++
  expect(accepted).toBeLessThan(200)
})

it('reads frames cut anywhere, and refuses a length before it has the bytes', () => {
  const outbox = createOutbox(1 << 20, 'refuse')
  const frames = [Buffer.alloc(3, 1), Buffer.alloc(70, 2), Buffer.alloc(1, 3)]
  for (const frame of frames) outbox.push(frame)
  const bytes = outbox.take()!
  for (let step = 1; step < 12; step++) {
    const pieces = []
    for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.subarray(at, at + step))
    expect(readAll(pieces, 70)).toEqual(frames)
  }
  expect(() => readAll([bytes], 69)).toThrow()
  expect(() => readAll([Uint8Array.of(0xff, 0xff, 0xff, 0xff)])).toThrow()
  expect(() => readAll([new Uint8Array(4)])).toThrow()
})
