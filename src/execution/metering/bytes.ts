/**
 * Reading and writing the values of the WebAssembly binary format (WebAssembly Core Specification 2.0, section 5.2): bytes,
 * integers in LEB128, vectors, names.
 */

/** The module is not one this rewriter takes; the message names the place and the reason. */
export class ModuleRefused extends Error {}

export interface Reader {
  offset: number
  readonly end: number
  readonly bytes: Uint8Array
}

export const createReader = (bytes: Uint8Array, offset = 0, end = bytes.length): Reader => ({ bytes, offset, end })

export function readByte(reader: Reader): number {
  if (reader.offset >= reader.end) throw new ModuleRefused(`the module ends early, at byte ${reader.offset}`)
  return reader.bytes[reader.offset++]!
}

/** An unsigned integer of at most 32 bits. */
export function readU32(reader: Reader): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = readByte(reader)
    value += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) {
      if (value > 0xffff_ffff) break
      return value
    }
  }
  throw new ModuleRefused(`an integer before byte ${reader.offset} has more than 32 bits`)
}

/** Passes a signed integer of at most so many bits without decoding it. */
export function skipSigned(reader: Reader, bits: number): void {
  for (let length = 0; length < Math.ceil(bits / 7); length++) if (readByte(reader) < 0x80) return
  throw new ModuleRefused(`an integer before byte ${reader.offset} has more than ${bits} bits`)
}

export function skipBytes(reader: Reader, length: number): void {
  if (reader.end - reader.offset < length) throw new ModuleRefused(`the module ends early, at byte ${reader.end}`)
  reader.offset += length
}

export function readName(reader: Reader): string {
  const length = readU32(reader)
  const start = reader.offset
  skipBytes(reader, length)
  return new TextDecoder().decode(reader.bytes.subarray(start, reader.offset))
}

export function readVector<T>(reader: Reader, readOne: (reader: Reader) => T): T[] {
  const length = readU32(reader)
  const list: T[] = []
  for (let index = 0; index < length; index++) list.push(readOne(reader))
  return list
}

export function u32(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return [...bytes, rest]
}

/** A signed integer; exact up to 2^53. */
export function signed(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (;;) {
    const byte = ((rest % 0x80) + 0x80) % 0x80
    rest = (rest - byte) / 0x80
    if ((rest === 0 && byte < 0x40) || (rest === -1 && byte >= 0x40)) return [...bytes, byte]
    bytes.push(byte | 0x80)
  }
}

export function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text)
  return [...u32(bytes.length), ...bytes]
}

export function concatenate(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** Bytes to be written: these, or a range of the bytes that are read. */
export type Piece = readonly number[] | { readonly from: number; readonly to: number }

const lengthOf = (piece: Piece) => ('from' in piece ? piece.to - piece.from : piece.length)
export const lengthOfAll = (pieces: readonly Piece[]) => pieces.reduce((sum, piece) => sum + lengthOf(piece), 0)

/** Gathers pieces into one run of bytes. */
export function createSink(capacity: number) {
  let bytes = new Uint8Array(capacity)
  let length = 0
  return {
    /** Ranges are of `source`. */
    write(pieces: readonly Piece[], source: Uint8Array): void {
      const end = length + lengthOfAll(pieces)
      if (end > bytes.length) {
        const grown = new Uint8Array(2 * end)
        grown.set(bytes)
        bytes = grown
      }
      for (const piece of pieces) {
        if ('from' in piece) for (let index = piece.from; index < piece.to; index++) bytes[length++] = source[index]!
        else for (let index = 0; index < piece.length; index++) bytes[length++] = piece[index]!
      }
    },
    finish: () => bytes.subarray(0, length),
  }
}
