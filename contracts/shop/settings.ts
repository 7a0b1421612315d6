// What the shop was told at init. Only the owner changes, and only by the owner.
import { assert, type CallContext } from 'quorate/contract'
import { accountOf } from '../shared/account.ts'
import { type Context, fieldsOf, wholeNumberOf } from '../shared/arguments.ts'
import { tokenOf } from '../shared/payment.ts'

export interface Settings {
  owner: string
  token: string
  /** How long a reservation holds its stock. */
  holdMs: number
  /** How long after its payment an order can be cancelled by the owner alone. */
  shipMs: number
}

const DAY_MS = 24 * 60 * 60 * 1000
const HOLD_DEFAULT_MS = 15 * 60 * 1000
const HOLD_MAX_MS = 30 * DAY_MS
const SHIP_DEFAULT_MS = 30 * DAY_MS
const SHIP_MAX_MS = 366 * DAY_MS

export function settingsFrom(ctx: Context, args: unknown): Settings {
  const fields = fieldsOf(args, ['owner', 'token', 'holdMs', 'shipMs'])
  const { holdMs = HOLD_DEFAULT_MS, shipMs = SHIP_DEFAULT_MS } = fields
  return {
    owner: accountOf(ctx, fields.owner, 'owner'),
    token: tokenOf(ctx, fields.token, 'token'),
    holdMs: wholeNumberOf(holdMs, 'holdMs', { min: 1, max: HOLD_MAX_MS }),
    shipMs: wholeNumberOf(shipMs, 'shipMs', { min: 1, max: SHIP_MAX_MS }),
  }
}

export const readSettings = (ctx: Context): Settings => ctx.state.get<Settings>('settings')!

export const writeSettings = (ctx: CallContext, settings: Settings): void => ctx.state.set('settings', settings)

/** The settings, for what only the owner may do. */
export function ownersSettings(ctx: CallContext): Settings {
  const settings = readSettings(ctx)
  assert(ctx.sender === settings.owner, `only the owner, ${settings.owner}, may do this: send it from there`)
  return settings
}
