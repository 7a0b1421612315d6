// Text as UTF-8 bytes: their order, and cutting without splitting a character. Keys are ordered by bytes everywhere, because that
// is the order of the store; JavaScript's own order of strings differs for characters beyond U+FFFF.

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The order of the texts' UTF-8 bytes, without making them: negative, zero or positive. Both must be well-formed. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // A surrogate stands for a character beyond U+FFFF, which sorts after U+E000 to U+FFFF although its code unit is smaller.
    const isSurrogateX = x >= 0xd800 && x < 0xe000
    const isSurrogateY = y >= 0xd800 && y < 0xe000
    if (isSurrogateX !== isSurrogateY && x >= 0xd800 && y >= 0xd800) return isSurrogateX ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text)

/** Number of bytes the text has in UTF-8. */
export const utf8Length = (text: string): number => Buffer.byteLength(text)

/** The text of UTF-8 bytes; undefined where they are not valid UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** The longest beginning of the text that has at most `bytesMax` bytes and ends between two characters. */
export function truncateUtf8(text: string, bytesMax: number): string {
  const wellFormed = text.toWellFormed()
  const bytes = encoder.encode(wellFormed)
  if (bytes.length <= bytesMax) return wellFormed
  let end = bytesMax
  // Bytes 10xxxxxx continue a character: step back to where one begins.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return decoder.decode(bytes.subarray(0, end))
}
