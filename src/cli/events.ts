// `quorate events`: what happens on the ledger, line by line, as it is certified.
import type { Client } from '../client/index.ts'
import { CONTRACT_NAME } from '../types/transaction.ts'
import { define, type Run } from './command.ts'
import type { Context } from './context.ts'
import { usage } from './error.ts'
import { wholeNumber } from './number.ts'
import { itemText, verifiedText } from './proof-text.ts'
import { connectTo, genesisHashOption } from './sending.ts'
import { plain } from './table.ts'

interface Options {
  contract?: string
  name?: string
  from?: number
  to?: number
  prove?: boolean
  genesisHash?: string
}

export function eventsCommand(run: Run) {
  return define<Options>(run, 'events', 'follow blocks, transactions and contract events', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option('--contract <name>', 'only events of this contract, and without --prove the transactions that call it')
        .option('--name <name>', 'only contract events of this name')
        .option('--from <height>', 'begin at this height; without it, with the next block', wholeNumber(0))
        .option('--to <height>', 'end with this height; without it, when stopped', wholeNumber(0))
        .option('--prove', 'verify here that every event is there and none is invented')
        .addOption(genesisHashOption())
        .addHelpText(
          'after',
          '\nWith --json, one JSON document a line. With --prove --json --to, each line is a proof bundle of a range of blocks with\nall that happened in them, for `quorate verify`.',
        ),
    async handle(context, _, options) {
      const { contract, name, from, to, prove = false, genesisHash } = options
      if (contract !== undefined && !CONTRACT_NAME.test(contract)) throw usage(`"${contract}" is no contract's name`)
      if (to !== undefined && to < (from ?? 0)) throw usage(`--to ${to} lies before --from ${from}: give a later one`)
      const { client, saveHeights } = await connectTo(context, genesisHash)
      if (prove && context.json && to !== undefined) await printBundles(context, client, { contract, name, from, to })
      else await printItems(context, client, { contract, name, from, to, prove })
      await saveHeights()
    },
  })
}

async function printItems(context: Context, client: Client, options: Omit<Options, 'genesisHash'>): Promise<void> {
  const onProblem = ({ message }: Error) => context.note(plain(`asking another node, since ${message}`))
  for await (const item of client.events({ ...options, onProblem })) context.print(item, itemText(item))
}

/** A height that nobody has certified yet comes later. */
function orWait(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== 'TIMEOUT') throw error
}

/** A bundle is of whole blocks: a filter would leave out what proves that nothing is left out. */
async function printBundles(context: Context, client: Client, { contract, name, from, to }: Options & { to: number }) {
  if (contract !== undefined || name !== undefined) {
    throw usage('a proof bundle is of all events of its blocks: leave out --contract and --name')
  }
  const { prover } = client.parts
  for (let next = from ?? to; next <= to; ) {
    const answer = await prover.range(next, to).catch(orWait)
    if (answer === undefined) continue
    const { document, proven } = answer
    context.print(await prover.bundle('events', document), '')
    context.note(verifiedText(proven))
    next = proven.to + 1
  }
}
