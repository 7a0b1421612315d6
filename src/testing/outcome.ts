// What a test sees of a transaction or a view.
import { relative } from 'node:path'
import type { StackFrame } from '../contract/positions.ts'
import { explain } from '../execution/codes.ts'
import type { ViewResult } from '../execution/query.ts'
import type { Receipt } from '../types/block.ts'
import type { Log, Observer } from './observer.ts'

// biome-ignore lint/suspicious/noExplicitAny: a contract decides what its results, events and values are; a test says what it expects.
type Value = any

/** A place in the contract's TypeScript: the file relative to the working directory; line and column from 1. */
export interface SourcePosition {
  file: string
  line: number
  column: number
}

export interface SourceFrame {
  name: string
  at?: SourcePosition
}

export interface CallError {
  /** As in a receipt: THROWN, OUT_OF_GAS, NOT_OWNER… */
  code: string
  /** The contract's own text, or the code's explanation. */
  message: string
  /** Where it was thrown. Absent where nothing was thrown, as when gas runs out, or what was thrown is no Error. */
  at?: SourcePosition
  /** The frames from there outwards, through the contracts that called one another. */
  stack: SourceFrame[]
}

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

interface Observed {
  observer: Observer
  frames: StackFrame[]
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

function callError({ code, message }: { code: string; message: string }, { observer, frames }: Observed): CallError {
  const { refusedCode } = observer
  const detail = code === 'CODE_INVALID' && refusedCode ? ` ${refusedCode.code}: ${refusedCode.message}` : ''
  const stack = frames.map(({ name, position }) => ({
    name,
    at: position && { ...position, file: relative(process.cwd(), position.file) },
  }))
  const at = stack.find((frame) => frame.at !== undefined)?.at
  return { code, message: message === '' ? explain(code) + detail : message, at, stack }
}

function seen({ reads, logs }: Observer): Pick<ViewOutcome, 'reads' | 'logs'> {
  const keys = [...reads].filter(([, set]) => set.size > 0).map(([contract, set]) => [contract, [...set]])
  return { reads: Object.fromEntries(keys), logs }
}

const parse = (bytes: Uint8Array): Value => JSON.parse(new TextDecoder().decode(bytes))
