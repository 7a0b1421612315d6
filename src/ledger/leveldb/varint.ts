// Numbers as LevelDB and Snappy write them: seven bits a byte, the lowest first.

/** Undefined where the bytes end within the number, or it is above what a number holds exactly. */
export function readVarint(bytes: Uint8Array, at: number): { value: number; next: number } | undefined {
  let value = 0
  let scale = 1
  for (let next = at; next < bytes.length && next < at + 8; next++) {
    const byte = bytes[next]!
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return Number.isSafeInteger(value) ? { value, next: next + 1 } : undefined
    scale *= 128
  }
  return undefined
}

/** Reads one field after the other; throws `Malformed` where there is none. */
export class Malformed extends Error {}

export function createFields(bytes: Buffer, start = 0) {
  let at = start
  const number = (): number => {
    const read = readVarint(bytes, at)
    if (read === undefined) throw new Malformed(`there is no number at byte ${at}`)
    at = read.next
    return read.value
  }
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Malformed(`${length} bytes at byte ${at} reach behind the end`)
    at += length
    return bytes.subarray(at - length, at)
  }
  return { number, take, text: (): Buffer => take(number()), at: () => at, isAtEnd: () => at >= bytes.length }
}
