// The timers: what starts them, what stops them, how long they are (docs/protocol.md, "Timers").
import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/consensus/event.ts'
import { NULL_BATCH } from '../../src/types/block.ts'
import {
  batchAt,
  changeEvent,
  changeOf,
  leaderOf,
  newViewEvent,
  preparedOf,
  proposalOf,
  suspectOf,
  voteOf,
} from '../replica/world.ts'
import { bodyOf, Solo } from './solo.ts'

const BASE = 2_000
const parameters = { progressTimeoutMs: BASE, timeoutMaxMs: 30_000 }
const change = (signer: number, newView: number): Event => changeEvent(changeOf(signer, newView))
const timely = (solo: Solo, seq: number) => ({ ...batchAt(seq), time: 10_000 + solo.at })
const commits = (seq: number, batch: ReturnType<typeof timely>): Event[] =>
  [0, 1, 2].map((signer) => voteOf('commit', signer, seq, batch))
const exec = (signer: number, height: number, blockHash = 'ee'.repeat(32)): Event => ({
  type: 'vote',
  vote: {
    type: 'exec',
    body: { genesisHash: 'ab'.repeat(32), epoch: 0, validatorsHash: 'cd'.repeat(32), height, blockHash },
    signer,
    signature: new Uint8Array(64),
  },
})

/** How long this replica waits before it says SUSPECT, in steps of the driver's tick. */
function patience(solo: Solo, hasWork: boolean, mostMs = 100_000): number | undefined {
  const before = solo.of('suspect').length
  for (let ms = 100; ms <= mostMs; ms += 100) {
    solo.pass(100, hasWork)
    if (solo.of('suspect').length > before) return ms
  }
  return undefined
}

describe('the progress timer', () => {
  it('does not run without work', () => {
    expect(patience(new Solo({ parameters }), false)).toBeUndefined()
  })

  it('runs while transactions could run', () => {
    // It starts with the first tick that sees them.
    expect(patience(new Solo({ parameters }), true)).toBe(BASE + 100)
  })

  it('starts anew when the work comes back', () => {
    const solo = new Solo({ parameters })
    solo.pass(BASE - 100, true)
    solo.pass(100, false)
    expect(patience(solo, true)).toBe(BASE + 100)
  })

  it('runs while a proposal is accepted and not committed', () => {
    const solo = new Solo({ parameters })
    solo.step(proposalOf(1, timely(solo, 1)))
    expect(patience(solo, false)).toBe(BASE + 100)
  })

  it('starts again when the lowest open sequence commits, and only then', () => {
    const solo = new Solo({ parameters })
    const [first, second, third] = [1, 2, 3].map((seq) => timely(solo, seq))
    solo.step(proposalOf(1, first), proposalOf(2, second), proposalOf(3, third))
    solo.pass(1_500)
    solo.step(...commits(3, third!))
    solo.pass(500)
    expect(solo.of('suspect')).toHaveLength(0)
    solo.step(...commits(1, first!))
    expect(patience(solo, false)).toBe(BASE + 100)
    solo.step(...commits(2, second!))
    solo.forget()
    solo.pass(20_000)
    expect(solo.of('suspect')).toHaveLength(0)
  })

  it('is set by no commit above the lowest open sequence', () => {
    const solo = new Solo({ parameters })
    const [first, second] = [1, 2].map((seq) => timely(solo, seq))
    solo.step(proposalOf(1, first), proposalOf(2, second))
    solo.pass(1_900)
    solo.step(...commits(2, second!))
    expect(patience(solo, false)).toBe(200)
  })

  it('does not run for pooled transactions while a block is being executed', () => {
    const solo = new Solo({ parameters })
    const batch = timely(solo, 1)
    solo.step(proposalOf(1, batch), ...commits(1, batch))
    solo.pass(20_000, true)
    expect(solo.of('suspect')).toHaveLength(0)
    solo.execute(1)
    expect(patience(solo, true)).toBe(BASE + 100)
  })

  it('does not run while the window is full: certificates are missing, which is no fault of the primary', () => {
    const solo = new Solo({ parameters: { ...parameters, windowBlocks: 2 } })
    for (const seq of [1, 2]) {
      const batch = timely(solo, seq)
      solo.step(proposalOf(seq, batch), ...commits(seq, batch))
      solo.execute(seq)
    }
    solo.pass(4 * BASE, true)
    expect(solo.of('suspect')).toHaveLength(0)
    solo.step(exec(0, 1), exec(1, 1))
    expect(solo.core.state.h).toBe(1)
    expect(patience(solo, true)).toBe(BASE + 100)
  })

  it('gives certificates five timeouts, and passes when one comes', () => {
    const solo = new Solo({ parameters })
    const batch = timely(solo, 1)
    solo.step(proposalOf(1, batch), ...commits(1, batch))
    solo.execute(1)
    solo.pass(5 * BASE - 100, false)
    expect(solo.of('suspect')).toHaveLength(0)
    solo.pass(200, false)
    expect(solo.of('suspect')).toHaveLength(1)
    solo.step(exec(0, 1), exec(1, 1))
    expect([solo.core.state.h, solo.core.state.suspicion]).toEqual([1, undefined])
  })

  it('runs on while a committed batch is missing here', () => {
    const solo = new Solo({ parameters })
    solo.step(...commits(1, timely(solo, 1)))
    expect(patience(solo, false)).toBe(BASE + 100)
  })
})

describe('the new-view timer', () => {
  it('does not start below a quorum of VIEW-CHANGEs: the view stays, however long it takes', () => {
    const solo = new Solo({ parameters })
    solo.step(suspectOf(0, 0), suspectOf(1, 0))
    solo.step(change(0, 1))
    solo.pass(200_000, true)
    expect(solo.view()).toBe('1?')
    expect(solo.of('suspect')).toHaveLength(0)
    expect(solo.of('view-change')).toHaveLength(1)
  })

  it('starts with the quorum, and is the doubled timeout', () => {
    const solo = new Solo({ parameters })
    solo.step(suspectOf(0, 0), suspectOf(1, 0))
    solo.pass(5_000)
    solo.step(change(0, 1), change(2, 1))
    expect(patience(solo, false)).toBe(2 * BASE)
    expect(solo.of('suspect').at(-1)?.vote.body.view).toBe(1)
  })

  it('is not set back by further VIEW-CHANGEs', () => {
    const solo = new Solo({ parameters })
    solo.step(change(0, 1), change(2, 1))
    solo.pass(3_900)
    solo.step(change(1, 1))
    expect(patience(solo, false)).toBe(100)
  })

  it('ends with the NEW-VIEW', () => {
    const solo = new Solo({ parameters })
    solo.step(change(0, 1), change(2, 1))
    solo.pass(3_000)
    solo.step(
      newViewEvent(
        1,
        [0, 1, 2].map((signer) => changeOf(signer, 1)),
      ),
    )
    expect(solo.view()).toBe('1')
    solo.pass(50_000)
    expect(solo.of('suspect')).toHaveLength(0)
  })
})

describe('the timeout', () => {
  const fail = (solo: Solo, view: number) => solo.step(suspectOf(0, view), suspectOf(1, view))

  it('doubles with each view that fails, up to its cap', () => {
    const solo = new Solo({ parameters })
    const seen = [solo.core.state.timeoutMs]
    for (let view = 0; view < 6; view++) {
      fail(solo, view)
      seen.push(solo.core.state.timeoutMs)
    }
    expect(seen).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
  })

  it('is halved with each certified block, down to its base', () => {
    const solo = new Solo({ parameters })
    for (let view = 0; view < 3; view++) fail(solo, view)
    // View 4's primary is validator 0 again.
    const prepared = [1, 2, 3, 4, 5].map((seq) => preparedOf(seq, NULL_BATCH, 0))
    fail(solo, 3)
    solo.step(
      newViewEvent(
        4,
        [0, 1, 2].map((signer) => changeOf(signer, 4, prepared)),
      ),
    )
    expect([solo.view(), leaderOf(4)]).toEqual(['4', 0])
    const seen = [solo.core.state.timeoutMs]
    for (let seq = 1; seq <= 5; seq++) {
      solo.step(...[0, 1, 2].map((signer) => voteOf('commit', signer, seq, NULL_BATCH, 4)))
      solo.execute(seq)
      solo.step(exec(0, seq), exec(1, seq))
      seen.push(solo.core.state.timeoutMs)
    }
    expect(seen).toEqual([30_000, 15_000, 7_500, 3_750, 2_000, 2_000])
  })

  it('is the one that the progress timer of the next view runs by', () => {
    const solo = new Solo({ parameters })
    fail(solo, 0)
    solo.step(
      newViewEvent(
        1,
        [0, 1, 2].map((signer) => changeOf(signer, 1)),
      ),
    )
    expect(patience(solo, true)).toBe(2 * BASE + 100)
  })

  it('starts the progress timer of a new view for what it took over', () => {
    const solo = new Solo({ parameters })
    const batch = timely(solo, 1)
    fail(solo, 0)
    solo.step(
      newViewEvent(
        1,
        [0, 1, 2].map((signer) => changeOf(signer, 1, [preparedOf(1, batch, 0)])),
      ),
    )
    solo.step({ type: 'body', body: bodyOf(batch) })
    expect(patience(solo, false)).toBe(2 * BASE + 100)
  })
})
