// `quorate state`: a contract's stored values.
import { define, group, type Run } from './command.ts'
import type { Context } from './context.ts'
import { wholeNumber } from './number.ts'
import { provenText } from './proof-text.ts'
import { connectTo, genesisHashOption } from './sending.ts'
import { cell, table } from './table.ts'

export function stateCommands(run: Run) {
  return group('state', "read a contract's stored values", [getCommand(run), scanCommand(run)])
}

interface GetOptions {
  height?: number
  prove?: boolean
  genesisHash?: string
}

function getCommand(run: Run) {
  return define<GetOptions>(run, 'get <contract> <key>', 'read one value', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option('--height <height>', 'as of this height', wholeNumber(0))
        .option(
          '--prove',
          'fetch the proof and verify it here, also that there is no value; with --json, print the proof bundle',
        )
        .addOption(genesisHashOption()),
    async handle(context, [contract, key], { height, prove, genesisHash }) {
      if (prove) return proveValue(context, { contract: contract!, key: key!, height }, genesisHash)
      const { createReader } = await import('../client/reader.ts')
      const { rememberHeights } = await import('./heights.ts')
      const nodes = await context.nodes()
      const heights = await rememberHeights(context, nodes)
      const answer = await createReader(nodes).state(contract!, key!, { height })
      await heights.save()
      context.print(answer, cell(answer.value))
    },
  })
}

async function proveValue(
  context: Context,
  { contract, key, height }: { contract: string; key: string; height: number | undefined },
  genesisHash: string | undefined,
): Promise<void> {
  const { client, saveHeights } = await connectTo(context, genesisHash)
  const { prover } = client.parts
  const { document, proven } = await prover.state(contract, key, height)
  await saveHeights()
  const text = await provenText({ kind: 'state', ...proven })
  context.print(context.json && (await prover.bundle('state', document)), text)
}

function scanCommand(run: Run) {
  return define<{ prefix?: string; after?: string; limit: number }>(
    run,
    'scan <contract>',
    'list values in the order of their keys',
    {
      needs: ['node', 'keystore'],
      set: (command) =>
        command
          .option('--prefix <text>', 'only keys that start with this')
          .option('--after <key>', 'only keys after this one, to go on from the last page')
          .option('--limit <count>', 'how many values', wholeNumber(1, 100), 100),
      async handle(context, [contract], { prefix, after, limit }) {
        const { createReader } = await import('../client/reader.ts')
        const { rememberHeights } = await import('./heights.ts')
        const nodes = await context.nodes()
        const heights = await rememberHeights(context, nodes)
        const answer = await createReader(nodes).scan(contract!, { prefix, after, limit })
        await heights.save()
        const rows = answer.entries.map(({ key, value }) => [key, JSON.stringify(value)])
        context.print(answer, rows.length === 0 ? 'no values' : table(['key', 'value'], rows))
      },
    },
  )
}
