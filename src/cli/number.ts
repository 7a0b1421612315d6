// Whole numbers as options and arguments.
import { InvalidArgumentError } from 'commander'

/** A parser for commander: a whole number between the bounds. */
export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `Expected a whole number from ${min}.`
        : `Expected a whole number from ${min} to ${max}.`,
    )
  }
}
