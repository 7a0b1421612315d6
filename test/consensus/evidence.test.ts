// What the core accuses of, and what it must not: a correct validator may be slow, relayed falsely or behind, and is never proven guilty.
import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/consensus/event.ts'
import {
  batchAt,
  blocksUpTo,
  changeEvent,
  changeOf,
  newViewEvent,
  preparedOf,
  suspectOf,
  voteOf,
} from '../replica/world.ts'
import { Solo } from './solo.ts'

const SEQ = 2
const accusations = (solo: Solo) =>
  solo.delivered.flatMap((one) => (one.type === 'evidence' ? [`${one.kind} of ${one.validator}`] : []))
const commit = (view = 0): Event => voteOf('commit', 1, SEQ, batchAt(SEQ, 'block', view), view)

/** What a replica in view 0 that hears all this accuses others of. */
function saying(...events: Event[]): string[] {
  const solo = new Solo({ self: 2 })
  solo.step(...events)
  return accusations(solo)
}

describe('amnesia', () => {
  const forgetful = changeEvent(changeOf(1, 1))

  it('is a COMMIT whose prepared certificate a later VIEW-CHANGE does not show, in whatever order they come', () => {
    expect(saying(commit(), forgetful)).toEqual(['amnesia of 1'])
    expect(saying(forgetful, commit())).toEqual(['amnesia of 1'])
    // The view left last still counts.
    expect(saying(forgetful, suspectOf(0, 0), suspectOf(3, 0), commit())).toEqual(['amnesia of 1'])
  })

  it('is a certificate of another sequence only', () => {
    expect(saying(commit(), changeEvent(changeOf(1, 1, [preparedOf(1, batchAt(1))])))).toEqual(['amnesia of 1'])
  })

  it('is a certificate of an older view than the COMMIT’s', () => {
    const old = changeOf(1, 3, [preparedOf(SEQ, batchAt(SEQ), 1)])
    expect(saying(commit(2), changeEvent(old))).toEqual(['amnesia of 1'])
  })

  it.each<[string, Event[]]>([
    ['shows the certificate', [changeEvent(changeOf(1, 1, [preparedOf(SEQ, batchAt(SEQ))]))]],
    ['shows a newer one', [changeEvent(changeOf(1, 3, [preparedOf(SEQ, batchAt(SEQ, 'other', 2))]))]],
    ['starts above the sequence', [changeEvent(changeOf(1, 1, [], blocksUpTo(SEQ)[SEQ - 1]))]],
    ['is another validator’s', [changeEvent(changeOf(3, 1))]],
  ])('is not when the VIEW-CHANGE %s', (_, events) => {
    expect(saying(commit(), ...events)).toEqual([])
  })

  it('is not a COMMIT in the new view, or a newer one', () => {
    expect(saying(changeEvent(changeOf(1, 1)), commit(1))).toEqual([])
    expect(saying(changeEvent(changeOf(1, 1)), commit(2))).toEqual([])
  })
})

describe('a NEW-VIEW', () => {
  const changes = [0, 1, 3].map((signer) => changeOf(signer, 1))
  const entering = [suspectOf(0, 0), suspectOf(3, 0)]

  it('that is invalid by itself proves its primary faulty, and is a reason to leave', () => {
    const solo = new Solo({ self: 2 })
    solo.step(...entering, newViewEvent(1, [changes[0]!, changes[0]!, changes[1]!]))
    expect(accusations(solo)).toEqual(['new-view of 1'])
    expect(solo.of('suspect').map(({ vote }) => vote.body.view)).toEqual([1])
  })

  it('that someone passed on with other VIEW-CHANGEs than were signed proves nothing', () => {
    const solo = new Solo({ self: 2 })
    const { newView } = newViewEvent(1, changes) as Extract<Event, { type: 'new-view' }>
    const tampered = {
      ...newView,
      viewChanges: [changes[0]!, changes[1]!, changeOf(3, 1, [preparedOf(1, batchAt(1))])],
    }
    solo.step(...entering, { type: 'new-view', newView: tampered })
    expect([accusations(solo), solo.of('suspect'), solo.view()]).toEqual([[], [], '1?'])
    solo.step({ type: 'new-view', newView })
    expect(solo.view()).toBe('1')
  })
})
