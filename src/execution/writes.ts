// What one transaction writes, as one digest: nodes that made different blocks of the same transactions find by these which transaction
// they differ in (docs/protocol.md, rule 10). Nothing agreed contains them.
import { sha256 } from '../crypto/hash.ts'
import { utf8Bytes } from './utf8.ts'

/** State key and JSON text, null where the key is deleted; in the order of the keys' UTF-8 bytes. */
export type WriteSet = Iterable<readonly [key: string, value: string | null]>

/**
 * SHA-256 over each key and value, in order, with the length of each before it, in UTF-16 units as strings count them; a deletion has
 * the length -1. One text and one hash, since every transaction pays for it.
 */
export function writesDigest(writes: WriteSet): Uint8Array {
  let text = 'quorate/writes/1 '
  for (const [key, value] of writes) text += `${key.length},${value === null ? -1 : value.length}:${key}${value ?? ''}`
  return sha256(utf8Bytes(text))
}
