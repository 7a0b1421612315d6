import * as cborg from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evidenceHashes, hashOfViewChanges } from '../../src/crypto/view-change-rules.ts'
import {
  type Body,
  type Message,
  messageCodec,
  type NewView,
  type Signed,
  signedBytes,
  type ViewChange,
} from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { certificateOf, DIGEST, domain, edgeWith, headerAt, N, STRANGER, signed, slot } from './support.ts'

const prepare = (signer: number, by = signer, body: Body<'prepare'> = slot): Message => ({
  type: 'prepare',
  vote: signed('prepare', body, signer, by),
})

/** Valid but for the votes and the certificate given, and signed as it stands. */
function changeOf(
  votes: Signed<'prepare'>[],
  { signer = 0, ...certified }: { signer?: number } & Partial<Pick<ViewChange, 'header' | 'certificate'>> = {},
): ViewChange {
  const signatures = votes.map(({ signer, signature }) => ({ signer, signature }))
  const h = certified.header?.height ?? 0
  const prepared = [{ view: 0, seq: h + 1, digest: DIGEST, signatures }]
  const evidence = { header: null, certificate: null, ...certified, prepared }
  const vote = signed('view-change', { ...domain, newView: 1, h, ...evidenceHashes(evidence) }, signer)
  return { vote, ...evidence }
}

const votes = [0, 1, 2].map((signer) => signed('prepare', slot, signer))
const newViewOf = (viewChanges: ViewChange[]): NewView => ({
  vote: signed('new-view', { ...domain, view: 1, viewChangesHash: hashOfViewChanges(viewChanges) }, 1),
  viewChanges,
})
const ofThree = (first = changeOf(votes)) =>
  newViewOf([first, changeOf(votes, { signer: 1 }), changeOf(votes, { signer: 2 })])

const proposal = (prePrepareBy = 0, prepareBy = 0): Message => ({
  type: 'proposal',
  prePrepare: signed('pre-prepare', slot, 0, prePrepareBy),
  prepare: signed('prepare', slot, 0, prepareBy),
  batch: Uint8Array.of(1),
})

describe('a frame', () => {
  it('with the signature of the validator it names passes', () => {
    const { check } = edgeWith()
    const messages: Message[] = [
      prepare(2),
      proposal(),
      { type: 'commit', vote: signed('commit', slot, 1) },
      { type: 'exec', vote: signed('exec', { ...domain, height: 1, blockHash: DIGEST }, 3) },
      { type: 'status', epoch: 0, view: 0, active: true, h: 0, lastExec: 0 },
    ]
    for (const message of messages) expect(check(message)).toEqual({ ok: true, message })
  })

  it.each([
    ['another validator', prepare(1, 2)],
    ['a stranger', prepare(1, STRANGER)],
    ['nobody in the set: the first index outside', prepare(N, STRANGER)],
    ['validator 0 under an index outside the set', prepare(N, 0)],
    ['validator 0 under the highest index there is', prepare(100, 0)],
    ['nobody in the set: the highest index there is', prepare(100, STRANGER)],
  ])('signed by %s is a fault', (_, message) => {
    expect(edgeWith().check(message)).toMatchObject({
      ok: false,
      fault: 'bad',
      reason: expect.stringContaining('wrong signature'),
    })
  })

  it.each([
    ['pre-prepare', proposal(1, 0)],
    ['prepare', proposal(0, 1)],
  ])('with a proposal whose %s another validator signed is a fault', (_, message) => {
    expect(edgeWith().check(message)).toMatchObject({ ok: false, fault: 'bad' })
  })

  it('of another network is a fault, of another epoch or set is not', () => {
    const { check, counts } = edgeWith()
    const other = 'ef'.repeat(32)
    expect(check(prepare(1, 1, { ...slot, genesisHash: other }))).toMatchObject({ fault: 'bad' })
    expect(check(prepare(1, 1, { ...slot, epoch: 1 }))).toMatchObject({ fault: 'ignored' })
    expect(check(prepare(1, 1, { ...slot, validatorsHash: other }))).toMatchObject({ fault: 'ignored' })
    expect(counts.verified).toBe(0)
  })

  it('with one type of vote signed as another is a fault', () => {
    const { check } = edgeWith()
    const { signature } = signed('prepare', slot, 1)
    expect(check({ type: 'commit', vote: { type: 'commit', body: slot, signer: 1, signature } })).toMatchObject({
      fault: 'bad',
    })
    const prePrepare = signed('pre-prepare', slot, 1)
    expect(check({ type: 'prepare', vote: { ...prePrepare, type: 'prepare' } })).toMatchObject({ fault: 'bad' })
  })

  it('with the body of one type inside another type is malformed', () => {
    const { edge } = edgeWith()
    const { body, signer, signature } = signed('prepare', slot, 1)
    const frameOf = (envelope: string) => cborg.encode([envelope, [[signedBytes('prepare', body), signer, signature]]])
    expect(edge.checkFrame(frameOf('prepare'), 'consensus').ok).toBe(true)
    expect(edge.checkFrame(frameOf('commit'), 'consensus')).toMatchObject({
      fault: 'bad',
      reason: expect.stringContaining('malformed'),
    })
  })

  it('that is not wanted costs no signature', () => {
    const asked: Message[] = []
    const { check, counts } = edgeWith({
      isWanted(message) {
        asked.push(message)
        return false
      },
    })
    const messages: Message[] = [
      prepare(2),
      proposal(),
      { type: 'commit', vote: signed('commit', slot, 1) },
      { type: 'exec', vote: signed('exec', { ...domain, height: 7, blockHash: DIGEST }, 3) },
      { type: 'suspect', vote: signed('suspect', { ...domain, view: 0 }, 3) },
      { type: 'view-change', change: changeOf(votes) },
      { type: 'new-view', newView: newViewOf([changeOf(votes)]) },
    ]
    for (const message of messages) expect(check(message)).toMatchObject({ fault: 'unwanted' })
    expect(asked).toEqual(messages)
    expect(counts.verified).toBe(0)
  })

  it('on the stream of another kind is a fault', () => {
    const { edge, check } = edgeWith()
    for (const message of [prepare(2), proposal()]) {
      expect(check(message).ok).toBe(true)
      const other = message.type === 'proposal' ? 'consensus' : 'proposals'
      expect(edge.checkFrame(encode(messageCodec, message), other)).toMatchObject({ ok: false, fault: 'bad' })
    }
  })

  it('with any byte changed never passes as signed by anyone', () => {
    const frame = encode(messageCodec, prepare(2))
    const { edge } = edgeWith()
    fc.assert(
      fc.property(fc.nat({ max: frame.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = frame.slice()
        damaged[at]! ^= change
        expect(edge.checkFrame(damaged, 'consensus').ok).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  it('of arbitrary bytes is a fault and never an exception', () => {
    const { edge } = edgeWith()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(edge.checkFrame(bytes, 'consensus')).toMatchObject({ ok: false, fault: 'bad' })
      }),
    )
  })
})

describe('a signature that only the reference accepts', () => {
  const slow = { verifyFast: () => false, verify: () => true }

  it('is ignored where its signer sends it: no honest software makes one, and each takes forty times as long', () => {
    expect(edgeWith(slow).check(prepare(1))).toMatchObject({ fault: 'ignored' })
    expect(edgeWith({ ...slow, verify: () => false }).check(prepare(1))).toMatchObject({ fault: 'bad' })
  })

  it('is not even judged while there is no time for it', () => {
    const verify = () => {
      throw new Error('it was judged')
    }
    expect(edgeWith({ ...slow, verify, mayTakeLong: () => false }).check(prepare(1))).toMatchObject({
      fault: 'ignored',
    })
  })

  it('counts inside certificates, as nodes differ in what they accept at once', () => {
    const own = changeOf(votes).vote.signature
    const isDirect = (signature: Uint8Array) => Buffer.compare(own, signature) === 0
    const { check } = edgeWith({ verifyFast: (_, __, signature) => isDirect(signature), verify: () => true })
    expect(check({ type: 'view-change', change: changeOf(votes) })).toMatchObject({ ok: true })
  })
})

describe('the evidence inside a view change', () => {
  const passes = (change: ViewChange) => edgeWith().check({ type: 'view-change', change }).ok

  it('passes when all of it is signed, and is as it was sent', () => {
    const header = headerAt(1)
    const second = [0, 1, 2].map((signer) => signed('prepare', { ...slot, seq: 2 }, signer))
    const change = changeOf(second, { header, certificate: certificateOf(header, [0, 1, 3]) })
    const messages: Message[] = [
      { type: 'view-change', change },
      { type: 'new-view', newView: ofThree(change) },
      { type: 'body-request', digest: DIGEST },
      { type: 'body', batch: Uint8Array.of(1, 2, 3) },
    ]
    for (const message of messages) expect(edgeWith().check(message)).toEqual({ ok: true, message })
  })

  it('of one validator too few does not pass', () => {
    expect(passes(changeOf(votes.slice(1)))).toBe(false)
    expect(passes(changeOf([]))).toBe(false)
  })

  it.each([
    ['more view changes than there are validators', Array(N + 1).fill(changeOf(votes))],
    ['one view change too few', [changeOf(votes), changeOf(votes, { signer: 1 })]],
    ['one validator counted twice', [changeOf(votes), changeOf(votes, { signer: 1 }), changeOf(votes)]],
  ])('costs one signature where a NEW-VIEW has %s: the core may accuse its signer', (_, viewChanges) => {
    const newView = newViewOf(viewChanges)
    const { check, counts } = edgeWith()
    expect(check({ type: 'new-view', newView })).toMatchObject({ ok: true })
    expect(counts.verified).toBe(1)
  })

  it('costs one signature where it is not what was signed, or not what a correct validator has', () => {
    const change = changeOf(votes)
    for (const wrong of [
      { ...change, prepared: [] },
      { ...change, prepared: [{ ...change.prepared[0]!, seq: 99 }] },
      changeOf(votes.slice(1)),
      { ...change, header: headerAt(1) },
    ]) {
      const { check, counts } = edgeWith()
      expect(check({ type: 'view-change', change: wrong })).toMatchObject({ fault: 'bad' })
      expect(counts.verified).toBe(1)
    }
  })

  it('is not looked into where its signer has had its share of this thread', () => {
    const asked: [number, number][] = []
    const mayVerify = (signer: number, signatures: number) => asked.push([signer, signatures]) < 0
    const { check, counts } = edgeWith({ mayVerify })
    expect(check({ type: 'new-view', newView: ofThree() })).toMatchObject({ fault: 'ignored' })
    expect(counts.verified).toBe(1)
    // The NEW-VIEW's own, three VIEW-CHANGEs', and the three PREPAREs that all of them show.
    expect(asked).toEqual([[1, 7]])
  })

  it('does not pass as the signature of another validator', () => {
    const change = changeOf(votes)
    expect(passes({ ...change, vote: { ...change.vote, signer: 1 } })).toBe(false)
    const newView = ofThree(change)
    const other = { ...newView, vote: { ...newView.vote, signer: 2 } }
    expect(edgeWith().check({ type: 'new-view', newView })).toMatchObject({ ok: true })
    expect(edgeWith().check({ type: 'new-view', newView: other })).toMatchObject({ fault: 'bad' })
  })

  it('has every signature checked, however deep it is', () => {
    const forged = signed('prepare', slot, 2, 1)
    const inner = changeOf([votes[0]!, votes[1]!, forged])
    expect(passes(inner)).toBe(false)
    expect(edgeWith().check({ type: 'new-view', newView: ofThree(inner) }).ok).toBe(false)
  })

  it('does not pass with one validator counted twice in a prepared certificate', () => {
    expect(passes(changeOf([votes[0]!, votes[1]!, votes[1]!]))).toBe(false)
  })

  it('does not pass with votes for another slot than the certificate names', () => {
    const others = [0, 1, 2].map((signer) => signed('prepare', { ...slot, seq: 2 }, signer))
    expect(passes(changeOf(others))).toBe(false)
  })

  it('does not pass with a block certificate that nobody signed', () => {
    const header = headerAt(1)
    const certificate = certificateOf(header, [0, 1, 2], { height: 9 })
    const second = [0, 1, 2].map((signer) => signed('prepare', { ...slot, seq: 2 }, signer))
    expect(passes(changeOf(second, { header, certificate: certificateOf(header, [0, 1, 2]) }))).toBe(true)
    expect(passes(changeOf(second, { header, certificate }))).toBe(false)
    expect(passes(changeOf(second, { header }))).toBe(false)
  })

  it('costs no more signatures than there are validators, however often one valid vote is repeated', () => {
    const { check, counts } = edgeWith()
    check({ type: 'view-change', change: changeOf(Array(100).fill(votes[0])) })
    expect(counts.verified).toBeLessThanOrEqual(N + 1)
  })
})

describe('a certificate', () => {
  const header = headerAt(5)
  const fault = (signers: number[], changes?: Partial<Body<'exec'>>) =>
    edgeWith().edge.certificateFault(header, certificateOf(header, signers, changes))

  it('of any quorum vouches for its header, in any order', () => {
    for (const signers of [
      [0, 1, 2],
      [3, 1, 2],
      [0, 1, 2, 3],
    ])
      expect(fault(signers)).toBeUndefined()
  })

  it('of one too few does not', () => expect(fault([0, 1])).toMatch('expected 3 signatures, got 2'))
  it('of nobody does not', () => expect(fault([])).toMatch('expected 3 signatures, got 0'))
  it('with one validator twice does not', () => expect(fault([0, 1, 1])).toMatch('signed twice'))
  it('with one validator twice beyond the quorum does not', () => expect(fault([0, 1, 2, 2])).toMatch('signed twice'))

  it.each([
    ['another height', { height: 6 }],
    ['another block', { blockHash: DIGEST }],
    ['another epoch', { epoch: 1 }],
    ['another network', { genesisHash: 'ef'.repeat(32) }],
    ['another validator set', { validatorsHash: 'ef'.repeat(32) }],
  ])('signed for %s does not', (_, changes) => expect(fault([0, 1, 2], changes)).toMatch('is wrong'))

  it('for another header does not', () => {
    const { certificateFault } = edgeWith().edge
    const certificate = certificateOf(header, [0, 1, 2])
    expect(certificateFault(headerAt(5, { time: 99 }), certificate)).toMatch('another block')
    expect(certificateFault(headerAt(6), certificate)).toMatch('another block')
    expect(certificateFault(header, { ...certificate, height: 6 })).toMatch('another block')
    expect(certificateFault(header, { ...certificate, blockHash: DIGEST })).toMatch('another block')
  })

  it('with a signer outside the set, or one validator under the index of another, does not', () => {
    const { certificateFault } = edgeWith().edge
    const certificate = certificateOf(header, [0, 1, 2])
    const [first, second, third] = certificate.signatures
    for (const signer of [N, 100]) {
      const signatures = [first!, second!, { ...third!, signer }]
      expect(certificateFault(header, { ...certificate, signatures })).toMatch(`validator ${signer} is wrong`)
    }
    const signatures = [first!, second!, { ...second!, signer: 3 }]
    expect(certificateFault(header, { ...certificate, signatures })).toMatch('validator 3 is wrong')
  })

  it('made of PREPAREs or COMMITs for the same hash does not', () => {
    const certificate = certificateOf(header, [0, 1, 2])
    const body = { ...domain, view: 0, seq: 5, digest: certificate.blockHash }
    const signatures = [0, 1, 2].map((signer) => ({ signer, signature: signed('commit', body, signer).signature }))
    expect(edgeWith().edge.certificateFault(header, { ...certificate, signatures })).toMatch('is wrong')
  })
})
