// Evidence from a node, checked by someone who has the genesis document and nothing else.
import { describe, expect, it } from 'vitest'
import { trustGenesis, verifyEvidence } from '../../src/client/index.ts'
import { verify } from '../../src/crypto/signer.ts'
import { evidenceHashes, hashOfViewChanges } from '../../src/crypto/view-change-rules.ts'
import { toBase64 } from '../../src/light/base64.ts'
import { ZERO_HASH } from '../../src/types/block.ts'
import { type Accusation, evidenceKinds, evidenceOf } from '../../src/types/evidence.ts'
import {
  type Body,
  type BodyType,
  type Prepared,
  type Signed,
  signedBytes,
  type ViewChange,
} from '../../src/types/message.ts'
import { genesis, keyOf } from '../api/support.ts'

const trust = trustGenesis(genesis)
const domain = { genesisHash: trust.genesisHash, epoch: 0, validatorsHash: trust.validatorsHash }
const names = genesis.validators.map(({ name }) => name)
const ACCUSED = 1
const [ONE, OTHER] = ['11'.repeat(32), '22'.repeat(32)]

function sign<T extends BodyType>(
  type: T,
  body: Omit<Body<T>, keyof typeof domain>,
  signer = ACCUSED,
  within = domain,
) {
  const whole = { ...within, ...body } as unknown as Body<T>
  return { type, body: whole, signer, signature: keyOf(names[signer]!).sign(signedBytes(type, whole)) } as Signed<T>
}
const slot = (digest: string, view = 0) => ({ view, seq: 5, digest })
const prepared = (view: number): Prepared => ({
  ...slot(ONE, view),
  signatures: [0, 1, 2].map((signer) => ({ signer, signature: sign('prepare', slot(ONE, view), signer).signature })),
})
function changeOf(signer: number, newView: number, shown: Prepared[] = []): ViewChange {
  const contents = { header: null, certificate: null, prepared: shown }
  return { vote: sign('view-change', { newView, h: 0, ...evidenceHashes(contents) }, signer), ...contents }
}
function newViewOf(viewChanges: ViewChange[]) {
  return { vote: sign('new-view', { view: 1, viewChangesHash: hashOfViewChanges(viewChanges) }), viewChanges }
}

const guilty: Record<Accusation['kind'], Accusation> = {
  proposal: { kind: 'proposal', first: sign('pre-prepare', slot(ONE)), second: sign('pre-prepare', slot(OTHER)) },
  prepare: { kind: 'prepare', first: sign('prepare', slot(ONE)), second: sign('prepare', slot(OTHER)) },
  commit: { kind: 'commit', first: sign('commit', slot(ONE)), second: sign('commit', slot(OTHER)) },
  exec: {
    kind: 'exec',
    first: sign('exec', { height: 5, blockHash: ONE }),
    second: sign('exec', { height: 5, blockHash: OTHER }),
  },
  'view-change': {
    kind: 'view-change',
    first: changeOf(ACCUSED, 1).vote,
    second: changeOf(ACCUSED, 1, [prepared(0)]).vote,
  },
  amnesia: { kind: 'amnesia', first: sign('commit', slot(ONE)), second: changeOf(ACCUSED, 1) },
  'new-view': { kind: 'new-view', first: newViewOf([changeOf(0, 1), changeOf(2, 1)]), second: null },
}

/** The entry as a node would answer it. */
function entryOf(accusation: Accusation, changes: object = {}) {
  const { first, second, validator, ...rest } = evidenceOf(accusation, 0)!
  const entry = { ...rest, validator: names[validator], first: toBase64(first), second: toBase64(second) }
  return JSON.parse(JSON.stringify({ ...entry, seenAt: '2026-01-01T00:00:00.000Z', ...changes })) as unknown
}
const refusing = (entry: unknown, reason: string | RegExp) =>
  expect(() => verifyEvidence(entry, trust, verify)).toThrow(
    expect.objectContaining({ code: 'BAD_PROOF', message: expect.stringMatching(reason) }),
  )

describe('evidence', () => {
  it.each(evidenceKinds)('of %s proves whose it is', (kind) => {
    const proven = verifyEvidence(entryOf(guilty[kind]), trust, verify)
    expect(proven.validator).toEqual(genesis.validators[ACCUSED])
    expect(proven.accusation).toEqual(guilty[kind])
  })

  it('holds by the portable check too', () => {
    expect(verifyEvidence(entryOf(guilty.exec), trust).height).toBe(5)
  })

  it.each(evidenceKinds)('of %s whose messages are changed anywhere proves nothing', (kind) => {
    const { first, second } = evidenceOf(guilty[kind], 0)!
    for (const [name, bytes] of Object.entries({ first, second })) {
      for (let at = 0; at < bytes.length; at += 7) {
        const changed = Uint8Array.from(bytes, (byte, index) => (index === at ? byte ^ 1 : byte))
        refusing(entryOf(guilty[kind], { [name]: toBase64(changed) }), 'does not hold')
      }
      refusing(entryOf(guilty[kind], { [name]: toBase64(Uint8Array.of(...bytes, 0)) }), 'canonical')
    }
  })

  it.each([
    ['validator', 'east', 'north'],
    ['epoch', 0, 1],
    ['view', 0, 1],
    ['height', 5, 6],
  ])('whose %s is not what was signed proves nothing', (name, _, wrong) => {
    refusing(entryOf(guilty.prepare, { [name]: wrong }), name)
  })

  it('is of this network, this epoch and one validator', () => {
    const withFirst = (first: Signed<'prepare'>) =>
      entryOf({ kind: 'prepare', first, second: sign('prepare', slot(OTHER)) })
    refusing(withFirst(sign('prepare', slot(ONE), ACCUSED, { ...domain, genesisHash: ONE })), 'another network')
    refusing(withFirst(sign('prepare', slot(ONE), ACCUSED, { ...domain, validatorsHash: ZERO_HASH })), 'another epoch')
    refusing(withFirst(sign('prepare', slot(ONE), 2)), 'validator')
    refusing(withFirst({ ...sign('prepare', slot(ONE), 2), signer: ACCUSED }), 'signature')
    refusing(withFirst({ ...sign('prepare', slot(ONE)), signer: 4 }), '4 of 4')
  })

  it('is judged by the rules of its own epoch', () => {
    const { windowBlocks } = trust.parameters
    const later = { ...trust, epoch: 1, validatorsHash: ONE, parameters: { ...trust.parameters, windowBlocks: 99 } }
    const within = { ...domain, epoch: 1, validatorsHash: ONE }
    const shown = [{ ...prepared(0), seq: windowBlocks + 1 }]
    const contents = { header: null, certificate: null, prepared: shown }
    const viewChanges = [0, 2, 3].map((signer) => {
      const body = { newView: 1, h: 0, ...evidenceHashes(contents) }
      return { vote: sign('view-change', body, signer, within), ...contents }
    })
    const body = { view: 1, viewChangesHash: hashOfViewChanges(viewChanges) }
    const first = { vote: sign('new-view', body, ACCUSED, within), viewChanges }
    const entry = entryOf({ kind: 'new-view', first, second: null })
    expect(() => verifyEvidence(entry, later, verify)).toThrow(/a correct validator may sign/)
    const narrow = { ...later, parameters: trust.parameters }
    expect(verifyEvidence(entry, narrow, verify)).toMatchObject({ epoch: 1 })
  })

  it.each<[string, Accusation]>([
    ['one vote twice', { kind: 'commit', first: sign('commit', slot(ONE)), second: sign('commit', slot(ONE)) }],
    [
      'votes in two views',
      { kind: 'commit', first: sign('commit', slot(ONE)), second: sign('commit', slot(OTHER, 1)) },
    ],
    [
      'votes on two heights',
      {
        kind: 'exec',
        first: sign('exec', { height: 5, blockHash: ONE }),
        second: sign('exec', { height: 6, blockHash: OTHER }),
      },
    ],
    ['leaving two views', { kind: 'view-change', first: changeOf(1, 1).vote, second: changeOf(1, 2).vote }],
    [
      'a certificate that is shown',
      { kind: 'amnesia', first: sign('commit', slot(ONE)), second: changeOf(1, 1, [prepared(0)]) },
    ],
    ['a COMMIT of a later view', { kind: 'amnesia', first: sign('commit', slot(ONE, 1)), second: changeOf(1, 1) }],
    [
      'a certificate that was taken out of the VIEW-CHANGE',
      { kind: 'amnesia', first: sign('commit', slot(ONE)), second: { ...changeOf(1, 1, [prepared(0)]), prepared: [] } },
    ],
    [
      'a valid NEW-VIEW',
      { kind: 'new-view', first: newViewOf([0, 2, 3].map((signer) => changeOf(signer, 1))), second: null },
    ],
    [
      'a NEW-VIEW with VIEW-CHANGEs taken out',
      {
        kind: 'new-view',
        first: { ...newViewOf([0, 2, 3].map((signer) => changeOf(signer, 1))), viewChanges: [] },
        second: null,
      },
    ],
  ])('is not %s', (_, accusation) => {
    refusing(entryOf(accusation), 'a correct validator may sign')
  })

  it.each([
    null,
    'x',
    {},
    { kind: 'other' },
    { kind: 'exec', first: 1, second: 2 },
    { kind: 'exec', first: '', second: '' },
  ])('is not %j', (entry) => refusing(entry, 'does not hold'))
})
