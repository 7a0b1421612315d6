// Bundles that somebody forged: whatever is in them, the answer is a refusal that says why, and never a value that is not proven.
import { beforeAll, describe, expect, test } from 'vitest'
import { headerJson } from '../../src/api/json.ts'
import { bundleOf } from '../../src/client/bundle.ts'
import { verify } from '../../src/crypto/signer.ts'
import { fromBase64, toBase64 } from '../../src/light/base64.ts'
import {
  ClientError,
  followEpoch,
  trustGenesis,
  verifyBundle,
  verifyDocument,
  verifyEventRange,
  verifyState,
} from '../../src/light/index.ts'
import { createChain, keyOf } from '../client/chain.ts'
import { createSamples, type Samples, shownGenesis } from './samples.ts'
import { at, parentOf, pathsOf } from './tamper.ts'

const kinds = ['receipt', 'value', 'absence', 'events'] as const
let samples: Samples
beforeAll(async () => {
  samples = await createSamples()
})

// biome-ignore lint/suspicious/noExplicitAny: a test changes documents of every shape.
const copyOf = (value: unknown) => structuredClone(value) as any
const check = (bundle: unknown) => verifyBundle(bundle, { genesisHash: samples.chain.genesisHash }, verify)
const reasonOf = (bundle: unknown): string => {
  try {
    check(bundle)
  } catch (error) {
    expect(error).toBeInstanceOf(ClientError)
    return (error as ClientError).message
  }
  return 'accepted'
}

describe('nothing is proven', () => {
  test.each([undefined, null, {}, { genesisHash: undefined }, 'a hash'])('to one who trusts %j', (trusted) => {
    expect(() => verifyBundle(samples.bundles.value, trusted as never)).toThrow(/^nothing is trusted: give/)
  })

  test('by a trusted header that is none', () => {
    const header = { ...(samples.headerAt(3) as object), time: 'noon' }
    expect(() => verifyBundle(samples.bundles.value, { header })).toThrow(/the trusted header is not one/)
  })
})

describe('a bundle', () => {
  test.each([...kinds, 'refusal'] as const)('of the %s has no room for a word that nothing proves', (kind) => {
    const objects = [[], ...pathsOf(samples.bundles[kind])].filter(
      (path) => at(samples.bundles[kind], path)?.constructor === Object,
    )
    expect(objects.length).toBeGreaterThan(20)
    for (const path of objects) {
      for (const name of ['note', '', '__proto__']) {
        const changed = copyOf(samples.bundles[kind])
        const value = 'paid in full'
        Object.defineProperty(at(changed, path), name, { value, enumerable: true, configurable: true, writable: true })
        expect(reasonOf(changed), path.join('.')).toMatch(/has a member|is not the value that is proven|^event/)
      }
    }
  })

  test.each(kinds)('of the %s is refused in a short sentence, whatever stands in whatever place', (kind) => {
    const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)
    const values = [deep, { a: deep }, 'x'.repeat(100_000), '\ud800', 2 ** 60, Number.POSITIVE_INFINITY, undefined]
    for (const path of pathsOf(samples.bundles[kind])) {
      for (const value of values) {
        if (at(samples.bundles[kind], path) === value) continue
        const changed = copyOf(samples.bundles[kind])
        parentOf(changed, path)[path.at(-1)!] = value
        const reason = reasonOf(changed)
        expect(reason, path.join('.')).toMatch(/does not hold|is of network/)
        expect(reason.length, path.join('.')).toBeLessThan(500)
        expect(reason, path.join('.')).not.toMatch(/call stack|Cannot|undefined \(|is not a function/)
      }
    }
  })
})

describe('a transaction', () => {
  const changed = (change: (document: ReturnType<typeof copyOf>) => unknown) => {
    const bundle = copyOf(samples.bundles.receipt)
    change(bundle.document)
    return reasonOf(bundle)
  }
  const resigned = (document: ReturnType<typeof copyOf>, sign: (unsigned: Uint8Array) => Uint8Array) => {
    const wire = Buffer.from(document.proof.transaction, 'base64')
    // An array of two: bytes with a head of three, and the 64 of the signature.
    wire.set(sign(wire.subarray(3, -66)), wire.length - 64)
    document.proof.transaction = wire.toString('base64')
  }

  test('was signed by its sender', () => {
    expect(changed((document) => resigned(document, keyOf(7).sign))).toBe('accepted')
    const reason = /has a signature that is not its sender's/
    expect(changed((document) => resigned(document, keyOf(8).sign))).toMatch(reason)
    expect(changed((document) => resigned(document, () => new Uint8Array(64)))).toMatch(reason)
  })

  test('has a place that a block can have', () => {
    const move = (index: unknown, count: unknown) =>
      changed((document) => Object.assign(document, { index, proof: { ...document.proof, index, count } }))
    expect(move(0, 4)).toBe('accepted')
    expect(move(2 ** 34, 2 ** 34 + 4)).toMatch(/a block has at most 10000 transactions/)
    for (const index of [0.5, -1, '0', -(2 ** 32), [0], null]) expect(move(index, 4)).toMatch(/not in the block/)
    for (const count of ['4', 4.5, [4], null, {}])
      expect(move(0, count)).toMatch(/^the proof does not hold: count says/)
  })
})

describe('a header', () => {
  const stateAt = (change: object) => {
    const document = copyOf(samples.chain.stateDocument('token', 'owner'))
    const forged = samples.chain.certify({ ...document.proof.header, ...change })
    const { height = 6 } = change as { height?: number }
    return { ...document, height, proof: { ...document.proof, ...forged } }
  }

  test('is of no block after the last of its epoch, whoever signs it', () => {
    const [, , trust] = samples.trusts
    expect(verifyState(stateAt({ height: 9 }), undefined, trust!)).toMatchObject({ height: 9 })
    const ended = { ...trust!, end: 8 }
    expect(verifyState(stateAt({ height: 8 }), undefined, ended)).toMatchObject({ height: 8 })
    expect(() => verifyState(stateAt({ height: 9 }), undefined, ended)).toThrow(/has height 9, epoch 2 ends with 8/)
    const own = stateAt({ height: 9, epochEnd: 8 })
    expect(() => verifyState(own, undefined, trust!)).toThrow(/has height 9, epoch 2 ends with 8/)
  })

  test('of genesis is nobody’s to sign', () => {
    const [first] = samples.trusts
    const { genesisHash, validatorsHash } = first!
    const genesis = { genesisHash, validatorsHash, epoch: 0, height: 0, epochEnd: 0 }
    const { header } = copyOf(samples.chain.stateDocument('token', 'owner')).proof
    const link = { ...samples.chain.certify({ ...header, ...genesis }), record: '' }
    expect(() => followEpoch(first!, link)).toThrow(/has height 0, epoch 0 begins above 0/)
  })
})

test('a trusted header is the only block of its height, also within a range', async () => {
  const { chain, bundles, headerAt } = samples
  for (const height of [5, 6]) {
    expect(verifyBundle(bundles.events, { header: headerAt(height) })).toMatchObject({ from: 4, to: 6 })
    const header = { ...(headerAt(height) as object), stateRoot: 'ab'.repeat(32) }
    expect(() => verifyBundle(bundles.events, { header })).toThrow(`block ${height} is another one than the trusted`)
  }
  const document = copyOf(await chain.rangeDocument(4, 6))
  expect(() => verifyEventRange({ ...document, blocks: [] }, undefined, samples.trusts[2]!)).toThrow(/has no blocks/)
})

describe('a trusted header stands against its own epoch’s validators, should they turn bad:', () => {
  /** Blocks up to an epoch's end, and the bundle of a value in the next one. */
  function endingAt(end: number, note: string) {
    const chain = createChain()
    chain.state.set('token\0k', note)
    while (chain.height() < end - 1) chain.append([])
    const boundary = chain.endEpoch([4, 5, 6, 7])
    for (let count = 0; count < 3; count++) chain.append([])
    const first = trustGenesis(shownGenesis(chain), chain.genesisHash)
    const document = chain.stateDocument('token', 'k')
    const trust = followEpoch(first, chain.links()[0])
    const bundle = bundleOf(document, verifyDocument('state', document, trust), chain.links())
    return { bundle, boundary: headerJson(boundary.header), before: headerJson(chain.blocks[end - 2]!.header) }
  }

  test('they end it neither before nor elsewhere, nor with another block', () => {
    const { bundle, boundary, before } = endingAt(4, '"true"')
    for (const header of [before, boundary]) expect(verifyBundle(bundle, { header })).toMatchObject({ value: '"true"' })
    const contradicts = (end: number) => `epoch 0 ends with block ${end}, which the trusted header contradicts`
    expect(() => verifyBundle(endingAt(2, '1').bundle, { header: before })).toThrow(contradicts(2))
    expect(() => verifyBundle(endingAt(2, '1').bundle, { header: boundary })).toThrow(contradicts(2))
    expect(() => verifyBundle(endingAt(5, '1').bundle, { header: boundary })).toThrow(contradicts(5))
    expect(() => verifyBundle(endingAt(4, '1').bundle, { header: boundary })).toThrow(/block 4 is another one than/)
  })

  test('they sign nothing after its end', () => {
    const { boundary } = endingAt(4, '"true"')
    const chain = createChain()
    for (let count = 0; count < 5; count++) chain.append([])
    const document = chain.stateDocument('token', 'k')
    const trust = trustGenesis(shownGenesis(chain), chain.genesisHash)
    const bundle = bundleOf(document, verifyDocument('state', document, trust), [])
    expect(() => verifyBundle(bundle, { header: boundary })).toThrow(
      /block 5 is in epoch 0, which the trusted header ends with 4/,
    )
  })
})

describe('base64', () => {
  test('of any size is read', () => {
    const bytes = new Uint8Array(9_000_001).map((_, index) => index)
    const read = fromBase64(toBase64(bytes))!
    expect(Buffer.compare(read, bytes)).toBe(0)
  })

  test.each([
    'AA',
    'AA=',
    'AB==',
    'AAB=',
    'AA ==',
    ' AA==',
    'AA==\n',
    '-_==',
    'A',
    '====',
    'AA==AA==',
    7,
    null,
    ['AA=='],
  ])('has one text for bytes: not %j', (text) => {
    expect(fromBase64(text)).toBeUndefined()
  })
})
