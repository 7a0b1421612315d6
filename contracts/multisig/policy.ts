// Who decides: the owners, and how many of them it takes.
import { assert } from 'quorate/contract'
import { accountsOf, ownAccount } from '../shared/account.ts'
import { type Context, fieldsOf, wholeNumberOf } from '../shared/arguments.ts'

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
  const owners = accountsOf(ctx, fields.owners, 'owners', { min: 1, max: OWNERS_MAX })
  const twice = owners.find((owner, index) => owners.indexOf(owner) !== index)
  assert(twice === undefined, `owners has ${twice} twice: name each once`)
  assert(
    !owners.includes(ownAccount(ctx)),
    `owners has ${ownAccount(ctx)}, this contract, which cannot approve: leave it out`,
  )
  return { owners, threshold: wholeNumberOf(fields.threshold, 'threshold', { min: 1, max: owners.length }), version }
}

export const readPolicy = (ctx: Context): Policy => ctx.state.get<Policy>('policy')!
