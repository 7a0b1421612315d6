// `quorate tx submit`: the second of two steps; it needs no key.
import { readFile } from 'node:fs/promises'
import { define, type Run } from './command.ts'
import type { Context } from './context.ts'
import { CliError } from './error.ts'
import { wholeNumber } from './number.ts'
import { connectTo, genesisHashOption, printReceipt } from './sending.ts'

interface SubmitOptions {
  wait: boolean
  timeout: number
  genesisHash?: string
}

export function submitCommand(run: Run) {
  return define<SubmitOptions>(run, 'submit <tx>', 'send a signed transaction and wait for its certified receipt', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option('--no-wait', 'print the id once a node has taken it, without waiting for the receipt')
        .option('--timeout <ms>', 'how long to wait for the certified receipt', wholeNumber(1, 3_600_000), 60_000)
        .addOption(genesisHashOption())
        .addHelpText(
          'after',
          '\nTX is a file that `quorate tx sign` wrote, `-` for standard input, or the base64 text itself.',
        ),
    async handle(context, [tx], { wait, timeout, genesisHash }) {
      const wire = await readTransaction(context, tx!)
      const { client, saveHeights } = await connectTo(context, genesisHash)
      if (!wait) {
        const id = await client.hand(wire, { timeoutMs: timeout })
        context.print({ id }, id)
        return
      }
      const receipt = await client.submit(wire, { timeoutMs: timeout })
      await saveHeights()
      return printReceipt(context, receipt)
    },
  })
}

/** The output of `tx sign`, in either of its forms. */
async function readTransaction({ io }: Context, given: string): Promise<Uint8Array> {
  const text = (given === '-' ? await io.readInput() : await fileOrText(given)).trim()
  const { fromBase64 } = await import('../light/base64.ts')
  const wire = fromBase64(text.startsWith('{') ? fieldTx(text) : text)
  if (wire !== undefined && wire.length > 0) return wire
  throw new CliError(
    'MALFORMED',
    `${given.slice(0, 80)} holds no signed transaction: give the file or the text that \`quorate tx sign\` made`,
  )
}

async function fileOrText(given: string): Promise<string> {
  try {
    return await readFile(given, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENAMETOOLONG') return given
    throw error
  }
}

function fieldTx(text: string): unknown {
  try {
    return (JSON.parse(text) as { tx?: unknown }).tx
  } catch {
    return undefined
  }
}
