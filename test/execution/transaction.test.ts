import { beforeEach, describe, expect, it } from 'vitest'
import { intrinsicGas } from '../../src/execution/cost.ts'
import { hasRole, systemKeys } from '../../src/execution/state.ts'
import { skipReason } from '../../src/execution/transaction.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { receiptCodec } from '../../src/types/block.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { alice, bob, Chain, createTestRuntime, place, resultOf, TOOL, transaction } from './support.ts'

const runtime = createTestRuntime()
let chain: Chain
beforeEach(() => {
  chain = new Chain(runtime)
  for (const name of ['one', 'two', 'three']) place(chain.store, name)
})

describe('the checks before a transaction runs', () => {
  // [nonce, next nonce, expires, height, outcome]
  const table: [number, number, number, number, string | undefined][] = [
    [0, 0, 0, 9, undefined],
    [5, 5, 9, 9, undefined],
    [4, 5, 0, 9, 'NONCE_USED'],
    [4, 5, 8, 9, 'NONCE_USED'],
    [4, 5, 9, 9, 'NONCE_USED'],
    [5, 5, 8, 9, 'EXPIRED'],
    [6, 5, 8, 9, 'EXPIRED'],
    [6, 5, 9, 9, 'NONCE_GAP'],
    [6, 5, 0, 9, 'NONCE_GAP'],
    [5, 5, 0, 0, undefined],
  ]
  it.each(table)('nonce %i, next %i, expires %i, height %i: %s', (nonce, next, expires, height, outcome) => {
    expect(skipReason({ nonce, expires }, next, height)).toBe(outcome)
  })

  it('skip without a trace: no nonce, no gas, no writes', () => {
    chain.height = 8
    const gap = transaction(alice, { nonce: 1, contract: 'one', method: 'nothing' })
    const expired = transaction(alice, { nonce: 0, contract: 'one', method: 'nothing', expires: 8 })
    const { receipts, writes, gasUsed } = chain.block(gap, expired)
    expect(receipts.map(({ status, code, gasUsed }) => [status, code, gasUsed])).toEqual([
      ['skipped', 'NONCE_GAP', 0],
      ['skipped', 'EXPIRED', 0],
    ])
    expect(writes.size).toBe(0)
    expect(gasUsed).toBe(0)
  })

  it('let a transaction run once, also twice in one batch', () => {
    const once = transaction(alice, { nonce: 0, contract: 'one', method: 'set', args: { key: 'k', value: 1 } })
    const first = chain.block(once, once)
    expect(first.receipts.map(({ code }) => code)).toEqual(['', 'NONCE_USED'])
    expect(chain.block(once).receipts[0]!.code).toBe('NONCE_USED')
    expect(first.transactions).toEqual([
      { id: first.receipts[0]!.txId, sender: alice.key, nonce: 0, contract: 'one' },
      { id: first.receipts[0]!.txId, sender: alice.key, nonce: 0, contract: 'one' },
    ])
  })
})

describe('a reverted transaction', () => {
  const cases: [string, string, string, unknown, string][] = [
    ['a throw', 'one', 'fail', { message: 'no' }, 'THROWN'],
    ['an unknown contract', 'none', 'nothing', {}, 'UNKNOWN_CONTRACT'],
    ['an unknown method', 'one', 'missing', {}, 'UNKNOWN_METHOD'],
    ['a view as a call', 'one', 'get', { key: 'k' }, 'UNKNOWN_METHOD'],
    ['the init as a call', 'one', 'init', {}, 'UNKNOWN_METHOD'],
    ['a loop without end', 'one', 'spin', {}, 'OUT_OF_GAS'],
  ]
  it.each(cases)('after %s uses its nonce and leaves nothing else', (_what, contract, method, args, code) => {
    const { receipts, writes } = chain.block(
      transaction(alice, { nonce: 0, contract, method, args, gasLimit: 10_000_000 }),
    )
    expect(receipts[0]).toMatchObject({ status: 'reverted', code, events: [], result: new Uint8Array() })
    expect([...writes]).toEqual([[systemKeys.nonce(alice.key), '1']])
  })

  it('takes the whole limit when it runs out of gas, and what it used otherwise', () => {
    expect(chain.send(alice, 'one', 'spin', {}, { gasLimit: 3_000_000 }).gasUsed).toBe(3_000_000)
    const tx = transaction(alice, { nonce: 1, contract: 'none', method: 'x' })
    expect(chain.block(tx).receipts[0]!.gasUsed).toBe(intrinsicGas(tx.wire.length))
    const thrown = chain.send(alice, 'one', 'fail', { message: 'no' })
    expect(thrown.gasUsed).toBeGreaterThan(intrinsicGas(200))
    expect(thrown.gasUsed).toBeLessThan(2_000_000)
  })

  it('carries the message of a throw only, cut to 1,024 bytes between characters', () => {
    expect(chain.send(alice, 'one', 'fail', { message: 'not enough' }).message).toBe('not enough')
    const long = chain.send(alice, 'one', 'fail', { message: `a${'é'.repeat(600)}` })
    expect(long.message).toBe(`a${'é'.repeat(511)}`)
    expect(decode(receiptCodec, encode(receiptCodec, long))).toEqual(long)
    expect(chain.send(alice, 'one', 'missing').message).toBe('')
  })

  it('is what a limit below the cost of the bytes gets', () => {
    const wireLength = transaction(alice, { nonce: 0, contract: 'one', method: 'nothing', gasLimit: 5_500 }).wire.length
    const gasLimit = intrinsicGas(wireLength) - 1
    expect(chain.send(alice, 'one', 'nothing', {}, { gasLimit })).toMatchObject({
      code: 'OUT_OF_GAS',
      gasUsed: gasLimit,
    })
    const idle = { ...runtime.sandbox, run: () => expect.unreachable('nothing may run that is not paid for') }
    const other = new Chain(createTestRuntime(idle))
    place(other.store, 'one')
    expect(other.send(alice, 'one', 'nothing', {}, { gasLimit }).code).toBe('OUT_OF_GAS')
  })

  it.each([
    ['not UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['not JSON', new TextEncoder().encode('{')],
    ['nothing', new Uint8Array()],
  ])('is what arguments that are %s get', (_what, rawArgs) => {
    expect(chain.send(alice, 'one', 'nothing', {}, { rawArgs }).code).toBe('BAD_ARGUMENTS')
  })
})

describe('who may transact', () => {
  it('is asked after the nonce, and a refusal uses it', () => {
    chain.parameters = { ...PARAMETER_DEFAULTS, transact: 'role:member' }
    expect(chain.send(alice, 'one', 'nothing')).toMatchObject({ status: 'reverted', code: 'NOT_ALLOWED' })
    expect(chain.store.get(systemKeys.nonce(alice.key))).toBe('1')
    chain.store.entries.set(systemKeys.role('member', alice.address), 'true')
    expect(chain.send(alice, 'one', 'nothing').status).toBe('ok')
    expect(chain.send(bob, 'one', 'nothing').code).toBe('NOT_ALLOWED')
  })

  it('is nobody under a rule that does not read as one', () => {
    chain.parameters = { ...PARAMETER_DEFAULTS, transact: 'everyone' }
    expect(chain.send(alice, 'one', 'nothing').code).toBe('NOT_ALLOWED')
  })

  it('cannot be passed with a slash in the account', () => {
    chain.store.entries.set(systemKeys.role('a/b', alice.address), 'true')
    expect(hasRole(chain.store, alice.address, 'a/b')).toBe(true)
    expect(hasRole(chain.store, `b/${alice.address}`, 'a')).toBe(false)
  })
})

describe('a contract', () => {
  it('sees who calls, and the block', () => {
    const receipt = chain.send(alice, 'one', 'who')
    expect(resultOf(receipt)).toEqual({
      sender: alice.address,
      origin: alice.address,
      contract: 'one',
      block: { height: 1, time: 1_000 },
      tx: { id: receipt.txId },
    })
  })

  it('keeps values under its own name and gives them back in byte order', () => {
    for (const key of ['k/😀', 'k/｡', 'k/a', 'l/a']) chain.send(alice, 'one', 'set', { key, value: key })
    chain.send(alice, 'two', 'set', { key: 'k/b', value: 1 })
    expect(chain.value('one', 'k/a')).toBe('k/a')
    expect(resultOf(chain.send(alice, 'one', 'scan', { prefix: 'k/' }))).toEqual([
      ['k/a', 'k/a'],
      ['k/｡', 'k/｡'],
      ['k/😀', 'k/😀'],
    ])
    expect(resultOf(chain.send(alice, 'one', 'scan', { prefix: 'k/', after: 'k/a', limit: 1 }))).toEqual([
      ['k/｡', 'k/｡'],
    ])
  })

  it('sees the writes of earlier transactions of its block', () => {
    const { receipts } = chain.block(
      transaction(alice, { nonce: 0, contract: 'one', method: 'set', args: { key: 'k', value: 7 } }),
      transaction(alice, { nonce: 1, contract: 'one', method: 'scan', args: { prefix: '' } }),
    )
    expect(resultOf(receipts[1]!)).toEqual([['k', 7]])
  })

  it('asks for addresses and roles', () => {
    chain.store.entries.set(systemKeys.role('minter', bob.address), 'true')
    const ask = (account: string, role: string) => resultOf(chain.send(alice, 'one', 'role', { account, role }))
    expect(ask(bob.address, 'minter')).toEqual([true, true])
    expect(ask(alice.address, 'minter')).toEqual([true, false])
    expect(ask(bob.address.toUpperCase(), 'minter')).toEqual([false, false])
  })

  it('cannot scan over deleted keys without end', () => {
    chain.send(alice, 'one', 'fill', { prefix: 'k', count: 1_000 })
    const clear = transaction(alice, {
      nonce: 1,
      contract: 'one',
      method: 'clear',
      args: { prefix: 'k', count: 1_000 },
    })
    const scan = (nonce: number, times: number) =>
      transaction(alice, { nonce, contract: 'one', method: 'scan', args: { prefix: 'k', times } })
    const { receipts } = chain.block(clear, scan(2, 20), scan(3, 21))
    expect(receipts.map(({ code }) => code)).toEqual(['', '', 'OUT_OF_GAS'])
  })
})

describe('events', () => {
  it('are kept in order with their contract and the bytes of their data', () => {
    const receipt = chain.send(alice, 'one', 'nest', {
      before: 'b',
      after: 'a',
      contract: 'two',
      method: 'emit',
      args: { name: 'Middle', data: 'é' },
    })
    expect(receipt.events.map(({ contract, name, data }) => [contract, name, new TextDecoder().decode(data)])).toEqual([
      ['one', 'Before', '"b"'],
      ['two', 'Middle', '"é"'],
      ['one', 'After', '"a"'],
    ])
  })

  it('revert the transaction when they are more than a receipt may carry', () => {
    const args = { times: 4, contract: 'two', method: 'emit', args: { name: 'E', data: 1, times: 256 } }
    expect(chain.send(alice, 'one', 'repeat', args).events).toHaveLength(1_024)
    const receipt = chain.send(alice, 'one', 'repeat', { ...args, times: 5 })
    expect(receipt).toMatchObject({ status: 'reverted', code: 'TOO_MANY_EVENTS', events: [] })
    expect(chain.value('two', 'emitted')).toBe(256)
    chain.send(alice, 'one', 'repeat', { ...args, times: 1_030, args: { name: 'E', data: 1, times: 1 } })
    expect(chain.value('two', 'emitted')).toBe(256)
    const large = { name: 'E', data: 'x'.repeat(16_000), times: 8 }
    expect(chain.send(alice, 'one', 'repeat', { ...args, times: 4, args: large }).status).toBe('ok')
    expect(chain.send(alice, 'one', 'repeat', { ...args, times: 5, args: large }).code).toBe('TOO_MANY_EVENTS')
  })
})

it('the tool contract of these tests loads', () => {
  expect(runtime.sandbox.inspect(TOOL, 20_000_000)).toMatchObject({ ok: true, init: true })
})
