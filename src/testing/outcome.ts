// What a test sees of a transaction or a view.
import type { Observed } from '../diagnosis/execute.ts'
import { type CallError, callError } from '../diagnosis/failure.ts'
import type { Log, Observer } from '../diagnosis/observer.ts'
import type { ViewResult } from '../execution/query.ts'
import type { Receipt } from '../types/block.ts'

// biome-ignore lint/suspicious/noExplicitAny: a contract decides what its results, events and values are; a test says what it expects.
type Value = any

export interface EmittedEvent {
  contract: string
  name: string
  data: Value
}

/** `before` or `after` is undefined where there is no entry. */
export interface Change {
  before: Value
  after: Value
}

export interface ViewOutcome {
  status: 'ok' | 'failed'
  /** Null where the view returned nothing. */
  result: Value
  gasUsed: number
  /** Null when it ended well. */
  error: CallError | null
  /** By contract, the keys it looked at. */
  reads: Record<string, string[]>
  /** What contracts wrote to the console. */
  logs: Log[]
}

/** Of one transaction, as its receipt says it, and what the receipt does not say. */
export interface CallOutcome extends Omit<ViewOutcome, 'status'> {
  /** A skipped transaction did not run: its nonce, or its expiry, was not right. */
  status: Receipt['status']
  txId: string
  height: number
  events: EmittedEvent[]
  /** By contract and key, what is different after it. The sender's nonce, which always is, is left out. */
  changes: Record<string, Record<string, Change>>
}

export function callOutcome(
  receipt: Receipt,
  { height, changes, observer, frames }: Observed & Pick<CallOutcome, 'height' | 'changes'>,
): CallOutcome {
  const { status, txId, gasUsed, result, events } = receipt
  return {
    status,
    txId,
    height,
    gasUsed,
    result: result.length === 0 ? null : parse(result),
    error: status === 'ok' ? null : callError(receipt, { observer, frames }),
    events: events.map(({ contract, name, data }) => ({ contract, name, data: parse(data) })),
    changes,
    ...seen(observer),
  }
}

export function viewOutcome(view: ViewResult, observed: Observed): ViewOutcome {
  const { gasUsed } = view
  const common = { gasUsed, ...seen(observed.observer) }
  if (!view.ok) return { status: 'failed', result: null, error: callError(view, observed), ...common }
  return { status: 'ok', result: view.result === null ? null : JSON.parse(view.result), error: null, ...common }
}

function seen({ reads, logs }: Observer): Pick<ViewOutcome, 'reads' | 'logs'> {
  const keys = [...reads].filter(([, set]) => set.size > 0).map(([contract, set]) => [contract, [...set]])
  return { reads: Object.fromEntries(keys), logs }
}

const parse = (bytes: Uint8Array): Value => JSON.parse(new TextDecoder().decode(bytes))
