/**
 * The shipped token: a fungible amount per account. Amounts are canonical decimal strings; arithmetic is BigInt.
 * State: `owner`, `supply`, `balance/ACCOUNT`, `allowance/OWNER/SPENDER`. Zero balances and allowances are not stored.
 */
import { type CallContext, contract } from 'quorate/contract'
import { accountOf } from '../shared/account.ts'
import { AMOUNT_DIGITS_MAX, amountOf, isTooLong, readAmount, writeAmount } from '../shared/amount.ts'
import { fieldsOf, refuse } from '../shared/arguments.ts'

const balanceKey = (account: string) => `balance/${account}`
const allowanceKey = (owner: string, spender: string) => `allowance/${owner}/${spender}`

function issue(ctx: CallContext, to: string, amount: bigint): void {
  const supply = readAmount(ctx, 'supply') + amount
  if (isTooLong(supply)) refuse(`the supply would pass ${AMOUNT_DIGITS_MAX} digits`)
  ctx.state.set('supply', supply.toString())
  writeAmount(ctx, balanceKey(to), readAmount(ctx, balanceKey(to)) + amount)
  ctx.emit('Transfer', { from: null, to, amount: amount.toString() })
}

function move(ctx: CallContext, from: string, to: string, amount: bigint): void {
  const [fromKey, toKey] = [balanceKey(from), balanceKey(to)]
  const balance = readAmount(ctx, fromKey)
  // Not an assertion: the text would be made at each call.
  if (balance < amount) refuse(`insufficient balance: ${from} has ${balance}, needs ${amount}`)
  writeAmount(ctx, fromKey, balance - amount)
  // Read after the write, so that a transfer to oneself changes nothing.
  writeAmount(ctx, toKey, readAmount(ctx, toKey) + amount)
  ctx.emit('Transfer', { from, to, amount: amount.toString() })
}

export default contract({
  init(ctx, args: { owner: string; balances?: Record<string, string> }) {
    const fields = fieldsOf(args, ['owner', 'balances'])
    ctx.state.set('owner', accountOf(ctx, fields.owner, 'owner'))
    ctx.state.set('supply', '0')
    const balances = fieldsOf(fields.balances ?? {}, undefined, 'balances')
    for (const [account, amount] of Object.entries(balances)) {
      issue(ctx, accountOf(ctx, account, 'an account of balances'), amountOf(amount, `balances.${account}`))
    }
  },

  calls: {
    /** Creates new tokens. The owner only. */
    mint(ctx, args: { to: string; amount: string }) {
      const fields = fieldsOf(args)
      if (ctx.sender !== ctx.state.get<string>('owner')) refuse('only the owner may mint')
      issue(ctx, accountOf(ctx, fields.to, 'to'), amountOf(fields.amount, 'amount'))
    },

    transfer(ctx, args: { to: string; amount: string }) {
      const fields = fieldsOf(args)
      move(ctx, ctx.sender, accountOf(ctx, fields.to, 'to'), amountOf(fields.amount, 'amount'))
    },

    /** Sets what the spender may take from the sender; 0 withdraws it. */
    approve(ctx, args: { spender: string; amount: string }) {
      const fields = fieldsOf(args)
      const spender = accountOf(ctx, fields.spender, 'spender')
      const amount = amountOf(fields.amount, 'amount')
      writeAmount(ctx, allowanceKey(ctx.sender, spender), amount)
      ctx.emit('Approval', { owner: ctx.sender, spender, amount: amount.toString() })
    },

    /** Moves tokens the sender was allowed to take. */
    transferFrom(ctx, args: { from: string; to: string; amount: string }) {
      const fields = fieldsOf(args)
      const from = accountOf(ctx, fields.from, 'from')
      const to = accountOf(ctx, fields.to, 'to')
      const amount = amountOf(fields.amount, 'amount')
      const key = allowanceKey(from, ctx.sender)
      const allowance = readAmount(ctx, key)
      if (allowance < amount) {
        refuse(`insufficient allowance: ${ctx.sender} may take ${allowance} from ${from}, needs ${amount}`)
      }
      writeAmount(ctx, key, allowance - amount)
      move(ctx, from, to, amount)
    },
  },

  views: {
    balanceOf(ctx, args: { account: string }) {
      return readAmount(ctx, balanceKey(accountOf(ctx, fieldsOf(args).account, 'account'))).toString()
    },

    allowance(ctx, args: { owner: string; spender: string }) {
      const fields = fieldsOf(args)
      return readAmount(
        ctx,
        allowanceKey(accountOf(ctx, fields.owner, 'owner'), accountOf(ctx, fields.spender, 'spender')),
      ).toString()
    },

    totalSupply(ctx) {
      return readAmount(ctx, 'supply').toString()
    },
  },
})
