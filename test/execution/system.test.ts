import { beforeEach, describe, expect, it } from 'vitest'
import { nestingOf, parseArguments } from '../../src/execution/arguments.ts'
import { intrinsicGas, loadGas, systemCallGas } from '../../src/execution/cost.ts'
import { createRuntime } from '../../src/execution/runtime.ts'
import { CODE_BYTES_MAX, LOAD_GAS_MAX } from '../../src/execution/sandbox/limits.ts'
import { systemKeys } from '../../src/execution/state.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { alice, bob, bundle, Chain, createTestRuntime, hashOf, place, resultOf, TOOL, transaction } from './support.ts'

const runtime = createTestRuntime()
let chain: Chain
beforeEach(() => {
  chain = new Chain(runtime)
})

const SMALL = bundle(`{ calls: { b() { return 'small' }, a() {} }, views: { v() {} } }`)
const LARGER = bundle(`{ calls: { b() { return 'larger' } } }`)
const recordOf = (name: string) => chain.store.get(systemKeys.contract(name))
const deploy = (name: unknown, code: unknown = SMALL, init?: unknown, from = alice) =>
  chain.send(from, 'system', 'deploy', { name, code, init })

describe('deploy', () => {
  it('writes the record in its documented order, the code once, and makes the sender the owner', () => {
    chain.height = 6
    const receipt = deploy('shop')
    expect(receipt).toMatchObject({ status: 'ok', result: new Uint8Array(), events: [] })
    expect(recordOf('shop')).toBe(
      `{"name":"shop","codeHash":"${hashOf(SMALL)}","version":1,"owner":"${alice.address}","deployedHeight":7,` +
        `"updatedHeight":7,"frozen":false,"init":false,"migrate":false,"calls":["a","b"],"views":["v"]}`,
    )
    expect(chain.store.get(systemKeys.code(hashOf(SMALL)))).toBe(JSON.stringify(SMALL))
    expect(deploy('shop-2').status).toBe('ok')
    expect(chain.store.scan('system\0code/', undefined, 9)).toHaveLength(1)
  })

  it('binds later transactions of the same block', () => {
    const { receipts } = chain.block(
      transaction(alice, { nonce: 0, contract: 'system', method: 'deploy', args: { name: 'shop', code: SMALL } }),
      transaction(alice, { nonce: 1, contract: 'shop', method: 'b' }),
    )
    expect(resultOf(receipts[1]!)).toBe('small')
  })

  it('runs the init with the deployer as sender', () => {
    const receipt = deploy('tool', TOOL, { a: [1, { b: '\ud800' }] })
    expect(chain.value('tool', 'init')).toEqual({
      sender: alice.address,
      origin: alice.address,
      tx: { id: receipt.txId },
      args: { a: [1, { b: '\ud800' }] },
    })
    expect(deploy('tool-2', TOOL).status).toBe('ok')
    expect(chain.value('tool-2', 'init')).toMatchObject({ args: {} })
  })

  it('leaves nothing when the init fails, and says why', () => {
    const { receipts, writes } = chain.block(
      transaction(alice, {
        nonce: 0,
        contract: 'system',
        method: 'deploy',
        args: { name: 'tool', code: TOOL, init: { fail: 'no luck' } },
      }),
    )
    expect(receipts[0]).toMatchObject({ status: 'reverted', code: 'THROWN', message: 'no luck' })
    expect([...writes.keys()]).toEqual([systemKeys.nonce(alice.key)])
    expect(deploy('tool', TOOL, {}).status).toBe('ok')
  })

  it.each([
    ['a', 'NAME_INVALID'],
    ['Shop', 'NAME_INVALID'],
    ['1shop', 'NAME_INVALID'],
    ['shop_1', 'NAME_INVALID'],
    ['x'.repeat(41), 'NAME_INVALID'],
    ['shop\n', 'NAME_INVALID'],
    ['system', 'NAME_INVALID'],
    [7, 'BAD_ARGUMENTS'],
    [undefined, 'BAD_ARGUMENTS'],
    ['ab', ''],
    ['x'.repeat(40), ''],
  ])('under the name %j: %s', (name, code) => {
    expect(deploy(name).code).toBe(code)
  })

  it('refuses a name that is taken, also to its owner', () => {
    deploy('shop')
    expect(deploy('shop').code).toBe('CONTRACT_EXISTS')
    expect(deploy('shop', LARGER, {}, bob).code).toBe('CONTRACT_EXISTS')
  })

  it.each([
    ['is no JavaScript', 'var ('],
    ['exports nothing', 'var x = 1'],
    ['throws', 'throw new Error("x")'],
    ['never ends', `${bundle('{}')}for (;;) {}`],
    ['has a lone surrogate', `${SMALL}//\ud800`],
  ])('refuses code that %s', (_what, code) => {
    expect(deploy('shop', code).code).toBe('CODE_INVALID')
    expect(recordOf('shop')).toBeUndefined()
  })

  it('asks the rule of the network about the sender', () => {
    chain.parameters = { ...PARAMETER_DEFAULTS, deploy: 'role:deployer' }
    expect(deploy('shop').code).toBe('NOT_ALLOWED')
    chain.store.entries.set(systemKeys.role('deployer', alice.address), 'true')
    expect(deploy('shop').status).toBe('ok')
    // A contract that alice calls has not alice's role, and what it deploys is its own.
    place(chain.store, 'tool')
    const nested = { contract: 'system', method: 'deploy', args: { name: 'shop-2', code: SMALL } }
    expect(chain.send(alice, 'tool', 'nest', nested)).toMatchObject({ code: 'NESTED', message: 'NOT_ALLOWED' })
    chain.store.entries.set(systemKeys.role('deployer', 'contract:tool'), 'true')
    expect(chain.send(bob, 'tool', 'nest', nested).status).toBe('ok')
    expect(JSON.parse(recordOf('shop-2')!)).toMatchObject({ owner: 'contract:tool' })
  })

  it('takes code up to the sandbox’s bound, however long it is as JSON', () => {
    const padded = (length: number) => SMALL + '\n'.repeat(length - SMALL.length)
    expect(deploy('shop', padded(100_000)).status).toBe('ok')
    expect(deploy('shop-2', `${SMALL}//${'x'.repeat(CODE_BYTES_MAX)}`).code).toBe('CODE_INVALID')
  })

  it('costs a formula of its bytes, with or without the code in memory', () => {
    const tx = transaction(alice, {
      nonce: 0,
      contract: 'system',
      method: 'deploy',
      args: { name: 'shop', code: SMALL },
    })
    const expected = intrinsicGas(tx.wire.length) + systemCallGas(tx.args.length) + loadGas(Buffer.byteLength(SMALL))
    const cold = new Chain(createTestRuntime())
    expect([chain.block(tx).gasUsed, cold.block(tx).gasUsed]).toEqual([expected, expected])
    const short = (gasLimit: number) =>
      new Chain(runtime).send(alice, 'system', 'deploy', { name: 'shop', code: SMALL }, { gasLimit })
    // The limit's own bytes may change the length by a few; 100 covers it.
    expect(short(expected - 100)).toMatchObject({ code: 'OUT_OF_GAS', gasUsed: expected - 100 })
    expect(short(expected + 100).status).toBe('ok')
    const idle = { ...runtime.sandbox, inspect: () => expect.unreachable('nothing may load that is not paid for') }
    const unpaid = new Chain(createTestRuntime(idle))
    expect(unpaid.send(alice, 'system', 'deploy', { name: 'shop', code: SMALL }, { gasLimit: 9_000_000 }).code).toBe(
      'OUT_OF_GAS',
    )
  })

  it('gives the same answer whether the sandbox has the image in memory or not', () => {
    // Loads within the sandbox's own bound and not within what code of this length may take.
    const costly = `${bundle('{}')} for (let i = 0; i < 100000; i++);`
    expect(runtime.sandbox.inspect(costly, LOAD_GAS_MAX).ok).toBe(true)
    const cold = createTestRuntime()
    expect(new Chain(cold).send(alice, 'system', 'deploy', { name: 'shop', code: costly }).code).toBe('CODE_INVALID')
  })
})

describe('upgrade', () => {
  beforeEach(() => {
    deploy('shop')
  })
  const upgrade = (name: unknown, code: unknown, from = alice) => chain.send(from, 'system', 'upgrade', { name, code })

  it('binds later transactions of the same block and keeps the state', () => {
    chain.store.entries.set('shop\0k', '1')
    const { receipts } = chain.block(
      transaction(alice, { nonce: 1, contract: 'shop', method: 'b' }),
      transaction(alice, { nonce: 2, contract: 'system', method: 'upgrade', args: { name: 'shop', code: LARGER } }),
      transaction(alice, { nonce: 3, contract: 'shop', method: 'b' }),
    )
    expect(receipts.map(resultOf)).toEqual(['small', undefined, 'larger'])
    expect(JSON.parse(recordOf('shop')!)).toMatchObject({
      codeHash: hashOf(LARGER),
      version: 2,
      deployedHeight: 1,
      updatedHeight: 2,
      calls: ['b'],
    })
    expect(chain.value('shop', 'k')).toBe(1)
  })

  it('is the owner’s alone, and runs no init', () => {
    expect(upgrade('shop', LARGER, bob).code).toBe('NOT_OWNER')
    expect(upgrade('none', LARGER).code).toBe('UNKNOWN_CONTRACT')
    expect(upgrade('system', LARGER).code).toBe('UNKNOWN_CONTRACT')
    expect(upgrade('shop', 'var (').code).toBe('CODE_INVALID')
    expect(upgrade('shop', 1).code).toBe('BAD_ARGUMENTS')
    expect(upgrade('shop', TOOL).status).toBe('ok')
    expect(chain.value('shop', 'init')).toBeUndefined()
  })

  it('is not done to a contract that is running, and never in the name of who called', () => {
    place(chain.store, 'tool', TOOL, 'contract:tool')
    const nest = (name: string) =>
      chain.send(alice, 'tool', 'nest', { contract: 'system', method: 'upgrade', args: { name, code: SMALL } })
    expect(nest('tool')).toMatchObject({ code: 'NESTED', message: 'CONTRACT_ACTIVE' })
    // alice owns the shop and signed, but the sender is the tool.
    expect(nest('shop')).toMatchObject({ code: 'NESTED', message: 'NOT_OWNER' })
  })
})

describe('a migration', () => {
  const MOVING = bundle(`{
    migrate(ctx, args) {
      if (args.fail) throw new Error(args.fail)
      if (args.upgrade) ctx.call('system', 'upgrade', { name: ctx.contract, code: '' })
      const k = ctx.state.get('k')
      ctx.state.set('moved', { k, sender: ctx.sender, origin: ctx.origin, args })
      ctx.state.delete('k')
      ctx.emit('Moved', k)
      return 'dropped'
    },
    calls: { b() { return 'moved' } },
  }`)
  const upgrade = (migrate?: unknown, code = MOVING) =>
    chain.send(alice, 'system', 'upgrade', { name: 'shop', code, migrate })
  beforeEach(() => {
    deploy('shop')
    chain.store.entries.set('shop\0k', '1')
  })

  it('brings the state into the new form in the same transaction, as the owner', () => {
    const receipt = upgrade({ to: 2 })
    expect(receipt).toMatchObject({ status: 'ok', result: new Uint8Array() })
    expect(receipt.events.map(({ contract, name }) => [contract, name])).toEqual([['shop', 'Moved']])
    expect(chain.value('shop', 'k')).toBeUndefined()
    const { address } = alice
    expect(chain.value('shop', 'moved')).toEqual({ k: 1, sender: address, origin: address, args: { to: 2 } })
    expect(JSON.parse(recordOf('shop')!)).toMatchObject({ version: 2, migrate: true })
  })

  it('gets an empty object where nothing is given, and runs at upgrades alone', () => {
    expect(upgrade().status).toBe('ok')
    expect(chain.value('shop', 'moved')).toMatchObject({ args: {} })
    expect(deploy('shop-2', MOVING, { fail: 'no migration at a deploy' }).status).toBe('ok')
    expect(chain.value('shop-2', 'moved')).toBeUndefined()
    expect(chain.send(alice, 'shop', 'migrate').code).toBe('UNKNOWN_METHOD')
  })

  it('undoes the upgrade where it fails', () => {
    const before = recordOf('shop')
    const { receipts, writes } = chain.block(
      transaction(alice, {
        nonce: 1,
        contract: 'system',
        method: 'upgrade',
        args: { name: 'shop', code: MOVING, migrate: { fail: 'cannot' } },
      }),
    )
    expect(receipts[0]).toMatchObject({ status: 'reverted', code: 'THROWN', message: 'cannot' })
    expect([...writes.keys()]).toEqual([systemKeys.nonce(alice.key)])
    expect(recordOf('shop')).toBe(before)
  })

  it('cannot upgrade on its way, and pays with what the load has left', () => {
    expect(upgrade({ upgrade: true })).toMatchObject({ code: 'NESTED', message: 'REENTRY' })
    const spinning = bundle('{ migrate() { for (;;) {} } }')
    const args = { name: 'shop', code: spinning }
    const receipt = chain.send(alice, 'system', 'upgrade', args, { gasLimit: 1_000_000 })
    expect(receipt).toMatchObject({ code: 'OUT_OF_GAS', gasUsed: 1_000_000 })
  })
})

describe('the versions of a contract', () => {
  const versions = (name: string) =>
    chain.store.scan(systemKeys.version(name, 1).slice(0, -16), undefined, 9).map(([, text]) => text)

  it('are kept one by one, with code, height and sender', () => {
    deploy('shop')
    chain.send(alice, 'system', 'setOwner', { name: 'shop', owner: bob.address })
    chain.send(bob, 'system', 'upgrade', { name: 'shop', code: LARGER })
    chain.send(bob, 'system', 'upgrade', { name: 'shop', code: 'var (' })
    const entry = (version: number, code: string, height: number, sender: string) =>
      `{"version":${version},"codeHash":"${hashOf(code)}","height":${height},"sender":"${sender}"}`
    expect(versions('shop')).toEqual([entry(1, SMALL, 1, alice.address), entry(2, LARGER, 3, bob.address)])
  })

  it('are in order of number also past the ninth', () => {
    deploy('shop')
    for (let upgrades = 0; upgrades < 10; upgrades++) {
      expect(chain.send(alice, 'system', 'upgrade', { name: 'shop', code: LARGER }).status).toBe('ok')
    }
    const after = systemKeys.version('shop', 9)
    const rest = chain.store.scan(systemKeys.version('shop', 1).slice(0, -16), after, 9)
    expect(rest.map(([, text]) => JSON.parse(text).version)).toEqual([10, 11])
  })
})

describe('freeze', () => {
  const freeze = (name: unknown, from = alice) => chain.send(from, 'system', 'freeze', { name })
  beforeEach(() => {
    deploy('shop')
  })

  it('ends upgrades and changes of owner for good, and leaves the contract callable', () => {
    expect(freeze('shop').status).toBe('ok')
    expect(JSON.parse(recordOf('shop')!)).toMatchObject({ frozen: true, version: 1, updatedHeight: 2 })
    expect(chain.send(alice, 'system', 'upgrade', { name: 'shop', code: LARGER }).code).toBe('FROZEN')
    expect(chain.send(alice, 'system', 'setOwner', { name: 'shop', owner: bob.address }).code).toBe('FROZEN')
    expect(freeze('shop').code).toBe('FROZEN')
    expect(JSON.parse(recordOf('shop')!)).toMatchObject({ owner: alice.address, updatedHeight: 2 })
    expect(resultOf(chain.send(bob, 'shop', 'b'))).toBe('small')
  })

  it('is the owner’s alone', () => {
    expect(freeze('shop', bob).code).toBe('NOT_OWNER')
    expect(freeze('none').code).toBe('UNKNOWN_CONTRACT')
    expect(freeze(7).code).toBe('BAD_ARGUMENTS')
    expect(JSON.parse(recordOf('shop')!)).toMatchObject({ frozen: false })
    freeze('shop')
    // Who is not the owner learns that first.
    expect(chain.send(bob, 'system', 'upgrade', { name: 'shop', code: LARGER }).code).toBe('NOT_OWNER')
  })
})

describe('setOwner', () => {
  beforeEach(() => {
    deploy('shop')
  })
  const setOwner = (name: unknown, owner: unknown, from = alice) =>
    chain.send(from, 'system', 'setOwner', { name, owner })

  it('hands the contract over, and with it the right to do so', () => {
    expect(setOwner('shop', bob.address).status).toBe('ok')
    expect(setOwner('shop', alice.address).code).toBe('NOT_OWNER')
    expect(chain.send(bob, 'system', 'upgrade', { name: 'shop', code: LARGER }).status).toBe('ok')
    expect(JSON.parse(recordOf('shop')!)).toMatchObject({ owner: bob.address, updatedHeight: 4 })
  })

  it('takes addresses and deployed contracts only', () => {
    expect(setOwner('shop', `${bob.address.slice(0, -1)}q`).code).toBe('OWNER_INVALID')
    expect(setOwner('shop', 'contract:none').code).toBe('OWNER_INVALID')
    expect(setOwner('shop', 'contract:Shop').code).toBe('OWNER_INVALID')
    expect(setOwner('shop', '').code).toBe('OWNER_INVALID')
    expect(setOwner('shop', null).code).toBe('BAD_ARGUMENTS')
    expect(setOwner('none', bob.address).code).toBe('UNKNOWN_CONTRACT')
    expect(setOwner('shop', 'contract:shop').status).toBe('ok')
  })
})

describe('nesting of JSON', () => {
  it.each([
    ['1', 0],
    ['{}', 1],
    ['[[],{"a":[1]}]', 3],
    ['{"[":"\\"[[[","b":"]"}', 1],
    ['["\\\\",[[]]]', 3],
  ])('of %s is %i', (text, depth) => {
    expect(() => JSON.parse(text)).not.toThrow()
    expect(nestingOf(text)).toBe(depth)
  })

  it('is as deep as arguments may be, and no deeper', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
    expect(parseArguments(nested(128))).toBeDefined()
    expect(parseArguments(nested(129))).toBeUndefined()
    expect(parseArguments('[]')).toBeUndefined()
  })
})

describe('the system contract', () => {
  it.each([
    ['missing', '{}', 'UNKNOWN_METHOD'],
    ['constructor', '{}', 'UNKNOWN_METHOD'],
    ['init', '{}', 'UNKNOWN_METHOD'],
    ['deploy', '', 'BAD_ARGUMENTS'],
    ['deploy', '[]', 'BAD_ARGUMENTS'],
    ['deploy', 'null', 'BAD_ARGUMENTS'],
    ['deploy', '"x"', 'BAD_ARGUMENTS'],
    ['deploy', `{"init":${'['.repeat(9_000)}${']'.repeat(9_000)}}`, 'BAD_ARGUMENTS'],
  ])('answers %s with %.20s by %s', (method, text, code) => {
    expect(chain.send(alice, 'system', method, {}, { rawArgs: new TextEncoder().encode(text) }).code).toBe(code)
  })

  it('is on the stack like any other', () => {
    const code = bundle(`{ init(ctx, args) { ctx.call('system', 'deploy', args) } }`)
    expect(deploy('shop', code, { name: 'shop-2', code: SMALL })).toMatchObject({ code: 'NESTED', message: 'REENTRY' })
  })

  it('is out of gas when its arguments alone cost more than there is', () => {
    const args = { name: 'shop', code: 'x'.repeat(10_000) }
    expect(chain.send(alice, 'system', 'deploy', args, { gasLimit: 1_000_000 })).toMatchObject({
      code: 'OUT_OF_GAS',
      gasUsed: 1_000_000,
    })
  })
})

it('code is fetched once and then comes from memory', () => {
  const counting = createRuntime({ sandbox: runtime.sandbox, verifyEd25519: runtime.verifyEd25519 })
  const other = new Chain(counting)
  place(other.store, 'tool')
  other.send(alice, 'tool', 'nothing')
  other.store.entries.delete(systemKeys.code(hashOf(TOOL)))
  expect(other.send(alice, 'tool', 'nothing').status).toBe('ok')
  const restarted = createRuntime({ sandbox: runtime.sandbox, verifyEd25519: runtime.verifyEd25519 })
  const next = new Chain(restarted)
  for (const [key, value] of other.store.entries) next.store.entries.set(key, value)
  expect(() => next.send(alice, 'tool', 'nothing')).toThrow('does not hold it')
})
