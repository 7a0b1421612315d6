// Who can hold and own: addresses, and contracts as `contract:NAME`.
import { type Context, type Fields, matchOf, refuse } from './fields.ts'

const CONTRACT_NAME_PATTERN = /^[a-z][a-z0-9-]{1,39}$/
const CONTRACT_ACCOUNT_PATTERN = /^contract:[a-z][a-z0-9-]{1,39}$/

export function isAccount(ctx: Context, account: unknown): account is string {
  return typeof account === 'string' && (CONTRACT_ACCOUNT_PATTERN.test(account) || ctx.isAddress(account))
}

export function accountOf(ctx: Context, fields: Fields, name: string): string {
  const account = fields[name]
  return isAccount(ctx, account) ? account : refuse(name, 'an address or contract:NAME', account)
}

export function contractNameOf(fields: Fields, name: string): string {
  const form = 'the name of a contract, 2 to 40 of a-z, 0-9 and "-", a letter first'
  return matchOf(fields, name, { pattern: CONTRACT_NAME_PATTERN, form })
}

/** The running contract, as others see it. */
export const ownAccount = (ctx: Context): string => `contract:${ctx.contract}`
