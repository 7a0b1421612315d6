// What a command line has of the outside world. main.ts gives the process's own; tests give one that they can look into.
import { readFile } from 'node:fs/promises'
import type { ReadStream, WriteStream } from 'node:tty'

export interface Io {
  out(text: string): void
  err(text: string): void
  readonly env: Record<string, string | undefined>
  /** Absent where nobody sits at a terminal. */
  readonly terminal?: { input: ReadStream; output: WriteStream }
  /** Everything that is piped in. */
  readInput(): Promise<string>
}

export function processIo(): Io {
  const { stdin, stdout, stderr } = process
  // A reader that went away, such as `head`, is no fault of the command.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    env: process.env,
    terminal: stdin.isTTY && stderr.isTTY ? { input: stdin, output: stderr } : undefined,
    readInput,
  }
}

/** A file that a user named. The system does not say of which path it was that it is a folder. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw Object.assign(error as Error, { path })
  }
}

const INPUT_BYTES_MAX = 64 * 1024 * 1024

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes > INPUT_BYTES_MAX)
      throw new Error(`standard input has more than ${INPUT_BYTES_MAX} bytes: pipe in the right file`)
  }
  return Buffer.concat(chunks).toString('utf8')
}
