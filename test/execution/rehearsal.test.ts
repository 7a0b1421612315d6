// An upgrade tried on a block: what it tells, and that it keeps nothing.
import { beforeEach, describe, expect, it } from 'vitest'
import { type RehearsedCall, rehearse } from '../../src/execution/rehearsal.ts'
import type { Transaction } from '../../src/types/transaction.ts'
import { alice, bob, bundle, Chain, createTestRuntime, place, transaction } from './support.ts'

const runtime = createTestRuntime()
const OLD = bundle(`{ calls: {
  add(ctx, { by }) { const n = (ctx.state.get('n') ?? 0) + by; ctx.state.set('n', n); ctx.emit('Added', by); return n },
  quiet() {},
} }`)
const RENAMED = bundle(`{
  migrate(ctx, { fail }) { if (fail) throw new Error(fail); ctx.state.set('total', ctx.state.get('n') ?? 0); ctx.state.delete('n') },
  calls: {
    add(ctx, { by }) { if (by < 0) throw new Error('negative'); const n = ctx.state.get('total') + by; ctx.state.set('total', n); ctx.emit('Added', by); return n },
    quiet() { for (let i = 0; i < 100000; i++); },
  },
}`)
let chain: Chain
beforeEach(() => {
  chain = new Chain(runtime)
  place(chain.store, 'count', OLD)
  place(chain.store, 'tool')
  chain.send(alice, 'count', 'add', { by: 5 })
})

const call = (from: typeof alice, nonce: number, contract: string, method: string, args: unknown) =>
  transaction(from, { nonce, contract, method, args })
const rehearsed = (transactions: Transaction[], more: { code?: string; migrate?: string; contract?: string } = {}) => {
  const { store, parameters, height } = chain
  const block = { height: height + 1, time: 1_000 * (height + 1), transactions }
  return rehearse({ runtime, store, parameters, ...block, contract: 'count', code: RENAMED, migrate: '{}', ...more })
}
const callsOf = (outcome: ReturnType<typeof rehearse>): RehearsedCall[] => {
  if (!outcome.ok) throw new Error(outcome.code)
  return outcome.calls
}
const told = (calls: RehearsedCall[]) =>
  calls.map(({ index, differences }) => [index, ...differences.map(({ what, key = '' }) => `${what} ${key}`.trim())])

describe('a rehearsal', () => {
  it('tells what each call would have done, in the writes of those before it, and keeps nothing', () => {
    const before = new Map(chain.store.entries)
    const [refused] = callsOf(rehearsed([call(alice, 1, 'count', 'add', { by: -1 })]))
    expect(refused).toMatchObject({ index: 0, contract: 'count', method: 'add', more: 0 })
    expect(refused!.differences.slice(0, -1)).toEqual([
      { what: 'status', before: 'ok', after: 'reverted' },
      { what: 'error', before: '', after: 'THROWN: negative' },
      { what: 'result', before: '4', after: '' },
      { what: 'events', before: 'count.Added -1', after: '' },
      { what: 'write', key: 'count\0n', before: '4' },
    ])
    expect(new Map(chain.store.entries)).toEqual(before)

    const two = callsOf(rehearsed([1, 2].map((nonce) => call(alice, nonce, 'count', 'add', { by: 1 }))))
    expect(two[1]!.differences.filter(({ what }) => what === 'write')).toEqual([
      { what: 'write', key: 'count\0n', before: '7' },
      { what: 'write', key: 'count\0total', after: '7' },
    ])
  })

  it('tells gas alone where nothing else differs, and nothing where the code is the same', () => {
    const quiet = [call(alice, 1, 'count', 'quiet', {})]
    expect(told(callsOf(rehearsed(quiet)))).toEqual([[0, 'gas']])
    expect(told(callsOf(rehearsed(quiet, { code: OLD })))).toEqual([[0]])
  })

  it('sees calls that come through other contracts, and leaves out what has nothing to do with the contract', () => {
    const nested = { contract: 'count', method: 'add', args: { by: 1 } }
    const transactions = [
      call(bob, 0, 'tool', 'set', { key: 'a', value: 1 }),
      call(bob, 1, 'tool', 'nest', nested),
      call(bob, 2, 'tool', 'nothing', {}),
    ]
    expect(told(callsOf(rehearsed(transactions)))).toEqual([[1, 'write count\0n', 'write count\0total', 'gas']])
  })

  it('says why the upgrade itself would fail', () => {
    expect(rehearsed([], { migrate: '{"fail":"no luck"}' })).toMatchObject({ code: 'THROWN', message: 'no luck' })
    expect(rehearsed([], { code: 'var (' })).toMatchObject({ ok: false, code: 'CODE_INVALID', message: '' })
    expect(rehearsed([], { contract: 'none' })).toMatchObject({ ok: false, code: 'UNKNOWN_CONTRACT' })
    chain.send(alice, 'system', 'freeze', { name: 'count' })
    expect(rehearsed([])).toMatchObject({ ok: false, code: 'FROZEN' })
    place(chain.store, 'nobodys', OLD, '')
    expect(rehearsed([], { contract: 'nobodys' })).toMatchObject({ ok: false, code: 'NOT_OWNER' })
  })

  it('lists a bounded number of differences, and shortens their values', () => {
    const fill = (text: string) =>
      bundle(`{ calls: { quiet(ctx) { for (let i = 10; i < 40; i++) ctx.state.set('k' + i, ${text}) } } }`)
    place(chain.store, 'count', fill(`'x'`))
    const [one] = callsOf(rehearsed([call(alice, 1, 'count', 'quiet', {})], { code: fill(`'y'.repeat(2000)`) }))
    expect([one!.differences.length, one!.more]).toEqual([20, 11])
    expect(one!.differences[0]!.after).toMatch(/^"y{999}… \(2002 characters\)$/)
    const many = Array.from({ length: 60 }, (_, index) => call(alice, 1 + index, 'count', 'quiet', {}))
    const calls = callsOf(rehearsed(many, { code: fill(`'y'`) }))
    expect(calls).toHaveLength(60)
    expect(calls.reduce((sum, { differences }) => sum + differences.length, 0)).toBe(1_000)
    expect(calls.at(-1)).toMatchObject({ differences: [], more: 30 })
  })
})
