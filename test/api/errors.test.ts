// docs/errors.md and the code tables say the same, in both directions.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { API_CODES, statusOf, titleOf } from '../../src/api/codes.ts'
import { documentOfError, Problem, problemDocument } from '../../src/api/problem.ts'
import { BACKUP_CODES } from '../../src/backup/error.ts'
import { RECEIPT_CODES } from '../../src/execution/codes.ts'
import { LedgerDamaged } from '../../src/ledger/errors.ts'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')

function rowsUnder(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading))
  if (section === undefined) throw new Error(`docs/errors.md has no section ${heading}`)
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((row) => row.slice(2, -2).split(' | '))
}

describe('docs/errors.md', () => {
  it('lists exactly the codes of the API, each with its status, a meaning and a mend', () => {
    const rows = rowsUnder('The HTTP API')
    const documented = rows.map(([code, status]) => `${code} ${status}`)
    const known = Object.entries(API_CODES).map(([code, { status }]) => `\`${code}\` ${status}`)
    expect(documented.sort()).toEqual(known.sort())
    for (const row of rows) expect(row.filter((cell) => cell.trim() !== '')).toHaveLength(4)
  })

  it('lists exactly the codes of receipts, with the explanations the node gives', () => {
    const documented = rowsUnder('Receipt codes').map(([code, text]) => [code, text])
    const known = Object.entries(RECEIPT_CODES).map(([code, text]) => [`\`${code}\``, text])
    expect(documented.sort()).toEqual(known.sort())
  })

  it('lists exactly the codes of backups, with their meanings', () => {
    const documented = rowsUnder('Backups').map(([code, text]) => [code, text])
    expect(documented).toEqual(Object.entries(BACKUP_CODES).map(([code, text]) => [`\`${code}\``, text]))
  })
})

describe('problem documents', () => {
  it('have the status of their code, also of a receipt’s', () => {
    expect(statusOf('NONCE_USED')).toBe(409)
    expect(statusOf('BAD_ARGUMENTS')).toBe(400)
    expect(statusOf('THROWN')).toBe(422)
    expect(titleOf('THROWN')).not.toBe('')
  })

  it('cannot have a standard member replaced', () => {
    const document = problemDocument('TIMEOUT', 'waited', { status: 1, code: 'X', id: 'a' })
    expect(document).toMatchObject({ status: 504, code: 'TIMEOUT', id: 'a', type: 'urn:quorate:problem:timeout' })
  })

  it('are made of refusals and of pruned reads, never of a bug', () => {
    expect(documentOfError(new Problem('DISK', 'full'))).toMatchObject({ code: 'DISK', status: 503 })
    const pruned = Object.assign(new Error('gone'), { code: 'PRUNED', oldestHeight: 7 })
    expect(documentOfError(pruned)).toMatchObject({ code: 'PRUNED', status: 410, oldestHeight: 7 })
    const damaged = new LedgerDamaged('The batch entry fails its checksum. Run `quorate ledger repair`.')
    expect(documentOfError(damaged)).toMatchObject({
      code: 'LEDGER_DAMAGED',
      status: 500,
      detail: expect.stringContaining('quorate ledger repair'),
    })
    expect(documentOfError(new TypeError('x is undefined'))).toBeUndefined()
  })
})
