import { beforeEach, describe, expect, it } from 'vitest'
import { runView, simulate, type ViewInput } from '../../src/execution/query.ts'
import { readContract, systemKeys } from '../../src/execution/state.ts'
import { alice, bob, Chain, createTestRuntime, place, resultOf, transaction } from './support.ts'

const runtime = createTestRuntime()
let chain: Chain
beforeEach(() => {
  chain = new Chain(runtime)
  for (const name of ['one', 'two']) place(chain.store, name)
  chain.send(alice, 'one', 'set', { key: 'k', value: [1, 2] })
})

describe('a view', () => {
  const view = (contract: string, method: string, args: unknown = {}, more: Partial<ViewInput> = {}) => {
    const { store } = chain
    const at = { height: chain.height, time: 7 }
    return runView({
      runtime,
      store,
      ...at,
      contract,
      method,
      args: JSON.stringify(args),
      gasLimit: 50_000_000,
      ...more,
    })
  }

  it('reads the state it is given', () => {
    expect(view('one', 'get', { key: 'k' })).toEqual({ ok: true, result: '[1,2]', gasUsed: expect.any(Number) })
    expect(view('one', 'get', { key: 'absent' })).toMatchObject({ ok: true, result: null })
    expect(view('one', 'lookOn', { contract: 'two', method: 'get', args: { key: 'k' } })).toMatchObject({
      result: null,
    })
  })

  it('has nobody behind it', () => {
    const { result } = view('one', 'whoView') as { result: string }
    expect(JSON.parse(result)).toEqual({
      sender: null,
      origin: null,
      contract: 'one',
      block: { height: 1, time: 7 },
      tx: null,
    })
  })

  it.each([
    ['one', 'write', {}, 'READ_ONLY'],
    ['one', 'set', { key: 'k', value: 1 }, 'UNKNOWN_METHOD'],
    ['none', 'get', {}, 'UNKNOWN_CONTRACT'],
    ['system', 'deploy', {}, 'UNKNOWN_METHOD'],
    ['one', 'lookOn', { contract: 'two', method: 'write', args: {} }, 'NESTED'],
    ['one', 'lookOn', { contract: 'one', method: 'get', args: {} }, 'NESTED'],
  ])('%s.%s with %j fails with %s', (contract, method, args, code) => {
    expect(view(contract, method, args)).toMatchObject({ ok: false, code })
  })

  it('gives only a contract’s own message', () => {
    expect(view('one', 'get', null)).toMatchObject({ code: 'THROWN', message: expect.stringMatching(/./) })
    expect(view('one', 'get', {}, { args: '{' })).toMatchObject({ code: 'BAD_ARGUMENTS', message: '' })
  })

  it('stops at its gas limit', () => {
    expect(view('one', 'lookOn', { contract: 'two', method: 'get', args: {} }, { gasLimit: 1_000 })).toEqual({
      ok: false,
      code: 'OUT_OF_GAS',
      message: '',
      gasUsed: 1_000,
    })
  })
})

describe('a dry run', () => {
  const run = (tx: ReturnType<typeof transaction>, more = {}) => {
    const { store, parameters, height } = chain
    return simulate({ runtime, store, parameters, height: height + 1, time: 2_000, transaction: tx, ...more })
  }
  const overwrite = (nonce: number) =>
    transaction(alice, { nonce, contract: 'one', method: 'set', args: { key: 'k', value: 3 } })

  it('gives the receipt the transaction then gets, and changes nothing', () => {
    const before = new Map(chain.store.entries)
    const { receipt, writes } = run(overwrite(1))
    expect(new Map(chain.store.entries)).toEqual(before)
    expect(writes).toEqual([
      { key: 'one\0k', before: '[1,2]', after: '3' },
      { key: systemKeys.nonce(alice.key), before: '1', after: '2' },
    ])
    expect(chain.block(overwrite(1)).receipts[0]).toEqual(receipt)
  })

  it('keeps what was read outside its own writes, and what ran', () => {
    const look = transaction(bob, {
      nonce: 0,
      contract: 'two',
      method: 'nest',
      args: { before: 'own', contract: 'one', method: 'scan', args: { prefix: '' } },
    })
    const { values, scans, code } = run(look).record!
    expect([...values]).toEqual([
      ['one\0k', '[1,2]'],
      [systemKeys.contract('one'), chain.store.get(systemKeys.contract('one'))],
      [systemKeys.contract('two'), chain.store.get(systemKeys.contract('two'))],
      [systemKeys.nonce(bob.key), undefined],
      ['two\0own', undefined],
    ])
    expect(scans).toEqual([{ prefix: 'one\0', after: undefined, limit: 100, keys: ['one\0k'] }])
    const { codeHash } = readContract(chain.store, 'one')!
    expect([...code.keys()]).toEqual([codeHash])
    // Code is by its hash, in memory or not.
    expect(run(look, { runtime: createTestRuntime() }).record).toEqual(run(look).record)
  })

  it('says of a reverted one that only the nonce is written', () => {
    const failing = transaction(alice, { nonce: 1, contract: 'one', method: 'fail', args: { message: 'no' } })
    const { receipt, writes } = run(failing)
    expect(receipt).toMatchObject({ status: 'reverted', message: 'no' })
    expect(writes).toEqual([{ key: systemKeys.nonce(alice.key), before: '1', after: '2' }])
  })

  it('can take the nonce for the next one', () => {
    expect(run(overwrite(5)).receipt).toMatchObject({ code: 'NONCE_GAP', nonce: 5 })
    expect(run(overwrite(5), { assumeNonce: true }).receipt).toMatchObject({ status: 'ok', nonce: 5 })
  })

  it('replays after the transactions before it in its block', () => {
    const scan = transaction(bob, { nonce: 0, contract: 'one', method: 'scan', args: { prefix: 'k' } })
    const { receipt } = run(scan, { before: [overwrite(1)] })
    expect(resultOf(receipt)).toEqual([['k', 3]])
    expect(chain.block(overwrite(1), scan).receipts[1]).toMatchObject({ gasUsed: receipt.gasUsed })
  })
})
