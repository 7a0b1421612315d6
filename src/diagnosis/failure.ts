// Why a transaction or view failed, for people: the code, its words, and the TypeScript that threw.
import { relative } from 'node:path'
import { explain } from '../execution/codes.ts'
import type { Observed } from './execute.ts'

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

export function callError(
  { code, message }: { code: string; message: string },
  { observer, frames }: Observed,
): CallError {
  const { refusedCode } = observer
  const detail = code === 'CODE_INVALID' && refusedCode ? ` ${refusedCode.code}: ${refusedCode.message}` : ''
  const stack = frames.map(({ name, position }) => ({
    name,
    at: position && { ...position, file: relative(process.cwd(), position.file) },
  }))
  const at = stack.find((frame) => frame.at !== undefined)?.at
  return { code, message: message === '' ? explain(code) + detail : message, at, stack }
}
