import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { executeBlock } from '../../src/execution/block.ts'
import { Journal } from '../../src/execution/journal.ts'
import { systemKeys } from '../../src/execution/state.ts'
import { writesDigest } from '../../src/execution/writes.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { type Receipt, receiptCodec } from '../../src/types/block.ts'
import { toHex } from '../../src/types/hex.ts'
import { decode, encode } from '../../src/types/schema.ts'
import type { Transaction } from '../../src/types/transaction.ts'
import { createScriptedSandbox } from './scripted.ts'
import { alice, bob, Chain, carol, createTestRuntime, MemoryStore, place, transaction } from './support.ts'

const scripted = createTestRuntime(createScriptedSandbox())
const real = createTestRuntime()
const bytesOf = (receipts: Receipt[]) => receipts.map((receipt) => toHex(encode(receiptCodec, receipt)))

/** A block with every kind of outcome. */
function scriptedBlock(): Transaction[] {
  const gasLimit = 50_000_000
  return [
    transaction(alice, {
      nonce: 0,
      contract: 'system',
      method: 'deploy',
      args: { name: 'counter', code: 'counter' },
      gasLimit,
    }),
    transaction(alice, { nonce: 1, contract: 'counter', method: 'add', args: 7, gasLimit }),
    transaction(alice, { nonce: 2, contract: 'counter', method: 'refuse', gasLimit }),
    transaction(alice, { nonce: 2, contract: 'counter', method: 'add', args: 1, gasLimit }),
    transaction(bob, {
      nonce: 0,
      contract: 'system',
      method: 'deploy',
      args: { name: 'caller', code: 'caller' },
      gasLimit,
    }),
    transaction(bob, { nonce: 1, contract: 'caller', method: 'go', gasLimit }),
    transaction(bob, { nonce: 3, contract: 'caller', method: 'go', gasLimit }),
    transaction(bob, { nonce: 2, contract: 'counter', method: 'spin', gasLimit: 612_345 }),
    transaction(carol, { nonce: 0, contract: 'counter', method: 'add', args: 1, expires: 4, gasLimit }),
    transaction(carol, { nonce: 0, contract: 'counter', method: 'missing', gasLimit }),
    transaction(carol, { nonce: 1, contract: 'nothing', method: 'add', gasLimit }),
    transaction(carol, {
      nonce: 2,
      contract: 'system',
      method: 'deploy',
      args: { name: 'greedy', code: 'greedy' },
      gasLimit,
    }),
    transaction(carol, { nonce: 3, contract: 'greedy', method: 'x', gasLimit }),
  ]
}

describe('a scripted block', () => {
  const chain = new Chain(scripted)
  chain.height = 4
  const { receipts, writes, gasUsed } = chain.block(...scriptedBlock())

  it('has these outcomes', () => {
    expect(receipts.map(({ status, code, message }) => [status, code, message].join(' ').trim())).toEqual([
      'ok',
      'ok',
      'reverted THROWN nein: ö',
      'skipped NONCE_USED',
      'ok',
      'ok',
      'skipped NONCE_GAP',
      'reverted OUT_OF_GAS',
      'skipped EXPIRED',
      'reverted UNKNOWN_METHOD',
      'reverted UNKNOWN_CONTRACT',
      'ok',
      'reverted OUT_OF_GAS',
    ])
    expect(receipts[12]!.gasUsed).toBe(50_000_000)
    expect(gasUsed).toBe(receipts.reduce((sum, receipt) => sum + receipt.gasUsed, 0))
  })

  it('leaves this state', () => {
    expect(chain.value('counter', 'count')).toBe(17)
    const nonces = [alice, bob, carol].map(({ key }) => writes.get(systemKeys.nonce(key)))
    expect(nonces).toEqual(['3', '3', '4'])
    const keys = [...writes.keys()]
    expect(keys).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
  })

  // Rewritten by `npx vitest run test/execution/block.test.ts --update`: a person reads the difference, for it forks every existing network.
  it('has these bytes', async () => {
    const vectors = { receipts: bytesOf(receipts), writes: [...writes] }
    await expect(`${JSON.stringify(vectors, null, 2)}\n`).toMatchFileSnapshot('../vectors/receipts.json')
  })

  it('has receipts that decode to themselves', () => {
    for (const receipt of receipts) expect(decode(receiptCodec, encode(receiptCodec, receipt))).toEqual(receipt)
  })
})

// What a transaction of the property below does: writes, fails, or calls the other contract and does so there.
type Action =
  | { kind: 'set'; key: string; value: number }
  | { kind: 'remove'; key: string; value: number }
  | { kind: 'fail' }
  | { kind: 'nest'; caught: boolean; after: string; inner: Action }
const keys = fc.constantFrom('a', 'b', '｡', '😀')
const leaf: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), key: keys, value: fc.nat(9) }),
  fc.record({ kind: fc.constant('remove' as const), key: keys, value: fc.nat(9) }),
  fc.constant({ kind: 'fail' as const }),
)
const nest = (inner: fc.Arbitrary<Action>): fc.Arbitrary<Action> =>
  fc.record({ kind: fc.constant('nest' as const), caught: fc.boolean(), after: keys, inner })
const action = fc.oneof(leaf, nest(fc.oneof(leaf, nest(leaf))))
const NAMES = ['one', 'two', 'three']

function callOf(given: Action, level: number): { contract: string; method: string; args: object } {
  const contract = NAMES[level]!
  if (given.kind === 'fail') return { contract, method: 'fail', args: { message: 'no' } }
  if (given.kind !== 'nest') return { contract, method: given.kind, args: given }
  const { caught, after, inner } = given
  return { contract, method: 'nest', args: { before: `before-${after}`, after, caught, ...callOf(inner, level + 1) } }
}

/** The state after the action, by copying it whole; undefined when it fails. */
function model(given: Action, level: number, state: Map<string, string>): Map<string, string> | undefined {
  const next = new Map(state)
  const key = (name: string) => `${NAMES[level]}\0${name}`
  if (given.kind === 'fail') return undefined
  if (given.kind === 'set') return next.set(key(given.key), String(given.value))
  if (given.kind !== 'nest') {
    next.delete(key(given.key))
    return next
  }
  next.set(key(`before-${given.after}`), '"before"')
  const inner = model(given.inner, level + 1, next)
  if (inner === undefined && !given.caught) return undefined
  return (inner ?? next).set(key(given.after), '"after"')
}

function contractState(store: MemoryStore): Map<string, string> {
  return new Map([...store.entries].filter(([key]) => !key.startsWith('system\0')).sort())
}

function startStore(): MemoryStore {
  const store = new MemoryStore()
  for (const name of NAMES) place(store, name)
  store.entries.set('one\0a', '"old"')
  return store
}

describe('execution', () => {
  const batch = fc.array(action, { maxLength: 8 })
  const run = (store: MemoryStore | Journal, transactions: Transaction[]) =>
    executeBlock({ runtime: real, store, parameters: PARAMETER_DEFAULTS, height: 1, time: 1, transactions })
  const transactionsOf = (actions: Action[]) =>
    actions.map((given, nonce) => transaction(alice, { nonce, gasLimit: 100_000_000, ...callOf(given, 0) }))

  it('does to the state what copying it for every call does', () => {
    fc.assert(
      fc.property(batch, (actions) => {
        const store = startStore()
        let expected = contractState(store)
        for (const given of actions) expected = model(given, 0, expected) ?? expected
        store.apply(run(store, transactionsOf(actions)).writes)
        expect(contractState(store)).toEqual(new Map([...expected].sort()))
        expect(store.get(systemKeys.nonce(alice.key))).toBe(actions.length === 0 ? undefined : String(actions.length))
      }),
      { numRuns: 100 },
    )
  })

  it('has the digest of what each transaction alone writes', () => {
    fc.assert(
      fc.property(batch, (actions) => {
        const whole = startStore()
        const transactions = transactionsOf(actions)
        const { writeDigests } = run(whole, transactions)
        const alone = transactions.map((transaction) => {
          const { writes } = run(whole, [transaction])
          whole.apply(writes)
          return writesDigest(writes)
        })
        expect(writeDigests).toEqual(alone)
      }),
      { numRuns: 50 },
    )
  })

  it('gives the same receipts and the same state in one block, in two, twice, and over another layering', () => {
    fc.assert(
      fc.property(batch, fc.nat(8), (actions, cut) => {
        const transactions = transactionsOf(actions)
        const whole = startStore()
        const once = run(whole, transactions)
        expect(run(whole, transactions)).toEqual(once)

        const layered = new Journal(new MemoryStore())
        const upper = layered.open()
        let inLower = false
        for (const [key, value] of whole.entries) {
          inLower = !inLower
          const layer = inLower ? layered : upper
          layer.set(key, value)
        }
        const onLayers = run(upper, transactions)
        expect(bytesOf(onLayers.receipts)).toEqual(bytesOf(once.receipts))
        expect([...onLayers.writes]).toEqual([...once.writes])
        expect(onLayers.writeDigests).toEqual(once.writeDigests)

        const split = startStore()
        const first = run(split, transactions.slice(0, cut))
        split.apply(first.writes)
        const second = run(split, transactions.slice(cut))
        split.apply(second.writes)
        whole.apply(once.writes)
        expect(bytesOf([...first.receipts, ...second.receipts])).toEqual(bytesOf(once.receipts))
        expect([...first.writeDigests, ...second.writeDigests]).toEqual(once.writeDigests)
        expect(new Map([...split.entries].sort())).toEqual(new Map([...whole.entries].sort()))
      }),
      { numRuns: 60 },
    )
  })
})
