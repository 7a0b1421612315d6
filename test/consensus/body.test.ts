// Batches by digest: what is asked for, what is taken, what is served.
import { describe, expect, it } from 'vitest'
import { batchDigest } from '../../src/crypto/digest.ts'
import { type Batch, NULL_BATCH, ZERO_HASH } from '../../src/types/block.ts'
import { batchAt, changeOf, newViewEvent, preparedOf, proposalOf, suspectOf, voteOf } from '../replica/world.ts'
import { bodyOf, Solo } from './solo.ts'

const timely = (solo: Solo, seq: number, label = 'block'): Batch => ({ ...batchAt(seq, label), time: 10_000 + solo.at })
const asked = (solo: Solo) => solo.of('body-request').map(({ digest }) => digest)
const commits = (seq: number, batch: Batch, view = 0) =>
  [0, 1, 2].map((signer) => voteOf('commit', signer, seq, batch, view))

/** Enters view 1, whose NEW-VIEW fixes these batches from sequence 1 on; this replica has seen none of them. */
function takingOver(batches: Batch[], solo = new Solo()): Solo {
  const prepared = batches.flatMap((batch, index) => (batch === NULL_BATCH ? [] : [preparedOf(index + 1, batch, 0)]))
  solo.step(
    newViewEvent(
      1,
      [0, 1, 2].map((signer) => changeOf(signer, 1, prepared)),
    ),
  )
  expect(solo.view()).toBe('1')
  return solo
}

describe('a missing batch', () => {
  it('of a commit is asked for at once, from all', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    solo.step(...commits(1, batch))
    expect(solo.sent).toEqual([{ to: 'all', message: { type: 'body-request', digest: batchDigest(batch) } }])
  })

  it('of a NEW-VIEW is asked for, the lowest four first, but never the null batch', () => {
    const solo = new Solo()
    const batches = [1, 2, 3, 4, 5, 6].map((seq) => timely(solo, seq))
    batches[1] = NULL_BATCH
    takingOver(batches, solo)
    expect(asked(solo)).toEqual([0, 2, 3, 4].map((index) => batchDigest(batches[index]!)))
    expect(asked(solo)).not.toContain(ZERO_HASH)
  })

  it('is asked for once, although two sequences need it', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    takingOver([batch, batch], solo)
    expect(asked(solo)).toEqual([batchDigest(batch)])
    solo.step({ type: 'body', body: bodyOf(batch) })
    expect(solo.of('prepare').map(({ vote }) => vote.body.seq)).toEqual([1, 2])
  })

  it('is asked for again every half second until it is there', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    takingOver([batch], solo)
    solo.tick(499)
    expect(asked(solo)).toHaveLength(1)
    solo.tick(1)
    expect(asked(solo)).toHaveLength(2)
    solo.tick(499)
    expect(asked(solo)).toHaveLength(2)
    solo.step({ type: 'body', body: bodyOf(batch) })
    solo.pass(1_900)
    expect(asked(solo)).toHaveLength(2)
  })

  it('lets the others be voted on meanwhile', () => {
    const solo = new Solo()
    const [first, second] = [timely(solo, 1), timely(solo, 2)]
    takingOver([first, second], solo)
    expect(solo.of('prepare')).toEqual([])
    solo.step({ type: 'body', body: bodyOf(second) })
    expect(solo.of('prepare').map(({ vote }) => [vote.body.view, vote.body.seq])).toEqual([[1, 2]])
    solo.step({ type: 'body', body: bodyOf(first) })
    expect(solo.of('prepare').map(({ vote }) => vote.body.seq)).toEqual([2, 1])
  })

  it('that was committed is executed when it comes, and what waits behind it', () => {
    const solo = new Solo()
    const [first, second] = [timely(solo, 1), timely(solo, 2)]
    solo.step(proposalOf(2, second), ...commits(2, second), ...commits(1, first))
    const executed = () => solo.delivered.filter(({ type }) => type === 'execute').map((one) => 'seq' in one && one.seq)
    expect(executed()).toEqual([])
    solo.step({ type: 'body', body: bodyOf(first) })
    expect(executed()).toEqual([1, 2])
  })

  it('is durable before the PREPARE for it', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    takingOver([batch], solo)
    solo.step({ type: 'body', body: bodyOf(batch) })
    const kinds = solo.saved.map(({ type }) => type)
    expect(kinds).toEqual(['new-view', 'body', 'prepare'])
    expect(solo.saved[1]).toMatchObject({ seq: 1, batch })
  })
})

describe('a batch that comes', () => {
  it('without having been asked for is dropped', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    takingOver([timely(solo, 1, 'other')], solo)
    solo.forget()
    expect(solo.core.isAskedFor(batchDigest(batch))).toBe(false)
    solo.step({ type: 'body', body: bodyOf(batch) })
    expect([solo.sent, solo.delivered]).toEqual([[], []])
    expect(solo.core.state.slots.get(1)?.bodies.has(batchDigest(batch))).toBe(false)
  })

  it('is asked for until then, and not any more', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    takingOver([batch], solo)
    expect(solo.core.isAskedFor(batchDigest(batch))).toBe(true)
    solo.step({ type: 'body', body: bodyOf(batch) })
    expect(solo.core.isAskedFor(batchDigest(batch))).toBe(false)
    const { length } = solo.saved
    solo.step({ type: 'body', body: bodyOf(batch) })
    expect(solo.saved).toHaveLength(length)
  })

  it('for a view that was left meanwhile is not taken', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    takingOver([batch], solo)
    solo.step(suspectOf(0, 1), suspectOf(1, 1))
    expect(solo.view()).toBe('2?')
    expect(solo.core.isAskedFor(batchDigest(batch))).toBe(false)
    solo.forget()
    solo.step({ type: 'body', body: bodyOf(batch) })
    expect(solo.sent).toEqual([])
  })
})

describe('a request', () => {
  const ask = (solo: Solo, digest: string, from = 1) => solo.step({ type: 'body-request', from, digest })

  it('is answered to whoever asked, with the bytes of the batch', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    solo.step(proposalOf(1, batch))
    solo.forget()
    ask(solo, batchDigest(batch), 2)
    expect(solo.sent).toEqual([{ to: 2, message: { type: 'body', batch: bodyOf(batch).bytes } }])
  })

  it('for what is not here, or for the null batch, is not answered', () => {
    const solo = takingOver([NULL_BATCH, timely(new Solo(), 2)])
    solo.forget()
    ask(solo, 'aa'.repeat(32))
    ask(solo, ZERO_HASH)
    expect(solo.sent).toEqual([])
  })

  it('is answered sixteen times in a second at most, to each validator', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    solo.step(proposalOf(1, batch))
    const answersTo = (to: number) => solo.sent.filter((one) => one.to === to && one.message.type === 'body').length
    const flood = () => {
      for (let times = 0; times < 50; times++) ask(solo, batchDigest(batch), 1)
    }
    flood()
    expect(answersTo(1)).toBe(16)
    ask(solo, batchDigest(batch), 2)
    expect(answersTo(2)).toBe(1)
    solo.tick(1_000)
    flood()
    expect(answersTo(1)).toBe(32)
  })

  it('that finds nothing does not count', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    for (let times = 0; times < 50; times++) ask(solo, batchDigest(batch))
    solo.step(proposalOf(1, batch))
    ask(solo, batchDigest(batch))
    expect(solo.of('body')).toHaveLength(1)
  })

  it('is answered for a batch prepared in a view that was left', () => {
    const solo = new Solo()
    const batch = timely(solo, 1)
    solo.step(proposalOf(1, batch), ...[1, 2].map((signer) => voteOf('prepare', signer, 1, batch)))
    expect(solo.of('commit')).toHaveLength(1)
    for (const view of [0, 1, 2]) solo.step(suspectOf(0, view), suspectOf(1, view))
    expect(solo.view()).toBe('3?')
    ask(solo, batchDigest(batch))
    expect(solo.of('body')).toHaveLength(1)
  })
})
