// Orders and the reservations among them. An order that was never paid leaves nothing behind.
import { assert, type CallContext } from 'quorate/contract'
import type { Context } from '../shared/arguments.ts'
import { identifierText, nextIdentifier } from '../shared/identifier.ts'
import { changeStock } from './products.ts'

export interface Order {
  buyer: string
  product: string
  quantity: number
  /** What it costs in all, fixed when it is reserved. */
  total: string
  status: 'reserved' | 'paid' | 'shipped' | 'cancelled' | 'refunded'
  /** Reserved: until when it can be paid. Paid: until when only the owner can cancel it. Otherwise null. Block time in ms. */
  until: number | null
}

export const ORDERS = 'order/'
/** Reservations that one call lets go at most: each writes four entries and an event. */
export const EXPIRE_MAX = 100
export const EXPIRE_DEFAULT = 20
/** Holds every whole number that a block's time can be. */
const TIME_DIGITS = 16

const orderKey = (order: number) => ORDERS + identifierText(order)
export const ordersOfBuyer = (buyer: string) => `buyer/${buyer}/`
const buyerKey = (buyer: string, order: number) => ordersOfBuyer(buyer) + identifierText(order)
const dueKey = (until: number, order: number) =>
  `due/${String(until).padStart(TIME_DIGITS, '0')}/${identifierText(order)}`

export function readOrder(ctx: Context, order: number): Order {
  const found = ctx.state.get<Order>(orderKey(order))
  assert(
    found !== undefined,
    `there is no order ${order}: it was never made, or ended before it was paid; reserve again`,
  )
  return found
}

export const writeOrder = (ctx: CallContext, order: number, content: Order): void =>
  ctx.state.set(orderKey(order), content)

export function addReservation(ctx: CallContext, content: Omit<Order, 'status' | 'until'>, until: number): number {
  const order = nextIdentifier(ctx, 'orders')
  changeStock(ctx, content.product, -content.quantity)
  writeOrder(ctx, order, { ...content, status: 'reserved', until })
  ctx.state.set(buyerKey(content.buyer, order), true)
  ctx.state.set(dueKey(until, order), true)
  return order
}

/** Takes a reservation that is paid out of those that fall due. */
export const keepReservation = (ctx: CallContext, order: number, { until }: Order): void =>
  ctx.state.delete(dueKey(until!, order))

/** Forgets a reservation and frees its stock. */
export function dropReservation(ctx: CallContext, order: number, { buyer, product, quantity, until }: Order): void {
  ctx.state.delete(dueKey(until!, order))
  ctx.state.delete(buyerKey(buyer, order))
  ctx.state.delete(orderKey(order))
  changeStock(ctx, product, quantity)
}

/** Drops reservations that were not paid in time, the oldest first. Gives how many. */
export function expireReservations(ctx: CallContext, limit: number): number {
  let expired = 0
  for (const [key] of ctx.state.scan('due/', { limit })) {
    const [, until, order] = key.split('/').map(Number) as [number, number, number]
    if (until > ctx.block.time) break
    const content = readOrder(ctx, order)
    dropReservation(ctx, order, content)
    ctx.emit('Expired', { order, buyer: content.buyer, product: content.product, quantity: content.quantity })
    expired++
  }
  return expired
}
