import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quorumOf } from '../../src/types/quorum.ts'
import { batchOf, Cluster } from './cluster.ts'

/** A deterministic choice from a list of numbers fast-check drew. */
function picker(numbers: number[]): (length: number) => number {
  let index = 0
  return (length) => (numbers[index++ % numbers.length] ?? 0) % length
}

describe('quorums', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
    [7, 5],
    [8, 6],
    [10, 7],
    [13, 9],
    [16, 11],
  ])('of %i validators are %i', (n, q) => expect(quorumOf(n)).toBe(q))

  it('share a correct validator and stay reachable', () => {
    for (let n = 1; n <= 100; n++) {
      const f = Math.floor((n - 1) / 3)
      expect(2 * quorumOf(n) - n).toBeGreaterThanOrEqual(f + 1)
      expect(quorumOf(n)).toBeLessThanOrEqual(n - f)
    }
  })
})

describe.each([1, 2, 3, 4, 5, 6, 7])('%i validators', (n) => {
  it('order, execute and certify a batch in view 0', () => {
    const cluster = new Cluster(n)
    expect(cluster.propose(0, batchOf('a', 0))).toBe(true)
    cluster.settle()
    expect(cluster.heights()).toEqual(Array(n).fill(1))
    expect(new Set(cluster.disks.map((disk) => disk.chain[0])).size).toBe(1)
    expect(cluster.disks[0]?.certificates[0]?.signatures).toHaveLength(quorumOf(n))
    expect(cluster.reports).toEqual([])
  })
})

describe('the normal case', () => {
  it('keeps one order under any arrival order, with several proposals in flight', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 40, maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (numbers, count) => {
          const cluster = new Cluster(4)
          const pick = picker(numbers)
          for (let i = 0; i < count; i++) {
            if (!cluster.propose(0, batchOf(`batch ${i}`, 0))) {
              cluster.settle(pick)
              expect(cluster.propose(0, batchOf(`batch ${i}`, 0))).toBe(true)
            }
          }
          cluster.settle(pick)
          expect(cluster.heights()).toEqual([count, count, count, count])
          expect(new Set(cluster.disks.map((disk) => disk.chain.join())).size).toBe(1)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('keeps at most W proposals in flight and L blocks without a certificate', () => {
    const cluster = new Cluster(4, { inFlightBlocks: 3, windowBlocks: 5 })
    cluster.filter = ({ message }) => message.type !== 'exec'
    let proposed = 0
    while (cluster.propose(0, batchOf(`x${proposed}`, 0))) proposed++
    expect(proposed).toBe(3)
    for (let i = 0; i < 10; i++) {
      cluster.settle()
      if (cluster.propose(0, batchOf(`x${proposed}`, 0))) proposed++
    }
    expect(proposed).toBe(5)
    expect(cluster.heights()).toEqual([0, 0, 0, 0])
    cluster.filter = () => true
    cluster.gossipStatus()
    expect(cluster.heights()).toEqual([5, 5, 5, 5])
  })

  it('commits with one validator silent and not with two', () => {
    const cluster = new Cluster(4)
    cluster.crash(3)
    cluster.propose(0, batchOf('a', 0))
    cluster.settle()
    expect(cluster.heights()).toEqual([1, 1, 1, -1])
    cluster.crash(2)
    cluster.propose(0, batchOf('b', 0))
    cluster.settle()
    expect(cluster.heights()).toEqual([1, 1, -1, -1])
  })

  it('refuses a proposal from the future, from another proposer, or of another view', () => {
    const cluster = new Cluster(4)
    cluster.propose(0, batchOf('late', 0, cluster.now + 1_001))
    cluster.settle()
    expect(cluster.heights()).toEqual([0, 0, 0, 0])
    const other = new Cluster(4)
    expect(other.propose(1, batchOf('a', 1))).toBe(false)
    other.propose(0, batchOf('a', 1))
    other.settle()
    expect(other.heights()).toEqual([0, 0, 0, 0])
    const viewed = new Cluster(4)
    viewed.propose(0, { ...batchOf('a', 0), view: 1 })
    viewed.settle()
    expect(viewed.heights()).toEqual([0, 0, 0, 0])
  })

  it('takes the first of two proposals for one sequence and reports the second', () => {
    const cluster = new Cluster(4)
    const twin = new Cluster(4)
    cluster.propose(0, batchOf('a', 0))
    twin.propose(0, batchOf('b', 0))
    const [forged] = twin.queue.filter((envelope) => envelope.to === 1)
    cluster.queue.push(forged!)
    cluster.settle()
    expect(cluster.heights()).toEqual([1, 1, 1, 1])
    expect(cluster.reports.map(({ at, report }) => [at, report.type === 'evidence' && report.kind])).toContainEqual([
      1,
      'proposal',
    ])
  })
})

describe('loss and restarts', () => {
  it('STATUS brings what was lost, whatever was lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 30, maxLength: 120 }),
        fc.array(fc.nat(), { minLength: 20 }),
        (fate, numbers) => {
          const cluster = new Cluster(4)
          let index = 0
          cluster.filter = () => fate[index++ % fate.length]!
          const pick = picker(numbers)
          for (let i = 0; i < 4; i++) cluster.propose(0, batchOf(`batch ${i}`, 0))
          cluster.settle(pick)
          cluster.filter = () => true
          for (let round = 0; round < 12; round++) {
            cluster.gossipStatus(pick)
            cluster.catchUp()
          }
          expect(cluster.heights()).toEqual([4, 4, 4, 4])
          expect(new Set(cluster.disks.map((disk) => disk.chain.join())).size).toBe(1)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('a crash of all at any moment loses no vote and signs nothing twice', () => {
    fc.assert(
      fc.property(fc.nat({ max: 60 }), fc.array(fc.nat(), { minLength: 20, maxLength: 60 }), (moment, numbers) => {
        const cluster = new Cluster(4)
        const pick = picker(numbers)
        for (let i = 0; i < 3; i++) cluster.propose(0, batchOf(`batch ${i}`, 0))
        for (let i = 0; i < moment && cluster.queue.length > 0; i++) {
          cluster.deliver(cluster.queue.splice(pick(cluster.queue.length), 1)[0]!)
        }
        const promised = cluster.disks.map((disk) => disk.records.length)
        for (let i = 0; i < 4; i++) cluster.crash(i)
        for (let i = 0; i < 4; i++) cluster.start(i)
        for (let round = 0; round < 6; round++) {
          cluster.gossipStatus(pick)
          cluster.catchUp()
        }
        expect(cluster.disks.every((disk, i) => disk.records.length >= promised[i]!)).toBe(true)
        expect(new Set(cluster.disks.map((disk) => disk.chain.join())).size).toBe(1)
        expect(cluster.disks[0]?.chain).toHaveLength(3)
        for (const disk of cluster.disks) expectNoDoubleVotes(disk.records)
      }),
      { numRuns: 150 },
    )
  })

  it('a validator alone finishes what it had prepared when it crashed', () => {
    const cluster = new Cluster(1)
    cluster.propose(0, batchOf('a', 0))
    const { records } = cluster.disks[0]!
    for (let kept = 1; kept <= records.length; kept++) {
      const restarted = new Cluster(1)
      restarted.disks[0]!.records.push(...records.slice(0, kept))
      restarted.start(0)
      if (kept >= 2) expect(restarted.heights()).toEqual([1])
    }
  })
})

describe('execution that differs', () => {
  it('is reported at once, and the one a quorum contradicts stops voting', () => {
    const cluster = new Cluster(4)
    cluster.disks[3]!.chain.push('00'.repeat(32))
    cluster.disks[3]!.batches.push(batchOf('wrong', 0))
    cluster.disks[3]!.headers.push({ height: 1 } as never)
    cluster.crash(3)
    cluster.start(3)
    for (let round = 0; round < 3; round++) {
      cluster.propose(0, batchOf('a', 0))
      cluster.gossipStatus()
    }
    expect(cluster.cores[3]?.state).toMatchObject({ diverged: true, voting: false, h: 0 })
    const kinds = cluster.reports.filter(({ at }) => at === 3).map(({ report }) => report.type)
    expect(kinds).toContain('mismatch')
    expect(kinds).toContain('diverged')
    expect(cluster.heights().slice(0, 3)).toEqual([3, 3, 3])
  })
})

function expectNoDoubleVotes(
  records: { type: string; vote?: { body: { view: number; seq: number; digest: string } } }[],
): void {
  const said = new Map<string, string>()
  for (const { type, vote } of records) {
    if (vote === undefined) continue
    const slot = `${type} ${vote.body.view} ${vote.body.seq}`
    expect(said.get(slot) ?? vote.body.digest).toBe(vote.body.digest)
    said.set(slot, vote.body.digest)
  }
}
