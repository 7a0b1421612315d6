// A frame is one running call: its contract, its layer of writes, its events. Closing it hands both to the frame below; a frame that
// is not closed leaves nothing behind.
import type { ContractEvent } from '../types/block.ts'
import type { Journal } from './journal.ts'
import { EVENTS_BYTES_MAX, EVENTS_MAX } from './limits.ts'
import { utf8Bytes, utf8Length } from './utf8.ts'

export interface Frame {
  /** The contracts that are running, outermost first; the last is this frame's own. */
  readonly stack: readonly string[]
  readonly journal: Journal
  readonly events: ContractEvent[]
  /** Events and their bytes in this frame and those below it. */
  eventCount: number
  eventBytes: number
  /** More was emitted than a receipt may carry; what is over is not kept. */
  hasTooManyEvents: boolean
}

/** What a transaction starts from: no contract is running yet. */
export function rootFrame(journal: Journal): Frame {
  return { stack: [], journal, events: [], eventCount: 0, eventBytes: 0, hasTooManyEvents: false }
}

export function openFrame(below: Frame, contract: string): Frame {
  return { ...below, stack: [...below.stack, contract], journal: below.journal.open(), events: [] }
}

export function closeFrame(frame: Frame, below: Frame): void {
  frame.journal.merge()
  for (const event of frame.events) below.events.push(event)
  below.eventCount = frame.eventCount
  below.eventBytes = frame.eventBytes
  below.hasTooManyEvents = frame.hasTooManyEvents
}

export function emitEvent(frame: Frame, name: string, json: string): void {
  const data = utf8Bytes(json)
  frame.eventCount++
  frame.eventBytes += data.length + utf8Length(name)
  if (frame.eventCount > EVENTS_MAX || frame.eventBytes > EVENTS_BYTES_MAX) frame.hasTooManyEvents = true
  else frame.events.push({ contract: frame.stack.at(-1)!, name, data })
}
