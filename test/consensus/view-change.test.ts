// Views that fail: the next primary takes over with all that may have been decided.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { reproposalsOf } from '../../src/consensus/new-view.ts'
import { NULL_BATCH, ZERO_HASH } from '../../src/types/block.ts'
import type { ViewChange } from '../../src/types/message.ts'
import { batchOf, Cluster } from './cluster.ts'

const views = (cluster: Cluster) =>
  cluster.cores.map((core) => (core === undefined ? '-' : `${core.state.view}${core.state.active ? '' : '?'}`))

/** Time passes and STATUS goes round until nothing is open any more. */
function heal(cluster: Cluster, rounds = 60, hasWork = false, filter: Cluster['filter'] = () => true): void {
  cluster.filter = filter
  for (let round = 0; round < rounds; round++) {
    cluster.tick(500, hasWork)
    cluster.settle()
    cluster.gossipStatus()
    cluster.catchUp()
  }
}

/** No COMMIT of view 0 ever arrives: what was prepared there can only be decided in a later view. */
const noCommitInViewZero: Cluster['filter'] = ({ message }) => message.type !== 'commit' || message.vote.body.view > 0

function expectOneChain(cluster: Cluster): void {
  const chains = cluster.disks.map((disk) => disk.chain)
  const longest = chains.reduce((best, chain) => (chain.length > best.length ? chain : best))
  for (const chain of chains) expect(chain).toEqual(longest.slice(0, chain.length))
  expect(cluster.reports.filter(({ report }) => report.type !== 'evidence')).toEqual([])
}

describe('a silent primary', () => {
  it.each([4, 5, 6, 7])('is replaced by the next one of %i, with what it had proposed', (n) => {
    const cluster = new Cluster(n)
    cluster.filter = noCommitInViewZero
    cluster.propose(0, batchOf('a', 0))
    cluster.propose(0, batchOf('b', 0))
    cluster.settle()
    cluster.crash(0)
    heal(cluster, 60, false, noCommitInViewZero)
    expect(views(cluster).slice(1)).toEqual(Array(n - 1).fill('1'))
    expect(cluster.heights().slice(1)).toEqual(Array(n - 1).fill(2))
    expect(cluster.disks[1]!.batches.map((batch) => batch.txs.length)).toEqual([1, 1])
    expect(cluster.propose(1, { ...batchOf('c', 1, cluster.now), view: 1 })).toBe(true)
    cluster.settle()
    cluster.start(0)
    heal(cluster)
    expect(cluster.heights()).toEqual(Array(n).fill(3))
    expectOneChain(cluster)
  })

  it('is left although it is only unwilling to propose', () => {
    const cluster = new Cluster(4)
    heal(cluster, 6, true)
    expect(cluster.cores.every((core) => core!.state.view >= 1 && core!.state.active)).toBe(true)
  })

  it('costs nothing while there is no work', () => {
    const cluster = new Cluster(4)
    cluster.crash(0)
    heal(cluster, 60)
    expect(views(cluster)).toEqual(['-', '0', '0', '0'])
  })

  it('moves nobody when only one replica is impatient', () => {
    const cluster = new Cluster(4)
    for (let round = 0; round < 20; round++) {
      cluster.now += 500
      for (let index = 0; index < 4; index++) {
        cluster.step(index, { type: 'tick', now: cluster.now, at: cluster.now, hasWork: index === 3 })
      }
      cluster.settle()
    }
    expect(views(cluster)).toEqual(['0', '0', '0', '0'])
  })

  it('and the next ones silent too: views go on, each with twice the time', () => {
    const cluster = new Cluster(7)
    cluster.propose(0, batchOf('a', 0))
    cluster.settle()
    for (const index of [0, 1]) cluster.crash(index)
    cluster.tick(100, true)
    for (let round = 0; round < 60; round++) {
      cluster.tick(500, cluster.heights()[3]! < 2)
      cluster.settle()
      cluster.gossipStatus()
      if (cluster.cores[2]!.proposalSlot() !== undefined && cluster.heights()[3]! < 2) {
        cluster.propose(2, { ...batchOf('b', 2, cluster.now), view: cluster.cores[2]!.state.view })
        cluster.settle()
      }
    }
    expect(views(cluster).slice(2)).toEqual(Array(5).fill('2'))
    expect(cluster.heights().slice(2)).toEqual(Array(5).fill(2))
  })
})

describe('re-proposals', () => {
  const change = (signer: number, h: number, prepared: [seq: number, view: number, digest: string][]) =>
    ({
      vote: { signer, body: { h } },
      prepared: prepared.map(([seq, view, digest]) => ({ seq, view, digest, signatures: [] })),
    }) as unknown as ViewChange

  it('take the highest view, fill gaps with null, and begin above the highest certified height', () => {
    const { min, max, digests } = reproposalsOf([
      change(0, 3, [
        [4, 0, 'old'],
        [6, 2, 'six'],
      ]),
      change(1, 4, [[5, 1, 'five']]),
      change(2, 2, [
        [3, 0, 'done'],
        [5, 3, 'newer'],
      ]),
    ])
    expect([min, max]).toEqual([4, 6])
    expect([...digests]).toEqual([
      [5, 'newer'],
      [6, 'six'],
    ])
    expect([...reproposalsOf([change(0, 0, [[3, 0, 'c']])]).digests]).toEqual([
      [1, ZERO_HASH],
      [2, ZERO_HASH],
      [3, 'c'],
    ])
  })

  it('a gap becomes an empty block', () => {
    const cluster = new Cluster(4)
    // The first proposal reaches nobody, the second everybody.
    cluster.filter = () => false
    cluster.propose(0, batchOf('lost', 0))
    cluster.filter = noCommitInViewZero
    cluster.propose(0, batchOf('kept', 0))
    cluster.settle()
    cluster.crash(0)
    heal(cluster, 60, false, noCommitInViewZero)
    expect(cluster.disks[1]!.batches).toEqual([NULL_BATCH, batchOf('kept', 0)])
    cluster.start(0)
    heal(cluster)
    expect(cluster.heights()).toEqual([2, 2, 2, 2])
    expectOneChain(cluster)
  })

  it('a replica that never saw a batch asks for it', () => {
    const cluster = new Cluster(4)
    const filter: Cluster['filter'] = (envelope) =>
      noCommitInViewZero(envelope) && !(envelope.to === 3 && envelope.message.type === 'proposal')
    cluster.filter = filter
    cluster.propose(0, batchOf('a', 0))
    cluster.settle()
    cluster.crash(0)
    heal(cluster, 60, false, filter)
    expect(cluster.heights().slice(1)).toEqual([1, 1, 1])
    expect(cluster.disks[3]!.batches).toEqual([batchOf('a', 0)])
  })
})

describe('anything may happen', () => {
  const action = fc.oneof(
    { weight: 30, arbitrary: fc.record({ do: fc.constant('deliver' as const), pick: fc.nat() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('drop' as const), pick: fc.nat() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('propose' as const), pick: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('tick' as const), pick: fc.nat(3_000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('status' as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('start' as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const), pick: fc.nat() }) },
  )

  it.each([1, 2, 3, 4, 5, 6, 7])(
    '%i validators: one chain always, and progress once it is over',
    (n) => {
      fc.assert(
        fc.property(fc.array(action, { minLength: 50, maxLength: 400 }), (actions) => {
          const cluster = new Cluster(n, { windowBlocks: 6, inFlightBlocks: 3 })
          let label = 0
          for (const { do: what, pick } of actions) {
            const index = pick % n
            if (what === 'deliver' && cluster.queue.length > 0)
              cluster.deliver(cluster.queue.splice(pick % cluster.queue.length, 1)[0]!)
            if (what === 'drop' && cluster.queue.length > 0) cluster.queue.splice(pick % cluster.queue.length, 1)
            if (what === 'propose') {
              for (const [proposer, core] of cluster.cores.entries()) {
                if (core?.proposalSlot() !== undefined)
                  cluster.propose(proposer, {
                    ...batchOf(`batch ${label++}`, proposer, cluster.now),
                    view: core.state.view,
                  })
              }
            }
            if (what === 'tick') cluster.tick(pick, true)
            if (what === 'status')
              for (const [from, core] of cluster.cores.entries())
                if (core !== undefined) cluster.send(from, 'all', { type: 'status', ...core.status() })
            if (what === 'crash') cluster.crash(index)
            if (what === 'start' && cluster.cores[index] === undefined) cluster.start(index)
            if (what === 'cut')
              cluster.filter = ({ from, to }) => (pick >> 3) % 3 === 0 || (from !== index && to !== index)
          }
          expectOneChain(cluster)
          cluster.filter = () => true
          for (let index = 0; index < n; index++) if (cluster.cores[index] === undefined) cluster.start(index)
          heal(cluster, 200, true)
          const before = Math.max(...cluster.heights())
          for (let round = 0; round < 60 && Math.min(...cluster.heights()) <= before; round++) {
            for (const [proposer, core] of cluster.cores.entries()) {
              if (core?.proposalSlot() !== undefined)
                cluster.propose(proposer, { ...batchOf(`end ${round}`, proposer, cluster.now), view: core.state.view })
            }
            heal(cluster, 5, true)
          }
          expectOneChain(cluster)
          expect(Math.min(...cluster.heights())).toBeGreaterThan(before)
        }),
        { numRuns: 60 },
      )
    },
    60_000,
  )
})
