import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createWaiters, type Waiters } from '../src/waiters.ts'

/** A ledger that the test fills: what has run where, and what is certified. */
function world() {
  const ran = new Map<string, number>()
  const state = { certified: 0, find: async (id: string) => ran.get(id) }
  const waiters = createWaiters({ find: (id) => state.find(id), certifiedHeight: () => state.certified })
  return {
    waiters,
    state,
    execute(height: number, ...ids: string[]) {
      for (const id of ids) ran.set(id, height)
      waiters.onExecuted(height, ids)
    },
    certify(height: number) {
      state.certified = height
      waiters.onCertified(height)
    },
  }
}

/** What a promise has come to, without waiting for it. */
async function stateOf(promise: Promise<boolean>): Promise<boolean | 'waiting'> {
  return Promise.race([promise, Promise.resolve().then(() => 'waiting' as const)])
}
/** Lets every lookup that is under way come back. */
const lookups = () => vi.advanceTimersByTimeAsync(0)

function expectEmpty(waiters: Waiters): void {
  expect(waiters.count()).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a transaction awaited until it is executed', () => {
  it('that ran before is there at once', async () => {
    const { waiters, execute } = world()
    execute(1, 'a')
    expect(await waiters.transaction('a', 'executed', 1_000)).toBe(true)
    expectEmpty(waiters)
  })

  it('that runs afterwards is told when it does, and no other', async () => {
    const { waiters, execute } = world()
    const a = waiters.transaction('a', 'executed', 1_000)
    const b = waiters.transaction('b', 'executed', 1_000)
    await lookups()
    execute(1, 'a')
    expect(await a).toBe(true)
    expect(await stateOf(b)).toBe('waiting')
    execute(2, 'b')
    expect(await b).toBe(true)
    expectEmpty(waiters)
  })

  it('that runs while it is being looked up is not missed', async () => {
    const { waiters, state, execute } = world()
    state.find = () => new Promise((resolve) => setTimeout(resolve, 50, undefined))
    const waiting = waiters.transaction('a', 'executed', 1_000)
    execute(1, 'a')
    expect(await waiting).toBe(true)
    await vi.advanceTimersByTimeAsync(50)
    expectEmpty(waiters)
  })

  it('tells everyone who waits for it', async () => {
    const { waiters, execute } = world()
    const all = [1, 2, 3].map(() => waiters.transaction('a', 'executed', 1_000))
    await lookups()
    execute(1, 'a')
    expect(await Promise.all(all)).toEqual([true, true, true])
    expectEmpty(waiters)
  })
})

describe('a transaction awaited until its block is certified', () => {
  it('waits for the certificate of its own height or a later one', async () => {
    const { waiters, execute, certify } = world()
    const [a, b] = [waiters.transaction('a', 'certified', 1_000), waiters.transaction('b', 'certified', 1_000)]
    await lookups()
    execute(3, 'a')
    execute(5, 'b')
    certify(2)
    expect(await stateOf(a)).toBe('waiting')
    certify(4)
    expect(await a).toBe(true)
    expect(await stateOf(b)).toBe('waiting')
    certify(5)
    expect(await b).toBe(true)
    expectEmpty(waiters)
  })

  it('that ran before waits from its height on, or not at all', async () => {
    const { waiters, execute, certify } = world()
    execute(1, 'a')
    execute(2, 'b')
    certify(1)
    expect(await waiters.transaction('a', 'certified', 1_000)).toBe(true)
    const b = waiters.transaction('b', 'certified', 1_000)
    await lookups()
    expect(await stateOf(b)).toBe('waiting')
    certify(2)
    expect(await b).toBe(true)
    expectEmpty(waiters)
  })

  it('is told apart from one awaited until it is executed', async () => {
    const { waiters, execute, certify } = world()
    const executed = waiters.transaction('a', 'executed', 1_000)
    const certified = waiters.transaction('a', 'certified', 1_000)
    await lookups()
    execute(1, 'a')
    expect(await executed).toBe(true)
    expect(await stateOf(certified)).toBe('waiting')
    certify(1)
    expect(await certified).toBe(true)
    expectEmpty(waiters)
  })
})

describe('whoever waits', () => {
  it('is told no at the timeout, and leaves nothing behind', async () => {
    const { waiters } = world()
    const waiting = waiters.transaction('a', 'executed', 1_000)
    await vi.advanceTimersByTimeAsync(999)
    expect(await stateOf(waiting)).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1)
    expect(await waiting).toBe(false)
    expectEmpty(waiters)
  })

  it('for a certificate that does not come leaves nothing behind either', async () => {
    const { waiters, execute } = world()
    const waiting = waiters.transaction('a', 'certified', 1_000)
    await lookups()
    execute(1, 'a')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await waiting).toBe(false)
    expectEmpty(waiters)
  })

  it('and aborts is told no, whichever milestone it was at', async () => {
    const { waiters, execute } = world()
    const abort = new AbortController()
    const a = waiters.transaction('a', 'certified', 1_000, abort.signal)
    const b = waiters.transaction('b', 'executed', 1_000, abort.signal)
    await lookups()
    execute(1, 'a')
    abort.abort()
    expect(await Promise.all([a, b])).toEqual([false, false])
    expectEmpty(waiters)
  })

  it('and has aborted before is told no at once', async () => {
    const { waiters } = world()
    const waiting = waiters.transaction('a', 'executed', 1_000, AbortSignal.abort())
    await lookups()
    expect(await stateOf(waiting)).toBe(false)
    expectEmpty(waiters)
  })

  it('is told no when the lookup fails', async () => {
    const { waiters, state } = world()
    state.find = () => Promise.reject(new Error('closed'))
    expect(await waiters.transaction('a', 'executed', 1_000)).toBe(false)
    expectEmpty(waiters)
  })

  it('does not disturb the others by giving up', async () => {
    const { waiters, execute } = world()
    const short = waiters.transaction('a', 'executed', 10)
    const long = waiters.transaction('a', 'executed', 1_000)
    await vi.advanceTimersByTimeAsync(10)
    expect(await short).toBe(false)
    execute(1, 'a')
    expect(await long).toBe(true)
    expectEmpty(waiters)
  })

  it('and is told once takes no harm from a late lookup', async () => {
    const { waiters, state, execute, certify } = world()
    state.find = () => new Promise((resolve) => setTimeout(resolve, 50, 1))
    const waiting = waiters.transaction('a', 'executed', 1_000)
    execute(1, 'a')
    expect(await waiting).toBe(true)
    await vi.advanceTimersByTimeAsync(50)
    certify(1)
    expectEmpty(waiters)
  })
})

describe('a height', () => {
  it('that is certified is there at once', async () => {
    const { waiters, certify } = world()
    certify(3)
    expect(await waiters.height(3, 1_000)).toBe(true)
    expectEmpty(waiters)
  })

  it('is told when it or a later one is certified', async () => {
    const { waiters, certify } = world()
    const [third, fifth] = [waiters.height(3, 1_000), waiters.height(5, 1_000)]
    certify(2)
    expect(await stateOf(third)).toBe('waiting')
    certify(4)
    expect(await third).toBe(true)
    expect(await stateOf(fifth)).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await fifth).toBe(false)
    expectEmpty(waiters)
  })
})
