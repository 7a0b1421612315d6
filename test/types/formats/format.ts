// One byte format under test: how a value of it is made, and the nested arrays its bytes must be.
import { fromHex } from '../../../src/types/hex.ts'
import { type Codec, decode, encode } from '../../../src/types/schema.ts'
import type { Source } from '../source.ts'

export interface Format {
  name: string
  make(source: Source): unknown
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
  nested(value: unknown): unknown
}

export function format<T>(
  name: string,
  codec: Codec<T>,
  make: (source: Source) => T,
  nested: (value: T) => unknown,
): Format {
  return {
    name,
    make,
    encode: (value) => encode(codec, value as T),
    decode: (bytes) => decode(codec, bytes),
    nested: (value) => nested(value as T),
  }
}

export const raw = fromHex
export const optional = <T>(s: Source, make: () => T): T | null => (s.flag() ? make() : null)
export const nestOptional = <T>(value: T | null, nest: (value: T) => unknown) => (value === null ? [] : [nest(value)])
