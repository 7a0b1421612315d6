/** The shipped shop with the shipped token, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type CallOutcome, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const HOLD_MS = 1_000
const SHIP_MS = 10_000
const START = 1_000
const buyers = ['alice', 'bob', 'carol']
const addressOf = (name: string) => account(name).address
const folder = (name: string) => new URL(`../${name}`, import.meta.url)

let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  const balances = Object.fromEntries(buyers.map((name) => [addressOf(name), String(START)]))
  await deployed.deploy(folder('token'), { name: 'token', init: { owner: addressOf('owner'), balances } })
  const init = { owner: addressOf('owner'), token: 'token', holdMs: HOLD_MS, shipMs: SHIP_MS }
  await deployed.deploy(folder('shop'), { name: 'shop', init })
  for (const name of buyers) {
    deployed.mustCall('token', 'approve', { spender: 'contract:shop', amount: '5000' }, { from: name })
  }
  asOwner('addProduct', { product: 'tea', name: 'Green tea', price: '30', stock: 10 }, deployed)
})
beforeEach(() => {
  chain = deployed.fork()
})

const asOwner = (method: string, args: object, on = chain) => on.mustCall('shop', method, args, { from: 'owner' })
const reserve = (quantity: number, from = 'alice', on = chain): number =>
  on.mustCall('shop', 'reserve', { product: 'tea', quantity }, { from }).result
const call = (method: string, args: object, from = 'alice'): CallOutcome => chain.call('shop', method, args, { from })
const balanceOf = (account: string, on = chain) => BigInt(on.view('token', 'balanceOf', { account }))
const stock = () => chain.view('shop', 'product', { product: 'tea' }).stock
const statusOf = (order: number) => chain.view('shop', 'order', { order }).status
const refused = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { message: expect.stringMatching(message) },
})

describe('an order', () => {
  it('holds stock, is paid, shipped, and its money withdrawn', () => {
    const { result: order, changes, events } = call('reserve', { product: 'tea', quantity: 3 })
    const until = chain.time + HOLD_MS
    const content = { buyer: addressOf('alice'), product: 'tea', quantity: 3, total: '90' }
    expect(changes.shop).toEqual({
      orders: { before: undefined, after: 1 },
      'product/tea': {
        before: expect.objectContaining({ stock: 10 }),
        after: { name: 'Green tea', price: '30', stock: 7 },
      },
      'order/0000000001': { before: undefined, after: { ...content, status: 'reserved', until } },
      [`buyer/${addressOf('alice')}/0000000001`]: { before: undefined, after: true },
      [`due/${String(until).padStart(16, '0')}/0000000001`]: { before: undefined, after: true },
    })
    expect(events).toEqual([{ contract: 'shop', name: 'Reserved', data: { order, ...content, until } }])

    expect(call('pay', { order }).events.at(-1)).toMatchObject({ name: 'Paid', data: { order, total: '90' } })
    expect(chain.entries('shop', 'due/')).toEqual([])
    expect(chain.view('shop', 'order', { order })).toEqual({
      order,
      ...content,
      status: 'paid',
      until: chain.time + SHIP_MS,
    })
    expect(chain.view('shop', 'funds')).toEqual({ held: '90', withdrawable: '0' })
    expect(call('withdraw', { to: addressOf('owner'), amount: '1' }, 'owner')).toMatchObject(
      refused('only 0 can be withdrawn'),
    )

    expect(asOwner('ship', { order }).events).toMatchObject([{ name: 'Shipped', data: { order } }])
    expect(chain.get('shop', 'held')).toBeUndefined()
    asOwner('withdraw', { to: addressOf('owner'), amount: '90' })
    expect([balanceOf('contract:shop'), balanceOf(addressOf('owner'))]).toEqual([0n, 90n])
  })

  it('is never for more than the stock', () => {
    reserve(8)
    expect(call('reserve', { product: 'tea', quantity: 3 }, 'bob')).toMatchObject(refused('a stock of 2, less than 3'))
    expect(call('removeStock', { product: 'tea', quantity: 3 }, 'owner')).toMatchObject(
      refused('a stock of 2, less than 3'),
    )
    reserve(2, 'bob')
    expect(stock()).toBe(0)
  })

  it('keeps the price it was reserved at', () => {
    const order = reserve(1)
    asOwner('setPrice', { product: 'tea', price: '31' })
    chain.mustCall('shop', 'pay', { order })
    expect(balanceOf('contract:shop')).toBe(30n)
    expect(chain.view('shop', 'order', { order: reserve(2) }).total).toBe('62')
  })

  it('is paid once, by its buyer, before its time', () => {
    const order = reserve(1)
    expect(call('pay', { order }, 'bob')).toMatchObject(refused('order 1 is that of qr1'))
    call('pay', { order })
    expect(call('pay', { order })).toMatchObject(refused('order 1 is paid: only a reserved one can be paid'))
    const late = reserve(1)
    chain.advance(HOLD_MS - 1)
    // The block of this call has the time at which the reservation falls due.
    expect(call('pay', { order: late })).toMatchObject(refused(/was to be paid before \d+: reserve again/))
  })

  it('that cannot be paid changes nothing', () => {
    asOwner('setPrice', { product: 'tea', price: '200' })
    const order = reserve(6)
    expect(call('pay', { order })).toMatchObject(refused('insufficient balance'))
    chain.mustCall('token', 'approve', { spender: 'contract:shop', amount: '0' })
    expect(call('pay', { order })).toMatchObject(refused('insufficient allowance'))
    expect(statusOf(order)).toBe('reserved')
  })

  it('unpaid is cancelled by buyer or owner and leaves nothing', () => {
    const before = chain.entries('shop').filter(([key]) => key !== 'orders')
    const [first, second] = [reserve(1), reserve(2)]
    expect(call('cancel', { order: first }, 'bob')).toMatchObject(refused('only they or the owner may cancel it'))
    expect(call('cancel', { order: first }).events).toMatchObject([{ name: 'Cancelled', data: { refund: '0' } }])
    asOwner('cancel', { order: second })
    expect(chain.entries('shop').filter(([key]) => key !== 'orders')).toEqual(before)
    expect(call('pay', { order: first })).toMatchObject(refused('there is no order 1'))
    expect(reserve(1)).toBe(3)
  })

  it('paid is cancelled by the owner, by the buyer only once it was to be shipped', () => {
    const [first, second] = [reserve(1), reserve(2)]
    for (const order of [first, second]) chain.mustCall('shop', 'pay', { order })
    const { until } = chain.view('shop', 'order', { order: second })
    expect(call('cancel', { order: first })).toMatchObject(refused('its buyer may cancel it from'))
    expect(asOwner('cancel', { order: first }).events.at(-1)).toMatchObject({
      name: 'Cancelled',
      data: { refund: '30' },
    })
    chain.advance(until - chain.time - 2)
    expect(call('cancel', { order: second }).status).toBe('reverted')
    expect(call('cancel', { order: second }).status).toBe('ok')
    expect([stock(), balanceOf(addressOf('alice')), balanceOf('contract:shop')]).toEqual([10, 1_000n, 0n])
    expect(statusOf(second)).toBe('cancelled')
    for (const method of ['cancel', 'ship', 'refund']) {
      expect(call(method, { order: second }, 'owner')).toMatchObject(refused('order 2 is cancelled'))
    }
  })

  it('shipped is refunded out of what can be withdrawn', () => {
    const order = reserve(1)
    chain.mustCall('shop', 'pay', { order })
    expect(call('refund', { order }, 'owner')).toMatchObject(refused('order 1 is paid'))
    asOwner('ship', { order })
    expect(call('cancel', { order }, 'owner')).toMatchObject(refused('order 1 is shipped'))
    asOwner('withdraw', { to: addressOf('bob'), amount: '30' })
    chain.mustCall('shop', 'pay', { order: reserve(1, 'carol') }, { from: 'carol' })
    expect(call('refund', { order }, 'owner')).toMatchObject(refused('the refund takes 30 of 0'))
    chain.mustCall('token', 'transfer', { to: 'contract:shop', amount: '30' }, { from: 'bob' })
    asOwner('refund', { order })
    expect([statusOf(order), balanceOf(addressOf('alice'))]).toEqual(['refunded', 1_000n])
    expect(call('refund', { order }, 'owner')).toMatchObject(refused('order 1 is refunded'))
  })
})

describe('reservations that are not paid', () => {
  it('fall due, the oldest first, a bounded number per call, by anyone', () => {
    for (let made = 0; made < 5; made++) reserve(1)
    expect(chain.mustCall('shop', 'expire', {}, { from: 'stranger' }).result).toBe(0)
    chain.advance(HOLD_MS)
    const { result, events } = chain.mustCall('shop', 'expire', { limit: 3 }, { from: 'stranger' })
    expect([result, events.map(({ name, data }) => [name, data.order])]).toEqual([
      3,
      [
        ['Expired', 1],
        ['Expired', 2],
        ['Expired', 3],
      ],
    ])
    expect(stock()).toBe(8)
    expect(chain.mustCall('shop', 'expire').result).toBe(2)
    expect(chain.entries('shop', 'order/')).toEqual([])
  })

  it('make place for the next buyer', () => {
    const { until } = chain.view('shop', 'order', { order: reserve(10) })
    chain.advance(until - chain.time - 2)
    const again = () => call('reserve', { product: 'tea', quantity: 10 }, 'bob')
    expect(again()).toMatchObject(refused('a stock of 0'))
    expect([again().status, chain.time]).toEqual(['ok', until])
    expect(chain.entries('shop', 'order/')).toHaveLength(1)
  })

  it('can be let go a hundred at a time', () => {
    asOwner('addStock', { product: 'tea', quantity: 200 })
    const requests = Array.from({ length: 101 }, () => ({
      contract: 'shop',
      method: 'reserve',
      args: { product: 'tea', quantity: 1 },
    }))
    chain.block(requests)
    chain.advance(HOLD_MS)
    expect(chain.mustCall('shop', 'expire', { limit: 100 }).result).toBe(100)
    expect(stock()).toBe(209)
  })
})

describe('views', () => {
  it('give orders of a buyer, or all, in pages', () => {
    for (let made = 0; made < 3; made++) {
      reserve(1)
      reserve(1, 'bob')
    }
    const page = (args: object) => {
      const { orders, next } = chain.view('shop', 'orders', args)
      return [orders.map(({ order }: { order: number }) => order), next]
    }
    const buyer = addressOf('bob')
    expect(page({ buyer, limit: 2 })).toEqual([[2, 4], 4])
    expect(page({ buyer, limit: 2, after: 4 })).toEqual([[6], null])
    expect(page({ buyer: addressOf('carol') })).toEqual([[], null])
    expect(page({ limit: 6 })).toEqual([[1, 2, 3, 4, 5, 6], null])
    expect(() => page({ limit: 51 })).toThrow('limit is 51: give a whole number from 1 to 50')
  })

  it('give products in pages', () => {
    for (const product of ['coffee', 'water']) asOwner('addProduct', { product, name: product, price: '0', stock: 0 })
    const tea = { product: 'tea', name: 'Green tea', price: '30', stock: 10 }
    expect(chain.view('shop', 'products', { after: 'coffee', limit: 1 })).toEqual({ products: [tea], next: 'tea' })
    expect(chain.view('shop', 'products').products).toHaveLength(3)
  })

  it('fit into a result with the longest entries', () => {
    const price = '9'.repeat(78)
    for (let made = 0; made < 50; made++) {
      asOwner('addProduct', { product: `${made}`.padStart(40, '0'), name: '\u0001'.repeat(100), price, stock: 1e9 })
    }
    expect(chain.view('shop', 'products', { limit: 50 })).toMatchObject({ next: '49'.padStart(40, '0') })
  })
})

describe('the owner', () => {
  const ownerCalls: [string, object][] = [
    ['addProduct', { product: 'x', name: 'x', price: '1', stock: 1 }],
    ['setPrice', { product: 'tea', price: '1' }],
    ['addStock', { product: 'tea', quantity: 1 }],
    ['removeStock', { product: 'tea', quantity: 1 }],
    ['ship', { order: 1 }],
    ['refund', { order: 1 }],
    ['withdraw', { to: addressOf('alice'), amount: '0' }],
    ['setOwner', { owner: addressOf('alice') }],
  ]
  it.each(ownerCalls)('alone may %s', (method, args) => {
    expect(call(method, args)).toMatchObject(refused(/only the owner, qr1\S+, may do this/))
  })

  it('can hand the shop over', () => {
    const { events } = asOwner('setOwner', { owner: 'contract:board' })
    expect(events).toMatchObject([{ name: 'OwnerChanged', data: { from: addressOf('owner'), to: 'contract:board' } }])
    expect(call('addStock', { product: 'tea', quantity: 1 }, 'owner')).toMatchObject(
      refused('only the owner, contract:board'),
    )
    expect(chain.view('shop', 'settings')).toEqual({
      owner: 'contract:board',
      token: 'token',
      holdMs: HOLD_MS,
      shipMs: SHIP_MS,
    })
  })

  it('offers an identifier once, and stock within its bound', () => {
    const again = { product: 'tea', name: 'x', price: '1', stock: 1 }
    expect(call('addProduct', again, 'owner')).toMatchObject(refused('there is a product tea already'))
    expect(call('addStock', { product: 'tea', quantity: 1e9 }, 'owner')).toMatchObject(refused('add at most 999999990'))
    asOwner('removeStock', { product: 'tea', quantity: 4 })
    asOwner('addStock', { product: 'tea', quantity: 1 })
    expect(stock()).toBe(7)
  })

  it('may be in genesis, after the token', async () => {
    const owner = addressOf('owner')
    const token = { name: 'token', source: folder('token'), init: { owner } }
    const shop = { name: 'shop', source: folder('shop'), init: { owner, token: 'token' } }
    const genesis = await testChain({ contracts: [token, shop] })
    const settings = { owner, token: 'token', holdMs: 15 * 60_000, shipMs: 30 * 24 * 60 * 60_000 }
    expect(genesis.view('shop', 'settings')).toEqual(settings)
  })

  it('names a token that is there', async () => {
    const deploy = (token: unknown) =>
      chain.deploy(folder('shop'), { name: 'other', init: { owner: addressOf('owner'), token } })
    await expect(deploy('tokem')).rejects.toThrow(/token tokem is no token \(UNKNOWN_CONTRACT\): correct the name/)
    await expect(deploy('shop')).rejects.toThrow('token shop is no token (UNKNOWN_METHOD)')
    await expect(deploy('Token')).rejects.toThrow('token is "Token": give the name of a contract')
  })
})

describe('arguments', () => {
  const bad: [method: string, args: unknown, message: string][] = [
    ['reserve', null, 'arguments must be a JSON object, not null'],
    ['reserve', { product: 'tea' }, 'quantity is missing: give a whole number from 1 to 1000000000'],
    ['reserve', { product: 'tea', quantity: 0 }, 'quantity is 0'],
    ['reserve', { product: 'tea', quantity: 1.5 }, 'quantity is 1.5'],
    ['reserve', { product: 'tea', quantity: '1' }, 'quantity is "1"'],
    ['reserve', { product: 'tea', quantity: 1e9 + 1 }, 'quantity is 1000000001'],
    ['reserve', { product: 'Tea', quantity: 1 }, 'product is "Tea": give 1 to 40 of'],
    ['reserve', { product: 'a/b', quantity: 1 }, 'product is "a/b"'],
    ['reserve', { product: 'coffee', quantity: 1 }, 'there is no product coffee'],
    [
      'reserve',
      { product: 'tea', quantity: 1, quantitiy: 2 },
      'arguments: "quantitiy" is not known: give product, quantity only',
    ],
    ['pay', { order: '1' }, 'order is "1": give a whole number'],
    ['pay', { order: -1 }, 'order is -1: give a whole number'],
    ['pay', { order: 9 }, 'there is no order 9'],
    ['expire', { limit: 101 }, 'limit is 101: give a whole number from 1 to 100'],
    ['addProduct', { product: 'x', name: '', price: '1', stock: 1 }, 'name is "": give text of 1 to 100 characters'],
    ['addProduct', { product: 'x', name: 'x', price: 1, stock: 1 }, 'price is 1: give a decimal string'],
    ['addProduct', { product: 'x', name: 'x', price: '-1', stock: 1 }, 'price is "-1": give a decimal string'],
    ['addProduct', { product: 'x', name: 'x', price: '1', stock: -1 }, 'stock is -1: give a whole number from 0'],
    ['withdraw', { to: 'bob', amount: '1' }, 'to is "bob": give an address (qr1…) or contract:NAME'],
  ]
  it.each(bad)('%s refuses %j', (method, args, message) => {
    const outcome = chain.call('shop', method, args, { from: 'owner' })
    expect(outcome.error?.message).toContain(message)
    expect(outcome.status).toBe('reverted')
  })

  it('whose total is too long are refused', () => {
    asOwner('setPrice', { product: 'tea', price: '9'.repeat(78) })
    expect(call('reserve', { product: 'tea', quantity: 2 })).toMatchObject(refused('would pass 78 digits'))
  })
})

type Kept = { order: number; buyer: string; quantity: number; total: string; status: string; until: number }
const allOrders = (on: TestChain): Kept[] =>
  on.entries('shop', 'order/').map(([key, content]) => ({ order: Number(key.slice('order/'.length)), ...content }))

interface Books {
  /** Stock that the owner put in, less what they took out. */
  stocked: number
  gifts: bigint
  withdrawn: bigint
  given: Map<string, bigint>
}

function expectBalanced(on: TestChain, { stocked, gifts, withdrawn, given }: Books): void {
  const orders = allOrders(on)
  const sum = (statuses: string[], buyer?: string) =>
    orders
      .filter((order) => statuses.includes(order.status) && (buyer === undefined || order.buyer === buyer))
      .reduce((total, order) => total + BigInt(order.total), 0n)
  // Never oversold: what was put in is in the stock, held, or sold.
  const out = orders.filter(({ status }) => status !== 'cancelled').reduce((total, { quantity }) => total + quantity, 0)
  const { stock } = on.view('shop', 'product', { product: 'tea' })
  expect(stock).toBeGreaterThanOrEqual(0)
  expect(stock + out).toBe(stocked)
  // The shop has what it owes and what can be withdrawn, and no buyer has paid more than their orders.
  const withdrawable = sum(['shipped']) + gifts - withdrawn
  expect(withdrawable).toBeGreaterThanOrEqual(0n)
  expect(on.view('shop', 'funds')).toEqual({ held: String(sum(['paid'])), withdrawable: String(withdrawable) })
  expect(balanceOf('contract:shop', on)).toBe(sum(['paid']) + withdrawable)
  for (const name of buyers) {
    const spent = sum(['paid', 'shipped'], addressOf(name)) + (given.get(name) ?? 0n)
    expect(balanceOf(addressOf(name), on)).toBe(BigInt(START) - spent)
  }
  expect(balanceOf(addressOf('owner'), on)).toBe(withdrawn)
  // The lists by buyer and by time hold what they should.
  const pad = (number: number, digits: number) => String(number).padStart(digits, '0')
  const due = orders.filter(({ status }) => status === 'reserved')
  const keys = (prefix: string) => on.entries('shop', prefix).map(([key]) => key)
  expect(keys('due/')).toEqual(due.map(({ until, order }) => `due/${pad(until, 16)}/${pad(order, 10)}`).sort())
  expect(keys('buyer/')).toEqual(orders.map(({ buyer, order }) => `buyer/${buyer}/${pad(order, 10)}`).sort())
}

describe('under any interleaving', () => {
  interface Step {
    method: string
    from: string
    /** By whoever may and on an order that is so far: the buyer pays a reserved one, the owner ships a paid one. */
    isByRight: boolean
    quantity: number
    /** Which of the orders there are. */
    pick: number
    amount: string
    ms: number
  }
  const step: fc.Arbitrary<Step> = fc.record({
    method: fc.constantFrom(
      ...['reserve', 'pay', 'buy', 'buy', 'buy', 'ship', 'ship', 'refund', 'refund', 'withdraw', 'expire', 'cancel'],
      ...['addStock', 'removeStock', 'gift', 'wait'],
    ),
    from: fc.constantFrom(...buyers, 'owner'),
    isByRight: fc.constantFrom(true, true, false),
    quantity: fc.integer({ min: 1, max: 6 }),
    pick: fc.nat({ max: 20 }),
    amount: fc.integer({ min: 0, max: 100 }).map(String),
    ms: fc.constantFrom(1, HOLD_MS / 4, HOLD_MS, SHIP_MS),
  })

  it('stock, tokens and orders stay in balance', () => {
    const done = new Set<string>()
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
        const run = deployed.fork()
        const books: Books = { stocked: 10, gifts: 0n, withdrawn: 0n, given: new Map() }
        steps.forEach((next, index) => {
          if (take(run, books, next)) done.add(next.method)
          if (index % 10 === 0) expectBalanced(run, books)
        })
        expectBalanced(run, books)
        expect(run.view('token', 'totalSupply')).toBe(String(buyers.length * START))
      }),
      { numRuns: 30 },
    )
    // Otherwise the steps would show little.
    for (const method of ['reserve', 'buy', 'ship', 'cancel', 'refund', 'withdraw', 'gift'])
      expect(done).toContain(method)
  })

  function take(run: TestChain, books: Books, { method, from, isByRight, quantity, pick, amount, ms }: Step): boolean {
    if (method === 'wait') {
      run.advance(ms)
      return true
    }
    if (method === 'gift') return give(run, books, { from, amount })
    if (method === 'buy') {
      const { result } = run.call('shop', 'reserve', { product: 'tea', quantity }, { from })
      return run.call('shop', 'pay', { order: result }, { from }).status === 'ok'
    }
    const takes = { pay: ['reserved'], ship: ['paid'], refund: ['shipped'] }[method]
    const orders = allOrders(run).filter(({ status }) => !isByRight || takes === undefined || takes.includes(status))
    const { order, buyer } = orders[pick % orders.length] ?? { order: 1, buyer: '' }
    const byRight = method === 'pay' ? buyers.find((name) => addressOf(name) === buyer) : 'owner'
    const stockArgs = { product: 'tea', quantity }
    const taken = isByRight ? run.view('shop', 'funds').withdrawable : amount
    const argsOf: Record<string, object> = {
      reserve: stockArgs,
      addStock: stockArgs,
      removeStock: stockArgs,
      withdraw: { to: addressOf('owner'), amount: taken },
      expire: {},
    }
    const sender = isByRight && method !== 'reserve' ? byRight : from
    if (run.call('shop', method, argsOf[method] ?? { order }, { from: sender }).status !== 'ok') return false
    if (method === 'addStock') books.stocked += quantity
    if (method === 'removeStock') books.stocked -= quantity
    if (method === 'withdraw') books.withdrawn += BigInt(taken)
    return true
  }

  /** Tokens that no order asked for. */
  function give(run: TestChain, books: Books, { from, amount }: { from: string; amount: string }): boolean {
    if (from === 'owner') return false
    if (run.call('token', 'transfer', { to: 'contract:shop', amount }, { from }).status !== 'ok') return false
    books.gifts += BigInt(amount)
    books.given.set(from, (books.given.get(from) ?? 0n) + BigInt(amount))
    return true
  }
})
