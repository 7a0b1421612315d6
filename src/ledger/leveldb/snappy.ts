// Snappy's raw format, the reading half: LevelDB packs the blocks of its tables with it (google/snappy, format_description.txt).
import { readVarint } from './varint.ts'

/** More than any block of a ledger: the largest value is a batch of some MiB. */
const BYTES_MAX = 256 * 1024 * 1024

/** Undefined where the bytes are no whole packed text. */
export function unpackSnappy(packed: Uint8Array): Buffer | undefined {
  const length = readVarint(packed, 0)
  if (length === undefined || length.value > BYTES_MAX) return undefined
  const out = Buffer.allocUnsafe(length.value)
  let from = length.next
  let at = 0
  while (from < packed.length) {
    const tag = packed[from++]!
    const kind = tag & 3
    if (kind === 0) {
      let count = (tag >>> 2) + 1
      if (count > 60) {
        const bytes = count - 60
        if (from + bytes > packed.length) return undefined
        count = littleEndian(packed, from, bytes) + 1
        from += bytes
      }
      if (from + count > packed.length || at + count > out.length) return undefined
      out.set(packed.subarray(from, from + count), at)
      from += count
      at += count
      continue
    }
    const bytes = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (from + bytes > packed.length) return undefined
    const count = kind === 1 ? 4 + ((tag >>> 2) & 7) : (tag >>> 2) + 1
    const distance = littleEndian(packed, from, bytes) + (kind === 1 ? (tag >>> 5) * 256 : 0)
    from += bytes
    if (distance === 0 || distance > at || at + count > out.length) return undefined
    // Byte by byte where the copy overlaps what it makes: that is how runs are written.
    if (distance >= count) out.copyWithin(at, at - distance, at - distance + count)
    else for (let index = 0; index < count; index++) out[at + index] = out[at - distance + index]!
    at += count
  }
  return at === out.length ? out : undefined
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let index = count - 1; index >= 0; index--) value = value * 256 + bytes[at + index]!
  return value
}
