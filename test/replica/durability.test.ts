// What a restart must not forget, and what it must survive.
import { expect, it } from 'vitest'
import { batchDigest } from '../../src/crypto/digest.ts'
import { batchAt, blocksUpTo, createWorld, type Disk, execOf, ordering, proposalOf, settle, votesIn } from './world.ts'

it('a vote that was durable but not sent, then another one sent, stays the other one after a second crash', async () => {
  const windowBlocks = 4
  const end = 1 + windowBlocks
  const blocks = blocksUpTo(1)
  const first = createWorld({ parameters: { windowBlocks } })
  first.replica.start()
  first.pushAll(ordering(1))
  await settle()
  // The certificate of block 1 and a proposal at the new end of the window come in one round; the log would be faster than the ledger.
  first.doors.certificates.close()
  first.pushAll([execOf(0, blocks[0]!), execOf(2, blocks[0]!), proposalOf(end, batchAt(end, 'first'))])
  await settle()
  const afterFirstCrash: Disk = structuredClone(first.disk)
  expect(votesIn(first.moments.flatMap(({ sent }) => sent)).map(([slot]) => slot)).not.toContain(`prepare ${end}`)

  const second = createWorld({ disk: afterFirstCrash, parameters: { windowBlocks } })
  second.replica.start()
  second.pushAll([execOf(0, blocks[0]!), execOf(2, blocks[0]!)])
  await settle()
  second.pushAll([proposalOf(end, batchAt(end, 'second'))])
  await settle()
  const said = new Map(votesIn(second.moments.flatMap(({ sent }) => sent)))
  expect(said.get(`prepare ${end}`)).toBe(batchDigest(batchAt(end, 'second')))
  await second.replica.stop()

  const third = createWorld({ disk: second.disk, parameters: { windowBlocks } })
  third.replica.start()
  const status = { epoch: 0, view: 0, active: true, h: 1, lastExec: 1 }
  third.pushAll([{ type: 'status', from: 2, status }])
  await settle()
  await third.pass(1_000)
  third.pushAll([{ type: 'status', from: 2, status }])
  await settle()
  expect(third.state.fatal).toEqual([])
  const again = votesIn(third.moments.flatMap(({ sent }) => sent)).filter(([slot]) => slot === `prepare ${end}`)
  expect(again.length).toBeGreaterThan(0)
  for (const [slot, digest] of again) expect(digest).toBe(said.get(slot))
})

it.each([1, 4, 8])('a crash while catching up leaves a node that starts again (window %i)', async (windowBlocks) => {
  const first = createWorld({ parameters: { windowBlocks } })
  first.replica.start()
  await settle()
  // One slow write of certificates; blocks go on being executed.
  first.doors.certificates.close()
  void first.replica.apply(blocksUpTo(12)).catch(() => {})
  for (let turn = 0; turn < 20; turn++) await settle()
  expect(first.state.fatal).toEqual([])
  expect(first.disk.chain.length).toBeGreaterThan(first.disk.certificates.length)
  const second = createWorld({ disk: first.disk, parameters: { windowBlocks } })
  second.replica.start()
  await settle()
  expect(second.state.fatal).toEqual([])
  expect(second.core.state.lastExec).toBe(first.disk.chain.length)
})

it('that a quorum contradicts this node is durable before anything more is sent, and no restart forgets it', async () => {
  const first = createWorld()
  first.replica.start()
  first.pushAll(ordering(1))
  await settle()
  const [block] = blocksUpTo(1)
  const other = { ...block!, certificate: { ...block!.certificate, blockHash: 'ee'.repeat(32) } }
  first.doors.certificates.close()
  // Here the batch of block 2 is voted for in the very round that decides.
  first.pushAll([...ordering(2).slice(0, 1), ...[0, 2, 3].map((signer) => execOf(signer, other))])
  const sentBefore = first.sent().length
  await settle()
  expect(first.sent().length).toBe(sentBefore)
  first.doors.certificates.open()
  await settle()
  const sentAfter = first.sent()
  await first.replica.stop()
  expect(first.disk.diverged).toBe(true)
  expect(sentAfter.length).toBeGreaterThan(sentBefore)

  const second = createWorld({ disk: first.disk })
  second.replica.start()
  second.pushAll([...ordering(2), ...ordering(3), execOf(2, block!)])
  await second.pass(5_000)
  await second.replica.apply(blocksUpTo(4))
  await settle()
  expect(second.sent()).toEqual([])
  expect(second.executed()).toEqual([])
  expect(second.core.state).toMatchObject({ diverged: true, voting: false, lastExec: 1 })
  expect(second.state.fatal).toEqual([])
  await second.replica.stop()
})
