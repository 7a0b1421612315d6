// Which messages are worth their signature checks: the truth table, and that nothing the core would act on is turned away.
import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/consensus/event.ts'
import { NULL_BATCH } from '../../src/types/block.ts'
import type { Message } from '../../src/types/message.ts'
import {
  batchAt,
  changeEvent,
  changeOf,
  newViewEvent,
  preparedOf,
  proposalOf,
  suspectOf,
  voteOf,
} from '../replica/world.ts'
import { Solo } from './solo.ts'

const L = 32
const OTHER = batchAt(1, 'other')
const exec = (signer: number, height: number, blockHash: string): Event => ({
  type: 'vote',
  vote: {
    type: 'exec',
    body: { genesisHash: 'ab'.repeat(32), epoch: 0, validatorsHash: 'cd'.repeat(32), height, blockHash },
    signer,
    signature: new Uint8Array(64),
  },
})

/** The message that an event was. */
function messageOf(event: Event): Message {
  switch (event.type) {
    case 'proposal':
      return { type: 'proposal', ...event.proposal }
    case 'vote':
      return { type: event.vote.type, vote: event.vote } as Message
    case 'view-change':
    case 'new-view':
      return event
    default:
      throw new Error(`no message is a ${event.type}`)
  }
}
const wants = (solo: Solo, event: Event) => solo.core.isWanted(messageOf(event))
const vote = (type: 'prepare' | 'commit', signer: number, seq: number, view: number, batch = batchAt(seq)) =>
  voteOf(type, signer, seq, batch, view)

/** In view 3, which took over sequence 1; it left view 0 for 1, that for 2, and 2 for 3. */
function inViewThree(): Solo {
  const solo = new Solo()
  for (const view of [0, 1, 2]) solo.step(suspectOf(0, view), suspectOf(1, view))
  return solo
}
const newView = (view: number) =>
  newViewEvent(
    view,
    [0, 1, 2].map((signer) => changeOf(signer, view, [preparedOf(1, NULL_BATCH, 0)])),
  )
function activeInViewFour(): Solo {
  const solo = inViewThree()
  solo.step(newView(4))
  expect(solo.view()).toBe('4')
  return solo
}

describe('a vote', () => {
  it.each([
    ['prepare', 2, false],
    ['prepare', 3, false],
    ['prepare', 4, true],
    ['prepare', 5, true],
    ['commit', 2, false],
    ['commit', 3, true],
    ['commit', 4, true],
    ['commit', 5, true],
  ] as const)('%s of view %i in view 4, left from 3, is wanted: %s', (type, view, isWanted) => {
    expect(wants(activeInViewFour(), vote(type, 1, 1, view))).toBe(isWanted)
  })

  it.each([
    [0, false],
    [1, true],
    [L, true],
    [L + 1, false],
  ])('for sequence %i with the window above 0 is wanted: %s', (seq, isWanted) => {
    const solo = new Solo()
    for (const type of ['prepare', 'commit'] as const) expect(wants(solo, vote(type, 1, seq, 0))).toBe(isWanted)
    expect(wants(solo, exec(1, seq, 'aa'.repeat(32)))).toBe(isWanted)
  })

  it.each(['prepare', 'commit'] as const)(
    '%s that was read already is not wanted, of another validator it is',
    (type) => {
      const solo = new Solo()
      solo.step(vote(type, 1, 1, 0))
      expect(wants(solo, vote(type, 1, 1, 0))).toBe(false)
      expect(wants(solo, vote(type, 2, 1, 0))).toBe(true)
      expect(wants(solo, vote(type, 1, 2, 0))).toBe(true)
      expect(wants(solo, vote(type, 1, 1, 1))).toBe(true)
    },
  )

  it.each(['prepare', 'commit', 'exec'] as const)(
    '%s that contradicts the first is evidence, sixteen times',
    (type) => {
      const solo = new Solo()
      const saying = (seq: number, isFirst: boolean): Event =>
        type === 'exec'
          ? exec(1, seq, (isFirst ? 'aa' : 'bb').repeat(32))
          : vote(type, 1, seq, 0, isFirst ? batchAt(seq) : OTHER)
      for (let seq = 1; seq <= 17; seq++) {
        solo.step(saying(seq, true))
        expect(wants(solo, saying(seq, true))).toBe(false)
        expect(wants(solo, saying(seq, false))).toBe(seq <= 16)
        solo.step(saying(seq, false))
      }
      expect(solo.delivered.filter(({ type }) => type === 'evidence')).toHaveLength(16)
    },
  )

  it('costs nobody else his evidence', () => {
    const solo = new Solo()
    for (let seq = 1; seq <= 17; seq++) solo.step(vote('commit', 1, seq, 0), vote('commit', 1, seq, 0, OTHER))
    solo.step(vote('commit', 2, 1, 0))
    expect(wants(solo, vote('commit', 2, 1, 0, OTHER))).toBe(true)
  })
})

describe('a proposal', () => {
  it.each([
    [0, 2, false],
    [3, 2, false],
    [4, 1, false],
    [4, 2, true],
    [4, L, true],
    [4, L + 1, false],
    [5, 2, false],
  ])('of view %i for sequence %i, in view 4 that took over sequence 1, is wanted: %s', (view, seq, isWanted) => {
    expect(wants(activeInViewFour(), proposalOf(seq, batchAt(seq, 'block', view)))).toBe(isWanted)
  })

  it('is not wanted between two views', () => {
    expect(wants(inViewThree(), proposalOf(1, batchAt(1, 'block', 3)))).toBe(false)
  })

  it('that contradicts an accepted one is evidence', () => {
    const solo = new Solo()
    solo.step(proposalOf(1, { ...batchAt(1), time: 10_000 + solo.at }))
    expect(wants(solo, proposalOf(1, OTHER))).toBe(true)
  })
})

describe('what changes the view', () => {
  it.each([
    [2, false],
    [3, true],
    [4, true],
    [1_000, true],
  ])('a SUSPECT of view %i between view 2 and 3 is wanted: %s', (view, isWanted) => {
    expect(wants(inViewThree(), suspectOf(2, view))).toBe(isWanted)
  })

  it.each([
    [2, false],
    [3, true],
    [4, true],
  ])('a VIEW-CHANGE to %i between view 2 and 3 is wanted: %s', (view, isWanted) => {
    expect(wants(inViewThree(), changeEvent(changeOf(2, view)))).toBe(isWanted)
  })

  it('a VIEW-CHANGE below the newest of its sender is not wanted, nor is the same one', () => {
    const solo = inViewThree()
    solo.step(changeEvent(changeOf(2, 5)))
    for (const view of [3, 4, 5]) expect(wants(solo, changeEvent(changeOf(2, view)))).toBe(false)
    expect(wants(solo, changeEvent(changeOf(2, 6)))).toBe(true)
    expect(wants(solo, changeEvent(changeOf(1, 3)))).toBe(true)
  })

  it.each([
    [2, false],
    [3, true],
    [4, true],
  ])('a NEW-VIEW of view %i between view 2 and 3 is wanted: %s', (view, isWanted) => {
    expect(wants(inViewThree(), newView(view))).toBe(isWanted)
  })

  it.each([
    [3, false],
    [4, false],
    [5, true],
  ])('a NEW-VIEW of view %i in view 4 is wanted: %s', (view, isWanted) => {
    expect(wants(activeInViewFour(), newView(view))).toBe(isWanted)
  })
})

describe('what costs no signature', () => {
  it.each<Message>([
    { type: 'status', epoch: 9, view: 9, active: false, h: 9, lastExec: 9 },
    { type: 'body-request', digest: 'aa'.repeat(32) },
    { type: 'body', batch: Uint8Array.of(1) },
  ])('is always read: $type', (message) => expect(inViewThree().core.isWanted(message)).toBe(true))
})
