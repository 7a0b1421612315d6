// Reading what a stranger handed over: JSON values into the shapes that the checks need, and one way to refuse what does not hold.
import { fromHex } from '../types/hex.ts'
import { parseOrText } from '../types/json.ts'
import { fromBase64 } from './base64.ts'
import { ClientError } from './error.ts'
import { sameJson } from './json.ts'

/** A Merkle path of RFC 6962 has at most 53 siblings, one of the state tree at most 256. */
const PATH_MAX = 256
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export type Json = Record<string, unknown>

export function refuse(reason: string, cause?: unknown): never {
  const message = `the proof does not hold: ${reason}; do not believe where it comes from, ask another node`
  throw new ClientError('BAD_PROOF', message, { cause })
}

/** What `make` gives; a refusal with this reason where it throws. */
export function attempt<T>(reason: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    return refuse(`${reason} (${cause instanceof Error ? cause.message : cause})`, cause)
  }
}

export function requireObject(value: unknown, name: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  return refuse(`${name} is missing`)
}

export function requireList(value: unknown, name: string, max: number): unknown[] {
  if (!Array.isArray(value)) refuse(`${name} are no list`)
  if (value.length > max) refuse(`${name} are ${value.length}, at most ${max} are taken`)
  // Not the list itself: a hole in it, which no JSON has, would be skipped.
  return Array.from(value)
}

export function requireText(value: unknown, name: string): string {
  return typeof value === 'string' ? value : refuse(`${name} is no text`)
}

export function requireBytes(value: unknown, name: string): Uint8Array {
  return fromBase64(value) ?? refuse(`${name} is not base64`)
}

export function requireHash(value: unknown, name: string): Uint8Array {
  if (typeof value !== 'string' || value.length !== 64) refuse(`${name} is no hash`)
  return attempt(`${name} is no hash`, () => fromHex(value))
}

/** Hashes from a leaf up. */
export function requirePath(value: unknown, name: string): Uint8Array[] {
  return requireList(value, `${name}’s siblings`, PATH_MAX).map((hash) => requireHash(hash, `a sibling of ${name}`))
}

export function requireSame(name: string, given: unknown, proven: string | number): void {
  if (given !== proven) refuse(`${name} says ${shown(given)}, proven is ${shown(proven)}`)
}

/** A stranger's value as a message names it: at no length, and never by what is inside, which may be too deep to be written out. */
export function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(value.length > SHOWN_CHARACTERS_MAX ? `${value.slice(0, SHOWN_CHARACTERS_MAX)}…` : value)
}
const SHOWN_CHARACTERS_MAX = 100

/** The proven bytes are JSON text; a document shows their value, or the text itself where it is none. */
export function requireJson(name: string, given: unknown, proven: Uint8Array | string): void {
  if (!sameJson(given, jsonValue(proven))) refuse(`${name} is not the value that is proven`)
}

/** JSON text as documents show it. */
export function jsonValue(proven: Uint8Array | string): unknown {
  return parseOrText(typeof proven === 'string' ? proven : utf8.decode(proven))
}
