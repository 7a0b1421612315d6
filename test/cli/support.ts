// Runs the command line in this process, with an outside world that tests can look into.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Io, runCli } from '../../src/cli/index.ts'

export interface Result {
  exitCode: number
  out: string
  err: string
  /** The one JSON document on stdout. */
  // biome-ignore lint/suspicious/noExplicitAny: each command has a document of its own, and tests say what they expect of it.
  readonly json: any
}

export type Cli = (...argv: string[]) => Promise<Result>

/** A command line with these variables; `input` is what is piped in. */
export function createCli(env: Record<string, string> = {}, input = ''): Cli {
  return async (...argv) => {
    const result = {
      exitCode: 0,
      out: '',
      err: '',
      get json() {
        return JSON.parse(result.out)
      },
    }
    const io: Io = {
      out: (text) => {
        result.out += text
      },
      err: (text) => {
        result.err += text
      },
      env,
      readInput: async () => input,
    }
    result.exitCode = await runCli(argv, io)
    return result
  }
}

export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'quorate-cli-'))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
