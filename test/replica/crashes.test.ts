// Silent primaries, and a crash at any write of the views that follow: what was promised in one view binds in all later ones.
import { describe, expect, it } from 'vitest'
import type { Event } from '../../src/consensus/event.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import { LOG_REWRITE_BYTES } from '../../src/limits.ts'
import type { Proposing } from '../../src/proposing.ts'
import { batchCodec, NULL_BATCH } from '../../src/types/block.ts'
import type { Message } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { contradictionsAfterCrashes } from './crashes.ts'
import { createPromises } from './promises.ts'
import {
  batchAt,
  blocksUpTo,
  changeEvent,
  changeOf,
  createWorld,
  execOf,
  leaderOf,
  newViewEvent,
  ordering,
  preparedOf,
  proposalOf,
  settle,
  suspectOf,
  voteOf,
} from './world.ts'

const blocks = blocksUpTo(7)

/** Proposes one batch of its own in each view, above what the view took over. */
function oncePerView(): Proposing {
  const done = new Set<number>()
  return {
    next({ seq, view }) {
      if (view === 0 || done.has(view)) return undefined
      done.add(view)
      const batch = batchAt(seq, 'own', view)
      return { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) }
    },
    reset() {},
    onExecuted() {},
  }
}

/**
 * Block 1 is certified, block 2 prepared, block 3 lost, block 4 proposed and, in view 1, prepared. View 1 proposes block 5 and prepares
 * it; view 2 takes over all of that and goes on.
 */
async function runThroughViews(self: number, logBytes = 0) {
  const world = createWorld({ self, proposing: oncePerView() })
  const { replica, pushAll, state, pass } = world
  const others = [0, 1, 2, 3].filter((index) => index !== self)
  const everyone = (type: 'prepare' | 'commit', seq: number, batch: typeof NULL_BATCH, view: number): Event[] =>
    others.map((index) => voteOf(type, index, seq, batch, view))
  const rewriteSoon = () => {
    state.logBytes = logBytes
  }
  const leaveFor = async (view: number, prepared: ReturnType<typeof preparedOf>[]) => {
    rewriteSoon()
    state.hasWork = true
    for (let times = 0; times < 25; times++) await pass(100)
    pushAll(others.map((index) => suspectOf(index, view - 1)))
    await settle()
    const changes = others.map((index) => changeOf(index, view, prepared, blocks[0]))
    pushAll(changes.map(changeEvent))
    await settle()
    if (leaderOf(view) !== self) replica.push(newViewEvent(view, changes))
    rewriteSoon()
    await settle()
  }
  replica.start()
  pushAll(ordering(1))
  await settle()
  pushAll(others.map((index) => execOf(index, blocks[0]!)))
  for (const seq of [2, 4]) replica.push(proposalOf(seq))
  pushAll(everyone('prepare', 2, batchAt(2), 0))
  await settle()

  const second = preparedOf(2, batchAt(2), 0)
  await leaveFor(1, [second, preparedOf(4, batchAt(4), 0)])
  const fifth = batchAt(5, self === 1 ? 'own' : 'block', 1)
  if (self !== 1) replica.push(proposalOf(5, fifth))
  for (const [seq, batch] of [
    [3, NULL_BATCH],
    [4, batchAt(4)],
    [5, fifth],
  ] as const)
    pushAll(everyone('prepare', seq, batch, 1))
  await settle()

  const prepared = [second, preparedOf(3, NULL_BATCH, 1), preparedOf(4, batchAt(4), 1), preparedOf(5, fifth, 1)]
  await leaveFor(2, prepared)
  for (const [seq, batch] of [
    [2, batchAt(2)],
    [3, NULL_BATCH],
    [4, batchAt(4)],
    [5, fifth],
  ] as const)
    pushAll([...everyone('prepare', seq, batch, 2), ...(seq < 4 ? everyone('commit', seq, batch, 2) : [])])
  await settle()
  await replica.stop()
  return world
}

describe.each([1, 2, 3])('validator %i behind silent primaries', (self) => {
  const isLeading = (view: number) => leaderOf(view) === self

  it('goes from view to view with all it had prepared', async () => {
    const { core, sent, state, disk, moments } = await runThroughViews(self)
    expect(state.fatal).toEqual([])
    expect([core.state.view, core.state.active]).toEqual([2, true])
    expect(sent()).toEqual(expect.arrayContaining(['send view-change 1', 'send view-change 2', 'send commit 5']))
    expect(sent().includes('send new-view 1')).toBe(isLeading(1))
    expect(sent().includes('send new-view 2')).toBe(isLeading(2))
    expect(disk.chain).toHaveLength(3)
    const promises = createPromises()
    expect(moments.flatMap((moment) => moment.sent.flatMap(promises.broken))).toEqual([])
  })

  it('breaks no promise after a crash at any write', async () => {
    const { moments } = await runThroughViews(self)
    expect(moments.length).toBeGreaterThan(25)
    expect(await contradictionsAfterCrashes(moments, blocks, { self })).toEqual([])
  })

  it('breaks none either when the log is rewritten around every change of the view', async () => {
    const { moments, trace } = await runThroughViews(self, LOG_REWRITE_BYTES + 1)
    expect(trace.filter((line) => line === 'rewritten').length).toBeGreaterThanOrEqual(3)
    expect(await contradictionsAfterCrashes(moments, blocks, { self })).toEqual([])
  })

  it('sends the same VIEW-CHANGE and NEW-VIEW again after a restart', async () => {
    const first = await runThroughViews(self)
    const kinds = (messages: Message[]) => messages.filter(({ type }) => type === 'view-change' || type === 'new-view')
    const inViewOne = first.moments.findLastIndex(({ sent }) =>
      kinds(sent).some((one) => nameIs(one, 'view-change', 1)),
    )
    const second = createWorld({ self, disk: first.moments[inViewOne]!.disk })
    second.replica.start()
    const status = { epoch: 0, view: 0, active: true, h: 0, lastExec: 0 }
    second.replica.push({ type: 'status', from: self === 3 ? 2 : 3, status })
    await settle()
    const [again] = kinds(second.moments.flatMap(({ sent }) => sent))
    const before = kinds(first.moments.flatMap(({ sent }) => sent))
    expect(before.map(({ type }) => type)).toContain(again?.type)
    expect(before).toContainEqual(again)
    await second.replica.stop()
  })
})

const nameIs = (message: Message, type: string, view: number) =>
  message.type === type && message.type === 'view-change' && message.change.vote.body.newView === view
