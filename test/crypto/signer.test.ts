import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { publicKeyOf, signReference, verifyReference } from '../../src/crypto/ed25519.ts'
import { createNodeEngine, type Engine, loadSodiumEngine } from '../../src/crypto/engines.ts'
import { fromHex, toHex } from '../../src/crypto/hex.ts'
import { createKeyPair, engineName, sign, verify, verifyFast, verifySlow } from '../../src/crypto/signer.ts'
import signing from '../vectors/ed25519-signing.json' with { type: 'json' }
import { signatureCases, wrongVerdicts } from './vectors.ts'

const sodium = loadSodiumEngine()
const engines: Engine[] = sodium === undefined ? [createNodeEngine()] : [sodium, createNodeEngine()]

test('libsodium is in use wherever it loads', () => {
  expect(engineName).toBe(engines[0]!.name)
})

describe.each(engines)('the $name engine', (engine) => {
  test('accepts only what ZIP-215 accepts', () => {
    const accepted = signatureCases.filter(({ publicKey, message, signature }) =>
      publicKey.length === 32 && signature.length === 64 ? engine.accepts(publicKey, message, signature) : false,
    )
    expect(accepted.filter(({ valid }) => !valid)).toEqual([])
    expect(accepted.length).toBeGreaterThan(5)
  })

  test.each(signing.vectors)('signs as $source', ({ seed, publicKey, message, signature }) => {
    const keyPair = engine.createKeyPair(fromHex(seed))
    expect(toHex(keyPair.publicKey)).toBe(publicKey)
    expect(toHex(keyPair.sign(fromHex(message)))).toBe(signature)
    expect(engine.accepts(fromHex(publicKey), fromHex(message), fromHex(signature))).toBe(true)
  })

  test('makes the signatures of the reference', () => {
    const bytes = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes, (seed, message) => {
        const keyPair = engine.createKeyPair(seed)
        expect(keyPair.publicKey).toEqual(publicKeyOf(seed))
        expect(keyPair.sign(message)).toEqual(signReference(seed, message))
      }),
      { numRuns: 50 },
    )
  })
})

describe('verify', () => {
  test('gives ZIP-215 verdicts on every vector', () => {
    const verdicts = signatureCases.map(({ publicKey, message, signature }) => verify(publicKey, message, signature))
    expect(wrongVerdicts(verdicts)).toEqual([])
  })

  test('is decided fast for honest signatures, and slowly never differs', () => {
    const message = new TextEncoder().encode('hello')
    const { publicKey, sign } = createKeyPair(new Uint8Array(32).fill(7))
    expect(verifyFast(publicKey, message, sign(message))).toBe(true)
    expect(verifySlow(publicKey, message, sign(message))).toBe(true)
    expect(verifyFast(publicKey, message, new Uint8Array(64))).toBe(false)
    expect(verifySlow(publicKey, message, new Uint8Array(64))).toBe(false)
  })

  test('agrees with the reference on altered signatures, keys and messages', () => {
    const position = fc.nat({ max: 32 + 64 + 40 - 1 })
    const flips = fc.array(fc.tuple(position, fc.integer({ min: 0, max: 7 })), { maxLength: 2 })
    fc.assert(
      fc.property(fc.constantFrom(...signatureCases), fc.nat(), flips, (base, number, bitFlips) => {
        const own = createKeyPair(new Uint8Array(32).fill(number % 5))
        const message = new Uint8Array(40).fill(number % 256)
        const honest = number % 2 === 0
        const key = honest ? own.publicKey : base.publicKey
        const input = [key, honest ? message : base.message, honest ? own.sign(message) : base.signature] as const
        const altered = flipBits(input, bitFlips)
        expect(verify(...altered)).toBe(verifyReference(...altered))
      }),
      { numRuns: 300 },
    )
  })

  test('accepts nothing that is not bytes, and does not throw', () => {
    const { publicKey, sign } = createKeyPair(new Uint8Array(32).fill(7))
    const signature = sign(new Uint8Array(0))
    for (const message of [undefined, null, 'text', 7, {}]) {
      expect(verifyFast(publicKey, message as never, signature)).toBe(false)
      expect(verify(publicKey, message as never, signature)).toBe(false)
    }
  })

  test('never throws, whatever the bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 80 })
    fc.assert(
      fc.property(bytes, bytes, bytes, (key, message, signature) => {
        expect(() => verify(key, message, signature)).not.toThrow()
      }),
    )
  })
})

test('a seed of a wrong length is refused', () => {
  expect(() => sign(new Uint8Array(31), new Uint8Array(0))).toThrow('32 bytes, but 31 came')
})

type Input = readonly [Uint8Array, Uint8Array, Uint8Array]

function flipBits(input: Input, flips: readonly (readonly [number, number])[]): Input {
  const parts = input.map((part) => new Uint8Array(part)) as [Uint8Array, Uint8Array, Uint8Array]
  for (const [position, bit] of flips) {
    let rest = position
    for (const part of parts) {
      if (rest < part.length) {
        part[rest]! ^= 1 << bit
        break
      }
      rest -= part.length
    }
  }
  return parts
}
