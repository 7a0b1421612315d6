// The genesis document as a file: read within bounds, refused with every fault.
import { open } from 'node:fs/promises'
import { type CheckContext, describeFault, type ParsedGenesis, parseGenesis } from '../genesis/document.ts'
import { HomeError } from './error.ts'

/** More than any document within its own limits is likely to need, and little enough to hold in memory. */
const GENESIS_BYTES_MAX = 64 * 1024 * 1024

/** Throws a HomeError: `GENESIS_MISSING` with the given mend, or `GENESIS_INVALID` with every fault. */
export async function readGenesisFile(
  path: string,
  context: CheckContext,
  missingMend: string,
): Promise<ParsedGenesis & { text: string }> {
  const file = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause
    throw new HomeError('GENESIS_MISSING', `There is no genesis document at ${path}; ${missingMend}.`, { cause })
  })
  let text: string
  try {
    const { size } = await file.stat()
    if (size > GENESIS_BYTES_MAX) {
      const reason = `has ${size} bytes, at most ${GENESIS_BYTES_MAX} are read`
      throw new HomeError('GENESIS_INVALID', `The genesis document ${path} ${reason}; fetch the right file.`)
    }
    text = await file.readFile('utf8')
  } finally {
    await file.close()
  }
  const parsed = parseGenesis(text, context)
  if (parsed.ok) return { ...parsed, text }
  const errors = parsed.faults.filter(({ severity }) => severity === 'error').map(describeFault)
  throw new HomeError('GENESIS_INVALID', `The genesis document ${path} cannot be used: ${errors.join('; ')}.`)
}
