import { describe, expect, it } from 'vitest'
import { epochHash, firstEpoch, genesisHash, transactionsRoot } from '../../src/crypto/digest.ts'
import { executeGenesis, GenesisRefused, genesisHeader } from '../../src/execution/genesis-block.ts'
import { systemKeys } from '../../src/execution/state.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { headerCodec, ZERO_HASH } from '../../src/types/block.ts'
import type { Genesis } from '../../src/types/epoch.ts'
import { encode } from '../../src/types/schema.ts'
import { alice, bob, bundle, Chain, createTestRuntime, resultOf, TOOL } from './support.ts'

const runtime = createTestRuntime()
const validator = { log: 'bb'.repeat(32), key: 'aa'.repeat(32), name: 'north' }
const genesis: Genesis = {
  chainId: 'test',
  protocolVersion: 1,
  engineHash: 'cd'.repeat(32),
  time: 1_700_000_000_000,
  validators: [validator],
  parameters: PARAMETER_DEFAULTS,
  roles: [{ role: 'deployer', accounts: [alice.address, bob.address] }],
  contracts: [
    { name: 'tool', code: TOOL, init: '{"x":1}', owner: alice.address },
    { name: 'second', code: TOOL, init: '', owner: '' },
    { name: 'third', code: TOOL, init: '{}', owner: 'contract:second' },
  ],
}
const withContracts = (...contracts: Genesis['contracts']): Genesis => ({ ...genesis, contracts })

describe('block 0', () => {
  it('writes parameters, validators and roles in their documented form', () => {
    const writes = executeGenesis(runtime, { ...genesis, contracts: [] })
    expect([...writes.keys()]).toEqual([...writes.keys()].toSorted())
    expect(writes.get(systemKeys.validators)).toBe(
      `[{"name":"north","key":"${validator.key}","log":"${validator.log}"}]`,
    )
    expect(writes.get(systemKeys.parameters)).toMatch(
      /^{"blockTransactionsMax":1000,"blockBytesMax":.*"transact":"anyone"}$/,
    )
    expect(writes.get(systemKeys.role('deployer', bob.address))).toBe('true')
    expect(writes.size).toBe(4)
  })

  it('does not depend on the order of fields in memory', () => {
    const backwards = Object.fromEntries(Object.entries(PARAMETER_DEFAULTS).toReversed())
    const other = { ...genesis, parameters: backwards as unknown as typeof PARAMETER_DEFAULTS }
    expect([...executeGenesis(runtime, other)]).toEqual([...executeGenesis(runtime, genesis)])
  })

  it('runs the inits in listed order with sender system, at height 0 and the genesis time', () => {
    const chain = new Chain(runtime)
    const seen = bundle(`{
      init(ctx) { ctx.emit('E', 1); ctx.state.set('seen', [ctx.sender, ctx.origin, ctx.tx, ctx.block, ctx.call('tool', 'who', {}).sender]) },
    }`)
    chain.store.apply(
      executeGenesis(runtime, withContracts(genesis.contracts[0]!, { name: 'seer', code: seen, init: '', owner: '' })),
    )
    expect(chain.value('seer', 'seen')).toEqual([
      'system',
      'system',
      null,
      { height: 0, time: genesis.time },
      'contract:seer',
    ])
    expect(chain.value('tool', 'init')).toMatchObject({ args: { x: 1 } })
    expect(resultOf(chain.send(alice, 'tool', 'who'))).toMatchObject({ contract: 'tool' })
  })

  it('gives each contract the owner that the document names; none is nobody', () => {
    const chain = new Chain(runtime)
    chain.store.apply(executeGenesis(runtime, genesis))
    const setOwner = (name: string) => chain.send(alice, 'system', 'setOwner', { name, owner: bob.address })
    expect(setOwner('tool').status).toBe('ok')
    expect(setOwner('second').code).toBe('NOT_OWNER')
    const args = { contract: 'system', method: 'setOwner', args: { name: 'third', owner: alice.address } }
    expect(chain.send(alice, 'second', 'nest', args).status).toBe('ok')
    expect(setOwner('third').status).toBe('ok')
  })

  const tool = genesis.contracts[0]!
  it.each([
    ['a throwing init', { ...tool, init: '{"fail":"no owner given"}' }, 'THROWN', 'no owner given'],
    ['an init that is not JSON', { ...tool, init: '{' }, 'BAD_ARGUMENTS', 'arguments'],
    ['an init without end', { ...tool, code: bundle('{ init() { for (;;); } }') }, 'OUT_OF_GAS', 'gas'],
    [
      'an init that needs a later contract',
      { ...tool, code: bundle(`{ init(ctx) { ctx.call('later', 'x') } }`) },
      'NESTED',
      'UNKNOWN_CONTRACT',
    ],
    ['bad code', { ...tool, code: 'var (' }, 'CODE_INVALID', 'load'],
    ['a bad name', { ...tool, name: 'Tool' }, 'NAME_INVALID', 'name'],
    ['the name system', { ...tool, name: 'system' }, 'NAME_INVALID', 'system'],
    ['a mistyped owner', { ...tool, owner: `${alice.address.slice(0, -1)}q` }, 'OWNER_INVALID', 'owner'],
    ['an owner that is no contract', { ...tool, owner: 'contract:none' }, 'OWNER_INVALID', 'owner'],
    ['a name used twice', { ...tool, name: 'first' }, 'CONTRACT_EXISTS', 'deployed already'],
  ])('is refused for %s, naming the contract', (_what, contract, code, words) => {
    const parameters = { ...PARAMETER_DEFAULTS, transactionGasMax: 100_000_000 }
    const document = { ...withContracts({ ...tool, name: 'first' }, contract), parameters }
    expect(() => executeGenesis(runtime, document)).toThrow(GenesisRefused)
    expect(() => executeGenesis(runtime, document)).toThrow(
      expect.objectContaining({ contract: contract.name, code, message: expect.stringContaining(words) }),
    )
  })
})

it('the header of block 0 has no parent, no proposer and no transactions', () => {
  const header = genesisHeader(genesis, 'ef'.repeat(32))
  const record = epochHash(firstEpoch(genesis))
  expect(header).toEqual({
    genesisHash: genesisHash(genesis),
    epoch: 0,
    height: 0,
    parentHash: ZERO_HASH,
    batchDigest: ZERO_HASH,
    txRoot: transactionsRoot([]),
    receiptsRoot: transactionsRoot([]),
    stateRoot: 'ef'.repeat(32),
    time: genesis.time,
    proposer: ZERO_HASH,
    validatorsHash: record,
    nextValidatorsHash: record,
    epochEnd: 0,
    proposers: new Uint8Array(),
  })
  expect(() => encode(headerCodec, header)).not.toThrow()
})
