/** Who may write in the shipped contracts: accounts, and access lists of an owner and the writers it named. */
import type { CallContext } from 'quorate/contract'
import { listOf, refuse, shown } from './arguments.ts'

/** An address, or `contract:NAME` for a contract that calls. */
const CONTRACT_ACCOUNT_PATTERN = /^contract:[a-z][a-z0-9-]{1,39}$/
/** The list is read whole at every write it guards. */
const WRITERS_MAX = 32

/** The owner writes too, and alone changes the list. */
export interface Access {
  owner: string
  writers: string[]
}

export function isAccount(ctx: Pick<CallContext, 'isAddress'>, value: unknown): value is string {
  return typeof value === 'string' && (CONTRACT_ACCOUNT_PATTERN.test(value) || ctx.isAddress(value))
}

export function accountOf(ctx: Pick<CallContext, 'isAddress'>, value: unknown, label: string): string {
  if (isAccount(ctx, value)) return value
  refuse(`${label} is ${shown(value)}: give an address (qr1…) or contract:NAME`)
}

export function writersOf(ctx: Pick<CallContext, 'isAddress'>, value: unknown): string[] {
  const writers = listOf(value, 'writers', { max: WRITERS_MAX })
  return writers.map((writer, index) => accountOf(ctx, writer, `writers[${index}]`))
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
