/** Count, sum, least and greatest of readings: what can be put together from parts, in any order. */
import { decimalOf, meanOf, unitsOfDecimal } from './decimal.ts'

export interface Aggregate {
  count: number
  sum: bigint
  min: bigint
  max: bigint
}

/** As the state keeps it, in decimals of the stream's scale. */
export interface StoredAggregate {
  count: number
  sum: string
  min: string
  max: string
}

/** Without readings there is no least, greatest or mean. */
export interface Summary {
  count: number
  sum: string
  min: string | null
  max: string | null
  mean: string | null
}

export function aggregateOf(units: bigint): Aggregate {
  return { count: 1, sum: units, min: units, max: units }
}

export function combine(one: Aggregate | undefined, other: Aggregate): Aggregate {
  if (one === undefined) return other
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    min: one.min < other.min ? one.min : other.min,
    max: one.max > other.max ? one.max : other.max,
  }
}

export function fromStored({ count, sum, min, max }: StoredAggregate): Aggregate {
  return { count, sum: unitsOfDecimal(sum), min: unitsOfDecimal(min), max: unitsOfDecimal(max) }
}

export function toStored({ count, sum, min, max }: Aggregate, scale: number): StoredAggregate {
  return { count, sum: decimalOf(sum, scale), min: decimalOf(min, scale), max: decimalOf(max, scale) }
}

export function summaryOf(aggregate: Aggregate | undefined, scale: number): Summary {
  if (aggregate === undefined) return { count: 0, sum: decimalOf(0n, scale), min: null, max: null, mean: null }
  const mean = meanOf(aggregate.sum, BigInt(aggregate.count))
  return { ...toStored(aggregate, scale), mean: decimalOf(mean, scale) }
}
