// A difference in words, for logs, /ready, /v1/status and the doctor.
import type { Difference } from '../types/divergence.ts'

const SHOWN_UNITS = 120

/** Of what precedes the place that matters, so much is shown. */
const SHOWN_BEFORE_UNITS = 40

/** A text as it fits in a line, cut so that the unit at `place` shows. */
export function shortened(text: string, place = 0): string {
  if (text.length <= SHOWN_UNITS) return text
  const from = Math.max(0, Math.min(place - SHOWN_BEFORE_UNITS, text.length - SHOWN_UNITS))
  const to = Math.min(text.length, from + SHOWN_UNITS)
  return `${from > 0 ? '…' : ''}${text.slice(from, to).toWellFormed()}${to < text.length ? '…' : ''}`
}

/** Both, cut so that their first difference shows. */
export function shortenedPair(one: string, other: string): [string, string] {
  let place = 0
  while (place < one.length && one[place] === other[place]) place++
  return [shortened(one, place), shortened(other, place)]
}

/** From "the first difference" on, without a full stop. */
export function describeDifference(difference: Difference): string {
  const { height, fields, transaction, confirmedBy, answered, note } = difference
  const parts = [`block ${height} differs in ${fields.join(', ')}`]
  if (transaction !== null) {
    const { index, id, contract, method } = transaction
    parts.push(`the first transaction whose effect differs is number ${index}, ${id}, ${contract}.${method}`)
    parts.push(...effectTexts(difference))
    parts.push(`${confirmedBy.length} of ${answered} peers that answered say so: ${confirmedBy.join(', ')}`)
  }
  if (note !== '') parts.push(note)
  return parts.join('; ')
}

function effectTexts({ key, receipt, isProven }: Difference): string[] {
  const texts: string[] = []
  if (key !== null) {
    const valueText = (value: string | null) => (value === null ? 'absent' : value)
    texts.push(
      `its first key that differs is ${key.key} of ${key.contract}: ${valueText(key.ours)} here, ${valueText(key.theirs)} there`,
    )
  }
  if (receipt.length > 0) texts.push(`its receipts differ in ${receipt.join(', ')}`)
  else if (isProven) texts.push('its receipts differ')
  return texts
}
