// Lets votes go first: threads that may be busy for long, executing blocks or answering views, step back where cores are short.
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/**
 * Raises the niceness of the calling thread, 0 to 19 (setpriority(2): on Linux it counts for one thread, by its id). Elsewhere, and where
 * that is not allowed, all threads stay equal.
 */
export function stepBack(niceness: number): void {
  try {
    // For example 4711/task/4713; read by the thread itself.
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1))
    if (Number.isSafeInteger(thread)) setPriority(thread, niceness)
  } catch {
    // No /proc, or not allowed: nothing depends on it but how soon votes leave on a busy machine.
  }
}
