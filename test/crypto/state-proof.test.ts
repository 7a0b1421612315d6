import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex } from '../../src/crypto/hex.ts'
import { type StateClaim, verifyStatePath } from '../../src/crypto/state-proof.ts'
import { type NaivePath, naivePath, naiveRoot } from '../ledger/naive-tree.ts'

interface Case extends NaivePath {
  name: string
  state?: [string, string][]
  root: string
  key: string
  value: string | null
}
const { cases } = JSON.parse(readFileSync(new URL('../vectors/state-proofs.json', import.meta.url), 'utf8')) as {
  cases: Case[]
}

const claimOf = (key: string, value: string | undefined, { siblings, other }: NaivePath): StateClaim => ({
  key,
  value,
  siblings: siblings.map(fromHex),
  other: other && { path: fromHex(other.path), valueHash: fromHex(other.valueHash) },
})
const hash = (...parts: (string | Uint8Array)[]): Buffer => {
  const sum = createHash('sha256')
  for (const part of parts) sum.update(part)
  return sum.digest()
}
const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

/** Every way to change one part of a claim so that it says something else. */
function* tampered(claim: StateClaim): Generator<[what: string, claim: StateClaim]> {
  const { key, value, siblings, other } = claim
  // Where one key is absent, its neighbours may be absent by the same path.
  if (value !== undefined) yield ['another key', { ...claim, key: `${key} ` }]
  yield ['another value', { ...claim, value: value === undefined ? '"x"' : `${value} ` }]
  if (value !== undefined) yield ['no value', { ...claim, value: undefined }]
  for (let index = 0; index < siblings.length; index++) {
    for (let bit = 0; bit < 256; bit += 37) {
      yield [
        `sibling ${index} bit ${bit}`,
        { ...claim, siblings: siblings.with(index, flipped(siblings[index]!, bit)) },
      ]
    }
    yield [`sibling ${index} short`, { ...claim, siblings: siblings.with(index, siblings[index]!.subarray(1)) }]
    yield [`no sibling ${index}`, { ...claim, siblings: siblings.toSpliced(index, 1) }]
  }
  yield ['a sibling more', { ...claim, siblings: [...siblings, new Uint8Array(32)] }]
  yield ['a sibling before', { ...claim, siblings: [new Uint8Array(32), ...siblings] }]
  if (other !== undefined) {
    yield ['no other leaf', { ...claim, other: undefined }]
    for (let bit = 0; bit < 256; bit += 17) {
      yield [`other path bit ${bit}`, { ...claim, other: { ...other, path: flipped(other.path, bit) } }]
      yield [`other value bit ${bit}`, { ...claim, other: { ...other, valueHash: flipped(other.valueHash, bit) } }]
    }
    yield ['other path short', { ...claim, other: { ...other, path: other.path.subarray(1) } }]
    yield ['other value short', { ...claim, other: { ...other, valueHash: other.valueHash.subarray(1) } }]
    yield ['other path long', { ...claim, other: { ...other, path: new Uint8Array([...other.path, 0]) } }]
    yield ['other value long', { ...claim, other: { ...other, valueHash: new Uint8Array([...other.valueHash, 0]) } }]
  } else {
    yield ['an other leaf', { ...claim, other: { path: new Uint8Array(32), valueHash: new Uint8Array(32) } }]
  }
}

describe('a path in the state tree', () => {
  it.each(cases)('proves $name', (vector) => {
    const { state, root, key, value } = vector
    const claim = claimOf(key, value ?? undefined, vector)
    expect(verifyStatePath(claim, fromHex(root))).toBe(true)
    for (const [what, wrong] of tampered(claim))
      expect([what, verifyStatePath(wrong, fromHex(root))]).toEqual([what, false])
    for (let bit = 0; bit < 256; bit += 11) expect(verifyStatePath(claim, flipped(fromHex(root), bit))).toBe(false)
    if (state !== undefined) {
      expect(naiveRoot(new Map(state))).toBe(root)
      expect(claimOf(key, value ?? undefined, naivePath(new Map(state), key))).toEqual(claim)
    }
  })

  it('of any key in any state proves what the state says of it, and nothing else', () => {
    const key = fc.integer({ min: 0, max: 40 }).map((n) => `token\0${n}`)
    const states = fc.uniqueArray(fc.tuple(key, fc.string({ unit: 'grapheme' })), {
      selector: ([one]) => one,
      maxLength: 30,
    })
    fc.assert(
      fc.property(states, key, (entries, asked) => {
        const state = new Map(entries)
        const root = fromHex(naiveRoot(state))
        const claim = claimOf(asked, state.get(asked), naivePath(state, asked))
        expect(verifyStatePath(claim, root)).toBe(true)
        for (const [what, wrong] of tampered(claim)) expect([what, verifyStatePath(wrong, root)]).toEqual([what, false])
      }),
      { numRuns: 60 },
    )
  })

  it('never shows a present key absent by its own leaf or by one from elsewhere', () => {
    const state = new Map(Array.from({ length: 20 }, (_, n) => [`token\0${n}`, String(n)]))
    const root = fromHex(naiveRoot(state))
    for (const key of state.keys()) {
      for (const from of state.keys()) {
        const { siblings } = naivePath(state, from)
        const absent = naivePath(new Map([[from, state.get(from)!]]), 'token\0none').other!
        const claim = claimOf(key, undefined, { siblings, other: absent })
        expect([key, from, verifyStatePath(claim, root)]).toEqual([key, from, false])
      }
    }
  })

  it('does not take a lone surrogate for the character that UTF-8 has in its place', () => {
    const state = new Map([['token\0\ufffd', '"\ufffd"']])
    const root = fromHex(naiveRoot(state))
    expect(verifyStatePath({ key: 'token\0\ufffd', value: '"\ufffd"', siblings: [] }, root)).toBe(true)
    expect(verifyStatePath({ key: 'token\0\ud800', value: '"\ufffd"', siblings: [] }, root)).toBe(false)
    expect(verifyStatePath({ key: 'token\0\ufffd', value: '"\ud800"', siblings: [] }, root)).toBe(false)
  })

  it('has at most as many siblings as a path has bits, even where more of them fold to the root', () => {
    const claim = { key: 'a', value: '1' }
    const path = hash('a')
    const leaf = hash(Buffer.of(0), path, hash('1'))
    const siblings = Array.from({ length: 257 }, () => new Uint8Array(32))
    const fold = (count: number) => {
      let folded = leaf
      for (let depth = count - 1; depth >= 0; depth--) {
        const isRight = depth < 256 && ((path[depth >> 3]! >> (7 - (depth & 7))) & 1) === 1
        const pair = isRight ? [siblings[depth]!, folded] : [folded, siblings[depth]!]
        folded = hash(Buffer.of(1), ...pair)
      }
      return folded
    }
    expect(verifyStatePath({ ...claim, siblings: siblings.slice(1) }, fold(256))).toBe(true)
    expect(verifyStatePath({ ...claim, siblings }, fold(257))).toBe(false)
  })

  it('does not show absence by a leaf that belongs elsewhere, even in a tree that has it there', () => {
    const [left, right] = [hash('token\0a'), hash('token\0b')].sort(Buffer.compare) as [Buffer, Buffer]
    expect([left[0]! >> 7, right[0]! >> 7]).toEqual([0, 1])
    const sibling = new Uint8Array(32).fill(7)
    const misplaced = hash(Buffer.of(0), right, sibling)
    const root = hash(Buffer.of(1), misplaced, sibling)
    const key = ['token\0a', 'token\0b'].find((one) => hash(one).equals(left))!
    const other = { path: right, valueHash: sibling }
    expect(verifyStatePath({ key, value: undefined, siblings: [sibling], other }, root)).toBe(false)
  })
})
