/** Decimal numbers with a fixed number of decimals, as integers of the smallest unit: "12.5" at scale 3 is 12500n. */
import { matchOf, refuse, shown } from '../shared/arguments.ts'

export const SCALE_MAX = 18
/** Before the point: 10^30 is beyond what anyone measures, and sums of it stay short. */
const DIGITS_MAX = 30
const DECIMAL = {
  pattern: new RegExp(`^-?(0|[1-9][0-9]{0,${DIGITS_MAX - 1}})(\\.[0-9]{1,${SCALE_MAX}})?$`),
  form: `a decimal string such as "-12.5", of at most ${DIGITS_MAX} digits before the point`,
}

/** Never rounds: a value with more decimals than the scale is refused, trailing zeros apart. */
export function unitsOf(value: unknown, label: string, scale: number): bigint {
  const [whole, decimals = ''] = matchOf(value, label, DECIMAL).split('.') as [string, string?]
  if (!/^0*$/.test(decimals.slice(scale))) {
    refuse(`${label} is ${shown(value)}: the stream keeps ${scale} decimals, so round it to them first`)
  }
  return BigInt(whole + decimals.slice(0, scale).padEnd(scale, '0'))
}

/** With all its decimals, so that one number has one text. */
export function decimalOf(units: bigint, scale: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0')
  const sign = units < 0n ? '-' : ''
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** What `decimalOf` gave. */
export function unitsOfDecimal(decimal: string): bigint {
  return BigInt(decimal.replace('.', ''))
}

/** Rounded to the nearest unit, halves to the even one, which favours neither side. */
export function meanOf(sum: bigint, count: bigint): bigint {
  const quotient = sum / count
  const rest = sum % count
  const twice = 2n * (rest < 0n ? -rest : rest)
  const isUp = twice > count || (twice === count && quotient % 2n !== 0n)
  if (!isUp) return quotient
  return sum < 0n ? quotient - 1n : quotient + 1n
}
