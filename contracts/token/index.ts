/**
 * The shipped token: a fungible amount per account. Amounts are canonical decimal strings; arithmetic is BigInt.
 * State: `owner`, `supply`, `balance/ACCOUNT`, `allowance/OWNER/SPENDER`. Zero balances and allowances are not stored.
 */
import { assert, type CallContext, contract, type ViewContext } from 'quorate/contract'

/** 78 digits hold every 256-bit number, the widest amount other ledgers use. */
const AMOUNT_DIGITS_MAX = 78
const AMOUNT_PATTERN = /^(0|[1-9][0-9]*)$/
const CONTRACT_ACCOUNT_PATTERN = /^contract:[a-z][a-z0-9-]{1,39}$/

type Context = CallContext | ViewContext
type Fields = Record<string, unknown>

/** The arguments as an object whose fields are still to be checked. */
function fieldsOf(args: unknown): Fields {
  assert(typeof args === 'object' && args !== null && !Array.isArray(args), 'arguments must be a JSON object')
  return args as Fields
}

function accountOf(ctx: Context, fields: Fields, name: string): string {
  const account = fields[name]
  assert(isAccount(ctx, account), `${name} must be an address or contract:NAME`)
  return account
}

function isAccount(ctx: Context, account: unknown): account is string {
  return typeof account === 'string' && (CONTRACT_ACCOUNT_PATTERN.test(account) || ctx.isAddress(account))
}

function amountOf(amount: unknown, name: string): bigint {
  const isAmount = typeof amount === 'string' && amount.length <= AMOUNT_DIGITS_MAX && AMOUNT_PATTERN.test(amount)
  assert(
    isAmount,
    `${name} must be a decimal string of at most ${AMOUNT_DIGITS_MAX} digits, without sign or leading zeros`,
  )
  return BigInt(amount as string)
}

function read(ctx: Context, key: string): bigint {
  return BigInt(ctx.state.get<string>(key) ?? '0')
}

function write(ctx: CallContext, key: string, amount: bigint): void {
  if (amount === 0n) ctx.state.delete(key)
  else ctx.state.set(key, amount.toString())
}

const balanceKey = (account: string) => `balance/${account}`
const allowanceKey = (owner: string, spender: string) => `allowance/${owner}/${spender}`

function issue(ctx: CallContext, to: string, amount: bigint): void {
  const supply = read(ctx, 'supply') + amount
  assert(supply.toString().length <= AMOUNT_DIGITS_MAX, `the supply would pass ${AMOUNT_DIGITS_MAX} digits`)
  ctx.state.set('supply', supply.toString())
  write(ctx, balanceKey(to), read(ctx, balanceKey(to)) + amount)
  ctx.emit('Transfer', { from: null, to, amount: amount.toString() })
}

function move(ctx: CallContext, from: string, to: string, amount: bigint): void {
  const balance = read(ctx, balanceKey(from))
  assert(balance >= amount, `insufficient balance: ${from} has ${balance}, needs ${amount}`)
  write(ctx, balanceKey(from), balance - amount)
  // Read after the write, so that a transfer to oneself changes nothing.
  write(ctx, balanceKey(to), read(ctx, balanceKey(to)) + amount)
  ctx.emit('Transfer', { from, to, amount: amount.toString() })
}

export default contract({
  init(ctx, args: { owner: string; balances?: Record<string, string> }) {
    const fields = fieldsOf(args)
    ctx.state.set('owner', accountOf(ctx, fields, 'owner'))
    ctx.state.set('supply', '0')
    const balances = fieldsOf(fields.balances ?? {})
    for (const [account, amount] of Object.entries(balances)) {
      assert(isAccount(ctx, account), `balances: ${account} is not an address or contract:NAME`)
      issue(ctx, account, amountOf(amount, `balances.${account}`))
    }
  },

  calls: {
    /** Creates new tokens. The owner only. */
    mint(ctx, args: { to: string; amount: string }) {
      const fields = fieldsOf(args)
      assert(ctx.sender === ctx.state.get<string>('owner'), 'only the owner may mint')
      issue(ctx, accountOf(ctx, fields, 'to'), amountOf(fields.amount, 'amount'))
    },

    transfer(ctx, args: { to: string; amount: string }) {
      const fields = fieldsOf(args)
      move(ctx, ctx.sender, accountOf(ctx, fields, 'to'), amountOf(fields.amount, 'amount'))
    },

    /** Sets what the spender may take from the sender; 0 withdraws it. */
    approve(ctx, args: { spender: string; amount: string }) {
      const fields = fieldsOf(args)
      const spender = accountOf(ctx, fields, 'spender')
      const amount = amountOf(fields.amount, 'amount')
      write(ctx, allowanceKey(ctx.sender, spender), amount)
      ctx.emit('Approval', { owner: ctx.sender, spender, amount: amount.toString() })
    },

    /** Moves tokens the sender was allowed to take. */
    transferFrom(ctx, args: { from: string; to: string; amount: string }) {
      const fields = fieldsOf(args)
      const from = accountOf(ctx, fields, 'from')
      const to = accountOf(ctx, fields, 'to')
      const amount = amountOf(fields.amount, 'amount')
      const key = allowanceKey(from, ctx.sender)
      const allowance = read(ctx, key)
      assert(
        allowance >= amount,
        `insufficient allowance: ${ctx.sender} may take ${allowance} from ${from}, needs ${amount}`,
      )
      write(ctx, key, allowance - amount)
      move(ctx, from, to, amount)
    },
  },

  views: {
    balanceOf(ctx, args: { account: string }) {
      return read(ctx, balanceKey(accountOf(ctx, fieldsOf(args), 'account'))).toString()
    },

    allowance(ctx, args: { owner: string; spender: string }) {
      const fields = fieldsOf(args)
      return read(ctx, allowanceKey(accountOf(ctx, fields, 'owner'), accountOf(ctx, fields, 'spender'))).toString()
    },

    totalSupply(ctx) {
      return read(ctx, 'supply').toString()
    },
  },
})
