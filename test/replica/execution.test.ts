// Blocks on their way to the executor: from votes and from peers, each height once and in order.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocksUpTo, execOf, ordering, proposalOf, settle, started } from './world.ts'

const blocks = blocksUpTo(80)
const blockAt = (height: number) => blocks[height - 1]!

describe('execution', () => {
  it('takes each height once and in order, live and from peers, in any interleaving', async () => {
    const live = fc.record({ kind: fc.constant('live' as const), seq: fc.integer({ min: 1, max: 12 }) })
    const fetched = fc.record({
      kind: fc.constant('fetched' as const),
      from: fc.integer({ min: 1, max: 12 }),
      length: fc.integer({ min: 1, max: 12 }),
    })
    const pause = fc.constantFrom({ kind: 'hold' as const }, { kind: 'release' as const }, { kind: 'settle' as const })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(live, fetched, pause), { minLength: 5, maxLength: 40 }), async (steps) => {
        const { replica, pushAll, doors, executed, state, core } = await started()
        const applying: Promise<void>[] = []
        for (const step of steps) {
          if (step.kind === 'live') pushAll(ordering(step.seq))
          else if (step.kind === 'hold') {
            doors.execute.open()
            doors.execute.close()
          } else if (step.kind === 'release') doors.execute.open()
          else if (step.kind === 'settle') await settle()
          else applying.push(replica.apply(blocks.slice(step.from - 1, step.from - 1 + step.length)))
        }
        doors.execute.open()
        await Promise.all(applying)
        await settle()
        const heights = executed()
        expect(heights).toEqual(heights.map((_, index) => index + 1))
        expect(core.state.lastExec).toBe(heights.length)
        expect(state.fatal).toEqual([])
        await replica.stop()
      }),
      { numRuns: 40 },
    )
  })

  it('of fetched blocks certifies them too', async () => {
    const { replica, core, executed, disk, sent } = await started()
    await replica.apply(blocks.slice(0, 64))
    await settle()
    expect([core.state.h, core.state.lastExec, executed().length]).toEqual([64, 64, 64])
    expect(disk.certificates).toHaveLength(64)
    expect(sent()).toEqual([])
    await replica.stop()
  })

  it('is over, and known to the core, when apply resolves', async () => {
    const { replica, core, doors } = await started()
    doors.sync.close()
    replica.push(proposalOf(2))
    await settle()
    let resolved = false
    const applied = replica.apply(blocks.slice(0, 1)).then(() => {
      resolved = true
    })
    await settle()
    if (resolved) expect(core.state.h).toBe(1)
    doors.sync.open()
    await applied
    expect(core.state.h).toBe(1)
    await replica.stop()
  })

  it('of a block that was executed without a certificate takes the certificate when apply brings it', async () => {
    const { replica, core, pushAll } = await started()
    pushAll(ordering(1))
    await settle()
    expect([core.state.lastExec, core.state.h]).toEqual([1, 0])
    await replica.apply(blocks.slice(0, 1))
    await settle()
    expect(core.state.h).toBe(1)
    await replica.stop()
  })

  it('under way for a live block keeps the certificate that a fetched answer has for it', async () => {
    const { replica, core, pushAll, doors } = await started()
    doors.execute.close()
    pushAll(ordering(1))
    await settle()
    const applied = replica.apply(blocks.slice(0, 3))
    await settle()
    doors.execute.open()
    await applied
    await settle()
    expect([core.state.lastExec, core.state.h]).toEqual([3, 3])
    await replica.stop()
  })

  it('under way for a live block does not break on an answer longer than the window', async () => {
    const { replica, core, pushAll, doors, state } = await started()
    doors.execute.close()
    pushAll(ordering(1))
    await settle()
    const applied = replica.apply(blocks.slice(0, 64)).catch(() => {})
    await settle()
    doors.execute.open()
    await applied
    await settle()
    expect(state.fatal).toEqual([])
    expect(core.state.h).toBe(64)
    await replica.stop()
  })

  it('that fails stops the replica: nothing is retried or executed after it', async () => {
    const { replica, pushAll, faults, state, executed, timers } = await started()
    faults.execute = new Error('the disk is full')
    pushAll([...ordering(1), ...ordering(2)])
    await settle()
    delete faults.execute
    pushAll(ordering(3))
    await settle()
    expect(state.fatal).toEqual([new Error('the disk is full')])
    expect(executed()).toEqual([])
    expect(timers.size).toBe(0)
    await replica.stop()
  })

  it('ends when a quorum vouches for another block', async () => {
    const { replica, core, pushAll, executed, state } = await started()
    pushAll(ordering(1))
    await settle()
    const other = { ...blockAt(1), certificate: { ...blockAt(1).certificate, blockHash: 'ee'.repeat(32) } }
    pushAll([0, 2, 3].map((signer) => execOf(signer, other)))
    await settle()
    expect(core.state.diverged).toBe(true)
    expect(state.reports.map(({ type }) => type)).toContain('diverged')
    pushAll(ordering(2))
    await replica.apply(blocks.slice(0, 5))
    await settle()
    expect(executed()).toEqual([1])
    await replica.stop()
  })
})
