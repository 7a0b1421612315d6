// Genesis documents and validators' entries as files.
import { rename, writeFile } from 'node:fs/promises'
import type { Genesis } from '../types/epoch.ts'
import type { Context } from './context.ts'
import { CliError } from './error.ts'
import { readTextFile } from './io.ts'

/** A validator's public entry: a file, `-` for standard input, or the JSON itself. */
export async function readEntry({ io }: Context, given: string): Promise<unknown> {
  const text = given.trimStart().startsWith('{') ? given : await readDocumentText(io, given)
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = `${given.slice(0, 80)} is not JSON (${(cause as Error).message}): give what \`quorate init --json\` printed`
    throw new CliError('ENTRY_INVALID', message, { cause })
  }
}

export function readDocumentText(io: Context['io'], file: string): Promise<string> {
  return file === '-' ? io.readInput() : readTextFile(file)
}

/** Writes the document to the file, or to standard output, and says its hash. */
export async function writeDocument(context: Context, genesis: Genesis, file: string | undefined): Promise<void> {
  const { formatGenesis } = await import('../genesis/document.ts')
  const { genesisHash: hash } = await import('../crypto/digest.ts')
  const text = formatGenesis(genesis)
  if (file === undefined || file === '-') {
    // The document is the one JSON document, with --json or without.
    context.io.out(text)
    context.note(`genesis hash ${hash(genesis)}`)
    return
  }
  const temporary = `${file}.${process.pid}.tmp`
  await writeFile(temporary, text)
  await rename(temporary, file)
  const validators = genesis.validators.length
  context.print(
    { file, genesisHash: hash(genesis), validators },
    `${file}: genesis hash ${hash(genesis)}, ${validators} validators`,
  )
}
