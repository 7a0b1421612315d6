// Every format against cborg, an independent implementation of CBOR, and against damaged bytes.
import * as cborg from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/types/hex.ts'
import { DecodeError } from '../../src/types/schema.ts'
import type { Format } from './formats/format.ts'
import { formats } from './formats.ts'
import { drawnSource } from './source.ts'

const STRICT = { strict: true, allowIndefinite: false, allowUndefined: false }

/** Replaces, inserts, removes or cuts off bytes. */
const damage = fc.record({
  kind: fc.constantFrom('replace', 'insert', 'remove', 'cut'),
  at: fc.nat(),
  byte: fc.integer({ min: 0, max: 255 }),
})
type Damage = { kind: string; at: number; byte: number }

function damaged(bytes: Uint8Array, { kind, at, byte }: Damage): Uint8Array {
  const position = at % bytes.length
  const list = [...bytes]
  if (kind === 'replace') list[position] = byte
  else if (kind === 'insert') list.splice(position, 0, byte)
  else if (kind === 'remove') list.splice(position, 1)
  else list.length = position
  return Uint8Array.from(list)
}

/** Undefined for refused bytes; anything but a DecodeError fails the test. */
function read(format: Format, bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: format.decode(bytes) }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    expect(error.code).toBe('MALFORMED')
    return undefined
  }
}

describe.each(formats)('$name', (format) => {
  it('is read back as it was, and is the CBOR that cborg reads and writes', () => {
    fc.assert(
      fc.property(fc.gen(), (draw) => {
        const value = format.make(drawnSource(draw))
        const bytes = format.encode(value)
        expect(format.decode(bytes)).toEqual(value)
        // cborg drops a byte order mark that text starts with, so its reading is compared without one and not written again.
        const text = JSON.stringify(value)
        if (text.includes('\ufeff')) return
        const theirs = cborg.decode(bytes, STRICT)
        expect(theirs).toEqual(format.nested(value))
        expect(toHex(cborg.encode(theirs))).toBe(toHex(bytes))
      }),
      { numRuns: 60 },
    )
  })

  it('is refused when damaged, or is the only encoding of another value', () => {
    fc.assert(
      fc.property(fc.gen(), fc.array(damage, { minLength: 6, maxLength: 6 }), (draw, changes) => {
        const original = format.encode(format.make(drawnSource(draw)))
        for (const change of changes) {
          const bytes = damaged(original, change)
          const reading = read(format, bytes)
          if (reading !== undefined) expect(toHex(format.encode(reading.value))).toBe(toHex(bytes))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('is refused with a byte after it, and one byte short', () => {
    fc.assert(
      fc.property(fc.gen(), fc.integer({ min: 0, max: 255 }), (draw, byte) => {
        const bytes = format.encode(format.make(drawnSource(draw)))
        expect(read(format, Uint8Array.of(...bytes, byte))).toBeUndefined()
        expect(read(format, bytes.subarray(0, -1))).toBeUndefined()
      }),
      { numRuns: 10 },
    )
  })

  it('refuses arbitrary bytes and arbitrary CBOR without any other error', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.jsonValue({ maxDepth: 4 }).map((value) => cborg.encode(value)),
    )
    fc.assert(
      fc.property(hostile, (bytes) => {
        const reading = read(format, bytes)
        if (reading !== undefined) expect(toHex(format.encode(reading.value))).toBe(toHex(bytes))
      }),
      { numRuns: 100 },
    )
  })
})
