// A fault of a ledger as text.
import type { Fault } from '../audit/finding.ts'
import { fields } from './table.ts'

export function describeFault({ height, part, expected, found, mend }: Fault): string {
  const where = fields([
    ['height', height],
    ['part', part],
    ['expected', expected],
    ['found', found],
  ])
  return `${where}\n\n${mend}`
}
