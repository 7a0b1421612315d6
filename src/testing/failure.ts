// The errors of the kit. A contract's failure is shown with its TypeScript lines, as a test runner shows those of the test itself.
import { resolve } from 'node:path'
import type { CallError, SourcePosition } from '../diagnosis/failure.ts'
import type { CallOutcome, ViewOutcome } from './outcome.ts'

/** A deploy, an upgrade, a `mustCall` or a `view` that did not end well. `code` is that of the receipt. */
export class CallFailed extends Error {
  readonly code: string
  readonly at: SourcePosition | undefined
  readonly outcome: CallOutcome | ViewOutcome

  constructor(what: string, outcome: CallOutcome | ViewOutcome) {
    const error = outcome.error!
    const place = error.at === undefined ? '' : ` (${placeText(error.at)})`
    super(`${what} failed with ${error.code}: ${error.message}${place}`)
    this.name = 'CallFailed'
    this.code = error.code
    this.at = error.at
    this.outcome = outcome
    this.stack = stackText(this, error)
  }
}

/** What no validator would take into a block: wrong input of the test, never the contract's doing. */
export class TransactionRefused extends Error {
  constructor(reason: string) {
    super(`no validator takes this into a block: ${reason}`)
    this.name = 'TransactionRefused'
  }
}

const placeText = ({ file, line, column }: SourcePosition) => `${file}:${line}:${column}`

/** The contract's frames before the test's own, so that a test runner shows the contract's line. */
function stackText(failed: Error, { stack }: CallError): string {
  const frames = stack.flatMap(({ name, at }) =>
    at === undefined ? [] : [`    at ${name || '<anonymous>'} (${placeText({ ...at, file: resolve(at.file) })})`],
  )
  const [, ...own] = (failed.stack ?? '').slice(failed.message.length).split('\n')
  return [`${failed.name}: ${failed.message}`, ...frames, ...own].join('\n')
}
