// What is for sale. The stock of a product is what no order holds.
import { assert, type CallContext } from 'quorate/contract'
import { type Context, matchOf, wholeNumberOf } from '../shared/arguments.ts'

export interface Product {
  name: string
  /** For one. */
  price: string
  stock: number
}

/** Quantities stay far below 2^53, so that their sums are whole numbers too. */
export const QUANTITY_MAX = 1_000_000_000
export const PRODUCT_NAME_LENGTH_MAX = 100
const PRODUCT = {
  pattern: /^[a-z0-9][a-z0-9-]{0,39}$/,
  form: '1 to 40 of a-z, 0-9 and - that start with a letter or digit',
}

export const PRODUCTS = 'product/'
const productKey = (product: string) => PRODUCTS + product

export function productOf(value: unknown, label = 'product'): string {
  return matchOf(value, label, PRODUCT)
}

export function quantityOf(value: unknown): number {
  return wholeNumberOf(value, 'quantity', { min: 1, max: QUANTITY_MAX })
}

export const findProduct = (ctx: Context, product: string) => ctx.state.get<Product>(productKey(product))

export function readProduct(ctx: Context, product: string): Product {
  const found = findProduct(ctx, product)
  assert(found !== undefined, `there is no product ${product}: the view products lists them`)
  return found
}

export function writeProduct(ctx: CallContext, product: string, { name, price, stock }: Product): void {
  ctx.state.set(productKey(product), { name, price, stock })
}

/** More or less of what is free to be ordered. Below zero is what its callers refuse, each in its own words. */
export function changeStock(ctx: CallContext, product: string, by: number): void {
  const found = readProduct(ctx, product)
  writeProduct(ctx, product, { ...found, stock: found.stock + by })
}
