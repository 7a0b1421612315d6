/** The shipped registry, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => account(name).address) as [string, string, string]
let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy(new URL('.', import.meta.url), { name: 'registry' })
  deployed.mustCall('registry', 'createService', { service: 'pay', writers: [bob, carol] })
})
beforeEach(() => {
  chain = deployed.fork()
})

const call = (from: string, method: string, args: object = {}) =>
  chain.call('registry', method, { service: 'pay', ...args }, { from })
const mustCall = (from: string, method: string, args: object = {}) =>
  chain.mustCall('registry', method, { service: 'pay', ...args }, { from })
const view = (name: string, args: object = {}) => chain.view('registry', name, { service: 'pay', ...args })
const entry = { instance: 'one', address: 'https://10.0.0.1:80', ttlMs: 1_000 }
const register = (from: string, args: object = {}) => call(from, 'register', { ...entry, ...args })
const instances = (args: object = {}) =>
  view('instances', args).instances.map(({ instance }: { instance: string }) => instance)
const thrown = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { code: 'THROWN', message: expect.stringMatching(message) },
})

describe('registry', () => {
  it('registers an instance, under the documented key and with its event', () => {
    const metadata = { zone: 'b' }
    const { result, changes, events } = register('bob', { metadata })
    const expiresAt = chain.time + 1_000
    const { address, ttlMs } = entry
    const stored = { account: bob, address, metadata, ttlMs, healthy: true, expiresAt }
    expect(result).toEqual({ expiresAt })
    expect(changes.registry).toEqual({ 'instance/pay/one': { before: undefined, after: stored } })
    const data = { service: 'pay', instance: 'one', account: bob, address, metadata, expiresAt }
    expect(events).toEqual([{ contract: 'registry', name: 'Registered', data }])
    expect(view('lookup', { instance: 'one' })).toEqual({ instance: 'one', ...stored })
    expect(view('instances')).toEqual({ instances: [{ instance: 'one', ...stored }], next: null })
  })

  it('forgets an instance without a heartbeat, to the millisecond', () => {
    const { expiresAt } = register('bob').result
    chain.advance(500)
    const { result, events } = mustCall('bob', 'heartbeat', { instance: 'one' })
    expect(result.expiresAt).toBe(chain.time + 1_000)
    expect(events).toEqual([
      { contract: 'registry', name: 'Heartbeat', data: { service: 'pay', instance: 'one', ...result } },
    ])
    chain.advance(result.expiresAt - 1 - chain.time)
    expect(chain.time).toBeGreaterThan(expiresAt)
    expect(instances()).toEqual(['one'])
    chain.advance(1)
    expect(instances()).toEqual([])
    expect(view('lookup', { instance: 'one' })).toBeNull()
    expect(call('bob', 'heartbeat', { instance: 'one' })).toMatchObject(thrown('or it expired: register it again'))
    expect(register('carol').status).toBe('ok')
  })

  it('lets each account manage its own instances, and the owner all', () => {
    register('bob')
    const health = { instance: 'one', healthy: false }
    expect(call('carol', 'setHealth', health)).toMatchObject(
      thrown(/one of service pay is qr1\S+'s: only it, as a writer/),
    )
    expect(register('carol')).toMatchObject(thrown(/one of service pay is qr1\S+'s until \d+: choose another name/))
    const { events } = mustCall('alice', 'setHealth', health)
    const data = { service: 'pay', instance: 'one', healthy: false }
    expect(events).toEqual([{ contract: 'registry', name: 'HealthChanged', data }])
    expect(mustCall('bob', 'setHealth', health)).toMatchObject({ changes: {}, events: [] })
    mustCall('alice', 'setWriters', { writers: [carol] })
    expect(call('bob', 'heartbeat', { instance: 'one' })).toMatchObject(thrown('only it, as a writer'))
    expect(register('bob')).toMatchObject(thrown('may not write to service pay: ask its owner'))
    expect(mustCall('alice', 'deregister', { instance: 'one' }).events[0]).toMatchObject({ name: 'Deregistered' })
    expect(chain.entries('registry', 'instance/')).toEqual([])
  })

  it('keeps services in their owner’s hands', () => {
    expect(call('bob', 'createService')).toMatchObject(thrown('service pay exists already'))
    expect(call('bob', 'setOwner', { owner: bob })).toMatchObject(thrown('only its owner'))
    const { events } = mustCall('alice', 'setOwner', { owner: 'contract:desk' })
    const data = { service: 'pay', owner: 'contract:desk', writers: [bob, carol] }
    expect(events).toEqual([{ contract: 'registry', name: 'ServiceChanged', data }])
    expect(view('service')).toEqual({ owner: 'contract:desk', writers: [bob, carol] })
    expect(view('service', { service: 'none' })).toBeNull()
    mustCall('bob', 'createService', { service: 'mail' })
    expect(chain.view('registry', 'services', { limit: 1 })).toEqual({
      services: [{ service: 'mail', owner: bob, writers: [] }],
      next: 'mail',
    })
    expect(register('bob', { service: 'none' })).toMatchObject(thrown('service none does not exist'))
  })

  it('prunes what has expired, page after page, by anyone', () => {
    for (const instance of ['a', 'b', 'c', 'd']) register('bob', { instance, ttlMs: instance === 'b' ? 5_000 : 10 })
    chain.advance(100)
    const prune = (args: object) => mustCall('dave', 'prune', args)
    const first = prune({ limit: 2 })
    expect(first.result).toEqual({ pruned: 2, next: 'c' })
    expect(first.events.map(({ name, data }) => [name, data.instance])).toEqual([
      ['Expired', 'a'],
      ['Expired', 'c'],
    ])
    expect(prune({ after: 'c' }).result).toEqual({ pruned: 1, next: null })
    expect(chain.entries('registry', 'instance/').map(([key]) => key)).toEqual(['instance/pay/b'])
  })

  it('goes past a thousand entries that a page leaves out, and says where', () => {
    for (let block = 0; block < 11; block++) {
      const names = Array.from({ length: 100 }, (_, index) => `i${1_000 + 100 * block + index}`)
      chain.block(
        names.map((instance) => ({
          contract: 'registry',
          method: 'register',
          args: { service: 'pay', ...entry, instance, ttlMs: instance === 'i2099' ? 1_000_000 : 1 },
        })),
      )
    }
    chain.advance(1)
    const { instances: found, next } = view('instances')
    expect(found).toEqual([])
    expect(view('instances', { after: next }).instances).toMatchObject([{ instance: 'i2099' }])
  })

  it('has configuration with versions, which the owner sets', () => {
    const set = (args: object, from = 'alice') => call(from, 'setConfig', { key: 'db.url', ...args })
    expect(set({ value: 1 }, 'bob')).toMatchObject(thrown('only its owner'))
    const { result, changes, events } = set({ value: { x: 1 }, version: 0 })
    expect(result).toEqual({ version: 1 })
    expect(changes.registry).toEqual({
      revision: { before: undefined, after: 1 },
      'config/pay/db.url': { before: undefined, after: { value: { x: 1 }, version: 1 } },
    })
    const data = { service: 'pay', key: 'db.url', value: { x: 1 }, version: 1 }
    expect(events).toEqual([{ contract: 'registry', name: 'ConfigSet', data }])
    expect(set({ value: 2, version: 0 })).toMatchObject(thrown('db.url of service pay is at version 1, not at 0'))
    expect(set({ value: 2, version: 1 }).result).toEqual({ version: 2 })
    const remove = (version?: number) => call('alice', 'deleteConfig', { key: 'db.url', version })
    expect(remove(1)).toMatchObject(thrown('at version 2, not at 1'))
    expect(remove(2)).toMatchObject({
      result: { deleted: true },
      events: [{ name: 'ConfigDeleted', data: { version: 3 } }],
    })
    expect(remove()).toMatchObject({ result: { deleted: false }, changes: {}, events: [] })
    expect(view('config', { key: 'db.url' })).toBeNull()
    expect(set({ value: 1 }).result).toEqual({ version: 4 })
    set({ key: 'db.user', value: 'me' })
    set({ key: 'x', value: null })
    expect(view('configs', { prefix: 'db.', limit: 1 })).toEqual({
      entries: [{ key: 'db.url', value: 1, version: 4 }],
      next: 'db.url',
    })
    expect(view('config', { key: 'x' })).toEqual({ key: 'x', value: null, version: 6 })
  })

  it.each([
    ['register', 'arguments must be a JSON object', null],
    ['register', 'service is "a/b": give 1 to 64', { ...entry, service: 'a/b' }],
    ['register', 'instance is 1: give 1 to 64', { ...entry, service: 'pay', instance: 1 }],
    ['register', 'address is missing: give text of 1 to 256', { service: 'pay', instance: 'a', ttlMs: 1 }],
    ['register', 'metadata takes up to 2050 bytes', { ...entry, service: 'pay', metadata: 'x'.repeat(2_048) }],
    ['register', 'ttlMs is -5: give a whole number from 1 to 604800000', { ...entry, service: 'pay', ttlMs: -5 }],
    ['register', 'arguments: "ttl" is not known', { ...entry, service: 'pay', ttl: 5 }],
    ['heartbeat', 'service pay has no instance none, or it expired', { service: 'pay', instance: 'none' }],
    ['deregister', 'instance is missing', { service: 'pay' }],
    ['setHealth', 'healthy is "no": give true or false', { service: 'pay', instance: 'one', healthy: 'no' }],
    ['prune', 'limit is 1000: give a whole number from 1 to 100', { service: 'pay', limit: 1_000 }],
    ['setConfig', 'value is missing', { service: 'pay', key: 'a' }],
    ['setConfig', 'value takes up to 8193 bytes', { service: 'pay', key: 'a', value: 'x'.repeat(8_191) }],
    ['setConfig', 'key is "a b": give 1 to 64', { service: 'pay', key: 'a b', value: 1 }],
    ['createService', 'writers\\[0\\] is "bob": give an address', { service: 'x', writers: ['bob'] }],
  ])('%s: %s', (method, message, args) => {
    expect(chain.call('registry', method, args)).toMatchObject(thrown(message))
  })

  it('does what a map with times does', () => {
    const instance = fc.constantFrom('x', 'y', 'z')
    const from = fc.constantFrom('alice', 'bob', 'carol', 'dave')
    const ttlMs = fc.integer({ min: 1, max: 40 })
    const key = fc.constantFrom('k', 'l')
    const step = fc.oneof(
      fc.record({ method: fc.constant('register' as const), from, instance, ttlMs }),
      fc.record({ method: fc.constant('register' as const), from, instance, ttlMs }),
      fc.record({
        method: fc.constant('heartbeat' as const),
        from,
        instance,
        ttlMs: fc.option(ttlMs, { nil: undefined }),
      }),
      fc.record({ method: fc.constant('setHealth' as const), from, instance, healthy: fc.boolean() }),
      fc.record({ method: fc.constant('deregister' as const), from, instance }),
      fc.record({ method: fc.constant('prune' as const), from }),
      fc.record({
        method: fc.constant('setConfig' as const),
        from,
        key,
        value: fc.nat(3),
        version: fc.option(fc.nat(4), { nil: undefined }),
      }),
      fc.record({
        method: fc.constant('deleteConfig' as const),
        from,
        key,
        version: fc.option(fc.nat(4), { nil: undefined }),
      }),
      fc.record({ method: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 25 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const run = deployed.fork()
        const model = createModel()
        for (const step of steps) {
          if (step.method === 'wait') {
            run.advance(step.ms)
            continue
          }
          const { method, from, ...args } = step
          const { status } = run.call(
            'registry',
            method,
            { service: 'pay', ...(method === 'register' && { address: 'a' }), ...args },
            { from },
          )
          expect(status === 'ok').toBe(model.call(account(from).address, run.time, step))
          for (const healthyOnly of [false, true]) {
            const { instances } = run.view('registry', 'instances', { service: 'pay', healthyOnly })
            expect(
              instances.map(({ instance, account, healthy, expiresAt }: Listed) => ({
                instance,
                account,
                healthy,
                expiresAt,
              })),
            ).toEqual(model.list(run.time, healthyOnly))
          }
          expect(run.view('registry', 'configs', { service: 'pay' }).entries).toEqual(model.configs())
        }
      }),
      { numRuns: 60 },
    )
  })
})

interface Listed {
  instance: string
  account: string
  healthy: boolean
  expiresAt: number
}
interface Step {
  method: string
  instance?: string
  ttlMs?: number
  healthy?: boolean
  key?: string
  value?: number
  version?: number
}

function createModel() {
  const instances = new Map<string, Listed & { ttlMs: number }>()
  const configs = new Map<string, { value: unknown; version: number }>()
  let revision = 0
  const byName = <T>(entries: [string, T][]) => entries.sort(([a], [b]) => (a < b ? -1 : 1))

  function callInstance(sender: string, time: number, { method, instance, ttlMs, healthy }: Step): boolean {
    const name = instance!
    const known = instances.get(name)
    const live = known !== undefined && known.expiresAt > time ? known : undefined
    if (method === 'register') {
      if (![alice, bob, carol].includes(sender) || (live !== undefined && live.account !== sender)) return false
      instances.set(name, { instance: name, account: sender, healthy: true, expiresAt: time + ttlMs!, ttlMs: ttlMs! })
      return true
    }
    if (live === undefined || (live.account !== sender && sender !== alice)) return false
    if (method === 'deregister') return instances.delete(name)
    if (method === 'setHealth') live.healthy = healthy!
    else Object.assign(live, { ttlMs: ttlMs ?? live.ttlMs, expiresAt: time + (ttlMs ?? live.ttlMs) })
    return true
  }

  function callConfig(sender: string, { method, key, value, version }: Step): boolean {
    const current = configs.get(key!)
    if (sender !== alice || (version !== undefined && version !== (current?.version ?? 0))) return false
    if (method === 'setConfig') configs.set(key!, { value, version: ++revision })
    else if (configs.delete(key!)) revision++
    return true
  }

  return {
    call(sender: string, time: number, step: Step): boolean {
      if (step.method === 'prune') return true
      return step.key === undefined ? callInstance(sender, time, step) : callConfig(sender, step)
    },
    list: (time: number, healthyOnly: boolean) =>
      byName([...instances])
        .map(([, { ttlMs: _, ...listed }]) => listed)
        .filter(({ expiresAt, healthy }) => expiresAt > time && (healthy || !healthyOnly)),
    configs: () => byName([...configs]).map(([key, entry]) => ({ key, ...entry })),
  }
}
