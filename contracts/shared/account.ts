/** Who holds, owns and writes in the shipped contracts: accounts, and access lists of an owner and the writers it named. */
import type { CallContext } from 'quorate/contract'
import { type Context, listOf, matchOf, refuse, refuseValue } from './arguments.ts'

const CONTRACT_NAME_PATTERN = /^[a-z][a-z0-9-]{1,39}$/
const CONTRACT_ACCOUNT_PATTERN = /^contract:[a-z][a-z0-9-]{1,39}$/
/** The list is read whole at every write it guards. */
const WRITERS_MAX = 32

/** The owner writes too, and alone changes the list. */
export interface Access {
  owner: string
  writers: string[]
}

/** An address, or `contract:NAME` for a contract that calls. */
export function accountOf(ctx: Context, value: unknown, label: string): string {
  // The prefix first: at a text that does not match, the engine tries the pattern from each of its characters.
  const isAccount =
    typeof value === 'string' &&
    (value.startsWith('contract:') ? CONTRACT_ACCOUNT_PATTERN.test(value) : ctx.isAddress(value))
  return isAccount ? value : refuseValue(value, label, 'an address (qr1…) or contract:NAME')
}

export function accountsOf(ctx: Context, value: unknown, label: string, size: { min?: number; max: number }): string[] {
  return listOf(value, label, size).map((account, index) => accountOf(ctx, account, `${label}[${index}]`))
}

export function contractNameOf(value: unknown, label: string): string {
  const form = 'the name of a contract, 2 to 40 of a-z, 0-9 and - that start with a letter'
  return matchOf(value, label, { pattern: CONTRACT_NAME_PATTERN, form })
}

/** The running contract, as others see it. */
export const ownAccount = (ctx: Context): string => `contract:${ctx.contract}`

export function writersOf(ctx: Context, value: unknown): string[] {
  return accountsOf(ctx, value, 'writers', { max: WRITERS_MAX })
}

/** `what` names the thing in the message, as in `service payments`. */
export function assertOwner(ctx: CallContext, { owner }: Access, what: string): void {
  if (ctx.sender !== owner) refuse(`${what} is owned by ${owner}, not by ${ctx.sender}: only its owner may do this`)
}

export function mayWrite({ owner, writers }: Access, account: string): boolean {
  return account === owner || writers.includes(account)
}

export function assertWriter(ctx: CallContext, access: Access, what: string): void {
  if (mayWrite(access, ctx.sender)) return
  refuse(`${ctx.sender} may not write to ${what}: ask its owner ${access.owner} to add it to the writers`)
}
