// Fetched blocks on their way through the replica: the executor has several before it, and their certificates are kept together.
import { expect, it } from 'vitest'
import { createCore } from '../src/consensus/core.ts'
import { createReplica, type ExecutedBlock } from '../src/replica.ts'
import { ZERO_HASH } from '../src/types/block.ts'
import { epochOf } from './consensus/cluster.ts'
import { blocksUpTo } from './replica/world.ts'

const blocks = blocksUpTo(64)

/** An observer's replica over an executor that answers in order, 5 ms a block, and a disk that takes 20 ms a write. */
function observer(executingMax?: number, wrongFrom = Number.POSITIVE_INFINITY) {
  const core = createCore({
    genesisHash: 'ab'.repeat(32),
    epoch: epochOf(4),
    validatorsHash: 'cd'.repeat(32),
    self: undefined,
    voting: false,
    lastExec: 0,
    h: 0,
    certified: undefined,
    uncertified: [],
    sign: () => new Uint8Array(64),
    records: [],
  })
  const seen = { asked: [] as number[], openMost: 0, writes: [] as number[], fatal: [] as unknown[] }
  let open = 0
  let last: Promise<unknown> = Promise.resolve()
  const replica = createReplica({
    core,
    log: undefined,
    proposing: undefined,
    ...(executingMax === undefined ? {} : { executingMax }),
    async execute(height): Promise<ExecutedBlock> {
      seen.asked.push(height)
      seen.openMost = Math.max(seen.openMost, ++open)
      last = last.then(() => new Promise((resolve) => setTimeout(resolve, 5)))
      await last
      open--
      const { header, certificate } = blocks[height - 1]!
      const blockHash = height >= wrongFrom ? ZERO_HASH : certificate.blockHash
      return { header, blockHash, transactions: [], nextNonces: [] }
    },
    async putCertificates(certificates) {
      seen.writes.push(certificates.length)
      await new Promise((resolve) => setTimeout(resolve, 20))
    },
    putDivergence: async () => {},
    send: () => {},
    hasWork: () => false,
    clock: { now: Date.now, monotonic: () => performance.now(), after: () => () => {} },
    observer: {
      onExecuted: () => {},
      onCertified: () => {},
      onReport: () => {},
      onFatal: (error) => seen.fatal.push(error),
    },
  })
  return { core, replica, seen }
}

it('the executor has as many blocks before it as it takes, in order, and the certificates are written in groups', async () => {
  const { core, replica, seen } = observer(16)
  await replica.apply(blocks)
  expect([core.state.h, core.state.lastExec]).toEqual([64, 64])
  expect(seen.asked).toEqual(blocks.map((_, index) => index + 1))
  expect(seen.openMost).toBe(16)
  expect(seen.writes).toEqual([16, 16, 16, 16])
  expect(seen.fatal).toEqual([])
  await replica.stop()
})

it('one at a time unless told, and a call for the next blocks need not wait for the one before', async () => {
  const { core, replica, seen } = observer()
  await Promise.all([replica.apply(blocks.slice(0, 10)), replica.apply(blocks.slice(10, 20))])
  expect([core.state.h, seen.openMost]).toEqual([20, 1])
  await replica.stop()
})

it('a remainder that fills no group is known to the core when apply resolves', async () => {
  const { core, replica } = observer(16)
  await replica.apply(blocks.slice(0, 21))
  expect(core.state.h).toBe(21)
  await replica.stop()
})

it('a block that turns out otherwise than certified ends it: nothing more is given to the executor', async () => {
  const { core, replica, seen } = observer(4, 6)
  await replica.apply(blocks)
  expect(core.state.diverged).toBe(true)
  expect(core.state.h).toBe(5)
  // What it had before it, and what was given while the group was told.
  expect(seen.asked.length).toBeLessThanOrEqual(16)
  await replica.stop()
})
