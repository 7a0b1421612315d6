// Who decides: the owners, and how many of them it takes.
import { assert } from 'quorate/contract'
import { accountOf, ownAccount } from '../shared/account.ts'
import { type Context, fieldsOf, refuse, wholeNumberOf } from '../shared/fields.ts'

export interface Policy {
  owners: string[]
  threshold: number
  /** Grows by one with each change. */
  version: number
}

/** An approval of each is kept with every proposal, and counted each time. */
const OWNERS_MAX = 20

export function policyFrom(ctx: Context, args: unknown, version: number): Policy {
  const fields = fieldsOf(args, ['owners', 'threshold'])
  const { owners: listed } = fields
  const isList = Array.isArray(listed) && listed.length >= 1 && listed.length <= OWNERS_MAX
  if (!isList) return refuse('owners', `a list of 1 to ${OWNERS_MAX} accounts`, listed)
  const named = Object.fromEntries(listed.map((owner, index) => [`owners[${index}]`, owner]))
  const owners = Object.keys(named).map((name) => accountOf(ctx, named, name))
  const twice = owners.find((owner, index) => owners.indexOf(owner) !== index)
  assert(twice === undefined, `owners has ${twice} twice: name each once`)
  assert(
    !owners.includes(ownAccount(ctx)),
    `owners has ${ownAccount(ctx)}, this contract, which cannot approve: leave it out`,
  )
  return { owners, threshold: wholeNumberOf(fields, 'threshold', { min: 1, max: owners.length }), version }
}

export const readPolicy = (ctx: Context): Policy => ctx.state.get<Policy>('policy')!
