// A validator whose ledger lost blocks while its consensus log is whole: it has promised things about heights that it no longer knows,
// and must keep every one of them (src/consensus/restore.ts, docs/protocol.md, rule 36).
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchDigest } from '../../src/crypto/digest.ts'
import { batchCodec } from '../../src/types/block.ts'
import type { Message } from '../../src/types/message.ts'
import { signedBytes } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { batchOf, Cluster, DOMAIN, signatureOf } from './cluster.ts'

const WINDOW = 8
const HARMED = 2
/** What this validator's EXEC, PREPARE and COMMIT said of each slot, in this life or an earlier one. */
type Said = Map<string, string>

function createNetwork(): { cluster: Cluster; said: Said; contradictions: string[] } {
  const cluster = new Cluster(4, { windowBlocks: WINDOW, inFlightBlocks: WINDOW })
  const said: Said = new Map()
  const contradictions: string[] = []
  cluster.observe = (index, effect) => {
    if (index !== HARMED || !('send' in effect)) return
    for (const [slot, digest] of votesIn(effect.send)) {
      if ((said.get(slot) ?? digest) !== digest) contradictions.push(slot)
      said.set(slot, digest)
    }
  }
  return { cluster, said, contradictions }
}

function votesIn(message: Message): [slot: string, digest: string][] {
  if (message.type === 'exec') return [[`exec ${message.vote.body.height}`, message.vote.body.blockHash]]
  if (message.type !== 'prepare' && message.type !== 'commit') return []
  const { view, seq, digest } = message.vote.body
  return [[`${message.type} v${view} s${seq}`, digest]]
}

/** Proposes and delivers until so many blocks are certified everywhere. */
function grow(cluster: Cluster, blocks: number): void {
  const end = cluster.heights()[0]! + blocks
  for (let round = 0; cluster.heights()[0]! < end; round++) {
    if (round > 4 * blocks) throw new Error(`no progress beyond ${cluster.heights()}`)
    cluster.propose(0, batchOf(`round ${round} of ${end}`, 0, cluster.now))
    cluster.settle()
  }
}

/** The primary of view 0 lies: another batch than it proposed before, to one validator. */
function lie(cluster: Cluster, seq: number): void {
  const batch = batchOf(`a lie about ${seq}`, 0, cluster.now)
  const digest = batchDigest(batch)
  const body = { ...DOMAIN, view: 0, seq, digest }
  const sign = <T extends 'pre-prepare' | 'prepare'>(type: T) =>
    ({ type, body, signer: 0, signature: signatureOf(0, signedBytes<'prepare'>(type as 'prepare', body)) }) as never
  const proposal = { prePrepare: sign('pre-prepare'), prepare: sign('prepare'), batch: encode(batchCodec, batch) }
  cluster.deliver(cluster.enveloped(0, HARMED, { type: 'proposal', ...(proposal as object) } as Message))
}

/** The ledger is back at a height, the log is as it was. */
function restartAt(cluster: Cluster, height: number): void {
  const disk = cluster.disks[HARMED]!
  cluster.crash(HARMED)
  for (const list of [disk.chain, disk.headers, disk.batches, disk.certificates])
    list.length = Math.min(list.length, height)
  cluster.start(HARMED)
}

const core = (cluster: Cluster) => cluster.cores[HARMED]!

describe('a validator whose ledger lost blocks', () => {
  it('keeps its promises, whatever was lost and whether its log was rewritten', () => {
    fc.assert(
      fc.property(
        fc.record({
          blocks: fc.integer({ min: 1, max: 3 * WINDOW }),
          open: fc.integer({ min: 1, max: WINDOW }),
          kept: fc.nat(),
          isRewritten: fc.boolean(),
          dropped: fc.constantFrom<Message['type']>('prepare', 'commit', 'exec'),
        }),
        ({ blocks, open, kept, isRewritten, dropped }) => {
          const { cluster, said, contradictions } = createNetwork()
          grow(cluster, blocks)
          if (isRewritten) cluster.disks[HARMED]!.records = core(cluster).liveRecords()
          // Votes on these are under way, and nobody gets to the end of them.
          cluster.filter = ({ message }) => message.type !== dropped
          for (let n = 0; n < open; n++) cluster.propose(0, batchOf(`open ${n}`, 0, cluster.now))
          cluster.settle()
          restartAt(cluster, kept % (blocks + 1))
          for (let seq = 1; seq <= blocks + open; seq++) lie(cluster, seq)
          cluster.settle()
          expect(contradictions).toEqual([])
          cluster.filter = () => true
          cluster.catchUp()
          for (let seq = 1; seq <= blocks + open; seq++) lie(cluster, seq)
          cluster.gossipStatus()
          cluster.gossipStatus()
          expect(contradictions).toEqual([])
          expect([core(cluster).state.voting, core(cluster).state.recall]).toEqual([true, undefined])
          expect(said.size).toBeGreaterThan(0)
          // With another one down the network stands or falls with its vote.
          cluster.catchUp()
          cluster.crash(3)
          grow(cluster, 2)
          expect(contradictions).toEqual([])
          expect(cluster.reports.filter(({ at }) => at !== HARMED)).toEqual([])
        },
      ),
      { numRuns: 60 },
    )
  })

  it('follows until the blocks are back, and a rewrite meanwhile drops nothing', () => {
    const { cluster, contradictions } = createNetwork()
    grow(cluster, 3 * WINDOW)
    cluster.filter = ({ message }) => message.type !== 'exec'
    cluster.propose(0, batchOf('open', 0, cluster.now))
    cluster.settle()
    restartAt(cluster, 2)
    expect(core(cluster).state).toMatchObject({ voting: false, recall: { height: 2 * WINDOW + 1 } })
    for (let times = 0; times < 2; times++) {
      cluster.disks[HARMED]!.records = core(cluster).liveRecords()
      restartAt(cluster, 2)
      expect(core(cluster).state).toMatchObject({ voting: false, recall: { height: 2 * WINDOW + 1 } })
    }
    cluster.filter = () => true
    cluster.catchUp()
    cluster.gossipStatus()
    expect(cluster.heights()).toEqual(Array(4).fill(3 * WINDOW + 1))
    expect([core(cluster).state.voting, contradictions]).toEqual([true, []])
  })

  it('writes down what it accepted while it followed before it votes on that', () => {
    const { cluster } = createNetwork()
    grow(cluster, 5)
    cluster.disks[HARMED]!.records = core(cluster).liveRecords()
    restartAt(cluster, 1)
    cluster.filter = ({ message }) => message.type !== 'commit'
    cluster.propose(0, batchOf('meanwhile', 0, cluster.now))
    cluster.settle()
    const recorded = () => cluster.disks[HARMED]!.records.map(({ type }) => type)
    expect([core(cluster).state.voting, recorded()]).toEqual([false, ['floor']])
    cluster.catchUp()
    cluster.settle()
    expect(core(cluster).state.voting).toBe(true)
    expect(recorded().slice(0, 3)).toEqual(['floor', 'proposal', 'prepare'])
    // So it comes back with that vote, and can give no other.
    restartAt(cluster, 5)
    lie(cluster, 6)
    cluster.filter = () => true
    cluster.gossipStatus()
    cluster.gossipStatus()
    expect(cluster.heights()).toEqual(Array(4).fill(6))
  })

  it('signs nothing below what a rewrite dropped, though no record is left of it', () => {
    const { cluster, contradictions } = createNetwork()
    grow(cluster, 5)
    cluster.disks[HARMED]!.records = core(cluster).liveRecords()
    expect(cluster.disks[HARMED]!.records).toMatchObject([{ type: 'floor', height: 5 }])
    restartAt(cluster, 1)
    expect(core(cluster).state.voting).toBe(false)
    for (let seq = 1; seq <= WINDOW; seq++) lie(cluster, seq)
    cluster.settle()
    expect(contradictions).toEqual([])
    cluster.catchUp()
    expect(core(cluster).state.voting).toBe(true)
  })
})
