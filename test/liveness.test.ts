// What a node says of the others and of its own readiness, at and around every bound.
import { describe, expect, it } from 'vitest'
import type { State } from '../src/consensus/state.ts'
import { createLiveness, type ReadyInput, readiness, suspectAfterMs } from '../src/liveness.ts'
import type { Difference } from '../src/types/divergence.ts'
import type { Status } from '../src/types/message.ts'
import { Cluster } from './consensus/cluster.ts'

const { epoch } = new Cluster(4)
const { validators } = epoch
const [self, one, two, three] = validators.map(({ key }) => key) as [string, string, string, string]
const TOLERATED = 2_500
const WALL = 1_700_000_000_000

const statusAt = (h: number, more: Partial<Status> = {}): Status => ({
  epoch: 0,
  view: 0,
  active: true,
  h,
  lastExec: h,
  ...more,
})

/** A node that started at 0, with time, its own beats and the others' STATUSes once a second. */
function world(options: { self?: string | undefined } = { self }) {
  const liveness = createLiveness({ validators, self: options.self, progressTimeoutMs: 2_000, startedAt: 0 })
  let now = 0
  let own = { view: 0, h: 0 }
  return {
    liveness,
    /** One second: the others say these STATUSes just after the node's own beat. */
    second(statuses: Record<string, Status>, position = own) {
      own = position
      now += 1_000
      liveness.onBeat(own, now)
      for (const [key, status] of Object.entries(statuses)) liveness.onStatus(`peer-${key}`, key, status, now + 5)
    },
    peer(name: string, at = now, certifiedHeight = own.h) {
      const found = liveness.peers([], certifiedHeight, at, WALL + at).find(({ validator }) => validator === name)
      return found!
    },
  }
}

describe('the time before anything is said', () => {
  it('is within one timeout and a STATUS interval, and longer than two intervals', () => {
    expect(suspectAfterMs(2_000)).toBe(TOLERATED)
    expect(suspectAfterMs(2_000)).toBeLessThanOrEqual(2_000 + 1_000)
    expect(suspectAfterMs(10)).toBe(TOLERATED)
    expect(suspectAfterMs(10_000)).toBe(10_500)
  })
})

describe('missing', () => {
  it('are all others until they are heard, since this node started', () => {
    const { liveness, peer } = world()
    expect(liveness.missing(0)).toEqual(['node-1', 'node-2', 'node-3'])
    expect(peer('node-1', 10)).toMatchObject({
      state: 'missing',
      suspectedSince: new Date(WALL).toISOString(),
      lastHeard: null,
      phase: null,
      lag: null,
    })
  })

  it('is who was silent longer than tolerated, since it was last heard; not a millisecond earlier', () => {
    const { liveness, peer } = world()
    for (const key of [one, two, three]) liveness.onStatus('p', key, statusAt(0), 1_000)
    liveness.onStatus('p', two, statusAt(0), 2_000)
    liveness.onStatus('p', three, statusAt(0), 2_000)
    expect(liveness.missing(1_000 + TOLERATED)).toEqual([])
    expect(liveness.missing(1_001 + TOLERATED)).toEqual(['node-1'])
    const since = new Date(WALL + 1_000).toISOString()
    expect(peer('node-1', 1_000 + TOLERATED)).toMatchObject({ state: 'ok', suspectedSince: null })
    expect(peer('node-1', 1_001 + TOLERATED)).toMatchObject({
      state: 'missing',
      suspectedSince: since,
      lastHeard: since,
    })
    liveness.onStatus('p', one, statusAt(0), 1_002 + TOLERATED)
    expect(liveness.missing(1_003 + TOLERATED)).toEqual([])
  })

  it('is nobody after this node itself slept; who was gone before stays gone', () => {
    const { liveness, second } = world()
    second({ [one]: statusAt(0), [two]: statusAt(0), [three]: statusAt(0) })
    for (let n = 0; n < 3; n++) second({ [one]: statusAt(0), [two]: statusAt(0) })
    expect(liveness.missing(4_005)).toEqual(['node-3'])
    // The next beat would have been at 5,000.
    expect(liveness.missing(64_000)).toEqual(['node-3'])
    expect(liveness.missing(64_000 + TOLERATED)).toEqual(['node-3'])
    expect(liveness.missing(64_001 + TOLERATED)).toEqual(['node-1', 'node-2', 'node-3'])
  })

  it('is never this node, and a connection that ends is no silence yet', () => {
    const { liveness } = world()
    for (const key of [one, two, three]) liveness.onStatus(`peer-${key}`, key, statusAt(0), 1_000)
    liveness.onGone(`peer-${one}`)
    expect(liveness.missing(1_500)).toEqual([])
  })

  it('for an observer any validator can be', () => {
    const { liveness } = world({ self: undefined })
    expect(liveness.missing(0)).toEqual(['node-0', 'node-1', 'node-2', 'node-3'])
  })
})

describe('lagging', () => {
  it('is who stays behind where this node was an interval ago for longer than tolerated', () => {
    const { second, peer } = world()
    const all = (h: number, behind: number) => ({ [one]: statusAt(h), [two]: statusAt(h), [three]: statusAt(behind) })
    second(all(5, 5), { view: 0, h: 5 })
    for (let n = 0; n < 2; n++) second(all(5, 5), { view: 0, h: 9 })
    const states = []
    for (let n = 0; n < 5; n++) {
      second(all(9, 5), { view: 0, h: 9 })
      states.push(peer('node-3').state)
    }
    // Behind from 3,005 on: at 2,005 the height of 9 was too new to be held against anyone.
    expect(states).toEqual(['ok', 'ok', 'lagging', 'lagging', 'lagging'])
    const since = new Date(WALL + 3_005).toISOString()
    expect(peer('node-3')).toMatchObject({ state: 'lagging', suspectedSince: since, lag: 4, certifiedHeight: 5 })
    expect(peer('node-3', 5_505)).toMatchObject({ state: 'ok' })
    expect(peer('node-3', 5_506)).toMatchObject({ state: 'lagging' })
    second(all(9, 9))
    expect(peer('node-3')).toMatchObject({ state: 'ok', suspectedSince: null, lag: 0 })
  })

  it('is nobody who trails a network in motion by less than an interval', () => {
    const { second, peer } = world()
    for (let n = 1; n < 20; n++) {
      second({ [one]: statusAt(100 * n - 60) }, { view: 0, h: 100 * n })
      expect(peer('node-1')).toMatchObject({ state: 'ok', lag: 60 })
    }
  })

  it('is who stays in an older view', () => {
    const { second, peer } = world()
    for (let n = 0; n < 6; n++) second({ [one]: statusAt(0, { active: false }) }, { view: 1, h: 0 })
    expect(peer('node-1')).toMatchObject({ state: 'lagging', view: 0, phase: 'view-change' })
  })
})

describe('diverged', () => {
  it('is who signed another block than the certified one, until it has that one', () => {
    const { liveness, second, peer } = world()
    second({ [one]: statusAt(4), [two]: statusAt(4), [three]: statusAt(4) }, { view: 0, h: 4 })
    liveness.onMismatch(three, 5, 1_200)
    expect(liveness.diverged(4)).toEqual([])
    expect(liveness.diverged(5)).toEqual(['node-3'])
    liveness.onMismatch(three, 6, 1_300)
    const since = new Date(WALL + 1_200).toISOString()
    expect(peer('node-3', 1_400, 5)).toMatchObject({ state: 'diverged', suspectedSince: since })
    liveness.onStatus('p', three, statusAt(5), 9_000)
    expect(liveness.diverged(5)).toEqual([])
  })
})

describe('claimed heights', () => {
  it('take f+1 validators, so that one liar moves nothing', () => {
    const { liveness, second } = world()
    second({ [one]: statusAt(9_999), [two]: statusAt(3), [three]: statusAt(3) })
    expect(liveness.claimedHeight()).toBe(3)
  })

  it('and views likewise', () => {
    const { liveness, second } = world()
    const inView = (view: number) => ({ ...statusAt(3), view })
    second({ [one]: inView(70), [two]: inView(2), [three]: inView(2) })
    expect(liveness.claimedView()).toBe(2)
  })

  it('above the own one for long mean that this node is behind', () => {
    const { liveness, second } = world()
    const claims = { [one]: statusAt(3), [two]: statusAt(3), [three]: statusAt(0) }
    second(claims)
    expect(liveness.behindMs(1_500)).toBe(0)
    second(claims)
    expect(liveness.behindMs(2_500)).toBe(0)
    second(claims)
    expect(liveness.behindMs(3_500)).toBe(1_500)
    second(claims)
    expect(liveness.behindMs(4_500)).toBe(2_500)
    second(claims, { view: 0, h: 3 })
    expect(liveness.behindMs(5_500)).toBe(0)
  })
})

describe('readiness', () => {
  const { state } = new Cluster(4).cores[0]!
  const of = (input: Omit<Partial<ReadyInput>, 'state'>, more: Partial<State> = {}) =>
    readiness({
      difference: undefined,
      missing: [],
      diverged: [],
      claimedHeight: 10,
      behindMs: 0,
      syncing: undefined,
      fatal: undefined,
      waitingMs: 0,
      ...input,
      state: { ...state, h: 10, lastExec: 10, ...more },
    })
  const causeOf = (...given: Parameters<typeof of>) => {
    const ready = of(...given)
    return ready.ready ? 'ready' : ready.cause
  }
  const window = epoch.parameters.windowBlocks
  const TIMEOUT = epoch.parameters.progressTimeoutMs
  const away = ['node-1', 'node-2']

  it.each<[string, string, Omit<Partial<ReadyInput>, 'state'>, Partial<State>?]>([
    ['nothing is wrong', 'ready', {}],
    ['one of four is missing, even the primary: a quorum is left', 'ready', { missing: ['node-0'] }],
    ['two of four are missing', 'NO_QUORUM', { missing: away }],
    ['one is missing, one diverged', 'NO_QUORUM', { missing: ['node-1'], diverged: ['node-2'] }],
    ['the missing one is the diverged one', 'ready', { missing: ['node-1'], diverged: ['node-1'] }],
    ['one is missing and this validator follows', 'NO_QUORUM', { missing: ['node-1'] }, { voting: false }],
    ['this validator follows, the others are a quorum', 'ready', {}, { voting: false }],
    ['an observer is no missing vote', 'ready', { missing: ['node-1'] }, { voting: false, self: undefined }],
    ['blocks come in from within the window', 'ready', { syncing: { to: 10 + window, by: 'blocks' } }],
    ['blocks come in from beyond the window', 'SYNCING', { syncing: { to: 11 + window, by: 'blocks' } }],
    ['f+1 are within the window ahead', 'ready', { claimedHeight: 10 + window }],
    ['f+1 are beyond the window', 'SYNCING', { claimedHeight: 11 + window }],
    ['one block behind for as long as tolerated', 'ready', { claimedHeight: 11, behindMs: TOLERATED }],
    ['one block behind for longer', 'SYNCING', { claimedHeight: 11, behindMs: TOLERATED + 1 }],
    ['caught up since', 'ready', { claimedHeight: 10, behindMs: TOLERATED + 1 }],
    ['work waits for two timeouts', 'ready', { waitingMs: 2 * TIMEOUT }],
    ['work waits longer', 'STALLED', { waitingMs: 2 * TIMEOUT + 1 }],
    ['another block was certified', 'DIVERGED', {}, { diverged: true, voting: false }],
    ['the node stopped', 'DISK', { fatal: 'no space is left' }],
    ['a node that stopped says so first', 'DISK', { fatal: 'x', missing: away }, { diverged: true }],
    [
      'a diverged node says so before what others do',
      'DIVERGED',
      { missing: away, waitingMs: 99_999 },
      { diverged: true },
    ],
    [
      'too few come before far behind and stalled',
      'NO_QUORUM',
      { missing: away, syncing: { to: 999, by: 'blocks' }, waitingMs: 99_999 },
    ],
    ['far behind comes before stalled', 'SYNCING', { syncing: { to: 999, by: 'blocks' }, waitingMs: 99_999 }],
  ])('%s: %s', (_, expected, input, more) => {
    expect(causeOf(input, more)).toBe(expected)
  })

  it('explains itself with the validators, phase, view and height', () => {
    expect(of({ missing: away, diverged: ['node-3'] }, { view: 7, active: false })).toEqual({
      ready: false,
      cause: 'NO_QUORUM',
      message: '1 of 4 validators are here and vote, 3 are needed; missing: node-1, node-2; diverged: node-3',
      missing: away,
      diverged: ['node-3'],
      phase: 'view-change',
      view: 7,
      height: 10,
      difference: null,
    })
  })

  it('says where blocks differ, of a node that diverged and of one that waits in a split', () => {
    const difference: Difference = {
      height: 11,
      ours: 'aa'.repeat(32),
      theirs: 'bb'.repeat(32),
      fields: ['stateRoot'],
      transaction: { index: 2, id: 'cc'.repeat(32), contract: 'system', method: 'setOwner' },
      isProven: false,
      receipt: [],
      key: { contract: 'system', key: 'contract/token', ours: '1', theirs: null },
      confirmedBy: ['node-1', 'node-2'],
      answered: 3,
      note: '',
    }
    const where =
      `block 11 differs in stateRoot; the first transaction whose effect differs is number 2, ${'cc'.repeat(32)}, system.setOwner; ` +
      'its first key that differs is contract/token of system: 1 here, absent there; 2 of 3 peers that answered say so: node-1, node-2'
    const diverged = of({ difference }, { diverged: true, voting: false })
    const fact = 'block 11 differs from the one a quorum certified; this node only serves what is below'
    expect(diverged).toMatchObject({ cause: 'DIVERGED', message: `${fact}; ${where}`, difference })
    const split = of({ difference, waitingMs: 2 * TIMEOUT + 1 })
    expect(split).toMatchObject({ cause: 'STALLED', message: expect.stringContaining(`none with a quorum; ${where}`) })
  })
})
