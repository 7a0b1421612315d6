// Canonical bytes: deterministic CBOR (RFC 8949, section 4.2.1) restricted to definite-length arrays, unsigned integers up to
// 2^53-1, byte strings and UTF-8 text.
//
// Each format is a small schema that writes and reads these bytes directly. A reader takes exactly one encoding of each value:
// shortest heads, exact arity, valid UTF-8, bounded sizes, nothing left over. Nesting is as deep as the schema and no deeper, so
// hostile bytes cannot exhaust the stack, and no second pass (decode, encode again, compare) is needed.
import { equalBytes, fromHex, toHex } from './hex.ts'

const UNSIGNED = 0
const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAJOR_NAMES = [
  'an unsigned integer',
  'a negative integer',
  'bytes',
  'text',
  'an array',
  'a map',
  'a tag',
  'a simple value',
]

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Bytes that are not the canonical form of what was expected; `offset` is where reading stopped. */
export class DecodeError extends Error {
  readonly code = 'MALFORMED'
  readonly offset: number
  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset}`)
    this.name = 'DecodeError'
    this.offset = offset
  }
}

/** Writes CBOR heads and strings into a buffer that grows by doubling. */
export class Writer {
  #buffer: Uint8Array
  #length = 0

  /** Writes into `buffer` as long as it is large enough. */
  constructor(buffer: Uint8Array) {
    this.#buffer = buffer
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#buffer.length) return
    const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
    grown.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = grown
  }

  head(major: number, value: number): void {
    this.#reserve(9)
    const buffer = this.#buffer
    const type = major << 5
    let at = this.#length
    if (value < 24) {
      buffer[at++] = type | value
    } else if (value < 0x100) {
      buffer[at++] = type | 24
      buffer[at++] = value
    } else if (value < 0x10000) {
      buffer[at++] = type | 25
      buffer[at++] = value >>> 8
      buffer[at++] = value & 0xff
    } else {
      const wide = value > 0xffffffff
      buffer[at++] = type | (wide ? 27 : 26)
      if (wide) at = this.#word(at, Math.floor(value / 0x100000000))
      at = this.#word(at, value >>> 0)
    }
    this.#length = at
  }

  #word(at: number, value: number): number {
    this.#buffer[at] = value >>> 24
    this.#buffer[at + 1] = (value >>> 16) & 0xff
    this.#buffer[at + 2] = (value >>> 8) & 0xff
    this.#buffer[at + 3] = value & 0xff
    return at + 4
  }

  string(major: number, bytes: Uint8Array): void {
    this.head(major, bytes.length)
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#length)
  }
}

/** Reads CBOR heads and strings, refusing every encoding but the shortest. */
export class Reader {
  readonly bytes: Uint8Array
  offset = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  fail(message: string): never {
    throw new DecodeError(message, this.offset)
  }

  #byte(): number {
    const value = this.bytes[this.offset]
    if (value === undefined) this.fail('expected more bytes, the input ends')
    this.offset++
    return value
  }

  head(major: number): number {
    const start = this.offset
    const first = this.#byte()
    if (first >> 5 !== major) {
      this.offset = start
      this.fail(`expected ${MAJOR_NAMES[major]}, got ${MAJOR_NAMES[first >> 5]}`)
    }
    const info = first & 31
    if (info < 24) return info
    if (info > 27) this.fail('expected a definite length')
    let value = 0
    for (let i = 0; i < 1 << (info - 24); i++) value = value * 256 + this.#byte()
    const least = info === 24 ? 24 : 2 ** (8 << (info - 25))
    if (value < least) this.fail('expected the shortest form of a number')
    if (value > Number.MAX_SAFE_INTEGER) this.fail('expected a number up to 2^53-1')
    return value
  }

  string(major: number, lengthMin: number, lengthMax: number): Uint8Array {
    const length = this.head(major)
    if (length < lengthMin || length > lengthMax) {
      this.fail(`expected ${lengthMin === lengthMax ? lengthMin : `${lengthMin} to ${lengthMax}`} bytes, got ${length}`)
    }
    if (this.offset + length > this.bytes.length) this.fail('expected more bytes, the input ends')
    this.offset += length
    return this.bytes.subarray(this.offset - length, this.offset)
  }
}

/** How one kind of value is written and read. */
export interface Codec<T> {
  write(writer: Writer, value: T): void
  read(reader: Reader): T
}
export type ValueOf<C> = C extends Codec<infer T> ? T : never

function refuse(expected: string, value: unknown): never {
  throw new RangeError(`cannot encode: expected ${expected}, got ${String(value).slice(0, 80)}`)
}

/** An unsigned integer from 0 to `max` (2^53-1 unless told). */
export function uint(max: number = Number.MAX_SAFE_INTEGER): Codec<number> {
  return {
    write(writer, value) {
      if (!Number.isSafeInteger(value) || value < 0 || value > max) refuse(`an integer from 0 to ${max}`, value)
      writer.head(UNSIGNED, value)
    },
    read(reader) {
      const value = reader.head(UNSIGNED)
      if (value > max) reader.fail(`expected an integer up to ${max}, got ${value}`)
      return value
    },
  }
}

/** A byte string of `min` to `max` bytes. What is read is a copy, so it never pins the message it came in. */
export function bytes(min: number, max: number = min): Codec<Uint8Array> {
  return {
    write(writer, value) {
      if (value.length < min || value.length > max) refuse(`${min} to ${max} bytes`, `${value.length} bytes`)
      writer.string(BYTES, value)
    },
    // Not `slice`: a Buffer's shares memory.
    read: (reader) => new Uint8Array(reader.string(BYTES, min, max)),
  }
}

/** Exactly `length` bytes on the wire, lower-case hexadecimal text in memory. */
export function hex(length: number): Codec<string> {
  return {
    write(writer, value) {
      // What is encoded may be a stranger's JSON, without the field.
      if (value?.length !== 2 * length) refuse(`${2 * length} hexadecimal digits`, value)
      writer.string(BYTES, fromHex(value))
    },
    read: (reader) => toHex(reader.string(BYTES, length, length)),
  }
}

/** UTF-8 text of at most `max` bytes. */
export function text(max: number): Codec<string> {
  return {
    write(writer, value) {
      if (!value.isWellFormed()) refuse('text without lone surrogates', value)
      const encoded = encoder.encode(value)
      if (encoded.length > max) refuse(`text of at most ${max} bytes`, `${encoded.length} bytes`)
      writer.string(TEXT, encoded)
    },
    read(reader) {
      const encoded = reader.string(TEXT, 0, max)
      try {
        return utf8.decode(encoded)
      } catch {
        return reader.fail('expected valid UTF-8')
      }
    },
  }
}

/** One of the given texts. */
export function oneOf<const T extends string>(...values: T[]): Codec<T> {
  const lengthMax = Math.max(...values.map((value) => value.length))
  const inner = text(lengthMax)
  // Every struct begins with one of these: encoded and decoded anew each time, they would be a tenth of the work.
  const known = values.map((value): [T, Uint8Array] => [value, encoder.encode(value)])
  const encoded = new Map(known)
  return {
    write: (writer, value) => writer.string(TEXT, encoded.get(value) ?? refuse(values.join(' or '), value)),
    read(reader) {
      const { offset } = reader
      const bytes = reader.string(TEXT, 0, lengthMax)
      for (const [value, itsBytes] of known) if (equalBytes(bytes, itsBytes)) return value
      reader.offset = offset
      inner.read(reader)
      return reader.fail(`expected ${values.join(' or ')}`)
    },
  }
}

/** 1 for true, 0 for false. */
export const flag: Codec<boolean> = {
  write: (writer, value) => writer.head(UNSIGNED, value ? 1 : 0),
  read(reader) {
    const value = reader.head(UNSIGNED)
    return value > 1 ? reader.fail('expected 0 or 1') : value === 1
  },
}

/** An array of at most `max` values of one kind. */
export function list<T>(item: Codec<T>, max: number): Codec<T[]> {
  return {
    write(writer, values) {
      if (values.length > max) refuse(`at most ${max} items`, `${values.length} items`)
      writer.head(ARRAY, values.length)
      for (const value of values) item.write(writer, value)
    },
    read(reader) {
      const length = reader.head(ARRAY)
      if (length > max) reader.fail(`expected at most ${max} items, got ${length}`)
      const values: T[] = []
      for (let i = 0; i < length; i++) values.push(item.read(reader))
      return values
    },
  }
}

/** A value or nothing: an array of one or none. */
export function optional<T>(item: Codec<T>): Codec<T | null> {
  const inner = list(item, 1)
  return {
    write: (writer, value) => inner.write(writer, value === null ? [] : [value]),
    read: (reader) => inner.read(reader)[0] ?? null,
  }
}

/** The same bytes as `inner`, another shape in memory. */
export function mapped<A, B>(inner: Codec<A>, toMemory: (value: A) => B, toWire: (value: B) => A): Codec<B> {
  return {
    write: (writer, value) => inner.write(writer, toWire(value)),
    read: (reader) => toMemory(inner.read(reader)),
  }
}

type Fields = Record<string, Codec<never>>
type Struct<F> = { [K in keyof F]: F[K] extends Codec<infer T> ? T : never }

/** An array of the fields in the order given, preceded by `tag` when it is not empty; an object in memory. */
export function struct<F extends { [K in keyof F]: Codec<unknown> | Codec<never> }>(
  tag: string,
  fields: F,
): Codec<Struct<F>> {
  const entries = Object.entries(fields as unknown as Fields) as [string, Codec<unknown>][]
  const mark = tag === '' ? undefined : oneOf(tag)
  const arity = entries.length + (mark === undefined ? 0 : 1)
  return {
    write(writer, value) {
      writer.head(ARRAY, arity)
      mark?.write(writer, tag)
      for (const [name, codec] of entries) codec.write(writer, (value as Record<string, unknown>)[name])
    },
    read(reader) {
      const length = reader.head(ARRAY)
      if (length !== arity) reader.fail(`expected an array of ${arity}, got ${length}`)
      mark?.read(reader)
      const value: Record<string, unknown> = {}
      for (const [name, codec] of entries) value[name] = codec.read(reader)
      return value as Struct<F>
    },
  }
}

/** One of several structs: [name, fields…]; in memory the object carries `type: name`. */
export function union<V extends Record<string, Codec<unknown> | Codec<never>>>(
  variants: V,
): Codec<{ [K in keyof V & string]: { type: K } & ValueOf<V[K]> }[keyof V & string]> {
  const name = oneOf(...Object.keys(variants))
  const codecs = variants as unknown as Record<string, Codec<object>>
  return {
    write(writer, value) {
      writer.head(ARRAY, 2)
      name.write(writer, value.type)
      codecs[value.type]!.write(writer, value as object)
    },
    read(reader) {
      if (reader.head(ARRAY) !== 2) reader.fail('expected an array of 2')
      const type = name.read(reader)
      return { type, ...codecs[type]!.read(reader) } as never
    },
  }
}

/** The canonical bytes of a value. Throws a RangeError when the value is outside its schema: that is a bug of the caller. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  scratch[depth] ??= new Uint8Array(SCRATCH_BYTES)
  const writer = new Writer(scratch[depth]!)
  depth++
  try {
    codec.write(writer, value)
    return writer.finish()
  } finally {
    depth--
  }
}
/** Where bytes are written before their length is known: a new buffer for each message would cost more than writing it. */
const SCRATCH_BYTES = 16 * 1024
/** One for each codec that encodes inside another: as many as schemas are deep. */
const scratch: Uint8Array[] = []
let depth = 0

/** The tag of a struct's bytes, to choose its codec by; undefined where there is none. */
export function tagOf(input: Uint8Array): string | undefined {
  try {
    const reader = new Reader(input)
    reader.head(ARRAY)
    return utf8.decode(reader.string(TEXT, 0, input.length))
  } catch {
    return undefined
  }
}

/** The value whose canonical bytes these are. Throws DecodeError on anything else. */
export function decode<T>(codec: Codec<T>, input: Uint8Array): T {
  const reader = new Reader(input)
  const value = codec.read(reader)
  if (reader.offset !== input.length) reader.fail('expected the end of the input, got more bytes')
  return value
}
