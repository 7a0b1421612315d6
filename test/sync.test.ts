// Catching up: ranges of heights, fetched from several peers at once and applied in order.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FETCH_BLOCKS_MAX } from '../src/limits.ts'
import { blockAnswerCodec } from '../src/types/fetch.ts'
import { encode } from '../src/types/schema.ts'
import { lies } from './sync/lies.ts'
import { type Answer, honest, honestPeer, LENGTH, never, OPEN_MAX, world } from './sync/world.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a node that is behind', () => {
  it('reaches the height of its peer in whole answers', async () => {
    const { run, position, requests, blamed, sync } = world({ a: honestPeer })
    await run(2)
    expect(position.h).toBe(LENGTH)
    expect(requests.map(({ from }) => from)).toEqual([1, 65, 129])
    expect(requests.every(({ limit }) => limit <= FETCH_BLOCKS_MAX)).toBe(true)
    expect(blamed).toEqual([])
    expect(sync.target()).toBeUndefined()
  })

  it('goes on from where it is', async () => {
    const { run, position, requests } = world({ a: honestPeer }, 140)
    await run(2)
    expect([position.h, requests.length, requests[0]!.from]).toEqual([LENGTH, 1, 141])
  })

  it('asks nobody while no one is ahead, nor for what arrives live a moment later', async () => {
    const { run, requests, sync, position } = world({ a: { claims: 5, answer: honest } }, 5)
    await run(3)
    sync.onPeerHeight('a', 8)
    await vi.advanceTimersByTimeAsync(250)
    position.h = position.lastExec = 6
    await vi.advanceTimersByTimeAsync(500)
    expect(requests).toEqual([])
  })

  it('says what it is fetching towards', async () => {
    const { sync } = world({ a: honestPeer })
    expect(sync.target()).toBeUndefined()
    sync.onPeerHeight('a', LENGTH)
    const seen = new Set<number | undefined>()
    for (let times = 0; times < 1_300; times++) {
      await vi.advanceTimersByTimeAsync(1)
      seen.add(sync.target())
    }
    expect([...seen]).toEqual([undefined, LENGTH])
    expect(sync.target()).toBeUndefined()
  })

  it('does not believe a claim before its maker has delivered', async () => {
    const { sync } = world({ liar: { claims: LENGTH, answer: async () => encode(blockAnswerCodec, []) } })
    sync.onPeerHeight('liar', LENGTH)
    for (let times = 0; times < 1_000; times++) {
      await vi.advanceTimersByTimeAsync(1)
      expect(sync.target()).toBeUndefined()
    }
  })

  it('asks several peers at once, each range once', async () => {
    const peers = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`peer ${index}`, honestPeer]))
    const { run, state, requests, position } = world(peers)
    await run(3)
    expect(requests.map(({ from }) => from)).toEqual([1, 65, 129])
    expect(new Set(requests.map(({ peer }) => peer)).size).toBe(3)
    expect([state.openMost, position.h]).toEqual([3, LENGTH])
  })

  it('forgets a peer that is gone', async () => {
    const { sync, requests } = world({ a: honestPeer })
    sync.onPeerHeight('a', LENGTH)
    sync.onPeerGone('a')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(requests).toEqual([])
  })

  it('applies nothing once it is stopped from outside', async () => {
    const { run, state, position, requests } = world({ a: honestPeer })
    state.stopped = true
    await run(3)
    expect([position.h, requests.length]).toEqual([0, 0])
  })
})

describe('several peers', () => {
  it('share the work: a late range is asked of another peer and waits no longer than a second', async () => {
    const { run, position, requests, blamed, isDone } = world({
      silent: { claims: LENGTH, answer: never },
      a: honestPeer,
    })
    await run(2)
    expect([position.h, isDone()]).toEqual([LENGTH, true])
    const first = requests.filter(({ from }) => from === 1)
    expect(first.map(({ peer }) => peer)).toEqual(['silent', 'a'])
    expect(first[1]!.at - first[0]!.at).toBe(1_000)
    expect(blamed).toEqual([])
  })

  it('lose no range to a slow one: its late answer counts where nobody else has one', async () => {
    const slow: Answer = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 3_000))
      return honest(request)
    }
    const { run, position } = world({ slow: { claims: LENGTH, answer: slow } })
    await run(10)
    expect(position.h).toBe(LENGTH)
  })

  it('are not waited for together: a range that fails is asked elsewhere while the others stay', async () => {
    const { run, requests, position } = world({
      liar: { claims: LENGTH + 1, answer: lies['a broken link']! },
      a: honestPeer,
      b: honestPeer,
    })
    await run(2)
    expect(position.h).toBe(LENGTH)
    const counts = [1, 65, 129].map((height) => requests.filter(({ from }) => from === height).length)
    expect(counts).toEqual([2, 1, 1])
  })

  it('never give more than fits: whole answers count while they are under way', async () => {
    const { run, state } = world(
      Object.fromEntries(
        Array.from({ length: 20 }, (_, index) => [`peer ${index}`, { claims: 10_000, answer: never }]),
      ),
    )
    await run(4)
    expect(state.openMost).toBe(OPEN_MAX)
  })

  it('are asked only so many blocks ahead of what is executed', async () => {
    const { run, requests, position } = world(
      { a: { claims: 100_000, answer: honest } },
      0,
      () => new Promise(() => {}),
    )
    await run(5)
    expect(position.h).toBe(0)
    expect(Math.max(...requests.map(({ from }) => from))).toBeLessThanOrEqual(10 * FETCH_BLOCKS_MAX)
  })

  it('are asked once more for the tip when executing took long, beyond what they claimed', async () => {
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 200))
    const { sync, position, requests } = world({ a: honestPeer }, 0, wait)
    sync.onPeerHeight('a', 64)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(position.h).toBe(LENGTH)
    expect(requests.map(({ from }) => from)).toEqual([1, 65, 129, 151])
    expect(sync.target()).toBeUndefined()
  })

  it('are told of: a line at the start and one at the end', async () => {
    const { run, reports } = world({ a: honestPeer })
    await run(2)
    expect(reports).toEqual([
      ['catching up: fetching blocks from peers', { from: 0, height: 0, to: LENGTH, blocksPerSecond: 0 }],
      ['caught up', { from: 0, height: LENGTH, to: LENGTH, blocksPerSecond: expect.any(Number) }],
    ])
    const near = world({ a: honestPeer }, LENGTH - 20)
    await near.run(2)
    expect([near.position.h, near.reports]).toEqual([LENGTH, []])
  })
})

describe('after stop', () => {
  it('no timer is left and nothing is asked', async () => {
    const { sync, requests, state } = world({ a: honestPeer })
    sync.onPeerHeight('a', LENGTH)
    sync.stop()
    expect(state.timers).toBe(0)
    sync.onPeerHeight('a', LENGTH)
    expect(state.timers).toBe(0)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(requests).toEqual([])
  })

  it('no peer starts it again', async () => {
    const { sync, requests, state } = world({ a: honestPeer })
    sync.stop()
    sync.onPeerHeight('a', LENGTH)
    expect(state.timers).toBe(0)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(requests).toEqual([])
  })

  it('the answer that was under way is not applied and no further one is asked for', async () => {
    const { sync, requests, position } = world({ a: honestPeer })
    sync.onPeerHeight('a', LENGTH)
    await vi.advanceTimersByTimeAsync(310)
    sync.stop()
    await vi.advanceTimersByTimeAsync(2_000)
    expect([requests.length, position.h]).toEqual([1, 0])
  })
})
