// Batches from a real pool: when one is closed, what is in it, what counts as in flight.
import { describe, expect, it } from 'vitest'
import { batchDigest } from '../src/crypto/digest.ts'
import { PARAMETER_DEFAULTS } from '../src/limits.ts'
import { createMempool } from '../src/mempool/mempool.ts'
import { createProposing } from '../src/proposing.ts'
import { batchCodec } from '../src/types/block.ts'
import type { Parameters } from '../src/types/epoch.ts'
import { decode, encode } from '../src/types/schema.ts'
import { decodeTransaction, encodeTransaction, unsignedTransactionCodec } from '../src/types/transaction.ts'

const NETWORK = 'ab'.repeat(32)
const PROPOSER = 'cd'.repeat(32)
const ALICE = 'a1'.repeat(32)
const BOB = 'b0'.repeat(32)
const DELAY = PARAMETER_DEFAULTS.batchDelayMs

function world(changes: Partial<Parameters> = {}) {
  const parameters = { ...PARAMETER_DEFAULTS, ...changes }
  const nonces = new Map<string, number>()
  const pool = createMempool({
    genesisHash: NETWORK,
    parameters: () => parameters,
    nonceOf: (sender) => nonces.get(sender) ?? 0,
    mayTransact: () => true,
    intrinsicGas: (bytes) => bytes,
  })
  const proposing = createProposing(pool, parameters, PROPOSER)
  return {
    pool,
    proposing,
    nonces,
    add(sender: string, nonce: number, argumentBytes = 0) {
      const fields = { network: NETWORK, sender, nonce, expires: 0, gasLimit: 10_000, contract: 'token', method: 'pay' }
      const unsigned = encode(unsignedTransactionCodec, { ...fields, args: new Uint8Array(argumentBytes) })
      const checked = pool.check(encodeTransaction(unsigned, new Uint8Array(64)), 0)
      if (!checked.ok) throw new Error(checked.message)
      const admission = pool.admit(checked, 'local', 0)
      if (!admission.ok) throw new Error(admission.message)
      return checked.transaction.wire.length
    },
    /** The block at `height` ran with these transactions, as the replica tells it. */
    execute(height: number, ran: [sender: string, nonce: number][]) {
      proposing.onExecuted(height)
      for (const [sender, nonce] of ran) nonces.set(sender, nonce + 1)
      const executed = ran.map(([sender, nonce]) => ({ id: '', sender, nonce, final: true }))
      pool.onExecuted(height, executed, new Map(ran.map(([sender, nonce]) => [sender, nonce + 1])))
    },
    next: (seq: number, inFlightBlocks: number, at: number) =>
      namesIn(proposing.next({ seq, view: 0, inFlightBlocks, now: 0, at })),
  }
}

type Proposed = ReturnType<ReturnType<typeof createProposing>['next']>
function namesIn(body: Proposed): string[] | undefined {
  return body?.batch.txs.map((wire) => {
    const { sender, nonce } = decodeTransaction(wire)
    return `${sender === ALICE ? 'alice' : 'bob'} ${nonce}`
  })
}

describe('a batch', () => {
  it('has its bytes and digest, the view, the proposer and the time', () => {
    const { proposing, add } = world()
    add(ALICE, 0)
    const body = proposing.next({ seq: 7, view: 3, inFlightBlocks: 0, now: 5_000, at: 1 })!
    expect(body.batch).toMatchObject({ view: 3, proposer: PROPOSER, time: 5_000 })
    expect(decode(batchCodec, body.bytes)).toEqual(body.batch)
    expect(body.digest).toBe(batchDigest(body.batch))
  })

  it('is closed at once while nothing is in flight', () => {
    const { add, next } = world()
    add(ALICE, 0)
    expect(next(1, 0, 1_000)).toEqual(['alice 0'])
    add(ALICE, 1)
    expect(next(2, 0, 1_000)).toEqual(['alice 1'])
  })

  it('stays open for the delay after the batch before it, to the millisecond', () => {
    const { add, next } = world()
    add(ALICE, 0)
    next(1, 0, 1_000)
    add(ALICE, 1)
    expect(next(2, 1, 1_000 + DELAY - 1)).toBeUndefined()
    add(BOB, 0)
    expect(next(2, 1, 1_000 + DELAY)).toEqual(expect.arrayContaining(['alice 1', 'bob 0']))
  })

  it('is closed early when it is full', () => {
    const { add, next } = world({ blockTransactionsMax: 2 })
    add(ALICE, 0)
    expect(next(1, 0, 1_000)).toEqual(['alice 0'])
    for (const nonce of [1, 2, 3]) add(ALICE, nonce)
    expect(next(2, 1, 1_000)).toEqual(['alice 1', 'alice 2'])
  })

  it('is not full by what is already in flight', () => {
    const { add, next } = world({ blockTransactionsMax: 2 })
    for (const nonce of [0, 1]) add(ALICE, nonce)
    expect(next(1, 0, 1_000)).toEqual(['alice 0', 'alice 1'])
    add(ALICE, 2)
    expect(next(2, 1, 1_001)).toBeUndefined()
    expect(next(2, 1, 1_000 + DELAY)).toEqual(['alice 2'])
  })

  it('keeps to the bytes and the gas of a block', () => {
    const size = world().add(ALICE, 0, 1_000)
    for (const changes of [{ blockBytesMax: 2 * size }, { blockGasMax: 20_000 }]) {
      const { add, next } = world(changes)
      for (const nonce of [0, 1, 2]) add(ALICE, nonce, 1_000)
      expect(next(1, 0, 1_000)).toEqual(['alice 0', 'alice 1'])
      expect(next(2, 0, 1_000)).toEqual(['alice 2'])
    }
  })

  it('is not made of nothing', () => {
    const { add, next } = world()
    expect(next(1, 0, 1_000)).toBeUndefined()
    add(ALICE, 5)
    expect(next(1, 0, 1_000)).toBeUndefined()
  })

  it('of nothing does not start the delay anew', () => {
    const { add, next } = world()
    add(ALICE, 0)
    next(1, 0, 1_000)
    expect(next(2, 1, 1_000 + DELAY)).toBeUndefined()
    add(ALICE, 1)
    expect(next(2, 1, 1_001 + DELAY)).toEqual(['alice 1'])
  })
})

describe('what is in flight', () => {
  it('is proposed once', () => {
    const { add, next } = world()
    add(ALICE, 0)
    add(BOB, 0)
    expect(next(1, 0, 1_000)).toHaveLength(2)
    expect(next(2, 0, 2_000)).toBeUndefined()
    expect(next(2, 1, 2_000)).toBeUndefined()
  })

  it('is followed by the next nonces, across several blocks', () => {
    const { add, next, execute } = world()
    for (const nonce of [0, 1, 2]) {
      add(ALICE, nonce)
      expect(next(nonce + 1, 0, 1_000 * nonce)).toEqual([`alice ${nonce}`])
    }
    execute(1, [[ALICE, 0]])
    add(ALICE, 3)
    expect(next(4, 0, 9_000)).toEqual(['alice 3'])
    execute(2, [[ALICE, 1]])
    execute(3, [[ALICE, 2]])
    execute(4, [[ALICE, 3]])
    add(ALICE, 4)
    expect(next(5, 0, 9_000)).toEqual(['alice 4'])
  })

  it('that was skipped when it ran is proposed again', () => {
    const { add, next, execute } = world()
    add(ALICE, 0)
    expect(next(1, 0, 1_000)).toEqual(['alice 0'])
    execute(1, [])
    expect(next(2, 0, 2_000)).toEqual(['alice 0'])
  })

  it('ends with the height, however many heights are told at once', () => {
    const { add, next, execute } = world()
    for (const nonce of [0, 1, 2]) {
      add(ALICE, nonce)
      next(nonce + 1, 0, 1_000 * nonce)
    }
    execute(2, [
      [ALICE, 0],
      [ALICE, 1],
    ])
    expect(next(4, 0, 9_000)).toBeUndefined()
    add(ALICE, 3)
    expect(next(4, 0, 9_000)).toEqual(['alice 3'])
  })

  it('counts what was proposed before a restart', () => {
    const before = world()
    for (const nonce of [0, 1]) before.add(ALICE, nonce)
    const { batch } = before.proposing.next({ seq: 1, view: 0, inFlightBlocks: 0, now: 1_000, at: 1_000 })!
    const { proposing, add, next, execute } = world()
    proposing.reset([[1, batch]])
    for (const nonce of [0, 1, 2]) add(ALICE, nonce)
    expect(next(2, 0, 2_000)).toEqual(['alice 2'])
    execute(1, [
      [ALICE, 0],
      [ALICE, 1],
    ])
    execute(2, [[ALICE, 2]])
    add(ALICE, 3)
    expect(next(3, 0, 3_000)).toEqual(['alice 3'])
  })

  it('in a view that was left may be proposed again, but for what the new view took over', () => {
    const { proposing, add, next } = world()
    add(ALICE, 0)
    const { batch } = proposing.next({ seq: 1, view: 0, inFlightBlocks: 0, now: 1_000, at: 1_000 })!
    add(BOB, 0)
    expect(next(2, 0, 2_000)).toEqual(['bob 0'])
    expect(next(3, 0, 3_000)).toBeUndefined()
    proposing.reset([[1, batch]])
    expect(next(2, 0, 4_000)).toEqual(['bob 0'])
    proposing.reset([])
    expect(next(1, 0, 5_000)).toEqual(expect.arrayContaining(['alice 0', 'bob 0']))
  })

  it('is counted once however often it is set anew', () => {
    const { proposing, add, next, execute } = world({ blockTransactionsMax: 2 })
    for (const nonce of [0, 1]) add(ALICE, nonce)
    const { batch } = proposing.next({ seq: 1, view: 0, inFlightBlocks: 0, now: 1_000, at: 1_000 })!
    proposing.reset([[1, batch]])
    proposing.reset([[1, batch]])
    execute(1, [
      [ALICE, 0],
      [ALICE, 1],
    ])
    for (const nonce of [2, 3]) add(ALICE, nonce)
    // Full, so closed although the delay is not over: nothing is counted as in flight any more.
    expect(next(2, 1, 1_001)).toEqual(['alice 2', 'alice 3'])
  })
})

describe('a nonce that a view change dropped', () => {
  it('is proposed again before the ones behind it, and those again after it', () => {
    const { pool, proposing, add, nonces } = world({ blockTransactionsMax: 1 })
    for (let nonce = 0; nonce < 4; nonce++) add(ALICE, nonce)
    const place = { view: 0, inFlightBlocks: 0, now: 1, at: 1_000 }
    const noncesOf = (body: { batch: { txs: Uint8Array[] } } | undefined) =>
      body?.batch.txs.map((wire) => decodeTransaction(wire).nonce)
    const first = proposing.next({ ...place, seq: 1 })
    const second = proposing.next({ ...place, seq: 2 })
    expect([noncesOf(first), noncesOf(second)]).toEqual([[0], [1]])
    // Sequence 1 became null in the new view; sequence 2 is proposed again and will be skipped for the gap.
    proposing.reset([[2, second!.batch]])
    const third = proposing.next({ ...place, view: 1, seq: 3 })
    expect(noncesOf(third)).toEqual([0])
    pool.onExecuted(2, [{ id: 'skipped', sender: ALICE, nonce: 1, final: false }], new Map())
    proposing.onExecuted(2)
    expect(noncesOf(proposing.next({ ...place, view: 1, seq: 4 }))).toEqual([1])
    nonces.set(ALICE, 1)
    pool.onExecuted(3, [{ id: 'ran', sender: ALICE, nonce: 0, final: true }], new Map([[ALICE, 1]]))
    proposing.onExecuted(3)
    expect(noncesOf(proposing.next({ ...place, view: 1, seq: 5 }))).toEqual([2])
  })
})

describe('a heartbeat', () => {
  it('is an empty batch after so long without a block, and again after as long', () => {
    const { next, execute } = world({ heartbeatMs: 1_000 })
    expect(next(1, 0, 0)).toBeUndefined()
    expect(next(1, 0, 999)).toBeUndefined()
    expect(next(1, 0, 1_000)).toEqual([])
    expect(next(2, 1, 5_000)).toBeUndefined()
    execute(1, [])
    expect(next(2, 0, 5_100)).toBeUndefined()
    expect(next(2, 0, 6_099)).toBeUndefined()
    expect(next(2, 0, 6_100)).toEqual([])
  })

  it('waits from the last block on, whoever proposed it', () => {
    const { next, execute } = world({ heartbeatMs: 1_000 })
    expect(next(1, 0, 0)).toBeUndefined()
    execute(1, [])
    expect(next(2, 0, 1_500)).toBeUndefined()
    expect(next(2, 0, 2_500)).toEqual([])
  })

  it('is none where none is asked for, nor while there is something to propose', () => {
    const never = world()
    expect([0, 1e9].map((at) => never.next(1, 0, at))).toEqual([undefined, undefined])
    const busy = world({ heartbeatMs: 1_000 })
    expect(busy.next(1, 0, 0)).toBeUndefined()
    busy.add(ALICE, 0)
    expect(busy.next(1, 0, 1_000)).toEqual(['alice 0'])
  })
})
