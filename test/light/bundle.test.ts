// Proof bundles: genuine ones hold from the genesis hash alone, over changes of the validators, and no value in them can be changed,
// removed or put elsewhere unnoticed.
import { beforeAll, describe, expect, test } from 'vitest'
import { epochHash } from '../../src/crypto/digest.ts'
import { verify } from '../../src/crypto/signer.ts'
import {
  ClientError,
  followEpoch,
  itemsOf,
  trustGenesis,
  verifyBundle,
  verifyEventRange,
  verifyState,
} from '../../src/light/index.ts'
import { epochRecordCodec, genesisCodec } from '../../src/types/epoch.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { createChain } from '../client/chain.ts'
import { naivePath } from '../ledger/naive-tree.ts'
import { createSamples, type Samples, shownGenesis } from './samples.ts'
import { at, parentOf, pathsOf, tampered } from './tamper.ts'

const kinds = ['receipt', 'refusal', 'explained', 'value', 'absence', 'events'] as const
let samples: Samples
beforeAll(async () => {
  samples = await createSamples()
})

const trusted = () => ({ genesisHash: samples.chain.genesisHash })
// biome-ignore lint/suspicious/noExplicitAny: a test changes documents of every shape.
const copyOf = (value: unknown) => structuredClone(value) as any

describe('a genuine bundle', () => {
  test('says what is proven, read from the proven bytes', async () => {
    const { bundles, ids, chain } = samples
    const receipt = verifyBundle(bundles.receipt, trusted())
    const block = chain.blocks[4]!
    const place = { height: 5, time: block.header.time, blockHash: block.blockHash }
    expect(receipt).toMatchObject({ kind: 'transaction', ...place, index: 0 })
    expect(receipt.signers).toEqual(['node-6', 'node-4', 'node-2', 'node-3'])
    expect(receipt.trust).toMatchObject({ epoch: 2, quorum: 4 })
    expect(receipt.kind === 'transaction' && receipt.receipt).toMatchObject({ txId: ids[0], status: 'ok' })
    const latest = { height: 6, blockHash: chain.blocks[5]!.blockHash }
    const value = { kind: 'state', ...latest, contract: 'token', key: 'owner', value: '{"a":[1,true]}' }
    expect(verifyBundle(bundles.value, trusted())).toMatchObject(value)
    const absence = { kind: 'state', ...latest, contract: 'token', key: 'balance/40', value: undefined }
    expect(verifyBundle(bundles.absence, trusted())).toMatchObject(absence)
    const range = verifyBundle(bundles.events, trusted())
    expect(range).toMatchObject({ kind: 'events', ...latest, from: 4, to: 6 })
    const names =
      range.kind === 'events' && range.blocks.flatMap(itemsOf).map((item) => [item.type, item.height, item.position])
    expect(names).toEqual([
      ['block', 4, 0],
      ['block', 5, 0],
      ['transaction', 5, 1],
      ['event', 5, 2],
      ['event', 5, 3],
      ['transaction', 5, 4],
      ['transaction', 5, 5],
      ['transaction', 5, 6],
      ['block', 6, 0],
    ])
  })

  test('of the first epoch needs no boundary', () => {
    const { bundle, chain } = samples
    const first = createChain()
    first.state.set('token\0owner', '1')
    first.append([])
    const proven = verifyBundle(
      {
        ...bundle('state', chain.stateDocument('token', 'owner')),
        epochs: [],
        document: first.stateDocument('token', 'owner'),
      },
      trusted(),
    )
    expect(proven).toMatchObject({ height: 1, value: '1', trust: { epoch: 0 } })
  })

  test('names its error by the contract’s words, and by nobody else’s', () => {
    const errorOf = (document: unknown) => (document as { error: unknown }).error
    expect(errorOf(samples.bundles.refusal.document)).toEqual({ code: 'THROWN', message: 'insufficient balance' })
    expect(errorOf(samples.bundles.explained.document)).toEqual({ code: 'OUT_OF_GAS', message: '' })
  })
})

/**
 * What no proof shows: how many leaves a tree has, as far as the path's turns allow another number (RFC 6962). Named by place, for each
 * bundle whose path allows it.
 */
const UNPROVEN: Record<string, string[]> = {
  receipt: ['document.proof.count lowered'],
  refusal: ['document.proof.count lowered'],
  explained: [],
}

describe.each(kinds)('the bundle of the %s', (kind) => {
  test('holds for no value changed, for none taken away', () => {
    const accepted: string[] = []
    const reasons = new Set<string>()
    let count = 0
    for (const [place, changed] of tampered(samples.bundles[kind])) {
      count++
      const error = refusalOf(() => verifyBundle(changed, trusted(), verify))
      if (error === undefined) accepted.push(place)
      else reasons.add(error.message)
    }
    // A certificate is a set of signatures: their order says nothing.
    const orders = /certificate\.signatures reversed$/
    expect(accepted.filter((place) => !orders.test(place))).toEqual(UNPROVEN[kind] ?? [])
    expect(count).toBeGreaterThan(400)
    // Reasons tell what was changed: many changes, many reasons.
    expect(reasons.size).toBeGreaterThan(60)
  })

  test('holds for no two values in each other’s place', () => {
    const bundle = samples.bundles[kind]
    const byType = new Map<string, string[][]>()
    for (const path of pathsOf(bundle)) {
      const type = typeof at(bundle, path)
      if (type === 'object') continue
      byType.set(type, [...(byType.get(type) ?? []), path])
    }
    const accepted: string[] = []
    for (const paths of byType.values()) {
      for (const [index, one] of paths.entries()) {
        const other = paths[(index + 1) % paths.length]!
        if (at(bundle, one) === at(bundle, other)) continue
        const changed = copyOf(bundle)
        parentOf(changed, one)[one.at(-1)!] = at(bundle, other)
        parentOf(changed, other)[other.at(-1)!] = at(bundle, one)
        if (refusalOf(() => verifyBundle(changed, trusted(), verify)) === undefined)
          accepted.push(`${one} and ${other}`)
      }
    }
    expect(accepted).toEqual([])
  })

  test('carries nothing that is not proven', () => {
    const more = copyOf(samples.bundles[kind])
    more.document.note = 'paid'
    expect(() => verifyBundle(more, trusted())).toThrow(/the bundle has a member "document.note"/)
    expect(() => verifyBundle({ ...samples.bundles[kind], note: 'paid' }, trusted())).toThrow(
      /the bundle has a member "note"/,
    )
  })
})

/** The refusal; fails on anything that is thrown and is none. */
function refusalOf(check: () => unknown): ClientError | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(ClientError)
    expect(['BAD_PROOF', 'WRONG_NETWORK']).toContain((error as ClientError).code)
    expect((error as ClientError).message.length).toBeGreaterThan(40)
    return error as ClientError
  }
}

describe('nothing but', () => {
  test.each([undefined, null, 1, 'text', [], {}, { format: 'quorate/proof/2' }, JSON.parse('{"__proto__":{}}')])(
    'a bundle is one: %j',
    (value) => {
      expect(refusalOf(() => verifyBundle(value, trusted()))).toMatchObject({ code: 'BAD_PROOF' })
    },
  )

  test('the genesis document that the network is named by', () => {
    const genesis = createChain(5).genesis
    const bundle = { ...samples.bundles.value, genesis: Buffer.from(encode(genesisCodec, genesis)).toString('base64') }
    expect(() => verifyBundle(bundle, trusted())).toThrow(/genesisHash says "[0-9a-f]{64}", proven is "[0-9a-f]{64}"/)
  })

  test('the network asked for', () => {
    const other = { genesisHash: 'ab'.repeat(32) }
    expect(() => verifyBundle(samples.bundles.value, other)).toThrow(expect.objectContaining({ code: 'WRONG_NETWORK' }))
  })
})

describe('epochs', () => {
  const link = (index: number) => copyOf(samples.chain.links()[index])
  const changedRecord = (change: object) => {
    const record = decode(epochRecordCodec, Buffer.from(link(0).record, 'base64'))
    return Buffer.from(encode(epochRecordCodec, { ...record, ...change })).toString('base64')
  }

  test('follow one on another, each certified by the validators before it', () => {
    const { trusts } = samples
    expect(trusts.map(({ epoch, start, quorum }) => [epoch, start, quorum])).toEqual([
      [0, 0, 3],
      [1, 2, 3],
      [2, 4, 4],
    ])
    expect(followEpoch(trusts[0]!, link(0)).validatorsHash).toBe(samples.chain.blocks[2]!.header.validatorsHash)
    expect(() => followEpoch(trusts[0]!, link(1))).toThrow(/epoch 1 and another validator set/)
    expect(() => followEpoch(trusts[1]!, link(0))).toThrow(/epoch 0 and another validator set/)
  })

  test('are not opened by a record that the boundary does not commit to', () => {
    const { trusts } = samples
    for (const change of [{ start: 3 }, { epoch: 2 }, { validators: [] }]) {
      expect(() => followEpoch(trusts[0]!, { ...link(0), record: changedRecord(change) })).toThrow(/commits to/)
    }
  })

  test.each([
    [{ epoch: 2 }, /epoch 2 does not follow on epoch 0/],
    [{ start: 1 }, /begins after block 1, its boundary is block 2/],
    [{ validators: [] }, /epoch 1 has no validators/],
  ])('are not opened by %j, even where the old validators sign it', (change, reason) => {
    const chain = createChain()
    chain.append([])
    const trust = trustGenesis(shownGenesis(chain), chain.genesisHash)
    const record = decode(epochRecordCodec, Buffer.from(changedRecord(change), 'base64'))
    const next = { nextValidatorsHash: epochHash(record), epochEnd: 2 }
    const header = { ...link(0).header, ...next, genesisHash: chain.genesisHash }
    const forged = chain.certify(header)
    expect(() => followEpoch(trust, { ...forged, record: changedRecord(change) })).toThrow(reason)
  })

  test('have no blocks before their first, whoever signs them', () => {
    const { chain, trusts } = samples
    const document = copyOf(chain.stateDocument('token', 'owner'))
    const early = chain.certify({ ...document.proof.header, height: 4 })
    expect(() =>
      verifyState({ ...document, height: 4, proof: { ...document.proof, ...early } }, undefined, trusts[2]!),
    ).toThrow(/height 4, epoch 2 begins above 4/)
  })

  test('do not end before their last block', () => {
    const { chain, trusts } = samples
    const { header, certificate } = copyOf(chain.stateDocument('token', 'owner').proof)
    expect(() => followEpoch(trusts[2]!, { header, certificate, record: link(0).record })).toThrow(
      /block 6 is not the last of epoch 2, its header says that none is/,
    )
  })
})

describe('a trusted header', () => {
  const headerAt = (height: number) => copyOf(samples.headerAt(height))

  test('stands for the genesis hash', () => {
    for (const height of [1, 3, 5, 6]) {
      expect(verifyBundle(samples.bundles.value, { header: headerAt(height) })).toMatchObject({ height: 6 })
    }
    const both = { header: headerAt(1), genesisHash: 'ab'.repeat(32) }
    expect(() => verifyBundle(samples.bundles.value, both)).toThrow(/expected "abab/)
  })

  test('names the validators of its epoch: others are refused, whoever certified them', () => {
    for (const [height, epoch] of [
      [1, 0],
      [3, 1],
      [6, 2],
    ] as const) {
      const header = { ...headerAt(height), validatorsHash: 'ab'.repeat(32) }
      const reason = `epoch ${epoch} has other validators than the trusted header says`
      expect(() => verifyBundle(samples.bundles.value, { header })).toThrow(reason)
    }
  })

  test('is the only one of its height', () => {
    const header = { ...headerAt(6), stateRoot: 'ab'.repeat(32) }
    expect(() => verifyBundle(samples.bundles.value, { header })).toThrow(/block 6 is another one than the trusted/)
  })

  test('says nothing of epochs before its own', async () => {
    const document = await samples.chain.rangeDocument(1, 2)
    const early = samples.bundle('events', document, 0)
    expect(verifyBundle(early, { header: headerAt(2) })).toMatchObject({ to: 2 })
    expect(() => verifyBundle(early, { header: headerAt(3) })).toThrow(/before epoch 1 of the trusted header/)
  })
})

describe('a document is of what was asked for:', () => {
  test('the key', () => {
    const { chain, trusts } = samples
    const asked = { contract: 'token', key: 'balance/3' }
    expect(verifyState(chain.stateDocument('token', 'balance/3'), asked, trusts[2]!)).toMatchObject({ value: '"15"' })
    const other = chain.stateDocument('token', 'balance/4')
    expect(() => verifyState(other, asked, trusts[2]!)).toThrow(
      /about "balance\/4" of "token", asked for was "balance\/3"/,
    )
    const found = { ...chain.stateDocument('token', 'owner'), code: 'UNKNOWN_KEY' }
    expect(() => verifyState(found, undefined, trusts[2]!)).toThrow(
      /a problem document, proven is that the key has a value/,
    )
    const { header, certificate } = copyOf(found).proof
    const proof = { header, certificate, key: 'nobody', value: null, ...naivePath(chain.state, 'nobody') }
    const nameless = { key: 'nobody', value: null, height: 6, proof }
    expect(() => verifyState(nameless, undefined, trusts[2]!)).toThrow(/names no contract/)
    const problem = { ...chain.stateDocument('token', 'balance/99'), code: 'UNKNOWN_BLOCK' }
    expect(() => verifyState(problem, undefined, trusts[2]!)).toThrow(/code says "UNKNOWN_BLOCK"/)
  })

  test('the range', async () => {
    const { chain, trusts } = samples
    const document = await chain.rangeDocument(3, 5)
    expect(verifyEventRange(document, { from: 3, to: 6 }, trusts[2]!)).toMatchObject({ from: 3, to: 5 })
    expect(() => verifyEventRange(document, { from: 2 }, trusts[2]!)).toThrow(/begins with block 3, asked for was 2/)
    expect(() => verifyEventRange(document, { from: 3, to: 4 }, trusts[2]!)).toThrow(
      /ends with block 5, asked for was 4/,
    )
    const last = document.blocks[2]!
    const forged = chain.certify({ ...last.header, height: 7 })
    const leap = {
      ...document,
      to: 7,
      next: 8,
      certificate: forged.certificate,
      blocks: [document.blocks[1], { ...last, header: forged.header }],
    }
    expect(() => verifyEventRange({ ...leap, from: 4 }, undefined, trusts[2]!)).toThrow(
      /block 7 has a height that does not follow/,
    )
  })
})
