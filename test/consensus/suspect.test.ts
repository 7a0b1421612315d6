// SUSPECT: who may move this replica out of its view, how many it takes, and for how long a suspicion counts.
import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/consensus/event.ts'
import { batchAt, changeEvent, changeOf, proposalOf, suspectOf } from '../replica/world.ts'
import { Solo } from './solo.ts'

const change = (signer: number, newView: number): Event => changeEvent(changeOf(signer, newView))
const progressTimeoutMs = 2_000

describe('leaving a view', () => {
  it.each([
    [1, 1],
    [3, 1],
    [4, 2],
    [6, 2],
    [7, 3],
  ])('of %i validators takes the SUSPECTs of %i', (n, weakQuorum) => {
    const solo = new Solo({ n, self: n - 1 })
    // Of a single validator its own, of the others everyone's but its own.
    if (n === 1) solo.pass(progressTimeoutMs + 100, true)
    for (let signer = 0; signer < weakQuorum - 1; signer++) solo.step(suspectOf(signer, 0))
    if (n > 1) {
      expect(solo.view()).toBe('0')
      solo.step(suspectOf(weakQuorum - 1, 0))
    }
    expect(solo.core.state.view).toBe(1)
    expect(solo.of('view-change').map((message) => message.change.vote.body.newView)).toEqual([1])
  })

  it('takes distinct validators: one that repeats itself counts once', () => {
    const solo = new Solo()
    for (let times = 0; times < 5; times++) solo.step(suspectOf(0, 0))
    expect(solo.view()).toBe('0')
  })

  it('counts this replica’s own SUSPECT', () => {
    const solo = new Solo()
    solo.step(suspectOf(0, 0))
    solo.pass(progressTimeoutMs, true)
    expect(solo.view()).toBe('0')
    solo.step(suspectOf(0, 0))
    solo.pass(100, true)
    expect(solo.view()).toBe('1?')
  })

  it('goes above the highest view that f+1 want to leave, whatever one liar says', () => {
    const solo = new Solo()
    solo.step(suspectOf(0, 1_000), suspectOf(1, 4))
    expect(solo.view()).toBe('5?')
    expect(solo.of('view-change')).toHaveLength(1)
  })

  it('is not brought about by SUSPECTs of views left before', () => {
    const solo = new Solo()
    solo.step(suspectOf(0, 4), suspectOf(1, 4))
    solo.step(suspectOf(0, 3), suspectOf(1, 3), suspectOf(2, 3))
    expect(solo.view()).toBe('5?')
    expect(solo.of('view-change')).toHaveLength(1)
  })

  it('is remembered by each validator’s highest view: an old SUSPECT that comes late takes nothing back', () => {
    const solo = new Solo()
    solo.step(suspectOf(0, 4), suspectOf(0, 0), suspectOf(1, 4))
    expect(solo.view()).toBe('5?')
  })

  it('is not for a replica without a vote', () => {
    const solo = new Solo({ voting: false })
    solo.step(suspectOf(0, 0), suspectOf(1, 0), suspectOf(2, 0))
    solo.pass(10_000, true)
    expect(solo.sent).toEqual([])
    expect(solo.view()).toBe('0')
  })
})

describe('a SUSPECT', () => {
  it.each([
    [3_000, '1?'],
    [3_001, '0'],
  ])('of %i ms ago leaves view %s', (age, view) => {
    const solo = new Solo()
    solo.step(suspectOf(0, 0))
    solo.tick(age)
    solo.step(suspectOf(1, 0))
    expect(solo.view()).toBe(view)
  })

  it('that is sent again counts on', () => {
    const solo = new Solo()
    solo.step(suspectOf(0, 0))
    solo.tick(2_000)
    solo.step(suspectOf(0, 0))
    solo.tick(2_000)
    solo.step(suspectOf(1, 0))
    expect(solo.view()).toBe('1?')
  })

  it('is said of v-1 by a VIEW-CHANGE to v, which does not lapse', () => {
    const solo = new Solo()
    solo.step(change(0, 1))
    solo.pass(20_000)
    expect(solo.view()).toBe('0')
    solo.step(suspectOf(1, 0))
    expect(solo.view()).toBe('1?')
  })

  it('joins f+1 VIEW-CHANGEs at the view that f+1 have reached', () => {
    const solo = new Solo()
    solo.step(change(0, 9), change(1, 3))
    expect(solo.view()).toBe('3?')
  })

  it('is said again every second for as long as its cause lasts, and no longer', () => {
    const solo = new Solo()
    solo.pass(progressTimeoutMs + 100, true)
    expect(solo.of('suspect').map(({ vote }) => vote.body.view)).toEqual([0])
    solo.pass(900, true)
    expect(solo.of('suspect')).toHaveLength(1)
    solo.pass(100, true)
    expect(solo.of('suspect')).toHaveLength(2)
    solo.pass(900, true)
    expect(solo.of('suspect')).toHaveLength(2)
    solo.pass(10_000)
    expect(solo.of('suspect')).toHaveLength(2)
  })

  it('is no reason to stop voting', () => {
    const solo = new Solo()
    solo.pass(progressTimeoutMs + 100, true)
    expect(solo.of('suspect')).toHaveLength(1)
    solo.step(proposalOf(1, { ...batchAt(1), time: 10_000 + solo.at }))
    expect(solo.of('prepare')).toHaveLength(1)
  })

  it('follows at once from two proposals for one sequence, and stays although there is no work', () => {
    const solo = new Solo()
    const batch = (label: string) => ({ ...batchAt(1, label), time: 10_000 + solo.at })
    solo.step(proposalOf(1, batch('one')), proposalOf(1, batch('other')))
    expect(solo.of('suspect').map(({ vote }) => vote.body.view)).toEqual([0])
    solo.pass(5_000)
    expect(solo.of('suspect').length).toBeGreaterThan(4)
  })
})
