// The driver around a real core: what is durable before what is sent, what shares a disk write, what a crash leaves.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Body } from '../src/consensus/event.ts'
import { batchDigest } from '../src/crypto/digest.ts'
import { LOG_REWRITE_BYTES } from '../src/limits.ts'
import { batchCodec, NULL_BATCH } from '../src/types/block.ts'
import { encode } from '../src/types/schema.ts'
import { batchOf } from './consensus/cluster.ts'
import { contradictionsAfterCrashes } from './replica/crashes.ts'
import {
  blocksUpTo,
  changeOf,
  createWorld,
  execOf,
  newViewEvent,
  ordering,
  preparedOf,
  proposalOf,
  settle,
  started,
  voteOf,
} from './replica/world.ts'

const blocks = blocksUpTo(80)
const blockAt = (height: number) => blocks[height - 1]!

describe('a vote', () => {
  it('leaves only after its record is durable', async () => {
    const { replica, doors, sent, disk, trace } = await started()
    doors.sync.close()
    replica.push(proposalOf(1))
    await settle()
    expect(sent()).toEqual([])
    expect(disk.records).toHaveLength(0)
    doors.sync.open()
    await settle()
    expect(disk.records).toHaveLength(2)
    expect(trace).toEqual(['syncing', 'synced', 'send prepare 1'])
    await replica.stop()
  })

  it('goes by the order save, send, deliver', async () => {
    const { replica, pushAll, trace } = await started()
    pushAll(ordering(1))
    await settle()
    expect(trace).toEqual([
      'syncing',
      'synced',
      'send prepare 1',
      'send commit 1',
      'execute 1',
      'executed 1',
      'send exec 1',
    ])
    pushAll([execOf(0, blockAt(1)), execOf(2, blockAt(1))])
    await settle()
    expect(trace.slice(7)).toEqual(['certificates 1', 'certified 1'])
    await replica.stop()
  })

  it('that cannot be made durable stops the replica, and nothing leaves', async () => {
    const { replica, faults, sent, state, timers, pushAll } = await started()
    faults.sync = new Error('the disk is full')
    pushAll(ordering(1))
    await settle()
    expect(state.fatal).toEqual([faults.sync])
    delete faults.sync
    pushAll(ordering(2))
    await settle()
    expect(sent()).toEqual([])
    expect(timers.size).toBe(0)
    await replica.stop()
    expect(state.fatal).toHaveLength(1)
  })

  it('of a node without a log is never asked for', async () => {
    const { replica, pushAll, trace, state } = await started({ voting: false })
    pushAll(ordering(1))
    await settle()
    expect(trace).toEqual(['execute 1', 'executed 1'])
    expect(state.fatal).toEqual([])
    await replica.stop()
  })

  it('of a node without a log is not asked for by a NEW-VIEW either: it follows', async () => {
    const { replica, core, sent, state } = await started({ voting: false })
    const changes = [0, 2, 3].map((signer) => changeOf(signer, 1, [preparedOf(1, NULL_BATCH, 0)]))
    replica.push(newViewEvent(1, changes))
    await settle()
    expect(state.fatal).toEqual([])
    expect([core.state.view, core.state.active]).toEqual([1, true])
    expect(sent().filter((line) => line !== 'send body-request')).toEqual([])
    await replica.stop()
  })
})

describe('group commit', () => {
  it('says how long what it follows from had waited, the sync included', async () => {
    const { replica, doors, state } = await started()
    doors.sync.close()
    state.waits.length = 0
    replica.push(proposalOf(1))
    await settle()
    state.now += 3
    replica.push(proposalOf(2))
    await settle()
    state.now += 40
    doors.sync.open()
    await settle()
    await replica.stop()
    // The second proposal came while the first one's vote was being written.
    expect(state.waits.slice(0, 2)).toEqual([43, 40])
  })

  it('lets all that arrives during a write share the next one', async () => {
    const { replica, doors, sent, count } = await started()
    doors.sync.close()
    replica.push(proposalOf(1))
    await settle()
    for (let seq = 2; seq <= 20; seq++) {
      replica.push(proposalOf(seq))
      await settle()
    }
    expect(count('syncing')).toBe(1)
    doors.sync.open()
    await settle()
    expect(sent()).toHaveLength(20)
    expect(count('synced')).toBe(2)
    await replica.stop()
  })

  it('writes nothing where nothing was promised', async () => {
    const { replica, pass, trace } = await started()
    replica.push(voteOf('prepare', 2, 1))
    for (let times = 0; times < 5; times++) await pass(100)
    expect(trace).toEqual([])
    await replica.stop()
  })

  it('keeps a flood from holding a round for ever', async () => {
    const { replica, sent } = await started()
    replica.push(proposalOf(1))
    for (let times = 0; times < 5_000; times++) replica.push(voteOf('commit', 3, 40))
    await settle()
    expect(sent()).toEqual(['send prepare 1'])
    await replica.stop()
  })
})

it('a complaint of the pool’s reaches the core with the next tick', async () => {
  const world = createWorld()
  world.replica.start()
  await world.pass(100)
  expect(world.sent()).not.toContain('send suspect')
  world.state.passedOverIn = 0
  await world.pass(100)
  expect(world.sent()).toContain('send suspect')
})

describe('proposing', () => {
  /** One batch for each sequence in `open`; undefined for the others, as for a batch that is still open. */
  const proposingOf = (open: Set<number>, proposer = 0) => {
    const asked: number[] = []
    return {
      asked,
      next({ seq }: { seq: number }): Body | undefined {
        asked.push(seq)
        if (!open.delete(seq)) return undefined
        const batch = batchOf(`own ${seq}`, proposer)
        return { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) }
      },
      reset() {},
      onExecuted() {},
    }
  }

  it('of a single validator runs on its own', async () => {
    const { replica, core, trace } = await started({
      validators: 1,
      self: 0,
      proposing: proposingOf(new Set([1, 2, 3])),
    })
    await settle()
    expect([core.state.h, core.state.lastExec]).toEqual([3, 3])
    const lines = ['send proposal 1', 'execute 1', 'certificates 1', 'certified 1'].map((line) => trace.indexOf(line))
    expect(lines).toEqual([...lines].sort((a, b) => a - b))
    expect(trace.indexOf('synced')).toBeLessThan(lines[0]!)
    await replica.stop()
  })

  it('goes on until the blocks in flight are as many as allowed', async () => {
    const proposing = proposingOf(new Set([1, 2, 3, 4, 5]))
    const { replica, sent } = await started({ self: 0, proposing, parameters: { inFlightBlocks: 3 } })
    expect(sent()).toEqual(['send proposal 1', 'send proposal 2', 'send proposal 3'])
    await replica.stop()
  })

  it('looks at an open batch again after its delay, and leaves one timer for it', async () => {
    const open = new Set([1])
    const proposing = proposingOf(open)
    const { replica, timers, sent, core, pass } = await started({ self: 0, proposing })
    for (let times = 0; times < 5; times++) {
      replica.wake()
      await settle()
    }
    expect(timers.size).toBe(2)
    open.add(2)
    await pass(core.state.epoch.parameters.batchDelayMs)
    expect(sent()).toEqual(['send proposal 1', 'send proposal 2'])
    await replica.stop()
    expect(timers.size).toBe(0)
  })

  it('leaves no timer when the disk fails', async () => {
    const { replica, timers, faults, state } = await started({ self: 0, proposing: proposingOf(new Set([1])) })
    expect(timers.size).toBe(2)
    faults.sync = new Error('the disk is full')
    replica.push({ type: 'propose', body: proposingOf(new Set([2])).next({ seq: 2 })! })
    await settle()
    expect(state.fatal).toHaveLength(1)
    expect(timers.size).toBe(0)
    await replica.stop()
  })
})

describe('stop', () => {
  /** Proposes sequence 1, and keeps every later batch open. */
  function firstOnly({ seq }: { seq: number }): Body | undefined {
    if (seq > 1) return undefined
    const batch = batchOf('own 1', 0)
    return { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) }
  }

  it('waits for the write under way, and leaves no timer', async () => {
    const { replica, doors, timers, sent, count } = await started()
    doors.sync.close()
    replica.push(proposalOf(1))
    await settle()
    let stopped = false
    const stopping = replica.stop().then(() => {
      stopped = true
    })
    replica.push(proposalOf(2))
    await settle()
    expect(stopped).toBe(false)
    doors.sync.open()
    await stopping
    expect(timers.size).toBe(0)
    expect(count('synced')).toBe(1)
    await settle()
    expect(sent().length).toBeLessThanOrEqual(1)
  })

  it('waits for the block under way and executes no further one', async () => {
    const { replica, doors, executed, pushAll, timers } = await started()
    doors.execute.close()
    pushAll([1, 2, 3].flatMap(ordering))
    await settle()
    const stopping = replica.stop()
    await settle()
    doors.execute.open()
    await stopping
    await settle()
    expect(executed()).toEqual([1])
    expect(timers.size).toBe(0)
  })

  it('right after the start leaves no timer either', async () => {
    const proposing = { next: firstOnly, reset() {}, onExecuted() {} }
    const { replica, timers } = createWorld({ self: 0, proposing })
    replica.start()
    await replica.stop()
    await settle()
    expect(timers.size).toBe(0)
  })
})

describe('a crash', () => {
  it('at any write of an ordinary run leads to no second vote', async () => {
    const { replica, pushAll, moments } = await started()
    for (let seq = 1; seq <= 6; seq++) {
      pushAll(ordering(seq))
      await settle()
      if (seq % 2 === 0)
        pushAll([seq - 1, seq].flatMap((height) => [execOf(0, blockAt(height)), execOf(2, blockAt(height))]))
      await settle()
    }
    await replica.stop()
    expect(moments.length).toBeGreaterThan(10)
    expect(await contradictionsAfterCrashes(moments, blocks.slice(0, 8))).toEqual([])
  })

  it('right after the log was rewritten leads to no second vote for a block certified in the same round', async () => {
    const { replica, pushAll, moments, state, trace } = await started()
    pushAll(ordering(1))
    await settle()
    state.logBytes = LOG_REWRITE_BYTES + 1
    pushAll([execOf(0, blockAt(1)), execOf(2, blockAt(1)), proposalOf(2)])
    await settle()
    await replica.stop()
    expect(trace).toContain('rewritten')
    expect(await contradictionsAfterCrashes(moments, blocks.slice(0, 3))).toEqual([])
  })

  it('between a vote at the window’s end and the certificate that moved the window leads to no second vote', async () => {
    const { replica, pushAll, moments, sent } = await started({ parameters: { windowBlocks: 8 } })
    pushAll(ordering(1))
    await settle()
    pushAll([execOf(0, blockAt(1)), execOf(2, blockAt(1)), proposalOf(9)])
    await settle()
    await replica.stop()
    expect(sent()).toContain('send prepare 9')
    expect(await contradictionsAfterCrashes(moments, blocks.slice(0, 9), { parameters: { windowBlocks: 8 } })).toEqual(
      [],
    )
  })

  it('after a rewrite keeps every promise above the certified height', async () => {
    const { replica, pushAll, moments, state, trace, disk } = await started()
    pushAll([1, 2, 3].flatMap(ordering))
    await settle()
    const before = disk.records.length
    pushAll([execOf(0, blockAt(1)), execOf(2, blockAt(1))])
    await settle()
    state.logBytes = LOG_REWRITE_BYTES + 1
    replica.push(proposalOf(4))
    await settle()
    await replica.stop()
    expect(trace.filter((line) => line === 'rewritten')).toHaveLength(1)
    expect(disk.records.length).toBeLessThan(before + 2)
    expect(await contradictionsAfterCrashes(moments, blocks.slice(0, 6))).toEqual([])
  })

  it.each([1, 3])(
    'is survived: the same votes are sent again when asked for, byte for byte, after %i messages',
    async (count) => {
      const first = await started()
      first.pushAll(ordering(1).slice(0, count))
      await settle()
      await first.replica.stop()
      const before = first.moments.flatMap(({ sent }) => sent)
      const second = await started({ disk: first.disk })
      second.replica.push({ type: 'status', from: 2, status: { epoch: 0, view: 0, active: true, h: 0, lastExec: 0 } })
      await settle()
      const after = second.moments.flatMap(({ sent }) => sent).filter(({ type }) => type !== 'proposal')
      expect(after).toEqual(before)
      await second.replica.stop()
    },
  )
})

// A rejected promise that nobody handles is a crash of the process in production.
const unhandled: unknown[] = []
const collect = (error: unknown) => void unhandled.push(error)
beforeEach(() => void process.on('unhandledRejection', collect))
afterEach(() => {
  process.off('unhandledRejection', collect)
  expect(unhandled.splice(0)).toEqual([])
})
