// A replayed transaction, for people.

import type { CallError, SourceFrame } from '../diagnosis/failure.ts'
import type { Replay } from '../diagnosis/replay.ts'
import type { Source } from '../diagnosis/sources.ts'
import type { TransactionDocument } from '../light/transaction.ts'
import { receiptText } from './receipt.ts'
import { fields, shortHash, table } from './table.ts'

/** As the run on this machine gave it. */
export interface ReplayDocument
  extends Omit<TransactionDocument, 'proof' | 'error'>,
    Pick<Replay, 'reads' | 'writes' | 'logs'> {
  error: CallError | null
  /** Whether it is the certified receipt. */
  matches: boolean
  differences: string[]
  sources: Source[]
  certificate: { signatures: number; validators: number }
  /** Why nothing ran. */
  note: string | null
}

const VALUE_LENGTH_MAX = 60

export function replayText(document: ReplayDocument): string {
  const { error, reads, writes, logs, sources, note } = document
  const sections = [
    receiptText(document),
    thrownText(error, sources),
    section('reads', ['contract', 'key', 'value'], reads, ({ contract, key, value }) => [
      contract,
      printable(key),
      short(value),
    ]),
    section('writes', ['contract', 'key', 'before', 'after'], writes, ({ contract, key, before, after }) => [
      contract,
      printable(key),
      short(before),
      short(after),
    ]),
    section('console', ['contract', 'level', 'text'], logs, ({ contract, level, text }) => [
      contract,
      level,
      printable(text),
    ]),
    sources.map(sourceText).join('\n'),
    note ?? '',
    verdictText(document),
  ]
  return sections.filter((text) => text !== '').join('\n\n')
}

function thrownText(error: CallError | null, sources: readonly Source[]): string {
  if (error === null) return ''
  if (error.stack.length > 0) return `thrown at\n${error.stack.map((frame) => `  ${frameText(frame)}`).join('\n')}`
  const isThrown = ['THROWN', 'NESTED'].includes(error.code)
  return isThrown && sources.length === 0
    ? 'For the TypeScript line that threw, give the contract’s source with --inspect-source PATH.'
    : ''
}

function frameText({ name, at }: SourceFrame): string {
  const place = at === undefined ? 'unknown place' : `${at.file}:${at.line}:${at.column}`
  return `${place}${name === '' ? '' : ` in ${name}`}`
}

function section<Row>(title: string, heading: string[], rows: readonly Row[], cellsOf: (row: Row) => string[]): string {
  if (rows.length === 0) return ''
  const lines = table(heading, rows.map(cellsOf)).split('\n')
  return [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

function sourceText({ path, codeHash, isExact }: Source): string {
  if (isExact) return `source ${path} is the code that ran (hash ${shortHash(codeHash)}…)`
  return `source ${path} is not the code that ran (its hash is ${shortHash(codeHash)}…): lines may be off`
}

function verdictText({ height, certificate, matches, differences, note }: ReplayDocument): string {
  const { signatures, validators } = certificate
  const proven: [string, string] = ['proven', `block ${height} is signed by ${signatures} of ${validators} validators`]
  if (note !== null) return fields([proven])
  if (matches) return fields([proven, ['replayed', 'this run gave the certified receipt']])
  const differing = differences.map((text) => `  ${text}`).join('\n')
  return `${fields([proven, ['replayed', 'this run DIFFERS from the certified one']])}\n${differing}`
}

/** A contract's own text must neither break the table nor steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) =>
    JSON.stringify(character)
      .slice(1, -1)
      .replace(/^[^\\]$/, '\ufffd'),
  )
}

function short(json: string | null): string {
  if (json === null) return '-'
  const text = printable(json)
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX)}… (${text.length} characters)`
}
