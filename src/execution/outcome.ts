// How a call ended, native ones included: the sandbox's outcome with the codes of execution beside its own.
import type { ReceiptCode } from './codes.ts'
import type { NestedOutcome, TrapCode } from './sandbox/types.ts'

export type Outcome =
  /** `result` is JSON text, null where there is none. */
  | { status: 'ok'; result: string | null; gasUsed: number }
  /** A caller may catch it. `message` is a contract's own text, otherwise empty. */
  | { status: 'failed'; code: ReceiptCode; message: string; gasUsed: number }
  /** Ends the transaction. */
  | { status: 'trap'; code: TrapCode; gasUsed: number }

export const failed = (code: ReceiptCode, gasUsed: number, message = ''): Outcome => ({
  status: 'failed',
  code,
  message,
  gasUsed,
})

/** A trap takes the whole limit: what really ran until then may differ from machine to machine (the engine's own stack). */
export const trap = (code: TrapCode, gasLimit: number): Outcome => ({ status: 'trap', code, gasUsed: gasLimit })

/** Whether the message is a contract's own, hence agreed. Any other text is wording, looked up by code and never hashed. */
export const hasOwnMessage = (code: ReceiptCode): boolean => code === 'THROWN' || code === 'NESTED'

/** What a calling contract sees. It sees the code in place of wording, which would enter the state through its handlers. */
export function nestedOutcome(outcome: Outcome): NestedOutcome {
  const { gasUsed } = outcome
  if (outcome.status === 'ok') return { kind: 'ok', result: outcome.result, gasUsed }
  if (outcome.status === 'trap') return { kind: 'trap', code: outcome.code, gasUsed }
  const message = hasOwnMessage(outcome.code) ? outcome.message : outcome.code
  return { kind: 'failed', code: outcome.code, message, gasUsed }
}
