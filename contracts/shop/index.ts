/**
 * The shipped shop: products with stock and prices, orders that hold stock until they are paid in a token or fall due.
 * State: `settings`, `product/PRODUCT`, `orders` (the last order's number), `order/ORDER`, `buyer/ACCOUNT/ORDER`, `due/TIME/ORDER`
 * (reservations by the time they fall due), `held` (what paid orders that have not been shipped have brought).
 */
import { assert, type CallContext, contract } from 'quorate/contract'
import { accountOf } from '../shared/account.ts'
import { AMOUNT_DIGITS_MAX, amountOf, isTooLong, readAmount, writeAmount } from '../shared/amount.ts'
import { type Context, fieldsOf, textOf, wholeNumberOf } from '../shared/arguments.ts'
import { identifierOf } from '../shared/identifier.ts'
import { numberedPageOf, pageOf, pageRequest, SHORT_LIMITS } from '../shared/page.ts'
import { collect, heldOf, payOut } from '../shared/payment.ts'
import {
  addReservation,
  dropReservation,
  EXPIRE_DEFAULT,
  EXPIRE_MAX,
  expireReservations,
  keepReservation,
  ORDERS,
  type Order,
  ordersOfBuyer,
  readOrder,
  writeOrder,
} from './orders.ts'
import {
  changeStock,
  findProduct,
  PRODUCT_NAME_LENGTH_MAX,
  PRODUCTS,
  type Product,
  productOf,
  QUANTITY_MAX,
  quantityOf,
  readProduct,
  writeProduct,
} from './products.ts'
import { ownersSettings, readSettings, settingsFrom, writeSettings } from './settings.ts'

const readHeld = (ctx: Context) => readAmount(ctx, 'held')
const changeHeld = (ctx: CallContext, by: bigint) => writeAmount(ctx, 'held', readHeld(ctx) + by)

/** What the owner may take: all that no order may still claim back, also what somebody sent without an order. */
const withdrawableOf = (ctx: Context, token: string) => heldOf(ctx, token) - readHeld(ctx)

/** An order that has not been shipped gives its payment back and its stock free. */
function cancelPaid(ctx: CallContext, order: number, { content, token }: { content: Order; token: string }): void {
  const { buyer, product, quantity, total } = content
  writeOrder(ctx, order, { ...content, status: 'cancelled', until: null })
  changeStock(ctx, product, quantity)
  changeHeld(ctx, -BigInt(total))
  payOut(ctx, token, { to: buyer, amount: BigInt(total) })
}

export default contract({
  init(ctx, args: { owner: string; token: string; holdMs?: number; shipMs?: number }) {
    writeSettings(ctx, settingsFrom(ctx, args))
  },

  calls: {
    /** The owner only, as setPrice, addStock, removeStock, ship, refund, withdraw and setOwner. */
    addProduct(ctx, args: { product: string; name: string; price: string; stock: number }) {
      ownersSettings(ctx)
      const fields = fieldsOf(args, ['product', 'name', 'price', 'stock'])
      const product = productOf(fields.product)
      assert(
        findProduct(ctx, product) === undefined,
        `there is a product ${product} already: choose another identifier`,
      )
      const content = {
        name: textOf(fields.name, 'name', { charactersMax: PRODUCT_NAME_LENGTH_MAX }),
        price: amountOf(fields.price, 'price').toString(),
        stock: wholeNumberOf(fields.stock, 'stock', { min: 0, max: QUANTITY_MAX }),
      }
      writeProduct(ctx, product, content)
      ctx.emit('ProductAdded', { product, ...content })
    },

    /** For orders from now on. */
    setPrice(ctx, args: { product: string; price: string }) {
      ownersSettings(ctx)
      const fields = fieldsOf(args, ['product', 'price'])
      const product = productOf(fields.product)
      const price = amountOf(fields.price, 'price').toString()
      writeProduct(ctx, product, { ...readProduct(ctx, product), price })
      ctx.emit('PriceChanged', { product, price })
    },

    addStock(ctx, args: { product: string; quantity: number }) {
      ownersSettings(ctx)
      const fields = fieldsOf(args, ['product', 'quantity'])
      const [product, quantity] = [productOf(fields.product), quantityOf(fields.quantity)]
      const { stock } = readProduct(ctx, product)
      assert(
        stock + quantity <= QUANTITY_MAX,
        `${product} has a stock of ${stock}: add at most ${QUANTITY_MAX - stock}`,
      )
      changeStock(ctx, product, quantity)
      ctx.emit('StockChanged', { product, by: quantity })
    },

    /** Takes from the stock what no order holds. */
    removeStock(ctx, args: { product: string; quantity: number }) {
      ownersSettings(ctx)
      const fields = fieldsOf(args, ['product', 'quantity'])
      const [product, quantity] = [productOf(fields.product), quantityOf(fields.quantity)]
      const { stock } = readProduct(ctx, product)
      assert(quantity <= stock, `${product} has a stock of ${stock}, less than ${quantity}: the rest is held by orders`)
      changeStock(ctx, product, -quantity)
      ctx.emit('StockChanged', { product, by: -quantity })
    },

    /** Holds stock for the sender at the price of this moment. Gives the order's number. */
    reserve(ctx, args: { product: string; quantity: number }) {
      const fields = fieldsOf(args, ['product', 'quantity'])
      const [product, quantity] = [productOf(fields.product), quantityOf(fields.quantity)]
      if (readProduct(ctx, product).stock < quantity) expireReservations(ctx, EXPIRE_DEFAULT)
      const { price, stock } = readProduct(ctx, product)
      assert(quantity <= stock, `${product} has a stock of ${stock}, less than ${quantity}: order less, or later`)
      const total = BigInt(price) * BigInt(quantity)
      assert(!isTooLong(total), `the order's total would pass ${AMOUNT_DIGITS_MAX} digits: order less`)
      const until = ctx.block.time + readSettings(ctx).holdMs
      const content = { buyer: ctx.sender, product, quantity, total: total.toString() }
      const order = addReservation(ctx, content, until)
      ctx.emit('Reserved', { order, ...content, until })
      return order
    },

    /** Takes the order's total from its buyer, who has approved this contract for it. */
    pay(ctx, args: { order: number }) {
      const order = identifierOf(fieldsOf(args, ['order']).order, 'order')
      const content = readOrder(ctx, order)
      const { buyer, total, status, until } = content
      assert(ctx.sender === buyer, `order ${order} is that of ${buyer}: pay it from there`)
      assert(status === 'reserved', `order ${order} is ${status}: only a reserved one can be paid`)
      assert(ctx.block.time < until!, `order ${order} was to be paid before ${until}: reserve again`)
      const { token, shipMs } = readSettings(ctx)
      keepReservation(ctx, order, content)
      writeOrder(ctx, order, { ...content, status: 'paid', until: ctx.block.time + shipMs })
      changeHeld(ctx, BigInt(total))
      collect(ctx, token, { from: buyer, amount: BigInt(total) })
      ctx.emit('Paid', { order, buyer, total })
    },

    /** Unpaid: by the buyer or the owner. Paid: by the owner, and by the buyer once it was to be shipped; the payment goes back. */
    cancel(ctx, args: { order: number }) {
      const order = identifierOf(fieldsOf(args, ['order']).order, 'order')
      const content = readOrder(ctx, order)
      const { buyer, total, status, until } = content
      const { owner, token } = readSettings(ctx)
      assert(
        [buyer, owner].includes(ctx.sender),
        `order ${order} is that of ${buyer}: only they or the owner may cancel it`,
      )
      if (status === 'reserved') dropReservation(ctx, order, content)
      else {
        assert(status === 'paid', `order ${order} is ${status}: only a reserved or paid one can be cancelled`)
        const isFree = ctx.sender === owner || ctx.block.time >= until!
        assert(isFree, `order ${order} is paid: its buyer may cancel it from ${until} on, the owner at any time`)
        cancelPaid(ctx, order, { content, token })
      }
      ctx.emit('Cancelled', { order, buyer, by: ctx.sender, refund: status === 'paid' ? total : '0' })
    },

    /** Lets go of reservations that were not paid in time, the oldest first; anyone may. Gives how many. */
    expire(ctx, args: { limit?: number }) {
      const { limit = EXPIRE_DEFAULT } = fieldsOf(args, ['limit'])
      return expireReservations(ctx, wholeNumberOf(limit, 'limit', { min: 1, max: EXPIRE_MAX }))
    },

    /** Says that a paid order is on its way; its payment is now the owner's. */
    ship(ctx, args: { order: number }) {
      ownersSettings(ctx)
      const order = identifierOf(fieldsOf(args, ['order']).order, 'order')
      const content = readOrder(ctx, order)
      assert(content.status === 'paid', `order ${order} is ${content.status}: only a paid one can be shipped`)
      writeOrder(ctx, order, { ...content, status: 'shipped', until: null })
      changeHeld(ctx, -BigInt(content.total))
      ctx.emit('Shipped', { order, buyer: content.buyer })
    },

    /** Pays a shipped order back, out of what could be withdrawn. Returned goods are put back with addStock. */
    refund(ctx, args: { order: number }) {
      const { token } = ownersSettings(ctx)
      const order = identifierOf(fieldsOf(args, ['order']).order, 'order')
      const content = readOrder(ctx, order)
      const { buyer, total, status } = content
      assert(
        status === 'shipped',
        `order ${order} is ${status}: only a shipped one can be refunded, a paid one cancelled`,
      )
      const withdrawable = withdrawableOf(ctx, token)
      const isEnough = withdrawable >= BigInt(total)
      assert(
        isEnough,
        `the refund takes ${total} of ${withdrawable}: transfer what lacks to contract:${ctx.contract} first`,
      )
      writeOrder(ctx, order, { ...content, status: 'refunded' })
      payOut(ctx, token, { to: buyer, amount: BigInt(total) })
      ctx.emit('Refunded', { order, buyer, total })
    },

    withdraw(ctx, args: { to: string; amount: string }) {
      const { token } = ownersSettings(ctx)
      const fields = fieldsOf(args, ['to', 'amount'])
      const to = accountOf(ctx, fields.to, 'to')
      const amount = amountOf(fields.amount, 'amount')
      const withdrawable = withdrawableOf(ctx, token)
      assert(
        amount <= withdrawable,
        `only ${withdrawable} can be withdrawn, not ${amount}: the rest is held for paid orders`,
      )
      payOut(ctx, token, { to, amount })
      ctx.emit('Withdrawn', { to, amount: amount.toString() })
    },

    setOwner(ctx, args: { owner: string }) {
      const settings = ownersSettings(ctx)
      const owner = accountOf(ctx, fieldsOf(args, ['owner']).owner, 'owner')
      writeSettings(ctx, { ...settings, owner })
      ctx.emit('OwnerChanged', { from: settings.owner, to: owner })
    },
  },

  views: {
    settings: readSettings,

    product(ctx, args: { product: string }) {
      const product = productOf(fieldsOf(args, ['product']).product)
      return { product, ...readProduct(ctx, product) }
    },

    products(ctx, args: { after?: string; limit?: number }) {
      const request = pageRequest(PRODUCTS, fieldsOf(args, ['after', 'limit']), productOf, SHORT_LIMITS)
      const { items, next } = pageOf(ctx.state, request, (product, content: Product) => ({ product, ...content }))
      return { products: items, next }
    },

    order(ctx, args: { order: number }) {
      const order = identifierOf(fieldsOf(args, ['order']).order, 'order')
      return { order, ...readOrder(ctx, order) }
    },

    /** Those of a buyer, or all. */
    orders(ctx, args: { buyer?: string; after?: number; limit?: number }) {
      const fields = fieldsOf(args, ['buyer', 'after', 'limit'])
      const base = fields.buyer === undefined ? ORDERS : ordersOfBuyer(accountOf(ctx, fields.buyer, 'buyer'))
      const { items, next } = numberedPageOf(ctx.state, base, fields, (order) => ({ order, ...readOrder(ctx, order) }))
      return { orders: items, next }
    },

    funds(ctx) {
      const { token } = readSettings(ctx)
      return { held: readHeld(ctx).toString(), withdrawable: withdrawableOf(ctx, token).toString() }
    },
  },
})
