// Two blocks of one batch side by side: the first transaction, receipt field and key in which they differ.
import { compareUtf8 } from '../execution/utf8.ts'
import type { Header, Receipt } from '../types/block.ts'
import type { Difference } from '../types/divergence.ts'
import { toHex } from '../types/hex.ts'
import { shortened, shortenedPair } from './describe.ts'

const DIGEST_BYTES = 32

/** Names of the fields that differ. */
export function differingFields(ours: Header, theirs: Header): string[] {
  const names = Object.keys(ours) as (keyof Header)[]
  const text = (value: Header[keyof Header]) => (typeof value === 'object' ? toHex(value) : String(value))
  return names.filter((name) => text(ours[name]) !== text(theirs[name]))
}

/** The digests one by one. */
export function digestsIn(bytes: Uint8Array): Uint8Array[] {
  const digests: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += DIGEST_BYTES) digests.push(bytes.subarray(at, at + DIGEST_BYTES))
  return digests
}

/** The place of the first digest that differs; undefined where none does, or there is nothing to compare with. */
export function firstDifference(ours: Uint8Array, theirs: Uint8Array): number | undefined {
  if (ours.length !== theirs.length) return undefined
  const at = ours.findIndex((byte, index) => byte !== theirs[index])
  return at < 0 ? undefined : Math.floor(at / DIGEST_BYTES)
}

/** `status: ok here, reverted there`, for each field that differs. */
export function receiptDifferences(ours: Receipt, theirs: Receipt): string[] {
  const [here, there] = [shown(ours), shown(theirs)]
  return Object.keys(here)
    .filter((name) => here[name] !== there[name])
    .map((name) => {
      const [own, other] = shortenedPair(here[name]!, there[name]!)
      return `${name}: ${own} here, ${other} there`
    })
}

const decoder = new TextDecoder()

function shown({ status, code, message, gasUsed, result, events, ...rest }: Receipt): Record<string, string> {
  const eventTexts = events.map(({ contract, name, data }) => `${contract}.${name} ${decoder.decode(data)}`)
  const own = { status, code, message, gasUsed: String(gasUsed), result: decoder.decode(result) }
  return { ...own, events: eventTexts.join(' '), identity: `${rest.txId} ${rest.sender} ${rest.nonce}` }
}

type Writes = ReadonlyMap<string, string | null>

/** In the order of the keys' bytes; undefined where both write the same. */
export function firstKey(ours: Writes, theirs: Writes): NonNullable<Difference['key']> | undefined {
  const keys = [...new Set([...ours.keys(), ...theirs.keys()])].sort(compareUtf8)
  const full = keys.find((key) => ours.get(key) !== theirs.get(key))
  if (full === undefined) return undefined
  const [contract, key] = split(full)
  const [own, other] = shortenedPair(ours.get(full) ?? '', theirs.get(full) ?? '')
  const shownOf = (writes: Writes, text: string) =>
    !writes.has(full) ? '(not written)' : writes.get(full) === null ? null : text
  return { contract, key: shortened(key), ours: shownOf(ours, own), theirs: shownOf(theirs, other) }
}

function split(full: string): [contract: string, key: string] {
  const end = full.indexOf('\0')
  return [shortened(full.slice(0, Math.max(0, end))), full.slice(end + 1)]
}
