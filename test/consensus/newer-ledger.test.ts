// A restart on a ledger made of a snapshot, far above what the log was written beside.
import { describe, expect, it } from 'vitest'
import { createCore } from '../../src/consensus/core.ts'
import type { LogRecord } from '../../src/consensus/record.ts'
import type { Certificate } from '../../src/types/block.ts'
import { headerAt } from '../network-edge/support.ts'
import { epochOf } from './cluster.ts'
import { bodyOf, Solo } from './solo.ts'

const batchAt = (time: number) =>
  bodyOf({ view: 0, proposer: epochOf(4, {}).validators[0]!.key, time, txs: [Uint8Array.of(1)] })
const domain = { genesisHash: 'ab'.repeat(32), epoch: 0, validatorsHash: 'cd'.repeat(32) }

/** A rewritten log says up to where it dropped votes. */
const floor: LogRecord = { type: 'floor', genesisHash: domain.genesisHash, epoch: 0, height: 5_000 }

/** What validator 3 has promised in view 0 for these heights, and that it left the view, if it did. */
function recordsOf(heights: number[], leaves: boolean): LogRecord[] {
  const solo = new Solo()
  for (const seq of heights) {
    const { batch, bytes, digest } = batchAt(10_000)
    const body = { ...domain, view: 0, seq, digest }
    const signature = new Uint8Array(64)
    const prePrepare = { type: 'pre-prepare', body, signer: 0, signature } as const
    const prepare = { type: 'prepare', body, signer: 0, signature } as const
    solo.step({ type: 'proposal', proposal: { prePrepare, prepare, batch: bytes }, batch })
    for (const signer of [1, 2]) solo.step({ type: 'vote', vote: { type: 'prepare', body, signer, signature } })
  }
  if (leaves)
    for (const signer of [0, 1])
      solo.step({
        type: 'vote',
        vote: { type: 'suspect', body: { ...domain, view: 0 }, signer, signature: new Uint8Array(64) },
      })
  return solo.saved
}

function coreAt(h: number, records: LogRecord[]) {
  const header = headerAt(h)
  const certificate: Certificate = { height: h, blockHash: 'ee'.repeat(32), signatures: [] }
  const core = createCore({
    ...domain,
    epoch: epochOf(4, {}),
    self: 3,
    voting: true,
    lastExec: h,
    h,
    certified: { header, certificate },
    uncertified: [],
    sign: () => new Uint8Array(64).fill(4),
    records,
  })
  core.step({ type: 'tick', now: 20_000, at: 5_000, hasWork: false })
  return { core, started: core.step({ type: 'start' }) }
}

describe('a ledger far above the log', () => {
  const records = recordsOf([1, 2, 3], false)

  it('was written beside promises', () => {
    expect(new Set(records.map(({ type }) => type))).toEqual(new Set(['proposal', 'prepare', 'prepared', 'commit']))
  })

  it('leaves nothing of them to say, and keeps nothing of them but where it is', () => {
    const { core, started } = coreAt(5_000, records)
    expect([started.send, started.save, core.liveRecords()]).toEqual([[], [], [floor]])
    expect(core.state.slots.size).toBe(0)
    expect(core.status()).toMatchObject({ h: 5_000, lastExec: 5_000, view: 0, active: true })
  })

  it('votes on what comes next', () => {
    const { core } = coreAt(5_000, records)
    const { batch, bytes, digest } = batchAt(20_000)
    const body = { ...domain, view: 0, seq: 5_001, digest }
    const signature = new Uint8Array(64)
    const prePrepare = { type: 'pre-prepare', body, signer: 0, signature } as const
    const prepare = { type: 'prepare', body, signer: 0, signature } as const
    const { send } = core.step({ type: 'proposal', proposal: { prePrepare, prepare, batch: bytes }, batch })
    expect(send.map(({ message }) => message.type)).toEqual(['prepare'])
  })

  it('stays out of the view it left, with the very VIEW-CHANGE it sent', () => {
    const left = recordsOf([1, 2], true)
    const own = left.find((record) => record.type === 'view-change')!
    const { core, started } = coreAt(5_000, left)
    expect(core.status()).toMatchObject({ view: 1, active: false })
    expect([core.state.viewChanges.get(3), ...core.liveRecords()]).toEqual([own.change, floor, own])
    expect(started.save).toEqual([])
    const { digest } = batchAt(10_000)
    expect(own.change.prepared.map(({ seq, digest }) => [seq, digest])).toEqual([
      [1, digest],
      [2, digest],
    ])
  })
})
