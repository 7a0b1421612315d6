/** The shipped token, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type CallOutcome, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const names = ['owner', 'alice', 'bob', 'carol']
const accounts = names.map((name) => account(name).address)
const [owner, alice, bob, carol] = accounts as [string, string, string, string]
let deployed: TestChain
let start: CallOutcome
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  const init = { owner, balances: { [alice]: '100', 'contract:market': '7' } }
  start = await deployed.deploy(new URL('.', import.meta.url), { name: 'token', init })
})
beforeEach(() => {
  chain = deployed.fork()
})

const balanceOf = (account: string, of = chain) => of.view('token', 'balanceOf', { account })
const thrown = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { code: 'THROWN', message: expect.stringMatching(message) },
})

describe('token', () => {
  it('starts with the balances given', () => {
    expect(balanceOf(alice)).toBe('100')
    expect(balanceOf('contract:market')).toBe('7')
    expect(chain.view('token', 'totalSupply')).toBe('107')
    const data = { from: null, to: alice, amount: '100' }
    expect(start.events).toContainEqual({ contract: 'token', name: 'Transfer', data })
  })

  it('transfers, under the documented keys and with its event', () => {
    const { changes, events } = chain.mustCall('token', 'transfer', { to: bob, amount: '30' })
    expect(changes.token).toEqual({
      [`balance/${alice}`]: { before: '100', after: '70' },
      [`balance/${bob}`]: { before: undefined, after: '30' },
    })
    expect(events).toEqual([{ contract: 'token', name: 'Transfer', data: { from: alice, to: bob, amount: '30' } }])
  })

  it('keeps no entry for a balance of zero, and a transfer to oneself changes nothing', () => {
    expect(chain.mustCall('token', 'transfer', { to: alice, amount: '100' }).changes).toEqual({})
    chain.mustCall('token', 'transfer', { to: bob, amount: '100' })
    expect(chain.get('token', `balance/${alice}`)).toBeUndefined()
  })

  it('refuses more than the balance and says so', () => {
    const outcome = chain.call('token', 'transfer', { to: bob, amount: '101' })
    expect(outcome).toMatchObject(thrown(/insufficient balance: qr1\S+ has 100, needs 101/))
    expect(balanceOf(alice)).toBe('100')
  })

  it('lets only the owner mint', () => {
    const mint = (from: string) => chain.call('token', 'mint', { to: bob, amount: '5' }, { from })
    expect(mint('alice')).toMatchObject(thrown('only the owner'))
    expect(mint('owner').status).toBe('ok')
    expect(chain.view('token', 'totalSupply')).toBe('112')
  })

  it('moves tokens within an allowance', () => {
    const { events } = chain.mustCall('token', 'approve', { spender: carol, amount: '40' })
    expect(events[0]).toMatchObject({ name: 'Approval', data: { owner: alice, spender: carol, amount: '40' } })
    const take = (amount: string) =>
      chain.call('token', 'transferFrom', { from: alice, to: bob, amount }, { from: 'carol' })
    expect(take('25').status).toBe('ok')
    expect(chain.view('token', 'allowance', { owner: alice, spender: carol })).toBe('15')
    expect(chain.get('token', `allowance/${alice}/${carol}`)).toBe('15')
    expect(take('16')).toMatchObject(thrown('insufficient allowance'))
    expect(balanceOf(bob)).toBe('25')
  })

  it('gives the allowance back when the transfer behind it fails', () => {
    chain.mustCall('token', 'approve', { spender: carol, amount: '500' })
    const args = { from: alice, to: bob, amount: '200' }
    expect(chain.call('token', 'transferFrom', args, { from: 'carol' })).toMatchObject(thrown('insufficient balance'))
    expect(chain.get('token', `allowance/${alice}/${carol}`)).toBe('500')
  })

  const badAmounts = [
    -1,
    1,
    null,
    '',
    '-1',
    '+1',
    '01',
    '1.5',
    '1e3',
    ' 1',
    '0x1',
    '9'.repeat(79),
    ['1'],
    { toString: '1' },
  ]
  it.each(badAmounts.map((amount) => [JSON.stringify(amount), amount]))('refuses the amount %s', (_text, amount) => {
    const before = chain.entries('token')
    for (const method of ['transfer', 'mint', 'approve', 'transferFrom']) {
      const args = { to: bob, from: alice, spender: bob, amount }
      const outcome = chain.call('token', method, args, { from: 'owner' })
      expect(outcome).toMatchObject(thrown(/^amount is .+: give a decimal string/))
    }
    expect(chain.entries('token')).toEqual(before)
  })

  const badAccounts = [
    '',
    'bob',
    alice.toUpperCase(),
    `${alice}x`,
    'contract:',
    'contract:No',
    'contract:a/b',
    null,
    7,
    ['bob'],
  ]
  it.each(badAccounts.map((account) => [JSON.stringify(account), account]))(
    'refuses the account %s',
    (_text, account) => {
      const transfer = chain.call('token', 'transfer', { to: account, amount: '1' })
      expect(transfer).toMatchObject(thrown(/^to is .+: give an address/))
      expect(() => chain.view('token', 'balanceOf', { account })).toThrow(/account is .+: give an address/)
    },
  )

  it.each([null, [], 'x', 1])('refuses the arguments %j', (args) => {
    expect(chain.call('token', 'transfer', args)).toMatchObject(thrown('must be a JSON object'))
  })

  it.each([
    [{ owner: 'alice' }, 'owner is "alice": give an address'],
    [{ owner: alice, balance: {} }, 'arguments: "balance" is not known: give owner, balances only'],
    [{ owner: alice, balances: [] }, 'balances must be a JSON object, not []'],
    [{ owner: alice, balances: { bob: '1' } }, 'an account of balances is "bob": give an address'],
    [{ owner: alice, balances: { [bob]: 1 } }, `balances.${bob} is 1: give a decimal string`],
  ])('does not start with %j', async (init, message) => {
    const deploy = chain.fork().deploy(new URL('.', import.meta.url), { name: 'other', init })
    await expect(deploy).rejects.toThrow(message)
  })

  it('conserves the supply under any interleaving', () => {
    const holder = fc.constantFrom(...accounts)
    const step = fc.record({
      sender: fc.constantFrom(...names),
      method: fc.constantFrom('mint', 'transfer', 'approve', 'transferFrom'),
      from: holder,
      to: holder,
      amount: fc.bigInt({ min: 0n, max: 150n }).map(String),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const run = chain.fork()
        run.mustCall('token', 'mint', { to: bob, amount: '50' }, { from: 'owner' })
        let minted = 150n
        for (const { sender, method, from, to, amount } of steps) {
          const outcome = run.call('token', method, { from, to, spender: to, amount }, { from: sender })
          if (method === 'mint' && outcome.status === 'ok') minted += BigInt(amount)
        }
        const balances = accounts.map((holder) => BigInt(balanceOf(holder, run)))
        expect(balances.every((balance) => balance >= 0n)).toBe(true)
        expect(balances.reduce((sum, balance) => sum + balance, 0n)).toBe(minted)
        expect(run.view('token', 'totalSupply')).toBe((minted + 7n).toString())
      }),
      { numRuns: 40 },
    )
  })
})
