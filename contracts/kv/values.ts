/** Keys and values of the key-value store, checked and compared. */
import { jsonOf, matchOf, refuseValue } from '../shared/arguments.ts'

/** A value goes into an event, which has 16 KiB with all around it. */
const VALUE_BYTES_MAX = 8 * 1024

/** Printable ASCII without space: the order of keys is that of their characters, and a key fits in a state key of 256 bytes. */
const KEY = { pattern: /^[!-~]{1,200}$/, form: '1 to 200 printable ASCII characters without space' }

export function keyOf(value: unknown, label: string): string {
  const key = keyPartOf(value, label)
  return /^[^/]+\/./.test(key) ? key : refuseValue(key, label, 'ADDRESS/REST or NAMESPACE/REST')
}

/** A prefix of a key, or where a page ended. */
export function keyPartOf(value: unknown, label: string): string {
  return matchOf(value, label, KEY)
}

export function storedValueOf(value: unknown, label: string): unknown {
  return jsonOf(value, label, { bytesMax: VALUE_BYTES_MAX })
}

/** Equality of JSON values; the order of an object's fields does not count. */
export function sameJson(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const names = Object.keys(one)
  if (names.length !== Object.keys(other).length) return false
  return names.every(
    (name) =>
      Object.hasOwn(other, name) &&
      sameJson((one as Record<string, unknown>)[name], (other as Record<string, unknown>)[name]),
  )
}
