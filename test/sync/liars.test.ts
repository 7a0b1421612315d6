// Peers that lie, are of no use, or claim what they do not have: they cost a retry elsewhere and stop nobody.
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Batch, batchCodec, ZERO_HASH } from '../../src/types/block.ts'
import { blockAnswerCodec } from '../../src/types/fetch.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { changing, lies, useless } from './lies.ts'
import {
  type Answer,
  answerOf,
  blocksFrom,
  honestPeer,
  LENGTH,
  NULL_HEIGHT,
  never,
  OPEN_MAX,
  type Peer,
  world,
} from './world.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a lying peer', () => {
  it.each(Object.keys(lies))('that answers with %s is blamed and stops nobody', async (name) => {
    const { run, position, blamed, isDone } = world(
      { liar: { claims: LENGTH + 1, answer: lies[name]! }, honest: honestPeer },
      3,
    )
    await run(30, isDone)
    expect(position.h).toBe(LENGTH)
    expect(new Set(blamed.map(({ peer }) => peer))).toEqual(new Set(['liar']))
  })

  it.each(Object.keys(useless))('that answers with %s is not blamed and stops nobody', async (name) => {
    const { run, position, blamed, isDone } = world({
      liar: { claims: LENGTH + 1, answer: useless[name]! },
      honest: honestPeer,
    })
    await run(60, isDone)
    expect(position.h).toBe(LENGTH)
    expect(blamed).toEqual([])
  })

  it.each([...Object.entries(lies), ...Object.entries(useless)])(
    'alone gets nothing applied: %s',
    async (_, answer) => {
      const { run, position, requests } = world({ liar: { claims: Number.MAX_SAFE_INTEGER, answer } }, 3)
      await run(20)
      expect(position.h).toBe(3)
      expect(requests.length).toBeLessThanOrEqual(11)
    },
  )

  it('among several does not keep the honest one from being asked, however slow they are', async () => {
    const slow: Peer = { claims: Number.MAX_SAFE_INTEGER, answer: never }
    const { run, position, isDone, requests } = world({ a: slow, b: slow, c: slow, honest: honestPeer })
    await run(120, isDone)
    expect(requests.map(({ peer }) => peer)).toContain('honest')
    expect(position.h).toBe(LENGTH)
  })

  it('cannot fill a null block: the null digest stands for the null batch alone', async () => {
    const filled = changing(-1, (block) => block)
    const answer: Answer = async (request) => {
      const blocks = decode(blockAnswerCodec, await filled(request))
      const stuffed: Batch = { view: 0, proposer: ZERO_HASH, time: 7, txs: [Uint8Array.of(1)] }
      return answerOf(
        blocks.map((block) =>
          block.header.height === NULL_HEIGHT ? { ...block, batch: encode(batchCodec, stuffed) } : block,
        ),
      )
    }
    const applied = world({ liar: { claims: LENGTH + 1, answer }, honest: honestPeer })
    await applied.run(10, applied.isDone)
    expect(applied.blamed.map(({ peer }) => peer)).toContain('liar')
    expect(applied.position.h).toBe(LENGTH)
  })

  it('in any company of quick ones never stops an honest one', async () => {
    const answers = [...Object.values(lies), useless['no blocks']!, useless['an error']!]
    const peers = fc.array(
      fc.record({ kind: fc.nat({ max: answers.length - 1 }), claims: fc.integer({ min: 0, max: 2 * LENGTH }) }),
      { maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(peers, fc.integer({ min: 0, max: LENGTH - 1 }), async (liars, start) => {
        const named = liars.map(
          ({ kind, claims }, index) => [`liar ${index}`, { claims, answer: answers[kind]! }] as const,
        )
        const { run, position, blamed, state, isDone } = world(
          { ...Object.fromEntries(named), honest: honestPeer },
          start,
        )
        await run(60, isDone)
        expect(position.h).toBe(LENGTH)
        expect(blamed.some(({ peer }) => peer === 'honest')).toBe(false)
        expect(state.openMost).toBeLessThanOrEqual(OPEN_MAX)
      }),
      { numRuns: 15 },
    )
  })
})

describe('strangers that claim a great height, which cost nothing to make', () => {
  /** More than are asked at a time. */
  const strangers = Array.from({ length: 30 }, (_, index) => `stranger ${index}`)
  const few: Answer = async ({ from, limit }) => answerOf(blocksFrom({ from, limit: Math.min(limit, 10) }))

  it('and connect anew after each failure do not keep a node behind its validators', async () => {
    const liars = strangers.map((name) => [name, { claims: Number.MAX_SAFE_INTEGER, answer: never }])
    const { sync, position } = world({ ...Object.fromEntries(liars), validator: { claims: LENGTH, answer: few } })
    for (let second = 0; second < 20; second++) {
      sync.onPeerHeight('validator', LENGTH, true)
      for (const stranger of strangers) {
        // It reconnects: a fresh start, or a fresh peer id, which is free.
        if (second % 2 === 0) sync.onPeerGone(stranger)
        sync.onPeerHeight(stranger, Number.MAX_SAFE_INTEGER)
      }
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(position.h).toBe(LENGTH)
  })

  it('do not make this node say that it fetches towards it', async () => {
    const { sync } = world({ stranger: { claims: Number.MAX_SAFE_INTEGER, answer: never } })
    sync.onPeerHeight('stranger', Number.MAX_SAFE_INTEGER)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sync.target()).toBeUndefined()
  })
})
