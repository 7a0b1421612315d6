import { beforeEach, describe, expect, it } from 'vitest'
import { createRuntime } from '../../src/execution/runtime.ts'
import { CALL_DEPTH_MAX } from '../../src/limits.ts'
import { alice, Chain, createTestRuntime, place, resultOf } from './support.ts'

const runtime = createTestRuntime()
let chain: Chain
beforeEach(() => {
  chain = new Chain(runtime)
  for (const name of ['one', 'two', 'three']) place(chain.store, name)
})
const fail = { method: 'fail', args: { message: 'no' } }

describe('a nested call', () => {
  it('sees the calling contract as sender and the signer as origin', () => {
    const receipt = chain.send(alice, 'one', 'nest', { contract: 'two', method: 'who', args: {} })
    expect(resultOf(receipt)).toMatchObject({
      sender: 'contract:one',
      origin: alice.address,
      contract: 'two',
      tx: { id: receipt.txId },
    })
  })

  it('that fails takes everything with it when nobody catches', () => {
    const args = { before: 'b', after: 'a', contract: 'two', ...fail }
    expect(chain.send(alice, 'one', 'nest', args)).toMatchObject({ code: 'NESTED', message: 'no', events: [] })
    expect([chain.value('one', 'b'), chain.value('two', 'failed')]).toEqual([undefined, undefined])
  })

  it('that fails and is caught loses its own writes and events only', () => {
    const receipt = chain.send(alice, 'one', 'nest', {
      before: 'b',
      after: 'a',
      caught: true,
      contract: 'two',
      ...fail,
    })
    expect(resultOf(receipt)).toEqual(['THROWN', 'no'])
    expect(receipt.events.map(({ name }) => name)).toEqual(['Before', 'After'])
    expect([chain.value('one', 'b'), chain.value('one', 'a')]).toEqual(['before', 'after'])
    expect(chain.value('two', 'failed')).toBeUndefined()
  })

  it('takes the writes of those it called along when it is undone itself', () => {
    // one catches two, which fails after three has succeeded.
    const inner = { contract: 'three', method: 'set', args: { key: 'deep', value: 1 } }
    const second = { contract: 'two', method: 'nest', args: { ...inner, before: 'b' } }
    expect(chain.send(alice, 'one', 'nest', { caught: true, ...second }).status).toBe('ok')
    expect(chain.value('three', 'deep')).toBe(1)
    const failing = { contract: 'two', method: 'nest', args: { before: 'x', contract: 'three', ...fail } }
    expect(chain.send(alice, 'one', 'nest', { caught: true, after: 'a', ...failing }).status).toBe('ok')
    expect([chain.value('two', 'x'), chain.value('three', 'failed'), chain.value('one', 'a')]).toEqual([
      undefined,
      undefined,
      'after',
    ])
  })

  it('gives the code, not our wording, for what no contract said', () => {
    const ask = (args: object) => resultOf(chain.send(alice, 'one', 'nest', { caught: true, args: {}, ...args }))
    expect(ask({ contract: 'none', method: 'x' })).toEqual(['UNKNOWN_CONTRACT', 'UNKNOWN_CONTRACT'])
    expect(ask({ contract: 'two', method: 'x' })).toEqual(['UNKNOWN_METHOD', 'UNKNOWN_METHOD'])
    expect(ask({ contract: 'one', method: 'who' })).toEqual(['REENTRY', 'REENTRY'])
    expect(chain.send(alice, 'one', 'nest', { contract: 'one', method: 'who', args: {} })).toMatchObject({
      code: 'NESTED',
      message: 'REENTRY',
    })
  })

  it('cannot come back to a contract further down, be it by call or by view', () => {
    const back = (method: string, callee: string) => ({
      contract: 'two',
      method,
      args: { contract: 'one', method: callee, args: { key: 'k' }, caught: true },
    })
    expect(resultOf(chain.send(alice, 'one', 'nest', back('nest', 'who')))).toEqual(['REENTRY', 'REENTRY'])
    expect(chain.send(alice, 'one', 'nest', back('look', 'get'))).toMatchObject({ code: 'NESTED', message: 'REENTRY' })
  })

  it('charges its gas to its caller', () => {
    const alone = chain.send(alice, 'two', 'fill', { prefix: 'k', count: 50 })
    const nested = chain.send(alice, 'one', 'nest', {
      contract: 'two',
      method: 'fill',
      args: { prefix: 'k', count: 50 },
    })
    expect(nested.gasUsed).toBeGreaterThan(alone.gasUsed + 100_000)
    expect(nested.gasUsed).toBeLessThan(alone.gasUsed + 600_000)
  })

  it('that runs out of gas ends the transaction, though its caller would catch', () => {
    const args = { caught: true, after: 'a', contract: 'two', method: 'spin', args: {} }
    const receipt = chain.send(alice, 'one', 'nest', args, { gasLimit: 5_000_000 })
    expect(receipt).toMatchObject({ status: 'reverted', code: 'OUT_OF_GAS', gasUsed: 5_000_000 })
    expect(chain.value('one', 'a')).toBeUndefined()
  })

  it('may be as deep as the limit says and no deeper', () => {
    const name = (level: number) => `level-${level}`
    for (let level = 0; level <= CALL_DEPTH_MAX; level++) place(chain.store, name(level))
    const chainOf = (levels: number, last: object = { contract: name(levels - 1), method: 'who', args: {} }) => {
      let call = last
      for (let level = levels - 2; level > 0; level--) {
        call = { contract: name(level), method: 'nest', args: { ...call, caught: true } }
      }
      return { ...call, caught: true }
    }
    const deepest = chain.send(alice, name(0), 'nest', chainOf(CALL_DEPTH_MAX))
    expect(resultOf(deepest)).toMatchObject({ contract: name(CALL_DEPTH_MAX - 1) })
    const tooDeep = chain.send(alice, name(0), 'nest', chainOf(CALL_DEPTH_MAX + 1), { gasLimit: 9_000_000 })
    expect(tooDeep).toMatchObject({ status: 'reverted', code: 'DEPTH', gasUsed: 9_000_000 })
    // The native contract takes a level like any other.
    const native = { contract: 'system', method: 'setOwner', args: {} }
    expect(resultOf(chain.send(alice, name(0), 'nest', chainOf(CALL_DEPTH_MAX, native)))).toEqual([
      'BAD_ARGUMENTS',
      'BAD_ARGUMENTS',
    ])
    expect(chain.send(alice, name(0), 'nest', chainOf(CALL_DEPTH_MAX + 1, native)).code).toBe('DEPTH')
  })
})

describe('a nested view', () => {
  it('sees what the transaction wrote so far, and not who asks', () => {
    chain.send(alice, 'two', 'set', { key: 'k', value: 1 })
    expect(resultOf(chain.send(alice, 'one', 'look', { contract: 'two', method: 'get', args: { key: 'k' } }))).toBe(1)
    const seen = resultOf(chain.send(alice, 'one', 'look', { contract: 'two', method: 'whoView', args: {} }))
    expect(seen).toEqual({ sender: null, origin: null, contract: 'two', block: { height: 3, time: 3_000 }, tx: null })
  })

  it('cannot write', () => {
    const receipt = chain.send(alice, 'one', 'look', { contract: 'two', method: 'write', args: {} })
    expect(receipt).toMatchObject({ status: 'reverted', code: 'NESTED', message: 'READ_ONLY' })
  })
})

it('a sandbox that lets a view write stops the node', () => {
  const { sandbox, verifyEd25519 } = runtime
  const careless = createRuntime({
    verifyEd25519,
    sandbox: {
      ...sandbox,
      run(invocation) {
        if (invocation.kind === 'view') invocation.host.set('k', '1')
        return sandbox.run(invocation)
      },
    },
  })
  const broken = new Chain(careless)
  place(broken.store, 'one')
  place(broken.store, 'two')
  expect(() => broken.send(alice, 'one', 'look', { contract: 'two', method: 'get', args: { key: 'k' } })).toThrow(
    'view of two',
  )
})
