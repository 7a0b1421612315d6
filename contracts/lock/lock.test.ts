/** The shipped lock, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type CallOutcome, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => account(name).address) as [string, string, string]
let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy(new URL('.', import.meta.url), { name: 'lock' })
})
beforeEach(() => {
  chain = deployed.fork()
})

const call = (from: string, method: string, args: object = {}) =>
  chain.call('lock', method, { name: 'job', ...args }, { from })
const mustCall = (from: string, method: string, args: object = {}) =>
  chain.mustCall('lock', method, { name: 'job', ...args }, { from })
const acquire = (from: string, args: object = {}) => mustCall(from, 'acquire', { ttlMs: 1_000, ...args }).result
const view = (name: string) => chain.view('lock', name, { name: 'job' })
const names = ({ events }: CallOutcome) => events.map(({ name, data }) => [name, data.account, data.token])
const thrown = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { code: 'THROWN', message: expect.stringMatching(message) },
})

describe('lock', () => {
  it('is held by one account, under the documented keys and with its event', () => {
    const { result, changes, events } = mustCall('alice', 'acquire', { ttlMs: 1_000 })
    const expiresAt = chain.time + 1_000
    expect(result).toEqual({ held: true, token: 1, expiresAt })
    const lease = { account: alice, mode: 'exclusive', token: 1, expiresAt }
    expect(changes.lock).toEqual({
      fence: { before: undefined, after: 1 },
      'lock/job': { before: undefined, after: { holders: [{ ...lease, ttlMs: 1_000 }], queue: [] } },
    })
    expect(events).toEqual([{ contract: 'lock', name: 'Acquired', data: { name: 'job', ...lease } }])
    expect(view('holders')).toEqual([lease])
    expect(view('status')).toEqual({ mode: 'exclusive', holders: 1, waiting: 0, expiresAt })
    expect(call('bob', 'acquire', { ttlMs: 5 })).toMatchObject(
      thrown(/lock job is taken: qr1\S+ holds it until \d+; try/),
    )
  })

  it('leaves nothing behind but the count of tokens, which goes on', () => {
    const { token } = acquire('alice')
    expect(names(mustCall('alice', 'release', { token }))).toEqual([['Released', alice, 1]])
    expect(chain.entries('lock')).toEqual([['fence', 1]])
    expect(view('status')).toEqual({ mode: null, holders: 0, waiting: 0, expiresAt: null })
    expect(acquire('bob').token).toBe(2)
    expect(acquire('bob', { name: 'other' }).token).toBe(3)
  })

  it('expires at its time, to the millisecond', () => {
    const { expiresAt } = acquire('alice')
    chain.advance(expiresAt - 2 - chain.time)
    expect(call('bob', 'acquire', { ttlMs: 1 })).toMatchObject(thrown('is taken'))
    expect(chain.time).toBe(expiresAt - 1)
    expect(view('holders')).toHaveLength(1)
    chain.advance(1)
    expect(view('holders')).toEqual([])
    const outcome = mustCall('bob', 'acquire', { ttlMs: 1 })
    expect(names(outcome)).toEqual([
      ['Expired', alice, 1],
      ['Acquired', bob, 2],
    ])
  })

  it('is renewed and released only under its own token, while it lasts', () => {
    const { token } = acquire('alice')
    chain.advance(900)
    expect(mustCall('alice', 'renew', { token }).result).toEqual({ expiresAt: chain.time + 1_000 })
    expect(mustCall('alice', 'renew', { token, ttlMs: 50 }).result).toEqual({ expiresAt: chain.time + 50 })
    for (const method of ['renew', 'release']) {
      expect(call('bob', method, { token })).toMatchObject(thrown(/qr1\S+ has no lease on lock job with token 1/))
      expect(call('alice', method, { token: 2 })).toMatchObject(thrown('has no lease on lock job with token 2'))
    }
    chain.advance(60)
    expect(call('alice', 'renew', { token })).toMatchObject(thrown('or it expired: acquire it again'))
  })

  it('answers a holder that asks again with the lease it has, and keeps it to its mode', () => {
    const first = acquire('alice')
    chain.advance(10)
    expect(acquire('alice', { ttlMs: 5_000 })).toEqual(first)
    const shared = call('alice', 'acquire', { ttlMs: 1, mode: 'shared' })
    expect(shared).toMatchObject(thrown('holds lock job in mode exclusive, not shared: release it first'))
  })

  it('is shared by those who ask so, and by nobody behind one who waits to have it alone', () => {
    acquire('alice', { mode: 'shared' })
    acquire('bob', { mode: 'shared' })
    expect(view('status')).toMatchObject({ mode: 'shared', holders: 2 })
    expect(acquire('carol', { wait: true })).toEqual({ held: false, position: 1, expiresAt: chain.time + 1_000 })
    expect(call('dave', 'acquire', { ttlMs: 1, mode: 'shared' })).toMatchObject(thrown('is taken'))
    expect(acquire('dave', { mode: 'shared', wait: true }).position).toBe(2)
    mustCall('alice', 'release', { token: 1 })
    expect(names(mustCall('bob', 'release', { token: 2 }))).toEqual([
      ['Released', bob, 2],
      ['Acquired', carol, 3],
    ])
  })

  it('passes to those who wait in their order, and to all at once who can share it', () => {
    acquire('alice')
    for (const from of ['bob', 'carol']) acquire(from, { mode: 'shared', wait: true, ttlMs: 5_000 })
    acquire('dave', { wait: true, ttlMs: 5_000 })
    expect(view('queue').map(({ account }: { account: string }) => account)).toEqual([
      bob,
      carol,
      account('dave').address,
    ])
    chain.advance(1_000)
    expect(view('status')).toMatchObject({ mode: null, waiting: 3 })
    const outcome = mustCall('dave', 'acquire', { ttlMs: 5_000, wait: true })
    expect(names(outcome)).toEqual([
      ['Expired', alice, 1],
      ['Acquired', bob, 2],
      ['Acquired', carol, 3],
      ['Waiting', account('dave').address, undefined],
    ])
    expect(outcome.result.position).toBe(1)
  })

  it('passes over a claim that was not repeated in time', () => {
    acquire('alice', { ttlMs: 100 })
    acquire('bob', { wait: true, ttlMs: 20 })
    acquire('carol', { wait: true, ttlMs: 60 })
    chain.advance(50)
    expect(acquire('carol', { wait: true, ttlMs: 100 }).position).toBe(1)
    chain.advance(50)
    const outcome = mustCall('carol', 'acquire', { ttlMs: 5 })
    expect(names(outcome)).toEqual([
      ['Expired', alice, 1],
      ['Acquired', carol, 2],
    ])
    expect(outcome.result).toEqual({ held: true, token: 2, expiresAt: chain.time + 100 })
  })

  it('is settled by anyone, which leaves nothing of what is over', () => {
    acquire('alice', { ttlMs: 10 })
    acquire('bob', { wait: true, ttlMs: 30 })
    expect(mustCall('carol', 'settle')).toMatchObject({ changes: {}, events: [] })
    chain.advance(10)
    expect(names(mustCall('carol', 'settle'))).toEqual([
      ['Expired', alice, 1],
      ['Acquired', bob, 2],
    ])
    chain.advance(40)
    expect(names(mustCall('carol', 'settle'))).toEqual([['Expired', bob, 2]])
    expect(chain.entries('lock')).toEqual([['fence', 2]])
  })

  it('lets who waits leave, and moves up those behind', () => {
    acquire('alice', { mode: 'shared' })
    acquire('bob', { wait: true })
    acquire('carol', { mode: 'shared', wait: true })
    expect(call('bob', 'acquire', { ttlMs: 1, mode: 'shared' })).toMatchObject(thrown('cancel first'))
    expect(names(mustCall('bob', 'cancel'))).toEqual([
      ['Cancelled', bob, undefined],
      ['Acquired', carol, 2],
    ])
    expect(call('bob', 'cancel')).toMatchObject(thrown('does not wait for lock job'))
  })

  it('has a queue and a number of holders that end', () => {
    for (let index = 0; index < 32; index++) acquire(`holder ${index}`, { mode: 'shared' })
    for (let index = 0; index < 32; index++) acquire(`waiter ${index}`, { mode: 'shared', wait: true })
    expect(view('status')).toMatchObject({ mode: 'shared', holders: 32, waiting: 32 })
    expect(call('alice', 'acquire', { ttlMs: 1, wait: true })).toMatchObject(thrown('32 wait for lock job already'))
    expect(names(mustCall('holder 3', 'release', { token: 4 }))[1]).toEqual([
      'Acquired',
      account('waiter 0').address,
      33,
    ])
  })

  it('gives one of two the lock who ask in one block', () => {
    const ask = (from: string) => ({ contract: 'lock', method: 'acquire', args: { name: 'job', ttlMs: 9 }, from })
    expect(chain.block([ask('bob'), ask('alice')]).map(({ status }) => status)).toEqual(['ok', 'reverted'])
  })

  it('with an owner, is for the accounts that it names', async () => {
    const init = { owner: alice, writers: [bob] }
    await chain.deploy(new URL('.', import.meta.url), { name: 'ours', init })
    const ask = (from: string) => chain.call('ours', 'acquire', { name: from, ttlMs: 9 }, { from })
    expect([ask('alice').status, ask('bob').status]).toEqual(['ok', 'ok'])
    expect(ask('carol')).toMatchObject(thrown('may not write to contract ours: ask its owner'))
    const setWriters = (from: string, writers: unknown) => chain.call('ours', 'setWriters', { writers }, { from })
    expect(setWriters('bob', [carol])).toMatchObject(thrown('only its owner'))
    expect(setWriters('alice', [carol]).changes.ours).toMatchObject({
      access: { after: { owner: alice, writers: [carol] } },
    })
    expect([ask('carol').status, ask('bob').status]).toEqual(['ok', 'reverted'])
    expect(chain.call('lock', 'setWriters', { writers: [] })).toMatchObject(thrown('contract lock has no owner'))
  })

  it('refuses writers without an owner', async () => {
    const deploy = chain.deploy(new URL('.', import.meta.url), { name: 'ours', init: { writers: [bob] } })
    await expect(deploy).rejects.toThrow('writers are given without an owner')
  })

  it.each([
    ['acquire', 'arguments must be a JSON object', null],
    ['acquire', 'name is missing: give 1 to 64', { ttlMs: 1 }],
    ['acquire', 'name is "a/b": give 1 to 64', { name: 'a/b', ttlMs: 1 }],
    ['acquire', 'ttlMs is missing: give a whole number from 1 to 86400000', { name: 'a' }],
    ['acquire', 'ttlMs is 0', { name: 'a', ttlMs: 0 }],
    ['acquire', 'ttlMs is 1.5', { name: 'a', ttlMs: 1.5 }],
    ['acquire', 'ttlMs is 86400001', { name: 'a', ttlMs: 86_400_001 }],
    ['acquire', 'mode is "read": give exclusive or shared', { name: 'a', ttlMs: 1, mode: 'read' }],
    ['acquire', 'wait is "yes": give true or false', { name: 'a', ttlMs: 1, wait: 'yes' }],
    ['acquire', 'arguments: "ttl" is not known', { name: 'a', ttl: 1 }],
    ['renew', 'token is missing: give a whole number', { name: 'a' }],
    ['renew', 'ttlMs is null', { name: 'a', token: 1, ttlMs: null }],
    ['release', 'token is "1"', { name: 'a', token: '1' }],
    ['cancel', 'name is 5', { name: 5 }],
  ])('%s: %s', (method, message, args) => {
    expect(chain.call('lock', method, args)).toMatchObject(thrown(message))
  })

  it('has tokens that grow and never two holders but shared ones, whatever is called when', () => {
    const asked = { name: fc.constantFrom('a', 'b'), from: fc.constantFrom('alice', 'bob', 'carol', 'dave') }
    const ttlMs = fc.integer({ min: 1, max: 60 })
    const acquire = fc.record({
      ...asked,
      method: fc.constant('acquire' as const),
      args: fc.record({ ttlMs, mode: fc.constantFrom('exclusive', 'shared'), wait: fc.boolean() }),
    })
    const step = fc.oneof(
      { weight: 5, arbitrary: acquire },
      {
        weight: 1,
        arbitrary: fc.record({ ...asked, method: fc.constant('renew' as const), args: fc.record({ ttlMs }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          ...asked,
          method: fc.constantFrom('release' as const, 'cancel' as const, 'settle' as const),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ method: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40 }) }),
      },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const run = deployed.fork()
        const watch = createWatch()
        for (const step of steps) {
          if (step.method === 'wait') run.advance(step.ms)
          else {
            const { name, from, method } = step
            const given = 'args' in step ? step.args : {}
            const token = watch.tokenOf(name, account(from).address)
            const args = method === 'renew' || method === 'release' ? { name, token, ...given } : { name, ...given }
            watch.follow(run.call('lock', method, args, { from }), run.time)
          }
          for (const name of ['a', 'b']) {
            const held = run.view('lock', 'holders', { name }) as Lease[]
            expect(held.length <= 1 || held.every(({ mode }) => mode === 'shared')).toBe(true)
            expect(held.map(({ token }) => token).sort()).toEqual(watch.tokens(name, run.time))
          }
        }
      }),
      { numRuns: 80 },
    )
  })
})

interface Lease {
  account: string
  mode: string
  token: number
  expiresAt: number
}

/** What events alone say of who holds what; complains of a token that does not grow and of a lease granted beside another. */
function createWatch() {
  const leases: Record<string, Lease[]> = { a: [], b: [] }
  const last: Record<string, number> = { a: 0, b: 0 }
  const drop = (name: string, gone: number) => {
    leases[name] = leases[name]!.filter(({ token }) => token !== gone)
  }
  const live = (name: string, time: number) => leases[name]!.filter(({ expiresAt }) => expiresAt > time)
  return {
    tokenOf: (name: string, account: string) =>
      leases[name]!.findLast((lease) => lease.account === account)?.token ?? 1,
    tokens: (name: string, time: number) =>
      live(name, time)
        .map(({ token }) => token)
        .sort(),
    follow({ events }: CallOutcome, time: number): void {
      for (const { name: event, data } of events) {
        const { name, token, expiresAt } = data
        if (event === 'Released') drop(name, token)
        if (event === 'Renewed') leases[name]!.find((lease) => lease.token === token)!.expiresAt = expiresAt
        if (event === 'Expired') expect(live(name, time).map((lease) => lease.token)).not.toContain(token)
        if (event !== 'Acquired') continue
        expect(token).toBeGreaterThan(last[name]!)
        last[name] = token
        const beside = live(name, time)
        expect(beside.every(({ mode }) => mode === 'shared' && data.mode === 'shared')).toBe(true)
        leases[name]!.push(data)
      }
    },
  }
}
