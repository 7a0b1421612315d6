/** What a run needed of the state is enough to make it again without the state, and says so where it is not. */
import { beforeEach, expect, it } from 'vitest'
import { Journal, type StateStore } from '../../src/execution/journal.ts'
import { simulate } from '../../src/execution/query.ts'
import { playBack, recordReads, type StateRecord } from '../../src/execution/recording.ts'
import { executeTransaction } from '../../src/execution/transaction.ts'
import { alice, bob, Chain, createTestRuntime, place, transaction } from './support.ts'

let chain: Chain
beforeEach(() => {
  chain = new Chain(createTestRuntime())
  for (const name of ['one', 'two']) place(chain.store, name)
  for (const key of ['a', 'b', 'c']) chain.send(alice, 'one', 'set', { key, value: key })
})

const scanning = (nonce = 0) =>
  transaction(bob, {
    nonce,
    contract: 'two',
    method: 'nest',
    args: { before: 'own', contract: 'one', method: 'scan', args: { prefix: '' } },
  })
const block = { height: 9, time: 9_000 }

function recorded(tx = scanning()) {
  const { store, parameters } = chain
  return simulate({ runtime: createTestRuntime(), store, parameters, ...block, transaction: tx })
}

function played(record: StateRecord, tx = scanning()) {
  const { store, missing } = playBack(record)
  const scene = { runtime: createTestRuntime(), parameters: chain.parameters, block }
  return { receipt: executeTransaction(scene, new Journal(store), tx), missing: [...missing] }
}

it('gives the same receipt, code and scans included', () => {
  const { receipt, record } = recorded()
  expect(receipt.status).toBe('ok')
  expect(played(record!)).toEqual({ receipt, missing: [] })
})

it('names what another run asks for beyond it', () => {
  const { record } = recorded()
  expect(played({ ...record!, scans: [] }).missing).toEqual(['one\0…'])
  const values = new Map([...record!.values].filter(([key]) => key !== 'two\0own'))
  const get = transaction(bob, { nonce: 0, contract: 'two', method: 'set', args: { key: 'own', value: 1 } })
  expect(played({ ...record!, values }, get).missing).toEqual([])
  expect(played({ ...record!, values: new Map() }).missing).toContain(`system\0nonce/${bob.key}`)
})

it('has the values that were written unread', () => {
  const blind = transaction(alice, { nonce: 3, contract: 'one', method: 'set', args: { key: 'a', value: 1 } })
  expect(recorded(blind).record!.values.get('one\0a')).toBe('"a"')
})

it('tells keys that were asked for from those a scan found', () => {
  const recorder = recordReads(chain.store, createTestRuntime(), 1e6)
  recorder.store.scan('one\0', undefined, 2)
  recorder.store.get('one\0b')
  recorder.store.get('one\0absent')
  expect([...recorder.lookedUp]).toEqual(['one\0b', 'one\0absent'])
  expect([...recorder.record()!.values]).toEqual([
    ['one\0a', '"a"'],
    ['one\0absent', undefined],
    ['one\0b', '"b"'],
  ])
})

it('has every page of a scan that passes over what its own run deleted', () => {
  for (let number = 100; number < 230; number++) chain.store.entries.set(`one\0n/${number}`, `${number}`)
  const scanOver = (store: StateStore) => {
    const journal = new Journal(store)
    for (let number = 100; number < 228; number++) journal.delete(`one\0n/${number}`)
    return journal.scan('one\0n/', undefined, 1)
  }
  const recorder = recordReads(chain.store, createTestRuntime(), 1e6)
  expect(scanOver(recorder.store)).toEqual([['one\0n/228', '228']])
  const record = recorder.record()!
  expect(record.scans.map(({ after, keys }) => [after, keys.length])).toEqual([
    [undefined, 64],
    ['one\0n/163', 64],
    ['one\0n/227', 2],
  ])
  const { store, missing } = playBack(record)
  expect(scanOver(store)).toEqual([['one\0n/228', '228']])
  expect([...missing]).toEqual([])
})

it('ends at its bound, and the run goes on', () => {
  const inner: StateStore = { get: () => 'x'.repeat(100), scan: () => [] }
  const within = recordReads(inner, createTestRuntime(), 1_000)
  for (const key of ['a', 'b', 'c', 'a', 'b', 'c']) expect(within.store.get(key)).toHaveLength(100)
  expect(within.record()!.values.size).toBe(3)
  for (let key = 0; key < 10; key++) expect(within.store.get(`${key}`)).toHaveLength(100)
  expect(within.record()).toBeUndefined()
})
