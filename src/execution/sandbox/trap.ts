/**
 * Stops that contract code cannot catch. A Trap is thrown by an import and unwinds the WebAssembly frames under it, which
 * contain no handler; the next call restores the whole instance, so nothing has to be put right inside it.
 */
import { meteringExports } from '../metering/index.ts'
import type { EngineExports } from './engine.ts'
import type { TrapCode } from './types.ts'

export class Trap extends Error {
  readonly code: TrapCode

  constructor(code: TrapCode) {
    super(code)
    this.code = code
  }
}

/** The trap an exception out of the engine stands for, or undefined where it is a bug of the host. */
export function trapOf(error: unknown, engine: EngineExports): TrapCode | undefined {
  if (error instanceof Trap) return error.code
  if (error instanceof WebAssembly.RuntimeError) {
    if (engine[meteringExports.gas]() < 0) return 'OUT_OF_GAS'
    return engine[meteringExports.calls]() < 0 ? 'STACK' : 'ENGINE'
  }
  // V8 reports its own exhausted stack with exactly this text. Where it gives out differs between nodes, so it is no outcome.
  if (error instanceof RangeError && error.message === 'Maximum call stack size exceeded') {
    throw new Error(
      'the thread that runs contracts has too small a stack: start it with resourceLimits { stackSizeMb: 32 }',
      { cause: error },
    )
  }
  return undefined
}
