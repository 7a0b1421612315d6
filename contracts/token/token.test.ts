/** The shipped token, bundled and run in the real sandbox. */
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { bundleContract } from '../../src/contract/bundle.ts'
import { createSandbox, type Outcome } from '../../src/execution/sandbox/index.ts'
import { addressOf, createMemoryNetwork, type MemoryNetwork } from '../../test/contract/memory-host.ts'

const [owner, alice, bob, carol] = ['owner', 'alice', 'bob', 'carol'].map(addressOf) as [string, string, string, string]
const sandbox = createSandbox()
let code: string

beforeAll(async () => {
  code = (await bundleContract(fileURLToPath(new URL('.', import.meta.url)))).code
})

function deployToken(balances: Record<string, string> = { [alice]: '100' }): MemoryNetwork {
  const network = createMemoryNetwork(sandbox)
  expect(network.deploy('token', code, { owner, balances })).toMatchObject({ status: 'ok', result: null })
  return network
}

function resultOf(outcome: Outcome): unknown {
  if (outcome.status !== 'ok') throw new Error(`${outcome.status} ${JSON.stringify(outcome)}`)
  return JSON.parse(outcome.result ?? 'null')
}

const balanceOf = (network: MemoryNetwork, account: string) => resultOf(network.view('token', 'balanceOf', { account }))
const thrown = (message: string | RegExp) => ({
  status: 'failed',
  code: 'THROWN',
  message: expect.stringMatching(message),
})

describe('token', () => {
  it('starts with the balances given', () => {
    const network = deployToken({ [alice]: '100', 'contract:market': '7' })
    expect(balanceOf(network, alice)).toBe('100')
    expect(balanceOf(network, 'contract:market')).toBe('7')
    expect(resultOf(network.view('token', 'totalSupply'))).toBe('107')
    expect(network.events).toContainEqual({
      contract: 'token',
      name: 'Transfer',
      data: { from: null, to: alice, amount: '100' },
    })
  })

  it('transfers, under the documented keys and with its event', () => {
    const network = deployToken()
    expect(network.call(alice, 'token', 'transfer', { to: bob, amount: '30' })).toMatchObject({ status: 'ok' })
    expect(network.stored('token', `balance/${alice}`)).toBe('"70"')
    expect(network.stored('token', `balance/${bob}`)).toBe('"30"')
    expect(network.events.at(-1)).toEqual({
      contract: 'token',
      name: 'Transfer',
      data: { from: alice, to: bob, amount: '30' },
    })
  })

  it('keeps no entry for a balance of zero, and a transfer to oneself changes nothing', () => {
    const network = deployToken()
    network.call(alice, 'token', 'transfer', { to: alice, amount: '100' })
    expect(balanceOf(network, alice)).toBe('100')
    network.call(alice, 'token', 'transfer', { to: bob, amount: '100' })
    expect(network.stored('token', `balance/${alice}`)).toBeUndefined()
  })

  it('refuses more than the balance and says so', () => {
    const network = deployToken()
    const outcome = network.call(alice, 'token', 'transfer', { to: bob, amount: '101' })
    expect(outcome).toMatchObject(thrown(/insufficient balance: qr1\S+ has 100, needs 101/))
    expect(network.stored('token', `balance/${alice}`)).toBe('"100"')
  })

  it('lets only the owner mint', () => {
    const network = deployToken()
    expect(network.call(alice, 'token', 'mint', { to: alice, amount: '1' })).toMatchObject(thrown('only the owner'))
    expect(network.call(owner, 'token', 'mint', { to: bob, amount: '5' })).toMatchObject({ status: 'ok' })
    expect(resultOf(network.view('token', 'totalSupply'))).toBe('105')
  })

  it('moves tokens within an allowance', () => {
    const network = deployToken()
    network.call(alice, 'token', 'approve', { spender: carol, amount: '40' })
    expect(network.events.at(-1)?.data).toEqual({ owner: alice, spender: carol, amount: '40' })
    const take = (amount: string) => network.call(carol, 'token', 'transferFrom', { from: alice, to: bob, amount })
    expect(take('25')).toMatchObject({ status: 'ok' })
    expect(resultOf(network.view('token', 'allowance', { owner: alice, spender: carol }))).toBe('15')
    expect(network.stored('token', `allowance/${alice}/${carol}`)).toBe('"15"')
    expect(take('16')).toMatchObject(thrown('insufficient allowance'))
    expect(balanceOf(network, bob)).toBe('25')
  })

  it('gives the allowance back when the transfer behind it fails', () => {
    const network = deployToken()
    network.call(alice, 'token', 'approve', { spender: carol, amount: '500' })
    const outcome = network.call(carol, 'token', 'transferFrom', { from: alice, to: bob, amount: '200' })
    expect(outcome).toMatchObject(thrown('insufficient balance'))
    expect(network.stored('token', `allowance/${alice}/${carol}`)).toBe('"500"')
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
    const network = deployToken()
    const before = network.entries()
    for (const method of ['transfer', 'mint', 'approve', 'transferFrom']) {
      const args = { to: bob, from: alice, spender: bob, amount }
      expect(network.call(owner, 'token', method, args)).toMatchObject(thrown('amount must be a decimal string'))
    }
    expect(network.entries()).toEqual(before)
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
    [alice],
  ]
  it.each(badAccounts.map((account) => [JSON.stringify(account), account]))(
    'refuses the account %s',
    (_text, account) => {
      const network = deployToken()
      const transfer = network.call(alice, 'token', 'transfer', { to: account, amount: '1' })
      expect(transfer).toMatchObject(thrown('to must be an address or contract:NAME'))
      expect(network.view('token', 'balanceOf', { account })).toMatchObject(thrown('account must be an address'))
    },
  )

  it.each(['null', '[]', '"x"', '1'])('refuses the arguments %s', (args) => {
    expect(deployToken().call(alice, 'token', 'transfer', args)).toMatchObject(thrown('must be a JSON object'))
  })

  it('conserves the supply under any interleaving', () => {
    const accounts = [owner, alice, bob, carol]
    const account = fc.constantFrom(...accounts)
    const amount = fc.bigInt({ min: 0n, max: 150n }).map(String)
    const step = fc.record({
      sender: account,
      method: fc.constantFrom('mint', 'transfer', 'approve', 'transferFrom'),
      from: account,
      to: account,
      amount,
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const network = deployToken({ [alice]: '100', [bob]: '50' })
        let minted = 150n
        for (const { sender, method, from, to, amount } of steps) {
          const outcome = network.call(sender, 'token', method, { from, to, spender: to, amount })
          if (method === 'mint' && outcome.status === 'ok') minted += BigInt(amount)
        }
        const balances = accounts.map((holder) => BigInt(balanceOf(network, holder) as string))
        expect(balances.every((balance) => balance >= 0n)).toBe(true)
        expect(balances.reduce((sum, balance) => sum + balance, 0n)).toBe(minted)
        expect(resultOf(network.view('token', 'totalSupply'))).toBe(minted.toString())
      }),
      { numRuns: 40 },
    )
  })
})
