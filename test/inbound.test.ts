// Proposals on their way in: what a flood, a lying relay or a replay costs, and that none of them stands in the way of the good one.
import { describe, expect, it } from 'vitest'
import { type Core, createCore } from '../src/consensus/core.ts'
import { batchDigest } from '../src/crypto/digest.ts'
import { intrinsicGas } from '../src/execution/cost.ts'
import { createInbound } from '../src/inbound.ts'
import { type Batch, batchCodec } from '../src/types/block.ts'
import { toHex } from '../src/types/hex.ts'
import { messageCodec, type Proposal } from '../src/types/message.ts'
import { encode } from '../src/types/schema.ts'
import { encodeTransaction, unsignedTransactionCodec } from '../src/types/transaction.ts'
import { domain, edgeWith, epoch, GENESIS, pairs, signed } from './network-edge/support.ts'

const NOW = 1_000_000
const VALIDATOR = 'a validator'
const sender = toHex(pairs[4]!.publicKey)
function wireAt(nonce: number, argsBytes = 100): Uint8Array {
  const unsigned = encode(unsignedTransactionCodec, {
    network: GENESIS,
    sender,
    nonce,
    expires: 0,
    gasLimit: 2_500_000,
    contract: 'token',
    method: 'transfer',
    args: new Uint8Array(argsBytes).fill(0x20),
  })
  return encodeTransaction(unsigned, new Uint8Array(64).fill(7))
}
function world() {
  const core = createCore({
    ...domain,
    epoch,
    self: 1,
    voting: true,
    lastExec: 0,
    h: 0,
    certified: undefined,
    uncertified: [],
    sign: pairs[1]!.sign,
    records: [],
  })
  core.step({ type: 'tick', now: NOW, at: 0, hasWork: false })
  const { edge } = edgeWith({ isWanted: core.isWanted })
  const state = {
    looked: 0,
    verifying: 0,
    verifyingMost: 0,
    pushed: 0,
    statuses: 0,
    now: 0,
    frames: 0,
    blamed: [] as string[],
    release: () => {},
  }
  const door = new Promise<void>((resolve) => {
    state.release = resolve
  })
  const inbound = createInbound({
    core,
    edge,
    replica: {
      push(event) {
        state.pushed++
        core.step(event)
      },
    },
    verifier: {
      async verifyBatch(items) {
        state.verifyingMost = Math.max(state.verifyingMost, ++state.verifying)
        await door
        state.verifying--
        return items.map(() => true)
      },
    },
    rules: {
      genesisHash: GENESIS,
      parameters: epoch.parameters,
      intrinsicGas,
      isVerified() {
        state.looked++
        return false
      },
    },
    markVerified: () => {},
    validatorIndex: (key) => (key === VALIDATOR ? 0 : key === 'a relay' ? 2 : undefined),
    onStatus: () => {
      state.statuses++
    },
    onTransactions: async () => void state.frames++,
    blame: (_, reason) => state.blamed.push(reason),
    onError(error) {
      throw error
    },
    now: () => state.now,
  })
  const send = (proposal: Proposal, peer = 'p', validator = VALIDATOR) =>
    inbound.onFrame({ id: peer, validator }, 'proposals', encode(messageCodec, { type: 'proposal', ...proposal }))
  const status = encode(messageCodec, { type: 'status', epoch: 0, view: 0, active: true, h: 0, lastExec: 0 })
  const flood = (validator: string | null, count: number) => {
    for (let n = 0; n < count; n++) inbound.onFrame({ id: 'flooder', validator }, 'consensus', status)
  }
  const handOver = (bytes: number) =>
    inbound.onFrame({ id: 'p', validator: VALIDATOR }, 'transactions', new Uint8Array(bytes))
  return { core, state, send, flood, handOver, moved: inbound.onMoved }
}
function proposalOf(seq: number, batch: Batch, prepareSeq = seq): Proposal {
  const digest = batchDigest(batch)
  return {
    prePrepare: signed('pre-prepare', { ...domain, view: 0, seq, digest }, 0),
    prepare: signed('prepare', { ...domain, view: 0, seq: prepareSeq, digest }, 0),
    batch: encode(batchCodec, batch),
  }
}
const batchOf = (offset: number, txs: Uint8Array[]): Batch => ({
  view: 0,
  proposer: epoch.validators[0]!.key,
  time: NOW + offset,
  txs,
})
const turn = () => new Promise((resolve) => setImmediate(resolve))

it('a lying primary has one batch of a sequence under check at a time', async () => {
  const { state, send } = world()
  for (let n = 0; n < 100; n++) send(proposalOf(1, batchOf(n + 1, [wireAt(0)])))
  await turn()
  state.release()
  await turn()
  expect(state.verifyingMost).toBe(1)
  expect(state.pushed).toBe(1)
})

it('a proposal with the PREPARE of another slot does not stand in the way of the good one', async () => {
  const { core, state, send } = world()
  const batch = batchOf(5, [wireAt(0)])
  send(proposalOf(1, batch, 2), 'byzantine relay')
  await turn()
  send(proposalOf(1, batch), 'primary')
  state.release()
  await turn()
  await turn()
  expect(core.state.slots.get(1)?.accepted.size).toBe(1)
  expect(state.blamed).toEqual(['a proposal with the PREPARE of another'])
})

it('a proposal that is accepted already is not looked through again', async () => {
  const { core, state, send } = world()
  const proposal = proposalOf(
    1,
    batchOf(
      5,
      Array.from({ length: 1000 }, (_, nonce) => wireAt(nonce, 1_700)),
    ),
  )
  state.release()
  send(proposal)
  await turn()
  expect(core.state.slots.get(1)?.accepted.size).toBe(1)
  state.looked = 0
  for (let n = 0; n < 20; n++) {
    send(proposal)
    await turn()
  }
  expect(state.looked).toBe(0)
})

it('a stranger gets few frames a second of any kind, a validator many, and both more as time passes', () => {
  for (const [validator, most] of [
    [null, 2_200],
    [VALIDATOR, 16_000],
  ] as const) {
    const { state, flood } = world()
    flood(validator, 20_000)
    expect(state.statuses).toBeGreaterThan(most * 0.8)
    expect(state.statuses).toBeLessThanOrEqual(most)
    expect(state.blamed).not.toEqual([])
    const before = state.statuses
    state.now += 1_000
    flood(validator, 20_000)
    expect(state.statuses).toBeGreaterThan(before + most / 5)
  }
})

it('a validator may hand over a whole pool of transactions at once, then a few megabytes a second', () => {
  const { state, handOver } = world()
  const mebibyte = 1024 * 1024
  for (let frame = 0; frame < 80; frame++) handOver(mebibyte)
  expect(state.frames).toBe(64)
  state.now += 1_000
  for (let frame = 0; frame < 20; frame++) handOver(mebibyte)
  expect(state.frames).toBe(68)
  // It may have that much from its own clients: its votes still count.
  expect(state.blamed).toEqual([])
})

describe('a proposal that comes too early', () => {
  /** In view 1 and without its NEW-VIEW, as validator 1 is its primary; validator 0 proposes in view 4. */
  const inView = (view: number, seq: number): Proposal => {
    const batch = { ...batchOf(seq, [wireAt(seq)]), view }
    const digest = batchDigest(batch)
    return {
      prePrepare: signed('pre-prepare', { ...domain, view, seq, digest }, 0),
      prepare: signed('prepare', { ...domain, view, seq, digest }, 0),
      batch: encode(batchCodec, batch),
    }
  }
  const enter = (core: Core, view: number, active: boolean) => Object.assign(core.state, { view, active })

  it('is held until its view is active', async () => {
    const { core, state, send, moved } = world()
    state.release()
    enter(core, 4, false)
    send(inView(4, 1))
    moved()
    await turn()
    expect(state.pushed).toBe(0)
    enter(core, 4, true)
    moved()
    await turn()
    expect(core.state.slots.get(1)?.accepted.has(4)).toBe(true)
  })

  it('is held until the window reaches it, and each is taken once', async () => {
    const { core, state, send, moved } = world()
    state.release()
    const { windowBlocks } = epoch.parameters
    send(inView(0, windowBlocks + 1))
    await turn()
    expect(state.pushed).toBe(0)
    Object.assign(core.state, { h: 1, lastExec: 1, lastDelivered: 1 })
    moved()
    moved()
    await turn()
    expect(state.pushed).toBe(1)
    expect(core.state.slots.get(windowBlocks + 1)?.accepted.has(0)).toBe(true)
  })

  it('is not held for a relay, for an older view, nor beyond what may be in flight', async () => {
    const { core, state, send, moved } = world()
    const { inFlightBlocks } = epoch.parameters
    state.release()
    enter(core, 4, false)
    send(inView(4, 1), 'r', 'a relay')
    send(inView(0, 2))
    for (let seq = 3; seq < 3 + 2 * inFlightBlocks; seq++) send(inView(4, seq))
    enter(core, 4, true)
    moved()
    await turn()
    expect([...core.state.slots.keys()]).toEqual(Array.from({ length: inFlightBlocks }, (_, index) => 3 + index))
  })

  it('makes room for those of a later view', async () => {
    const { core, state, send, moved } = world()
    state.release()
    enter(core, 4, false)
    send(inView(4, 1))
    send(inView(8, 2))
    send(inView(4, 3))
    enter(core, 8, true)
    moved()
    await turn()
    expect([...core.state.slots.keys()]).toEqual([2])
  })
})
