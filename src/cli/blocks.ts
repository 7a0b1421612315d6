// `quorate blocks` and `quorate block`: what was agreed, block by block.
import { define, type Run } from './command.ts'
import { usage } from './error.ts'
import { wholeNumber } from './number.ts'
import { cell, fields, shortHash, table } from './table.ts'

interface BlockDocument {
  height: number
  hash: string
  header: Record<string, unknown>
  transactions: string[]
  certificate: { signatures: { signer: number }[] } | null
}

export function blocksCommand(run: Run) {
  return define<{ from?: number; limit: number }>(run, 'blocks', 'list blocks', {
    needs: ['node'],
    set: (command) =>
      command
        .option('--from <height>', 'start at this height; without it, the newest blocks', wholeNumber(0))
        .option('--limit <count>', 'how many blocks', wholeNumber(1, 100), 20),
    async handle(context, _, { from, limit }) {
      const nodes = await context.nodes()
      const answer = (await nodes.read('/v1/blocks', { from, limit })) as { blocks: BlockDocument[] }
      const rows = answer.blocks.map((block) => [
        cell(block.height),
        shortHash(block.hash),
        cell(block.header.time),
        cell(block.transactions.length),
        shortHash(block.header.stateRoot),
      ])
      context.print(
        answer,
        rows.length === 0 ? 'no blocks' : table(['height', 'hash', 'time', 'transactions', 'state root'], rows),
      )
    },
  })
}

export function blockCommand(run: Run) {
  return define(run, 'block <height>', 'show one block; HEIGHT may be `latest`', {
    needs: ['node'],
    async handle(context, [height]) {
      if (!/^(latest|\d{1,16})$/.test(height!)) throw usage(`"${height}" is no height: give a whole number, or latest`)
      const nodes = await context.nodes()
      const block = (await nodes.read(`/v1/blocks/${height}`)) as BlockDocument
      context.print(block, blockText(block))
    },
  })
}

function blockText({ height, hash, header, transactions, certificate }: BlockDocument): string {
  const signers = certificate?.signatures.map(({ signer }) => signer).join(', ')
  const head = fields([
    ['height', height],
    ['hash', hash],
    ['parent', header.parentHash],
    ['time', header.time],
    ['proposer', header.proposer],
    ['epoch', header.epoch],
    ['tx root', header.txRoot],
    ['receipts root', header.receiptsRoot],
    ['state root', header.stateRoot],
    ['signed by', signers === undefined ? 'nobody (genesis)' : `validators ${signers}`],
    ['transactions', transactions.length],
  ])
  return [head, ...transactions.map((id) => `  ${id}`)].join('\n')
}
