/** Reads what the prelude's functions return: 'u', 'v' and JSON text, 's' and a text, or 'e', a code, a line feed and a message. */
import type { Pointer } from './engine.ts'
import { type Meter, price } from './gas.ts'
import { MESSAGE_BYTES_MAX, RESULT_BYTES_MAX } from './limits.ts'
import { type Machine, OutOfHeap } from './machine.ts'
import { clipText } from './text.ts'
import type { FailureCode, Outcome } from './types.ts'

export type Reply = { value: string | null } | { code: string; message: string }

export function readReply(machine: Machine, value: Pointer): Reply {
  // The prelude catches everything, so what still gets out is the heap being too full for its answer.
  const exhausted = { code: 'OUT_OF_MEMORY', message: '' }
  if (machine.engine.qjs_is_exception(value) !== 0) return exhausted
  try {
    const text = machine.readText(value)
    if (text === undefined) throw new Error('the contract prelude answered with half of a surrogate pair')
    if (text === 'u') return { value: null }
    if (text.startsWith('s')) return { value: JSON.stringify(text.slice(1)) }
    if (text.startsWith('v')) return { value: text.slice(1) }
    const lineEnd = text.indexOf('\n')
    return { code: text.slice(1, lineEnd), message: clipText(text.slice(lineEnd + 1), MESSAGE_BYTES_MAX) }
  } catch (error) {
    if (error instanceof OutOfHeap) return exhausted
    throw error
  }
}

/** A result is kept by every node, so it costs what a written value costs. */
export function readOutcome(machine: Machine, value: Pointer, meter: Meter): Outcome {
  const reply = readReply(machine, value)
  // The codes come from the prelude, which writes no others.
  if ('code' in reply) {
    return { status: 'failed', code: reply.code as FailureCode, message: reply.message, gasUsed: meter.used }
  }
  const bytes = reply.value === null ? 0 : Buffer.byteLength(reply.value)
  if (bytes > RESULT_BYTES_MAX) return { status: 'failed', code: 'LIMIT', message: '', gasUsed: meter.used }
  meter.charge(price.writtenByte * bytes)
  return { status: 'ok', result: reply.value, gasUsed: meter.used }
}
