// Transactions on their way in, over a real pool and the real verifier in this thread.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createKeyPair, type KeyPair } from '../src/crypto/signer.ts'
import { createVerifier, type SignedItem, type Verdict } from '../src/crypto/verifier.ts'
import { createIntake, framesOf } from '../src/intake.ts'
import { PARAMETER_DEFAULTS } from '../src/limits.ts'
import { createMempool, MEMPOOL_LIMITS, type MempoolLimits } from '../src/mempool/mempool.ts'
import { transactionsFrameCodec } from '../src/types/fetch.ts'
import { toHex } from '../src/types/hex.ts'
import { decode, encode } from '../src/types/schema.ts'
import {
  decodeTransaction,
  encodeTransaction,
  type UnsignedTransaction,
  unsignedTransactionCodec,
} from '../src/types/transaction.ts'

const NETWORK = 'ab'.repeat(32)
const alice = createKeyPair(new Uint8Array(32).fill(1))
const bob = createKeyPair(new Uint8Array(32).fill(2))
const MIB = 1024 * 1024

function wireOf(nonce: number, fields: Partial<UnsignedTransaction> = {}, by: KeyPair = alice): Uint8Array {
  const sender = toHex(alice.publicKey)
  const given = {
    network: NETWORK,
    sender,
    nonce,
    expires: 0,
    gasLimit: 1_000,
    contract: 'token',
    method: 'pay',
    args: new Uint8Array(),
  }
  const unsigned = encode(unsignedTransactionCodec, { ...given, ...fields })
  return encodeTransaction(unsigned, by.sign(unsigned))
}
const forged = (nonce: number) => wireOf(nonce, {}, bob)
const frameOf = (...wires: Uint8Array[]) => encode(transactionsFrameCodec, wires)
const noncesIn = (frame: Uint8Array) =>
  decode(transactionsFrameCodec, frame).map((wire) => decodeTransaction(wire).nonce)

function world(limits: Partial<MempoolLimits> = {}) {
  const verifier = createVerifier({ workers: 0 })
  const pool = createMempool({
    genesisHash: NETWORK,
    limits: { ...MEMPOOL_LIMITS, ...limits },
    parameters: () => PARAMETER_DEFAULTS,
    nonceOf: () => 0,
    mayTransact: () => true,
    intrinsicGas: () => 0,
  })
  const seen = {
    judged: [] as { lane: string | undefined; count: number }[],
    broadcast: [] as number[][],
    sent: [] as [peer: string, nonces: number[]][],
    blamed: [] as [peer: string, reason: string][],
    admitted: 0,
    height: 0,
    judge: verifier.judgeBatch as (items: readonly SignedItem[], lane?: string) => Promise<Verdict[]>,
  }
  const intake = createIntake({
    pool,
    verifier: {
      judgeBatch(items, lane) {
        seen.judged.push({ lane, count: items.length })
        return seen.judge(items, lane)
      },
    },
    executedHeight: () => seen.height,
    now: Date.now,
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs)
      return () => clearTimeout(timer)
    },
    broadcast: (frame) => seen.broadcast.push(noncesIn(frame)),
    sendTo: (peer, frame) => seen.sent.push([peer, noncesIn(frame)]),
    onAdmitted: () => seen.admitted++,
    blame: (peer, reason) => seen.blamed.push([peer, reason]),
    onError(error) {
      throw error
    },
  })
  return { intake, pool, seen, gathered: () => vi.advanceTimersByTimeAsync(10) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('a transaction from a client', () => {
  it('is admitted, told to the proposer, and passed on', async () => {
    const { intake, pool, seen, gathered } = world()
    const result = await intake.submit(wireOf(0), 'c')
    expect(result).toMatchObject({ ok: true, isNew: true })
    expect(result.ok && pool.has(result.id)).toBe(true)
    expect(seen.admitted).toBe(1)
    expect(seen.broadcast).toEqual([])
    await gathered()
    expect(seen.broadcast).toEqual([[0]])
  })

  it('leaves in one frame with those that come right after it', async () => {
    const { intake, seen, gathered } = world()
    await Promise.all([0, 1, 2].map((nonce) => intake.submit(wireOf(nonce), 'c')))
    await gathered()
    expect(seen.broadcast).toEqual([[0, 1, 2]])
  })

  it('that is here already is not passed on again, nor its signature checked again', async () => {
    const { intake, seen, gathered } = world()
    await intake.submit(wireOf(0), 'c')
    await gathered()
    expect(await intake.submit(wireOf(0), 'c')).toMatchObject({ ok: true, isNew: false })
    await gathered()
    expect([seen.judged.length, seen.broadcast.length, seen.admitted]).toEqual([1, 1, 1])
  })

  it('handed in twice at once is admitted once', async () => {
    const { intake, seen, gathered } = world()
    const results = await Promise.all([intake.submit(wireOf(0), 'c'), intake.submit(wireOf(0), 'd')])
    expect(results.map((result) => result.ok && result.isNew)).toEqual([true, false])
    await gathered()
    expect([seen.broadcast, seen.admitted]).toEqual([[[0]], 1])
  })

  it('is refused with a wrong signature, also while the rightly signed one is pending', async () => {
    const { intake, pool, seen, gathered } = world()
    expect(await intake.submit(forged(0), 'c')).toMatchObject({
      ok: false,
      code: 'BAD_SIGNATURE',
      id: expect.any(String),
    })
    expect(pool.size().count).toBe(0)
    await intake.submit(wireOf(0), 'c')
    expect(await intake.submit(forged(0), 'c')).toMatchObject({ ok: false, code: 'BAD_SIGNATURE' })
    await gathered()
    expect([seen.broadcast, seen.admitted]).toEqual([[[0]], 1])
  })

  it.each([
    ['MALFORMED', Uint8Array.of(1)],
    ['MALFORMED', Uint8Array.of(...wireOf(0), 0)],
    ['WRONG_NETWORK', wireOf(0, { network: 'ef'.repeat(32) })],
    ['EXPIRED', wireOf(0, { expires: 1 })],
    ['NONCE_TOO_FAR', wireOf(100_000)],
  ])('is refused as %s before its signature is checked', async (code, wire) => {
    const { intake, seen } = world()
    seen.height = 5
    expect(await intake.submit(wire, 'c')).toMatchObject({ ok: false, code, message: expect.any(String) })
    expect(seen.judged).toEqual([])
  })

  it('is refused politely when the client has too many doubtful ones waiting', async () => {
    const { intake, pool, seen } = world()
    seen.judge = async (items) => items.map(() => 'refused')
    expect(await intake.submit(wireOf(0), 'c')).toMatchObject({
      ok: false,
      code: 'MEMPOOL_FULL',
      id: expect.any(String),
    })
    expect(pool.size().count).toBe(0)
    expect(seen.judged).toEqual([{ lane: 'client c', count: 1 }])
  })

  it('that lost its nonce while its signature was checked is refused, and not passed on', async () => {
    const { intake, seen, gathered } = world()
    const results = await Promise.all([
      intake.submit(wireOf(0), 'c'),
      intake.submit(wireOf(0, { gasLimit: 2_000 }), 'c'),
    ])
    expect(results[1]).toMatchObject({ ok: false, code: 'NONCE_TAKEN' })
    await gathered()
    expect([seen.broadcast, seen.admitted]).toEqual([[[0]], 1])
  })
})

describe('a frame from a peer', () => {
  it('is admitted, told to the proposer once, and not passed on', async () => {
    const { intake, pool, seen, gathered } = world()
    await intake.onFrame('p', frameOf(wireOf(0), wireOf(1), wireOf(2)))
    await gathered()
    expect(pool.size().count).toBe(3)
    expect([seen.admitted, seen.broadcast, seen.judged]).toEqual([1, [], [{ lane: 'p', count: 3 }]])
  })

  it('is checked once however often it comes', async () => {
    const { intake, seen } = world()
    for (let times = 0; times < 3; times++) await intake.onFrame('p', frameOf(wireOf(0), wireOf(0)))
    expect(seen.judged.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(2)
    expect([seen.judged.length, seen.admitted, seen.blamed]).toEqual([1, 1, []])
  })

  it.each([
    ['garbage', Uint8Array.of(0xff)],
    ['a malformed transaction', frameOf(Uint8Array.of(1))],
    ['a transaction of another network', frameOf(wireOf(0, { network: 'ef'.repeat(32) }))],
    ['a wrong signature', frameOf(forged(0))],
    ['a wrong signature for a pending transaction’s neighbour', frameOf(wireOf(0), forged(1))],
  ])('with %s is blamed on the peer that passed it on', async (_, frame) => {
    const { intake, seen } = world()
    await intake.onFrame('p', frame)
    expect(seen.blamed.map(([peer]) => peer)).toEqual(['p'])
  })

  it('with a wrong signature tells the proposer of those admitted before it', async () => {
    const { intake, pool, seen } = world()
    await intake.onFrame('p', frameOf(wireOf(0), forged(1)))
    expect(seen.admitted).toBe(pool.size().count)
  })

  it('with what is merely late, early or not allowed here is nobody’s fault', async () => {
    const { intake, pool, seen } = world()
    seen.height = 5
    await intake.onFrame(
      'p',
      frameOf(wireOf(0, { expires: 1 }), wireOf(100_000), wireOf(0, { gasLimit: 1e15 }), wireOf(0)),
    )
    expect([pool.size().count, seen.blamed, seen.admitted]).toEqual([1, [], 1])
  })

  it('whose signatures could not be judged is nobody’s fault, and not admitted', async () => {
    const { intake, pool, seen } = world()
    seen.judge = async (items) => items.map((_, index) => (index === 0 ? 'valid' : 'refused'))
    await intake.onFrame('p', frameOf(wireOf(0), wireOf(1)))
    expect([pool.size().count, seen.blamed, seen.admitted]).toEqual([1, [], 1])
  })

  it('keeps to its peer’s share of the pool', async () => {
    const { intake, pool, seen } = world({ perPeerMax: 2 })
    await intake.onFrame('p', frameOf(...[0, 1, 2, 3].map((nonce) => wireOf(nonce))))
    expect([pool.size().count, seen.blamed]).toEqual([2, []])
    await intake.onFrame('q', frameOf(wireOf(2)))
    expect(pool.size().count).toBe(3)
  })
})

describe('what this node answers for', () => {
  it('is sent again until it has run', async () => {
    const { intake, pool, seen, gathered } = world()
    await intake.submit(wireOf(0), 'c')
    await intake.onFrame('p', frameOf(wireOf(1)))
    await gathered()
    seen.broadcast.length = 0
    intake.resend()
    expect(seen.broadcast).toEqual([])
    await vi.advanceTimersByTimeAsync(1_000)
    intake.resend()
    expect(seen.broadcast).toEqual([[0]])
    pool.onExecuted(1, [], new Map([[toHex(alice.publicKey), 1]]))
    await vi.advanceTimersByTimeAsync(20_000)
    intake.resend()
    expect(seen.broadcast).toEqual([[0]])
  })

  it('goes to a validator that connects, to it alone', async () => {
    const { intake, seen, gathered } = world()
    await intake.submit(wireOf(0), 'c')
    await intake.onFrame('p', frameOf(wireOf(1)))
    await gathered()
    seen.broadcast.length = 0
    intake.onValidator('v')
    expect([seen.sent, seen.broadcast]).toEqual([[['v', [0]]], []])
  })

  it('includes what a peer brought first and a client handed in later', async () => {
    const { intake, seen } = world()
    await intake.onFrame('p', frameOf(wireOf(0)))
    expect(await intake.submit(wireOf(0), 'c')).toMatchObject({ ok: true, isNew: false })
    intake.onValidator('v')
    expect(seen.sent).toEqual([['v', [0]]])
  })
})

it('after stop nothing leaves and no timer is left, whatever comes in', async () => {
  const { intake, seen } = world()
  await intake.submit(wireOf(0), 'c')
  intake.stop()
  await vi.advanceTimersByTimeAsync(100)
  expect(seen.broadcast).toEqual([])
  const other = world()
  other.intake.stop()
  await other.intake.submit(wireOf(0), 'c')
  const timers = vi.getTimerCount()
  await vi.advanceTimersByTimeAsync(100)
  expect([timers, other.seen.broadcast]).toEqual([0, []])
})

describe('frames', () => {
  const sized = (...sizes: number[]) => sizes.map((size) => new Uint8Array(size))
  const shape = (frames: Uint8Array[]) =>
    frames.map((frame) => decode(transactionsFrameCodec, frame).map((wire) => wire.length))

  it('are as few as hold the transactions, in order', () => {
    expect(framesOf([])).toEqual([])
    expect(shape(framesOf(sized(1, 2, 3)))).toEqual([[1, 2, 3]])
    const half = MIB / 2
    expect(shape(framesOf(sized(half, half - 100, half, 5)))).toEqual([
      [half, half - 100],
      [half, 5],
    ])
  })

  it('each stay under the size limit with all that encoding adds', () => {
    for (const size of [160, 1_000, 1_024, 65_536, MIB / 4, MIB / 2]) {
      for (const frame of framesOf(sized(...Array(Math.ceil((3 * MIB) / size)).fill(size))))
        expect(frame.length).toBeLessThanOrEqual(MIB)
    }
  })

  it('hold a full pool of the smallest transactions', () => {
    const smallest = wireOf(0, { contract: 'ab', method: 'a' }).length
    const frames = framesOf(sized(...Array(20_000).fill(smallest)))
    expect(shape(frames).flat()).toHaveLength(20_000)
  })
})
