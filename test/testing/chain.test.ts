/** The kit: outcomes as tests see them, blocks, time, accounts, and that all of it is what a validator computes. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { formatGasReport, type TestChain, testChain } from '../../src/testing/index.ts'
import { COUNTER } from './contracts.ts'

let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy({ source: COUNTER }, { name: 'counter', init: { start: 5 } })
})
beforeEach(() => {
  chain = deployed.fork()
})

describe('a call', () => {
  it('has its result, gas, events, changes and reads', () => {
    const outcome = chain.call('counter', 'add', { by: 2 })
    expect(outcome).toMatchObject({
      status: 'ok',
      result: 7,
      error: null,
      height: 2,
      events: [{ contract: 'counter', name: 'Added', data: { by: 2 } }],
      logs: [],
    })
    expect(outcome.changes).toEqual({ counter: { count: { before: 5, after: 7 } } })
    expect(outcome.reads).toEqual({ counter: ['count'] })
    expect(outcome.gasUsed).toBeGreaterThan(10_000)
    expect(outcome.txId).toMatch(/^[0-9a-f]{64}$/)
  })

  it('changes nothing by writing what was there, and leaves nothing where it deletes', () => {
    expect(chain.call('counter', 'touch').changes).toEqual({})
    expect(chain.call('counter', 'remove').changes).toEqual({ counter: { count: { before: 5, after: undefined } } })
    expect(chain.get('counter', 'count')).toBeUndefined()
    expect(chain.entries('counter')).toEqual([])
  })

  it('that fails does not throw, and leaves nothing behind but its gas and nonce', () => {
    const outcome = chain.call('counter', 'add', { by: -1 })
    expect(outcome).toMatchObject({ status: 'reverted', result: null, events: [], changes: {} })
    expect(outcome.error).toMatchObject({ code: 'THROWN', message: 'only upwards: ä' })
    expect(chain.view('counter', 'count')).toBe(5)
    expect(chain.call('counter', 'add', { by: 1 }).status).toBe('ok')
  })

  it('explains codes that have no message of their own', () => {
    expect(chain.call('counter', 'nope').error).toMatchObject({
      code: 'UNKNOWN_METHOD',
      message: expect.stringContaining('no such call'),
    })
    expect(chain.call('absent', 'add').error).toMatchObject({ code: 'UNKNOWN_CONTRACT' })
  })

  it('stops at its gas limit, and takes all of it', () => {
    const gasLimit = PARAMETER_DEFAULTS.transactionGasMax / 50
    const outcome = chain.call('counter', 'spin', { times: 1e9 }, { gasLimit })
    expect(outcome).toMatchObject({ status: 'reverted', gasUsed: gasLimit, error: { code: 'OUT_OF_GAS', stack: [] } })
  })

  it('is signed by the account named, alice unless one is', () => {
    const sender = (name?: string) => chain.call('counter', 'who', {}, { from: name }).result.sender
    expect(sender()).toBe(chain.account('alice').address)
    expect(sender('bob')).toBe(chain.account('bob').address)
    expect(chain.account('alice').address).not.toBe(chain.account('bob').address)
    expect(() => chain.call('counter', 'who', {}, { from: chain.account('bob').address })).toThrow('name an account')
  })

  it('is refused where no validator would take it', () => {
    const call = (gasLimit: number) => chain.call('counter', 'who', {}, { gasLimit })
    expect(() => call(PARAMETER_DEFAULTS.transactionGasMax + 1)).toThrow(
      /no validator takes this.*the gas limit \d+ is/,
    )
    expect(() => call(1_000)).toThrow(/the gas limit 1000 is outside \d+ \(what \d+ bytes cost\) to/)
    expect(() => chain.call('counter', '')).toThrow('the method is empty')
    const requests = Array.from({ length: PARAMETER_DEFAULTS.blockTransactionsMax + 1 }, () => ({
      contract: 'counter',
      method: 'who',
    }))
    expect(() => chain.block(requests)).toThrow(/the block has 1001 transactions, at most 1000/)
    expect(chain.height).toBe(1)
  })
})

describe('a view', () => {
  it('gives its value, null for nothing', () => {
    expect(chain.view('counter', 'count')).toBe(5)
    expect(chain.view('counter', 'absent')).toBeNull()
    expect(chain.tryView('counter', 'page')).toMatchObject({ result: [['count', 5]], reads: { counter: ['count'] } })
  })

  it('throws where it fails, or gives the outcome', () => {
    expect(() => chain.view('counter', 'writes')).toThrow('counter.writes failed with READ_ONLY')
    expect(chain.tryView('counter', 'writes')).toMatchObject({ status: 'failed', error: { code: 'READ_ONLY' } })
  })
})

describe('blocks and time', () => {
  it('puts several transactions into one block, in order', () => {
    const outcomes = chain.block([
      { contract: 'counter', method: 'add', args: { by: 1 } },
      { contract: 'counter', method: 'add', args: { by: -1 }, from: 'bob' },
      { contract: 'counter', method: 'add', args: { by: 10 } },
      { contract: 'counter', method: 'who' },
    ])
    expect(outcomes.map(({ status, height }) => [status, height])).toEqual([
      ['ok', 2],
      ['reverted', 2],
      ['ok', 2],
      ['ok', 2],
    ])
    expect(outcomes[2]!.changes).toEqual({ counter: { count: { before: 6, after: 16 } } })
    expect(outcomes[3]!.result.block).toEqual({ height: 2, time: chain.time })
  })

  it('skips what its nonce or expiry does not let run', () => {
    const skipped = (fields: object) => chain.block([{ contract: 'counter', method: 'who', ...fields }])[0]!
    expect(skipped({ nonce: 9 })).toMatchObject({ status: 'skipped', gasUsed: 0, error: { code: 'NONCE_GAP' } })
    expect(skipped({ nonce: 0 })).toMatchObject({ status: 'skipped', error: { code: 'NONCE_USED' } })
    expect(skipped({ expires: 1 })).toMatchObject({ status: 'skipped', error: { code: 'EXPIRED' } })
  })

  it('moves only when told to', () => {
    const { time } = chain
    chain.advance(60_000)
    expect([chain.height, chain.time - time]).toEqual([2, 60_000])
    expect(chain.view('counter', 'now')).toEqual({ height: 2, time: time + 60_000 })
    expect(chain.call('counter', 'who').result.block).toEqual({ height: 3, time: time + 60_001 })
    chain.advanceBlocks(10)
    expect([chain.height, chain.time]).toEqual([13, time + 60_011])
    expect(() => chain.advance(0)).toThrow('advance(0): expected a whole number')
    expect(() => chain.advanceBlocks(1.5)).toThrow('advanceBlocks(1.5)')
  })

  it('starts at the time given, the same one unless given', async () => {
    expect((await testChain()).time).toBe(Date.UTC(2026, 0, 1))
    expect((await testChain({ time: '2030-05-01T00:00:00Z' })).time).toBe(Date.UTC(2030, 4, 1))
    await expect(testChain({ time: 'soon' })).rejects.toThrow('the time soon of block 0 is none')
  })
})

describe('deploying', () => {
  it('throws where the init does, and says why code is no contract', async () => {
    const deploy = chain.deploy({ source: COUNTER }, { name: 'other', init: { start: -1 } })
    await expect(deploy).rejects.toMatchObject({ code: 'THROWN', message: /start below zero/ })
    expect(chain.contract('other')).toBeUndefined()
    await expect(chain.deploy({ code: 'not a script' }, { name: 'bad' })).rejects.toThrow(/CODE_INVALID.*SYNTAX/)
    await expect(chain.deploy('nowhere', { name: 'bad' })).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
  })

  it('upgrades over the same state, by the owner only', async () => {
    const source = COUNTER.replace('+ by)', '+ 2 * by)')
    await expect(chain.upgrade({ source }, { name: 'counter', from: 'bob' })).rejects.toThrow('NOT_OWNER')
    const { changes } = await chain.upgrade({ source }, { name: 'counter' })
    expect(changes.system?.['contract/counter']).toMatchObject({ before: { version: 1 }, after: { version: 2 } })
    expect(chain.contract('counter')).toMatchObject({ version: 2, owner: chain.account('alice').address })
    expect(chain.call('counter', 'add', { by: 1 }).result).toBe(7)
  })

  it('follows the rules and roles of the genesis, whose contracts are there from block 0', async () => {
    const strict = await testChain({
      parameters: { deploy: 'role:deployer' },
      roles: { deployer: ['carol'] },
      contracts: [{ name: 'first', source: { source: COUNTER }, init: { start: 3 }, owner: 'bob' }],
      from: 'bob',
    })
    expect(strict.height).toBe(0)
    expect(strict.view('first', 'count')).toBe(3)
    expect(strict.contract('first')?.owner).toBe(strict.account('bob').address)
    const deploy = (from?: string) => strict.deploy({ source: COUNTER }, { name: 'second', init: { start: 0 }, from })
    await expect(deploy()).rejects.toMatchObject({ code: 'NOT_ALLOWED' })
    expect((await deploy('carol')).status).toBe('ok')
    expect(strict.call('first', 'role', { role: 'deployer' }, { from: 'carol' }).result).toBe(true)
    expect(strict.call('first', 'role', { role: 'deployer' }).result).toBe(false)
  })
})

describe('a fork', () => {
  it('goes on by itself', () => {
    const other = chain.fork()
    other.mustCall('counter', 'add', { by: 1 })
    expect([other.view('counter', 'count'), chain.view('counter', 'count')]).toEqual([6, 5])
    expect([other.height, chain.height]).toEqual([2, 1])
  })
})

describe('the gas report', () => {
  it('has each method with its least, middle and most gas, over all forks', async () => {
    const source = { source: COUNTER }
    const start = await testChain({ contracts: [{ name: 'counter', source, init: { start: 5 } }] })
    const [own, other] = [start.fork(), start.fork()]
    const gas = [1, 22, 300_000].map((by) => own.mustCall('counter', 'add', { by }).gasUsed).sort((a, b) => a - b)
    own.call('counter', 'add', { by: -1 })
    other.view('counter', 'count')
    await other.deploy(source, { name: 'second', init: { start: 0 } })
    const figures = { min: gas[0], median: gas[1], max: gas[2] }
    expect(start.gasReport()).toMatchObject([
      { contract: 'counter', method: 'add', kind: 'call', calls: 3, failed: 1, ...figures },
      { contract: 'counter', method: 'count', kind: 'view', calls: 1, failed: 0 },
      { contract: 'second', method: '', kind: 'deploy', calls: 1 },
    ])
  })

  it('is a table for people', () => {
    const rows = [
      { contract: 'token', method: 'mint', kind: 'call', calls: 3, failed: 0, min: 900, median: 1_234, max: 1_234_567 },
      { contract: 'token', method: 'burn', kind: 'call', calls: 0, failed: 2 },
    ] as Parameters<typeof formatGasReport>[0]
    expect(formatGasReport(rows).split('\n')).toEqual([
      'contract  method  kind  calls  failed  min  median        max',
      'token     mint    call      3       0  900   1,234  1,234,567',
      'token     burn    call      0       2    -       -          -',
    ])
  })
})

it('shows what contracts log, also where they fail', async () => {
  const chain = await testChain()
  const source = `import { contract } from 'quorate/contract'
export default contract({
  calls: { go(_ctx, args: any) { console.log('going', args); console.warn('soon'); throw new Error('gone') } },
  views: { look() { console.log('looked'); return 1 } },
})`
  await chain.deploy({ source }, { name: 'noisy' })
  expect(chain.call('noisy', 'go', { a: 1 }).logs).toEqual([
    { contract: 'noisy', level: 'log', text: 'going {"a":1}' },
    { contract: 'noisy', level: 'warn', text: 'soon' },
  ])
  expect(chain.tryView('noisy', 'look').logs).toEqual([{ contract: 'noisy', level: 'log', text: 'looked' }])
})
