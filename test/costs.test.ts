// What a message of one peer costs its receiver, counted in signatures checked and messages sent.
import { describe, expect, it } from 'vitest'
import { createCore } from '../src/consensus/core.ts'
import { evidenceHashes, hashOfViewChanges } from '../src/crypto/view-change-rules.ts'
import type { Batch } from '../src/types/block.ts'
import type { Message } from '../src/types/message.ts'
import { Cluster } from './consensus/cluster.ts'
import { domain, edgeWith, epoch, pairs, signed, slot } from './network-edge/support.ts'

describe('a NEW-VIEW full of certificates', () => {
  const certificates = (count: number) => {
    const { view, digest } = slot
    const signatures = [0, 1, 2].map((signer) => ({ signer, signature: signed('prepare', slot, signer).signature }))
    return Array.from({ length: count }, (_, index) => ({ view, seq: index + 1, digest, signatures }))
  }
  /** What its signature covers, of three validators, each with the same certificates. */
  function newView(signer: number, by: number, prepared = certificates(1024)): Message {
    const contents = { header: null, certificate: null, prepared }
    const body = { ...domain, newView: 1, h: 0, ...evidenceHashes(contents) }
    const viewChanges = [0, 2, 3].map((from) => ({ vote: signed('view-change', body, from), ...contents }))
    const vote = signed('new-view', { ...domain, view: 1, viewChangesHash: hashOfViewChanges(viewChanges) }, signer, by)
    return { type: 'new-view', newView: { vote, viewChanges } }
  }
  /** Whether a node in view 0 takes it, and how many signatures it checks. */
  function judged(message: Message) {
    const core = createCore({
      ...domain,
      epoch,
      self: 0,
      voting: true,
      lastExec: 0,
      h: 0,
      certified: undefined,
      uncertified: [],
      sign: pairs[0]!.sign,
      records: [],
    })
    const { check, counts } = edgeWith({ isWanted: core.isWanted })
    const { ok } = check(message)
    return { ok, verified: counts.verified }
  }

  it('costs nothing when it is not from the view’s primary', () => {
    expect(judged(newView(3, 3))).toEqual({ ok: false, verified: 0 })
  })
  it('costs one check, and the reference’s verdict on it, when the primary did not sign it', () => {
    expect(judged(newView(1, 3))).toEqual({ ok: false, verified: 2 })
  })
  it('costs one check when it shows more than a window: the core may accuse its signer', () => {
    expect(judged(newView(1, 1))).toEqual({ ok: true, verified: 1 })
  })
  it('costs each signature in it once, however often it is shown', () => {
    const most = epoch.parameters.windowBlocks
    const { ok, verified } = judged(newView(1, 1, certificates(most)))
    expect(ok).toBe(false)
    // The NEW-VIEW, its VIEW-CHANGEs, and the three PREPAREs of each sequence.
    expect(verified).toBeLessThanOrEqual(1 + 3 + 3 * most)
  })
})

describe('STATUS', () => {
  const status = { epoch: 0, view: 0, active: true, h: 0, lastExec: 0 }
  const big = (cluster: Cluster, label: number): Batch => ({
    view: 0,
    proposer: cluster.epoch.validators[0]!.key,
    time: 1_000 + label,
    txs: [new Uint8Array(10_000).fill(label)],
  })

  it('of one validator, two hundred times at once, is answered like one; half a second later like another', () => {
    const cluster = new Cluster(4)
    cluster.filter = () => false
    for (let label = 0; label < 8; label++) cluster.propose(0, big(cluster, label))
    const core = cluster.cores[0]!
    const answer = (times: number) => {
      const sent: Message[] = []
      for (let count = 0; count < times; count++) {
        sent.push(...core.step({ type: 'status', from: 3, status }).send.map(({ message }) => message))
      }
      return sent.map(({ type }) => type)
    }
    const first = answer(200)
    expect(first.filter((type) => type === 'proposal')).toHaveLength(2)
    expect(first.filter((type) => type === 'prepare')).toHaveLength(8)
    expect(first).toHaveLength(10)
    cluster.tick(499)
    expect(answer(200)).toEqual([])
    cluster.tick(1)
    expect(answer(200)).toEqual(first)
  })
})
