// What ends a node: a broken invariant or a failed write, told once.
import type { Logger } from 'pino'

export interface Fault {
  /** The first call ends the node; what fails because of it says nothing new. */
  report(error: unknown): void
  silence(): void
  message(): string | undefined
}

/** `onFatal` is called with the first fault. */
export function createFault(logger: Logger, onFatal?: (error: unknown) => void): Fault {
  let first: unknown
  let silent = false
  return {
    report(error) {
      if (silent) return
      silent = true
      first = error
      logger.fatal({ err: error }, 'the node cannot go on and stops')
      onFatal?.(error)
    },
    silence() {
      silent = true
    },
    message: () => (first === undefined ? undefined : first instanceof Error ? first.message : String(first)),
  }
}
