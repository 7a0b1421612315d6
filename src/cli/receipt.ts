// A transaction and its outcome, for people.
import type { TransactionDocument } from '../light/transaction.ts'
import { EXIT_FAILED, EXIT_OK } from './error.ts'
import { cell, fields, plain } from './table.ts'

const ARGS_LENGTH_MAX = 300

export function receiptText(document: TransactionDocument, { isIndexProven = true } = {}): string {
  const { error, events } = document
  const doubt = isIndexProven ? '' : ' (not proven: with another number of transactions in the block it would differ)'
  const head = fields([
    ['status', document.status],
    ['id', document.id],
    ['block', `${document.height}, position ${document.index}${doubt}`],
    ['sender', document.sender],
    ['nonce', document.nonce],
    ['call', `${document.contract}.${document.method} ${shortened(document.args)}`],
    ['gas used', document.gasUsed],
    ['error', error === null ? undefined : `${error.message} (${error.code})`.trim()],
    ['result', document.result === null ? undefined : cell(document.result)],
  ])
  const lines = events.map(({ contract, name, data }) => plain(`event   ${contract}.${name} ${shortened(data)}`))
  return [head, ...lines].join('\n')
}

/** A receipt that is not ok is a failure of the command, though the ledger took the transaction. */
export function exitCodeOfReceipt({ status }: Pick<TransactionDocument, 'status'>): number {
  return status === 'ok' ? EXIT_OK : EXIT_FAILED
}

/** Deployed code is an argument too. */
function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? ''
  return text.length <= ARGS_LENGTH_MAX ? text : `${text.slice(0, ARGS_LENGTH_MAX)}… (${text.length} characters)`
}
