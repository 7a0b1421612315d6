// Bytes as lower-case hexadecimal text, the form hashes and keys have in memory, in maps and on every JSON surface.

const TO_TEXT = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The value of one lower-case hexadecimal digit's character code, or -1. */
function nibble(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 97 && code <= 102) return code - 87
  return -1
}

/** Node's own way, four times as fast; absent in browsers. */
const hexSlice = (globalThis.Buffer?.prototype as { hexSlice?: (start: number, end: number) => string } | undefined)
  ?.hexSlice

/** Lower-case hexadecimal text, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  if (hexSlice !== undefined) return hexSlice.call(bytes, 0, bytes.length)
  let text = ''
  for (let i = 0; i < bytes.length; i++) text += TO_TEXT[bytes[i]!]
  return text
}

/** The bytes of lower-case hexadecimal text; throws a RangeError on anything else. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0) throw new RangeError(`expected an even number of hexadecimal digits, got ${text.length}`)
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const high = nibble(text.charCodeAt(2 * i))
    const low = nibble(text.charCodeAt(2 * i + 1))
    if (high < 0 || low < 0)
      throw new RangeError(`expected lower-case hexadecimal digits, got ${text.slice(2 * i, 2 * i + 2)}`)
    bytes[i] = high * 16 + low
  }
  return bytes
}

/** True when both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}

/** Unsigned lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
