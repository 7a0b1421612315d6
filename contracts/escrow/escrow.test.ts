/** The shipped escrow with the shipped token, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type CallOutcome, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const START = 1_000
const DEADLINE_MS = 10_000
const ARBITRATION_MS = 20_000
const people = ['buyer', 'seller', 'arbiter', 'other']
const tokens = ['token', 'coin']
const addressOf = (name: string) => account(name).address
const folder = (name: string) => new URL(`../${name}`, import.meta.url)

let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain({ from: 'buyer' })
  const balances = Object.fromEntries(people.map((name) => [addressOf(name), String(START)]))
  for (const name of tokens) {
    await deployed.deploy(folder('token'), { name, init: { owner: addressOf('other'), balances } })
    for (const from of people) {
      deployed.mustCall(name, 'approve', { spender: 'contract:escrow', amount: '5000' }, { from })
    }
  }
  await deployed.deploy(folder('escrow'), { name: 'escrow' })
})
beforeEach(() => {
  chain = deployed.fork()
})

const terms = (changed: object = {}, on = chain) => ({
  seller: addressOf('seller'),
  arbiter: addressOf('arbiter'),
  amount: '100',
  token: 'token',
  deadline: on.time + DEADLINE_MS,
  arbitrationMs: ARBITRATION_MS,
  ...changed,
})
const call = (method: string, from: string, args: object = {}): CallOutcome =>
  chain.call('escrow', method, { escrow: 1, ...args }, { from })
const must = (method: string, from: string, args: object = {}) =>
  chain.mustCall('escrow', method, { escrow: 1, ...args }, { from })
const create = (changed: object = {}) => chain.mustCall('escrow', 'create', terms(changed))
const createFunded = (changed: object = {}) => {
  create(changed)
  must('fund', 'buyer')
}
const read = (escrow = 1) => chain.view('escrow', 'escrow', { escrow })
const balanceOf = (account: string, { token = 'token', on = chain } = {}) =>
  Number(on.view(token, 'balanceOf', { account }))
/** What they have, the escrow contract last. */
const balances = () => [addressOf('buyer'), addressOf('seller'), 'contract:escrow'].map((account) => balanceOf(account))
const refused = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { message: expect.stringMatching(message) },
})
/** Lets time pass so that the next block is at this time. */
const goTo = (time: number) => chain.advance(time - chain.time - 1)

describe('an escrow', () => {
  it('is created, funded and released', () => {
    const { result, events, changes } = create()
    const { seller, arbiter, ...rest } = terms({ deadline: events[0]!.data.deadline })
    const content = { buyer: addressOf('buyer'), seller, arbiter, ...rest }
    expect(result).toBe(1)
    expect(events).toEqual([{ contract: 'escrow', name: 'Created', data: { escrow: 1, ...content } }])
    expect(changes.escrow).toEqual({
      escrows: { before: undefined, after: 1 },
      'escrow/0000000001': { before: undefined, after: { ...content, status: 'created', toSeller: null } },
      ...Object.fromEntries(
        [content.buyer, seller, arbiter].map((party) => [
          `party/${party}/0000000001`,
          { before: undefined, after: true },
        ]),
      ),
    })
    expect(must('fund', 'buyer').events.at(-1)).toMatchObject({ name: 'Funded', data: { escrow: 1 } })
    expect(balances()).toEqual([900, 1_000, 100])
    expect(call('release', 'seller')).toMatchObject(refused('may do this now'))
    expect(must('release', 'buyer').events.at(-1)).toMatchObject({ name: 'Released', data: { escrow: 1 } })
    expect(balances()).toEqual([900, 1_100, 0])
    expect(read()).toEqual({ escrow: 1, ...content, status: 'released', toSeller: '100' })
  })

  it('goes back by the seller at once, by anyone from the deadline on', () => {
    createFunded()
    expect(call('refund', 'buyer')).toMatchObject(refused(/escrow 1: only qr1\S+ may do this now/))
    const early = chain.fork()
    expect(early.mustCall('escrow', 'refund', { escrow: 1 }, { from: 'seller' }).status).toBe('ok')
    goTo(read().deadline - 1)
    expect(call('refund', 'other').status).toBe('reverted')
    expect(must('refund', 'other').events.at(-1)).toMatchObject({ name: 'Refunded', data: { by: addressOf('other') } })
    expect(balances()).toEqual([1_000, 1_000, 0])
    expect(read()).toMatchObject({ status: 'refunded', toSeller: '0' })
  })

  it.each([
    ['0', [1_000, 1_000, 0]],
    ['37', [963, 1_037, 0]],
    ['100', [900, 1_100, 0]],
  ])('is divided by the arbiter: %s to the seller', (toSeller, after) => {
    createFunded()
    expect(call('resolve', 'arbiter', { toSeller })).toMatchObject(
      refused('is funded: this takes one that is disputed'),
    )
    must('dispute', 'seller')
    expect(call('resolve', 'buyer', { toSeller })).toMatchObject(refused('may do this now'))
    expect(call('resolve', 'arbiter', { toSeller: '101' })).toMatchObject(refused('toSeller is 101, more than the 100'))
    const data = { escrow: 1, toSeller, toBuyer: String(100 - Number(toSeller)) }
    expect(must('resolve', 'arbiter', { toSeller }).events.at(-1)).toMatchObject({ name: 'Resolved', data })
    expect(balances()).toEqual(after)
    expect(read()).toMatchObject({ status: 'resolved', toSeller })
  })

  it.each([
    ['release', 'buyer', [900, 1_100, 0]],
    ['refund', 'seller', [1_000, 1_000, 0]],
  ])('in dispute can be agreed on by %s', (method, from, after) => {
    createFunded()
    must('dispute', 'buyer')
    must(method, from)
    expect(balances()).toEqual(after)
  })

  it('whose arbiter stays silent goes back', () => {
    createFunded()
    goTo(read().deadline - 1)
    const { events } = must('dispute', 'seller')
    const { deadline } = read()
    expect(deadline).toBe(chain.time + ARBITRATION_MS)
    expect(events).toMatchObject([{ name: 'Disputed', data: { by: addressOf('seller'), deadline } }])
    expect(call('refund', 'other').status).toBe('reverted')
    goTo(deadline)
    expect(call('resolve', 'arbiter', { toSeller: '100' })).toMatchObject(refused('had its deadline at'))
    must('refund', 'other')
    expect(balances()).toEqual([1_000, 1_000, 0])
  })

  it('keeps a deadline that is later than the arbiter’s', () => {
    createFunded({ arbitrationMs: 1 })
    const { deadline } = read()
    must('dispute', 'buyer')
    expect(read().deadline).toBe(deadline)
  })

  it('cannot be disputed without an arbiter, nor late, nor by others', () => {
    createFunded({ arbiter: undefined })
    expect(read().arbiter).toBeNull()
    expect(call('dispute', 'seller')).toMatchObject(refused('has no arbiter'))
    expect(call('resolve', 'other', { toSeller: '1' }).status).toBe('reverted')
    create({ arbiter: addressOf('arbiter') })
    must('fund', 'buyer', { escrow: 2 })
    expect(call('dispute', 'arbiter', { escrow: 2 })).toMatchObject(refused('may do this now'))
    goTo(read(2).deadline)
    expect(call('dispute', 'buyer', { escrow: 2 })).toMatchObject(refused('had its deadline at'))
    must('release', 'buyer', { escrow: 2 })
  })

  it('is funded by its buyer, once, in time, or called off', () => {
    create()
    create({ deadline: chain.time + 50 })
    create()
    expect(call('fund', 'seller')).toMatchObject(refused('may do this now'))
    for (const method of ['release', 'refund', 'dispute']) {
      const from = method === 'refund' ? 'seller' : 'buyer'
      expect(call(method, from)).toMatchObject(refused('escrow 1 is created'))
    }
    must('fund', 'buyer')
    expect(call('fund', 'buyer')).toMatchObject(refused('escrow 1 is funded'))
    expect(call('cancel', 'buyer')).toMatchObject(refused('escrow 1 is funded'))
    goTo(read(2).deadline)
    expect(call('fund', 'buyer', { escrow: 2 })).toMatchObject(refused('had its deadline at'))
    expect(call('cancel', 'arbiter', { escrow: 3 })).toMatchObject(refused('may do this now'))
    const { events } = must('cancel', 'seller', { escrow: 3 })
    expect(events).toMatchObject([{ name: 'Cancelled', data: { by: addressOf('seller') } }])
    expect(call('fund', 'buyer', { escrow: 3 })).toMatchObject(refused('escrow 3 is cancelled'))
  })

  it('that cannot be paid stays as it was', () => {
    create({ amount: '1001' })
    expect(call('fund', 'buyer')).toMatchObject(refused('insufficient balance'))
    expect(read().status).toBe('created')
  })
})

describe('a token', () => {
  const tokenLike = (transferFrom: string) => ({
    source: `import { contract } from 'quorate/contract'
      const balances = (ctx: any, account: string): bigint => BigInt(ctx.state.get(account) ?? '0')
      export default contract({
        calls: {
          transfer() {},
          transferFrom(ctx, { to, amount }: any) { ${transferFrom} },
        },
        views: { balanceOf: (ctx, { account }: any) => balances(ctx, account).toString() },
      })`,
  })

  it('that keeps a part is refused', async () => {
    const source = tokenLike('ctx.state.set(to, (balances(ctx, to) + BigInt(amount) - 1n).toString())')
    await chain.deploy(source, { name: 'fee' })
    create({ token: 'fee' })
    expect(call('fund', 'buyer')).toMatchObject(refused('fee brought 99 instead of 100'))
  })

  it('that calls back is refused', async () => {
    await chain.deploy(tokenLike(`ctx.call('escrow', 'release', { escrow: 1 })`), { name: 'sly' })
    create({ token: 'sly' })
    expect(call('fund', 'buyer')).toMatchObject(refused('REENTRY'))
  })

  it('that tells no amount, or is none, is refused', async () => {
    await chain.deploy(
      {
        source: `import { contract } from 'quorate/contract'\nexport default contract({ views: { balanceOf: () => 7 } })`,
      },
      { name: 'odd' },
    )
    const from = (token: string) => chain.call('escrow', 'create', terms({ token }))
    expect(from('odd')).toMatchObject(refused('token odd is no token .the balance that odd tells is 7: give a decimal'))
    expect(from('absent')).toMatchObject(refused('token absent is no token .UNKNOWN_CONTRACT.'))
    expect(from('escrow')).toMatchObject(refused('token escrow is no token .REENTRY.'))
  })
})

describe('arguments', () => {
  const bad: [changed: object, message: string][] = [
    [{ seller: 'bob' }, 'seller is "bob": give an address (qr1…) or contract:NAME'],
    [{ seller: undefined }, 'seller is missing: give an address (qr1…) or contract:NAME'],
    [{ seller: addressOf('buyer') }, 'seller is the sender'],
    [{ seller: 'contract:escrow' }, 'contract:escrow is this contract'],
    [{ arbiter: 'contract:escrow' }, 'contract:escrow is this contract'],
    [{ arbiter: addressOf('seller') }, 'arbiter is one of the parties'],
    [{ arbiter: addressOf('buyer') }, 'arbiter is one of the parties'],
    [{ arbiter: 7 }, 'arbiter is 7: give an address'],
    [{ arbitre: addressOf('arbiter') }, 'arguments: "arbitre" is not known: give seller, arbiter,'],
    [{ amount: 100 }, 'amount is 100: give a decimal string'],
    [{ amount: '0' }, 'amount is 0'],
    [{ token: 'Token' }, 'token is "Token": give the name of a contract'],
    [{ deadline: 1_767_225_600 }, 'deadline is 1767225600: give a whole number from'],
    [{ deadline: 1e15 }, 'deadline is 1000000000000000: give a whole number from'],
    [{ deadline: '2030' }, 'deadline is "2030": give a whole number from'],
    [{ arbitrationMs: 0 }, 'arbitrationMs is 0: give a whole number from 1'],
  ]
  it.each(bad)('create refuses %j', (changed, message) => {
    const outcome = chain.call('escrow', 'create', terms(changed))
    expect(outcome).toMatchObject({ status: 'reverted', changes: {} })
    expect(outcome.error!.message).toContain(message)
  })

  it.each(['fund', 'cancel', 'release', 'refund', 'dispute', 'resolve'])('%s refuses what is no escrow', (method) => {
    const messageOf = (args: unknown) => chain.call('escrow', method, args).error!.message
    expect(messageOf({ escrow: 9 })).toContain('there is no escrow 9')
    expect(messageOf({ escrow: '1' })).toContain('escrow is "1": give a whole number')
    expect(messageOf([])).toContain('arguments must be a JSON object')
  })
})

it('lists the escrows of an account in pages', () => {
  for (let made = 0; made < 3; made++) create()
  chain.mustCall('escrow', 'create', terms({ seller: addressOf('buyer'), arbiter: null }), { from: 'other' })
  const page = (account: string, args: object = {}) => {
    const { escrows, next } = chain.view('escrow', 'escrows', { account: addressOf(account), ...args })
    return [escrows.map(({ escrow }: { escrow: number }) => escrow), next]
  }
  expect(page('buyer', { limit: 2 })).toEqual([[1, 2], 2])
  expect(page('buyer', { limit: 2, after: 2 })).toEqual([[3, 4], null])
  expect([page('arbiter'), page('other')]).toEqual([
    [[1, 2, 3], null],
    [[4], null],
  ])
})

describe('under any interleaving', () => {
  const FINAL = ['released', 'refunded', 'resolved', 'cancelled']
  const HOLDING = ['funded', 'disputed']
  type Kept = {
    buyer: string
    seller: string
    arbiter: string | null
    token: string
    amount: string
    status: string
    toSeller: string | null
  }
  const kept = (on: TestChain) => on.entries('escrow', 'escrow/') as [string, Kept][]
  interface Step {
    method: string
    from: string
    /** By whom it is up to. */
    isByRight: boolean
    pick: number
    seller: string
    arbiter: string | undefined
    token: string
    amount: number
    ms: number
  }
  const step: fc.Arbitrary<Step> = fc.record({
    method: fc.constantFrom(
      ...['create', 'open', 'open', 'open', 'fund', 'dispute', 'dispute', 'resolve', 'resolve', 'resolve'],
      ...['release', 'refund', 'cancel', 'wait'],
    ),
    from: fc.constantFrom(...people),
    isByRight: fc.constantFrom(true, true, false),
    pick: fc.nat({ max: 3 }),
    seller: fc.constantFrom('seller', 'seller', 'other', 'buyer'),
    arbiter: fc.constantFrom('arbiter', 'arbiter', 'other', undefined),
    token: fc.constantFrom(...tokens),
    amount: fc.integer({ min: 1, max: 400 }),
    ms: fc.constantFrom(1, DEADLINE_MS / 4, DEADLINE_MS),
  })

  it('tokens are conserved and each escrow ends once', () => {
    const reached = new Set<string>()
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
        const run = deployed.fork()
        const ended = new Map<string, unknown>()
        for (const next of steps) {
          take(run, next)
          for (const [key, content] of kept(run)) {
            reached.add(content.status)
            if (ended.has(key)) expect(content).toEqual(ended.get(key))
            else if (FINAL.includes(content.status)) ended.set(key, content)
          }
        }
        for (const token of tokens) expectConserved(run, token)
      }),
      { numRuns: 40 },
    )
    // Otherwise the steps would show little.
    expect([...reached].sort()).toEqual([...FINAL, ...HOLDING, 'created'].sort())
  })

  function take(run: TestChain, { method, from, isByRight, pick, seller, arbiter, token, amount, ms }: Step): void {
    if (method === 'wait') return run.advance(ms)
    if (method === 'create' || method === 'open') {
      const parties = { seller: addressOf(seller), arbiter: arbiter && addressOf(arbiter) }
      const args = terms({ ...parties, token, amount: String(amount) }, run)
      const { result } = run.call('escrow', 'create', args, { from })
      if (method === 'open') run.call('escrow', 'fund', { escrow: result }, { from })
      return
    }
    const takes = method === 'resolve' ? ['disputed'] : ['fund', 'cancel'].includes(method) ? ['created'] : HOLDING
    const made = kept(run).filter(([, { status }]) => !isByRight || takes.includes(status))
    const [key, content] = made[pick % made.length] ?? ['escrow/1']
    const role = method === 'refund' ? 'seller' : method === 'resolve' ? 'arbiter' : 'buyer'
    const byRight = people.find((name) => addressOf(name) === content?.[role])
    const toSeller = String(amount % (1 + Number(content?.amount ?? 0)))
    const args = { escrow: Number(key.slice('escrow/'.length)), ...(method === 'resolve' && { toSeller }) }
    run.call('escrow', method, args, { from: isByRight ? byRight : from })
  }

  function expectConserved(run: TestChain, token: string): void {
    const mine = kept(run)
      .map(([, content]) => content)
      .filter((content) => content.token === token)
    const sum = (amounts: (string | null)[]) => amounts.reduce((total, amount) => total + Number(amount), 0)
    const holding = mine.filter(({ status }) => HOLDING.includes(status))
    expect(balanceOf('contract:escrow', { token, on: run })).toBe(sum(holding.map(({ amount }) => amount)))
    for (const person of people.map(addressOf)) {
      // What was put in and did not come back; what came from others.
      const spent = mine
        .filter(({ buyer }) => buyer === person)
        .map(({ status, amount, toSeller }) => (HOLDING.includes(status) ? amount : toSeller))
      const earned = mine.filter(({ seller }) => seller === person).map(({ toSeller }) => toSeller)
      expect(balanceOf(person, { token, on: run })).toBe(START - sum(spent) + sum(earned))
    }
    expect(run.view(token, 'totalSupply')).toBe(String(people.length * START))
  }
})
