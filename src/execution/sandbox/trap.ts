/**
 * Stops that contract code cannot catch. A Trap is thrown by an import and unwinds the WebAssembly frames under it, which
 * contain no handler; the instance is then thrown away, so nothing has to be put right inside it.
 */
import type { TrapCode } from './types.ts'

export class Trap extends Error {
  readonly code: TrapCode

  constructor(code: TrapCode) {
    super(code)
    this.code = code
  }
}

/** The trap an exception out of the engine stands for, or undefined where it is a bug of the host. */
export function trapOf(error: unknown): TrapCode | undefined {
  if (error instanceof Trap) return error.code
  if (error instanceof WebAssembly.RuntimeError) return 'ENGINE'
  // V8 reports its own exhausted stack with exactly this text; other RangeErrors are bugs.
  if (error instanceof RangeError && error.message === 'Maximum call stack size exceeded') return 'STACK'
  return undefined
}
