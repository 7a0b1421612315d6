// The codec's edges, one by one: RFC 8949, section 4.2.1 restricted to arrays, unsigned integers, bytes and text.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/types/hex.ts'
import * as schema from '../../src/types/schema.ts'
import {
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  flag,
  hex,
  list,
  oneOf,
  optional,
  struct,
  text,
  uint,
  union,
} from '../../src/types/schema.ts'
import { formats } from './formats.ts'

const bytesOf = (hexadecimal: string) => fromHex(hexadecimal.replaceAll(' ', ''))

/** The message a codec refuses these bytes with. Anything but a DecodeError fails. */
function refusal<T>(codec: Codec<T>, hexadecimal: string): string {
  try {
    return `read as ${String(decode(codec, bytesOf(hexadecimal)))}`
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    expect(error.code).toBe('MALFORMED')
    return error.message
  }
}

describe('heads', () => {
  it.each([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [65_535, '19ffff'],
    [65_536, '1a00010000'],
    [4_294_967_295, '1affffffff'],
    [4_294_967_296, '1b0000000100000000'],
    [2 ** 53 - 1, '1b001fffffffffffff'],
  ])('%d is %s', (value, expected) => {
    expect(toHex(encode(uint(), value))).toBe(expected)
    expect(decode(uint(), fromHex(expected))).toBe(value)
  })

  it.each(['1817', '1900ff', '1a0000ffff', '1b00000000ffffffff', '1b0000000000000000'])(
    '%s is longer than needed',
    (input) => expect(refusal(uint(), input)).toMatch('shortest form'),
  )

  it.each(['1b0020000000000000', '1b0020000000000001', '1bffffffffffffffff'])('%s is above 2^53-1', (input) =>
    expect(refusal(uint(), input)).toMatch('up to 2^53-1'),
  )

  it.each(['18', '19', '1901', '1a000100', '1b00000001000000', ''])('"%s" ends too early', (input) =>
    expect(refusal(uint(), input)).toMatch('the input ends'),
  )

  it.each([
    ['1c', 'definite'],
    ['1d', 'definite'],
    ['1e', 'definite'],
    ['1f', 'definite'],
    ['20', 'negative'],
    ['3bffffffffffffffff', 'negative'],
    ['40', 'bytes'],
    ['60', 'text'],
    ['80', 'an array'],
    ['a0', 'a map'],
    ['c000', 'a tag'],
    ['f4', 'simple'],
    ['f6', 'simple'],
    ['f7', 'simple'],
    ['f90000', 'simple'],
    ['fb3ff0000000000000', 'simple'],
    ['ff', 'simple'],
  ])('%s is no unsigned integer', (input, reason) => expect(refusal(uint(), input)).toMatch(reason))

  it.each([
    ['bytes of indefinite length', bytes(0, 9), '5f4101ff'],
    ['text of indefinite length', text(9), '7f6161ff'],
    ['an array of indefinite length', list(uint(), 9), '9f01ff'],
    ['a long head of bytes', bytes(0, 9), '580101'],
    ['a long head of text', text(9), '780161'],
    ['a long head of an array', list(uint(), 9), '980101'],
    ['a map for an array', list(uint(), 9), 'a10101'],
  ] as [string, Codec<unknown>, string][])('%s is refused', (_, codec, input) =>
    expect(refusal(codec, input)).toMatch(/definite|shortest|expected an array/),
  )

  it('stops at the end of a window into a larger buffer', () => {
    const window = Uint8Array.of(0x42, 1, 2).subarray(0, 2)
    expect(() => decode(bytes(0, 9), window)).toThrow(DecodeError)
  })
})

describe('integers', () => {
  it('keep to their maximum in both directions', () => {
    expect(decode(uint(100), encode(uint(100), 100))).toBe(100)
    expect(() => encode(uint(100), 101)).toThrow(RangeError)
    expect(refusal(uint(100), '1865')).toMatch('up to 100')
  })

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('%d is not written', (value) =>
    expect(() => encode(uint(), value)).toThrow(RangeError),
  )
})

describe('bytes', () => {
  it('keep to their bounds in both directions', () => {
    const codec = bytes(2, 4)
    for (const length of [2, 4]) expect(decode(codec, encode(codec, new Uint8Array(length)))).toHaveLength(length)
    for (const length of [1, 5]) {
      expect(() => encode(codec, new Uint8Array(length))).toThrow(RangeError)
      expect(() => decode(codec, encode(bytes(0, 9), new Uint8Array(length)))).toThrow(DecodeError)
    }
  })

  it.each(['42 01', '58 64 01', '5a 7fffffff', '5b 001fffffffffffff', '5b 7fffffffffffffff'])(
    '%s reaches beyond the input',
    (input) => expect(() => decode(bytes(0, Number.MAX_SAFE_INTEGER), bytesOf(input))).toThrow(DecodeError),
  )

  // Node hands out Buffers everywhere, and their `slice` shares memory where that of a Uint8Array copies.
  it.each([
    ['a Uint8Array', Uint8Array.of(0x42, 1, 2)],
    ['a Buffer', Buffer.from([0x42, 1, 2])],
  ])('read from %s are a plain copy', (_, input) => {
    const value = decode(bytes(2), input)
    expect(Buffer.isBuffer(value)).toBe(false)
    input.fill(0)
    expect([...value]).toEqual([1, 2])
  })

  it('as hexadecimal text are lower case and of one length', () => {
    expect(() => encode(hex(2), 'ABCD')).toThrow(RangeError)
    expect(() => encode(hex(2), 'abc')).toThrow(RangeError)
    expect(() => encode(hex(2), 'abcdef')).toThrow(RangeError)
    expect(() => encode(hex(2), 'ab g')).toThrow(RangeError)
    expect(decode(hex(2), bytesOf('42abcd'))).toBe('abcd')
    expect(refusal(hex(2), '41ab')).toMatch('expected 2 bytes')
  })
})

describe('text', () => {
  it('keeps a byte order mark, which some decoders drop', () => {
    for (const value of ['\ufeff', '\ufefftext', 'te\ufeffxt'])
      expect(decode(text(20), encode(text(20), value))).toBe(value)
  })

  it.each(['\ud800', 'a\udc00', '\udc00\ud800'])('with a lone surrogate is not written', (value) =>
    expect(() => encode(text(20), value)).toThrow(RangeError),
  )

  it.each([
    ['a lone continuation', '6180'],
    ['a cut sequence', '61c3'],
    ['an overlong slash', '62c0af'],
    ['an overlong NUL', '63e08080'],
    ['a surrogate', '63eda080'],
    ['beyond U+10FFFF', '64f4908080'],
    ['a byte that is never UTF-8', '61ff'],
  ])('that is not UTF-8 is refused: %s', (_, input) => expect(refusal(text(20), input)).toMatch('UTF-8'))

  it('is bounded in bytes, not characters', () => {
    expect(decode(text(4), encode(text(4), 'éé'))).toBe('éé')
    expect(() => encode(text(4), 'ééé')).toThrow(RangeError)
    expect(refusal(text(4), '6561616161 61')).toMatch('0 to 4 bytes')
  })

  it('of a set is one of the set', () => {
    const codec = oneOf('ok', 'skipped')
    expect(decode(codec, encode(codec, 'skipped'))).toBe('skipped')
    expect(refusal(codec, '626f6c')).toMatch('expected ok or skipped')
    expect(() => encode(codec, 'other' as 'ok')).toThrow(RangeError)
  })
})

describe('arrays', () => {
  it('keep to their maximum in both directions', () => {
    const codec = list(uint(), 2)
    expect(decode(codec, encode(codec, [1, 2]))).toEqual([1, 2])
    expect(() => encode(codec, [1, 2, 3])).toThrow(RangeError)
    expect(refusal(codec, '83010203')).toMatch('at most 2 items')
  })

  it('announcing more items than there is room for are refused without reserving memory for them', () => {
    const started = performance.now()
    expect(refusal(list(uint(), Number.MAX_SAFE_INTEGER), '9b001fffffffffffff')).toMatch('the input ends')
    expect(performance.now() - started).toBeLessThan(50)
  })

  it('have exactly the arity of their struct and its tag', () => {
    const codec = struct('quorate/test/1', { a: uint(), b: uint() })
    expect(decode(codec, encode(codec, { a: 1, b: 2 }))).toEqual({ a: 1, b: 2 })
    const tag = toHex(encode(text(20), 'quorate/test/1'))
    const other = toHex(encode(text(20), 'quorate/test/2'))
    expect(refusal(codec, `82${tag}01`)).toMatch('expected an array of 3')
    expect(refusal(codec, `84${tag}010203`)).toMatch('expected an array of 3')
    expect(refusal(codec, `83${other}0102`)).toMatch('expected quorate/test/1')
  })

  it('hold an optional value or none', () => {
    const codec = optional(uint())
    for (const value of [null, 0, 7]) expect(decode(codec, encode(codec, value))).toBe(value)
    expect(refusal(codec, '820102')).toMatch('at most 1')
    expect(refusal(codec, 'f6')).toMatch('expected an array')
  })

  it('name the variant of a union, and only a known one', () => {
    const codec = union({ one: struct('', { a: uint() }), two: struct('', { b: uint() }) })
    expect(decode(codec, encode(codec, { type: 'two', b: 5 }))).toEqual({ type: 'two', b: 5 })
    expect(() => encode(codec, { type: 'three', b: 5 } as never)).toThrow(RangeError)
    for (const name of ['six', 'toString', '__proto__', 'constructor']) {
      expect(() => decode(codec, bytesOf(`82${toHex(encode(text(20), name))}8105`))).toThrow(DecodeError)
    }
  })

  it('hold flags of 0 and 1 only', () => {
    expect([decode(flag, bytesOf('00')), decode(flag, bytesOf('01'))]).toEqual([false, true])
    expect(refusal(flag, '02')).toMatch('expected 0 or 1')
    expect(refusal(flag, 'f5')).toMatch('a simple value')
  })
})

describe('hostile bytes', () => {
  const bombs: [string, Uint8Array][] = [
    ['arrays of one', new Uint8Array(100_000).fill(0x81)],
    ['arrays of two', new Uint8Array(100_000).fill(0x82)],
    ['endless arrays', new Uint8Array(100_000).fill(0x9f)],
    ['tags', new Uint8Array(100_000).fill(0xc1)],
    ['maps', new Uint8Array(100_000).fill(0xa1)],
  ]
  it.each(bombs)('100,000 nested %s are refused by every format at once', (_, bomb) => {
    const started = performance.now()
    for (const format of formats) expect(() => format.decode(bomb), format.name).toThrow(DecodeError)
    expect(performance.now() - started).toBeLessThan(200)
  })

  it('inside a list that would take them are refused too', () => {
    const bomb = new Uint8Array(100_000).fill(0x81)
    bomb.set([0x98, 0x64])
    for (const format of formats) expect(() => format.decode(bomb), format.name).toThrow(DecodeError)
  })
})

describe('hexadecimal text', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        expect([...fromHex(toHex(value))]).toEqual([...value])
      }),
    )
  })

  it('is refused in any other form', () => {
    for (const value of ['a', 'AB', '0x', ' 0', 'g0', 'é0', '\u0130\u0130'])
      expect(() => fromHex(value)).toThrow(RangeError)
  })
})

it('a mapped codec has the bytes of its inner one', () => {
  const codec = schema.mapped(uint(), String, Number)
  expect(toHex(encode(codec, '24'))).toBe('1818')
  expect(decode(codec, bytesOf('1818'))).toBe('24')
})
