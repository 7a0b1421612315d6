// What a command refuses, and how any error becomes the one line that people read.

import { plain } from './table.ts'

/** Exit codes: 0 done, 1 failed, 2 asked wrongly. */
export const EXIT_OK = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2

export class CliError extends Error {
  readonly code: string
  readonly exitCode: number

  constructor(code: string, message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'CliError'
    this.code = code
    this.exitCode = options.exitCode ?? EXIT_FAILED
  }
}

/** The command was asked in a way it does not understand. */
export function usage(message: string): CliError {
  return new CliError('USAGE', message, { exitCode: EXIT_USAGE })
}

/** System errors say what the system said; here they are told in words, with what to do. */
const SYSTEM_REASONS: Record<string, string> = {
  EACCES: 'permission is denied: run as the user who owns it, or choose another place',
  EPERM: 'permission is denied: run as the user who owns it, or choose another place',
  ENOENT: 'there is no such file or folder: check the path',
  ENOTDIR: 'a part of the path is not a folder: check the path',
  EISDIR: 'it is a folder, a file was expected: check the path',
  ENOSPC: 'the disk is full: make room and try again',
  LEVEL_IO_ERROR: 'the disk refused it: make room if it is full, else check the disk, and try again',
  EADDRINUSE: 'the address is in use: stop the other program, or choose another port',
  EROFS: 'the file system is read-only: choose another place',
}

const UNREACHABLE_MEND = 'start one with `quorate devnet` or `quorate start`, or name another with --node'

/** One line: the thing, the reason, the mend, and the stable code at its end. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error))
  const { code, path, message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  const reason = code === undefined ? undefined : SYSTEM_REASONS[code]
  const place = address === undefined ? message : `${address}:${port}`
  if (reason !== undefined) return oneLine(`${path ?? place}: ${reason} (${code})`)
  if (code === 'UNREACHABLE') return oneLine(`${message}: ${UNREACHABLE_MEND} (${code})`)
  return oneLine(typeof code === 'string' && !message.includes(`(${code})`) ? `${message} (${code})` : message)
}

/** The stack of an error and of everything that caused it. */
export function describeStack(error: unknown): string {
  const parts: string[] = []
  let current = error
  // Causes could form a ring.
  for (let depth = 0; depth < 10 && current !== undefined && current !== null; depth++) {
    parts.push(current instanceof Error ? (current.stack ?? current.message) : String(current))
    current = current instanceof Error ? current.cause : undefined
  }
  return parts.join('\ncaused by: ')
}

/** What other parts refuse of what was written on the command line. */
const USAGE_CODES = new Set<unknown>(['BAD_ENDPOINT', 'KEY_NAME_INVALID'])

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode
  return USAGE_CODES.has((error as { code?: unknown } | null)?.code) ? EXIT_USAGE : EXIT_FAILED
}

function oneLine(text: string): string {
  return plain(text.replace(/\s*\n\s*/g, '; ').trim())
}
