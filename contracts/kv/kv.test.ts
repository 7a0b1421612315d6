// biome-ignore-all lint/suspicious/noThenProperty: transactions are data and nobody awaits them; their branches are called as in etcd's.
/** The shipped key-value store, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => account(name).address) as [string, string, string]
let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy(new URL('.', import.meta.url), { name: 'kv' })
  deployed.mustCall('kv', 'createNamespace', { namespace: 'team', writers: [bob] })
})
beforeEach(() => {
  chain = deployed.fork()
})

const call = (method: string, args: unknown, from = 'alice') => chain.call('kv', method, args, { from })
const mustCall = (method: string, args: unknown, from = 'alice') => chain.mustCall('kv', method, args, { from })
const get = (key: string) => chain.view('kv', 'get', { key })
const thrown = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { code: 'THROWN', message: expect.stringMatching(message) },
})

describe('kv', () => {
  it('sets, under the documented keys and with its event', () => {
    const key = `${alice}/color`
    const { changes, events, result } = mustCall('set', { key, value: { red: 1 } })
    expect(changes.kv).toEqual({
      revision: { before: undefined, after: 1 },
      [`value/${key}`]: { before: undefined, after: { value: { red: 1 }, version: 1 } },
    })
    expect(result).toEqual({ version: 1 })
    expect(events).toEqual([
      { contract: 'kv', name: 'Set', data: { key, value: { red: 1 }, version: 1, account: alice } },
    ])
    expect(get(key)).toEqual({ key, value: { red: 1 }, version: 1 })
  })

  it('deletes, leaves nothing of the key behind, and its next version is higher all the same', () => {
    const key = 'team/x'
    mustCall('set', { key, value: 1 })
    mustCall('set', { key, value: 2 })
    const { result, events } = mustCall('delete', { key })
    expect(result).toEqual({ deleted: true })
    expect(events).toEqual([{ contract: 'kv', name: 'Deleted', data: { key, version: 3, account: alice } }])
    expect(get(key)).toBeNull()
    expect(chain.entries('kv', 'value/')).toEqual([])
    expect(mustCall('set', { key, value: 1 }).result).toEqual({ version: 4 })
  })

  it('deletes nothing where there is nothing', () => {
    const outcome = mustCall('delete', { key: 'team/none' })
    expect(outcome).toMatchObject({ result: { deleted: false }, changes: {}, events: [] })
  })

  it('compares the version and sets', () => {
    const key = 'team/x'
    expect(call('set', { key, value: 1, version: 1 })).toMatchObject(thrown('at version 0, not at 1: read it again'))
    mustCall('set', { key, value: 1, version: 0 })
    expect(call('set', { key, value: 2, version: 0 })).toMatchObject(thrown('at version 1, not at 0'))
    mustCall('set', { key, value: 2, version: 1 })
    expect(call('delete', { key, version: 1 })).toMatchObject(thrown('at version 2, not at 1'))
    mustCall('delete', { key, version: 2 })
  })

  it('lets an account write below its address, and a namespace’s owner and writers below its name', () => {
    const set = (key: string, from: string) => call('set', { key, value: 1 }, from)
    expect(set(`${alice}/a`, 'bob')).toMatchObject(thrown(/qr1\S+ may not write below qr1\S+\/: write below qr1/))
    expect(set(`${bob}/a`, 'bob').status).toBe('ok')
    expect(set('team/a', 'alice').status).toBe('ok')
    expect(set('team/a', 'bob').status).toBe('ok')
    expect(set('team/a', 'carol')).toMatchObject(thrown('may not write below team/'))
    expect(set('other/a', 'carol')).toMatchObject(thrown('may not write below other/'))
    expect(call('delete', { key: 'team/a' }, 'carol')).toMatchObject(thrown('may not write below team/'))
  })

  it('keeps namespaces in their owner’s hands', () => {
    expect(call('createNamespace', { namespace: 'team' }, 'bob')).toMatchObject(thrown('exists already'))
    expect(call('setWriters', { namespace: 'team', writers: [] }, 'bob')).toMatchObject(thrown('only its owner'))
    expect(call('setOwner', { namespace: 'team', owner: bob }, 'bob')).toMatchObject(thrown('only its owner'))
    expect(call('setWriters', { namespace: 'none', writers: [] })).toMatchObject(
      thrown('namespace none does not exist'),
    )
    mustCall('setWriters', { namespace: 'team', writers: [carol, 'contract:shop'] })
    expect(call('set', { key: 'team/a', value: 1 }, 'bob')).toMatchObject(thrown('may not write'))
    const { events } = mustCall('setOwner', { namespace: 'team', owner: bob })
    const data = { namespace: 'team', owner: bob, writers: [carol, 'contract:shop'] }
    expect(events).toEqual([{ contract: 'kv', name: 'NamespaceChanged', data }])
    expect(chain.view('kv', 'namespace', { namespace: 'team' })).toEqual({ owner: bob, writers: data.writers })
    expect(chain.view('kv', 'namespace', { namespace: 'none' })).toBeNull()
    mustCall('set', { key: 'team/a', value: 1 }, 'carol')
  })

  it('runs one branch of a transaction, at one version', () => {
    mustCall('set', { key: 'team/a', value: { x: 1, y: [2] } })
    const transaction = {
      if: [
        { key: 'team/a', value: { y: [2], x: 1 } },
        { key: 'team/a', version: 1 },
        { key: 'team/b', exists: false },
        { key: 'team/a', value: { x: 1, y: { 0: 2 } }, not: true },
      ],
      then: [{ set: 'team/b', value: 7 }, { delete: 'team/a' }, { get: 'team/b' }, { get: 'team/a' }],
      else: [{ get: 'team/b' }, { set: 'team/c', value: 1 }],
    }
    const { result, events } = mustCall('txn', transaction)
    const results = [{ version: 2 }, { deleted: true }, { key: 'team/b', value: 7, version: 2 }, null]
    expect(result).toEqual({ succeeded: true, version: 2, results })
    expect(events.map(({ name, data }) => [name, data.key, data.version])).toEqual([
      ['Set', 'team/b', 2],
      ['Deleted', 'team/a', 2],
    ])
    expect(mustCall('txn', transaction).result).toEqual({
      succeeded: false,
      version: 3,
      results: [{ key: 'team/b', value: 7, version: 2 }, { version: 3 }],
    })
  })

  it('checks both branches before either runs', () => {
    const forbidden = { then: [{ set: 'team/a', value: 1 }], else: [{ set: `${bob}/a`, value: 1 }] }
    expect(call('txn', forbidden)).toMatchObject(thrown('may not write below'))
    const twice = { else: [{ set: 'team/a', value: 1 }, { delete: 'team/a' }] }
    expect(call('txn', twice)).toMatchObject(thrown('else changes team/a twice'))
  })

  it('scans in the order of keys, page after page', () => {
    for (const name of ['b', 'a/2', 'a/1', 'a.x', 'c']) mustCall('set', { key: `team/${name}`, value: name })
    const scan = (args: unknown) => {
      const { entries, next } = chain.view('kv', 'scan', args)
      return [entries.map(({ key }: { key: string }) => key), next]
    }
    expect(scan({ prefix: 'team/a/' })).toEqual([['team/a/1', 'team/a/2'], null])
    expect(scan({ limit: 2 })).toEqual([['team/a.x', 'team/a/1'], 'team/a/1'])
    expect(scan({ limit: 2, after: 'team/a/1' })).toEqual([['team/a/2', 'team/b'], 'team/b'])
    expect(scan({ limit: 2, after: 'team/b' })).toEqual([['team/c'], null])
    expect(scan({ prefix: 'x' })).toEqual([[], null])
  })

  it('ends a page of large values before the result passes its limit, and loses none', () => {
    const keys = Array.from({ length: 12 }, (_, index) => `team/${String(index).padStart(2, '0')}`)
    for (const key of keys) mustCall('set', { key, value: 'ä'.repeat(2_700) })
    const seen: string[] = []
    let after: string | undefined
    let pages = 0
    do {
      const { entries, next } = chain.view('kv', 'scan', { after })
      seen.push(...entries.map(({ key }: { key: string }) => key))
      after = next ?? undefined
      pages++
    } while (after !== undefined && pages < 10)
    expect(seen).toEqual(keys)
    expect(pages).toBe(3)
  })

  it('refuses what is too large to read or to write at once, and says so', () => {
    const value = 'x'.repeat(8_000)
    expect(call('set', { key: 'team/a', value: 'x'.repeat(8_191) })).toMatchObject(thrown('takes up to 8193 bytes'))
    const sets = Array.from({ length: 5 }, (_, index) => ({ set: `team/${index}`, value }))
    expect(call('txn', { then: sets })).toMatchObject(thrown('the transaction writes'))
    for (const { set } of sets) mustCall('set', { key: set, value })
    expect(call('txn', { then: sets.map(({ set }) => ({ get: set })) })).toMatchObject(thrown('the transaction reads'))
  })

  const refused: [string, string, unknown][] = [
    ['set', 'arguments must be a JSON object', null],
    ['set', 'arguments must be a JSON object', []],
    ['set', 'value is missing: give a JSON value', { key: 'team/a' }],
    ['set', 'arguments: "ttl" is not known: give key, value, version only', { key: 'team/a', value: 1, ttl: 5 }],
    ['set', 'key is missing: give 1 to 200', { value: 1 }],
    ['set', 'key is 5: give 1 to 200', { key: 5, value: 1 }],
    ['set', 'key is "team/ä": give 1 to 200 printable ASCII', { key: 'team/ä', value: 1 }],
    ['set', 'give 1 to 200 printable ASCII', { key: `team/${'x'.repeat(200)}`, value: 1 }],
    ['set', 'key is "team": give ADDRESS/REST or NAMESPACE/REST', { key: 'team', value: 1 }],
    ['set', 'give ADDRESS/REST', { key: 'team/', value: 1 }],
    ['set', 'give ADDRESS/REST', { key: '/a', value: 1 }],
    ['set', 'version is "1": give a whole number from 0', { key: 'team/a', value: 1, version: '1' }],
    ['set', 'version is -1', { key: 'team/a', value: 1, version: -1 }],
    ['set', 'version is 1.5', { key: 'team/a', value: 1, version: 1.5 }],
    ['delete', 'key is missing', {}],
    ['createNamespace', 'namespace is "Team": give 1 to 40 of a-z', { namespace: 'Team' }],
    ['createNamespace', 'give 1 to 40 of a-z', { namespace: alice }],
    ['createNamespace', 'writers is "bob": give a list of 0 to 32 entries', { namespace: 'x', writers: 'bob' }],
    ['createNamespace', 'writers\\[0\\] is "bob": give an address', { namespace: 'x', writers: ['bob'] }],
    ['setWriters', 'writers is missing', { namespace: 'team' }],
    ['setWriters', 'writers has 33 entries: give 0 to 32', { namespace: 'team', writers: Array(33).fill(bob) }],
    ['setOwner', 'owner is "contract:No": give an address', { namespace: 'team', owner: 'contract:No' }],
    ['txn', 'if is {}: give a list of 0 to 64 entries', { if: {} }],
    ['txn', 'if\\[0\\] must ask one thing of team/a', { if: [{ key: 'team/a' }] }],
    ['txn', 'if\\[0\\] must ask one thing', { if: [{ key: 'team/a', exists: true, version: 1 }] }],
    ['txn', 'if\\[0\\].exists is 1: give true or false', { if: [{ key: 'team/a', exists: 1 }] }],
    ['txn', 'if\\[0\\]: "vers" is not known', { if: [{ key: 'team/a', vers: 1 }] }],
    ['txn', 'then\\[0\\]: "put" is not known', { then: [{ put: 'team/a' }] }],
    ['txn', 'then\\[0\\].value is missing', { then: [{ set: 'team/a' }] }],
    ['txn', 'then\\[0\\] must do one thing', { then: [{ delete: 'team/a', value: 1 }] }],
    ['txn', 'then\\[0\\] must do one thing', { then: [{}] }],
    ['txn', 'else\\[0\\].get is "a": give ADDRESS/REST', { else: [{ get: 'a' }] }],
  ]
  it.each(refused)('%s: %s', (method, message, args) => {
    expect(call(method, args)).toMatchObject(thrown(message))
  })

  it.each([
    ['get', { key: 'a' }, 'key is "a"'],
    ['scan', { limit: 101 }, 'limit is 101: give a whole number from 1 to 100'],
    ['scan', { limit: 0 }, 'limit is 0'],
    ['scan', { prefix: 'ä' }, 'prefix is "ä"'],
    ['scan', { after: '' }, 'after is ""'],
  ])('%s refuses %j', (view, args, message) => {
    expect(() => chain.view('kv', view, args)).toThrow(message)
  })

  it('does what a map does, transaction by transaction', () => {
    const senders = ['bob', 'bob', 'alice', 'carol']
    const key = fc.constantFrom('team/a', 'team/b', 'team/c', `${bob}/a`)
    const value = fc.constantFrom<unknown>(0, 1, 'x', null, { p: 1, q: 2 }, { q: 2, p: 1 }, { p: 1 }, [], {})
    const not = fc.boolean()
    const condition = fc.oneof(
      fc.record({ key, not, version: fc.nat({ max: 8 }) }),
      fc.record({ key, not, exists: fc.boolean() }),
      fc.record({ key, not, value }),
    )
    const operation = fc.oneof(
      fc.record({ set: key, value }),
      fc.record({ set: key, value }),
      fc.record({ delete: key }),
      fc.record({ get: key }),
    )
    const branch = fc.array(operation, { maxLength: 3 })
    const step = fc.record({
      from: fc.constantFrom(...senders),
      if: fc.array(condition, { maxLength: 2 }),
      then: branch,
      else: branch,
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const run = deployed.fork()
        const model = createModel()
        for (const { from, ...args } of steps) {
          const expected = model.txn(account(from).address, args)
          const outcome = run.call('kv', 'txn', args, { from })
          expect(outcome.status).toBe(expected === undefined ? 'reverted' : 'ok')
          if (expected !== undefined) expect(outcome.result).toEqual(expected)
          expect(run.entries('kv', 'value/')).toEqual(model.entries())
        }
      }),
      { numRuns: 60 },
    )
  })
})

type Operation = { set?: string; value?: unknown; delete?: string; get?: string }
type Condition = { key: string; not: boolean; version?: number; exists?: boolean; value?: unknown }

/** The same by a Map that is copied and swapped. What is refused gives undefined. */
function createModel() {
  let entries = new Map<string, { value: unknown; version: number }>()
  let revision = 0
  const writers: Record<string, string[]> = { team: [alice, bob], [bob]: [bob] }
  const sorted = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { fields: Object.entries(value).sort() }
      : value
  const isSame = (one: unknown, other: unknown) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))

  function holds({ key, not, version, exists, value }: Condition): boolean {
    const entry = entries.get(key)
    if (version !== undefined) return ((entry?.version ?? 0) === version) !== not
    if (exists !== undefined) return (entries.has(key) === exists) !== not
    return (entry !== undefined && isSame(entry.value, value)) !== not
  }

  return {
    entries: () =>
      [...entries].map(([key, entry]) => [`value/${key}`, entry] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    txn(sender: string, args: { if: Condition[]; then: Operation[]; else: Operation[] }) {
      for (const branch of [args.then, args.else]) {
        const changed = branch.flatMap((operation) => operation.set ?? operation.delete ?? [])
        if (new Set(changed).size < changed.length) return undefined
        if (changed.some((key) => !writers[key.split('/')[0]!]!.includes(sender))) return undefined
      }
      const succeeded = args.if.every(holds)
      const next = new Map(entries)
      const results = (succeeded ? args.then : args.else).map((operation) => {
        if (operation.get !== undefined) {
          const entry = next.get(operation.get)
          return entry === undefined ? null : { key: operation.get, ...entry }
        }
        if (operation.delete !== undefined) return { deleted: next.delete(operation.delete) }
        next.set(operation.set!, { value: operation.value, version: revision + 1 })
        return { version: revision + 1 }
      })
      const isChanged = results.some(
        (result) => result !== null && ('deleted' in result ? result.deleted : !('key' in result)),
      )
      if (isChanged) revision++
      entries = next
      return { succeeded, version: revision, results }
    },
  }
}
