// `quorate tx show` and `quorate tx list`.

import type { TransactionDocument } from '../light/transaction.ts'
import { resolveAccount } from './arguments.ts'
import { define, type Run } from './command.ts'
import { rememberHeights } from './heights.ts'
import { wholeNumber } from './number.ts'
import { provenText } from './proof-text.ts'
import { receiptText } from './receipt.ts'
import { connectTo, genesisHashOption } from './sending.ts'
import { cell, table } from './table.ts'
import { checkTransactionId } from './transaction-id.ts'

export function showCommand(run: Run) {
  return define<{ prove?: boolean; genesisHash?: string }>(run, 'show <id>', 'show a transaction and its receipt', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option('--prove', 'fetch the proof and verify it here; with --json, print the proof bundle')
        .addOption(genesisHashOption()),
    async handle(context, [id], { prove, genesisHash }) {
      checkTransactionId(id!)
      if (prove) {
        const { client, saveHeights } = await connectTo(context, genesisHash)
        const { document, proven } = await client.parts.prover.transaction(id!)
        await saveHeights()
        const text = await provenText({ kind: 'transaction', ...proven })
        context.print(context.json && (await client.parts.prover.bundle('transaction', document)), text)
        return
      }
      const nodes = await context.nodes()
      await rememberHeights(context, nodes)
      const document = (await nodes.read(`/v1/transactions/${id}`)) as TransactionDocument
      context.print(document, receiptText(document))
    },
  })
}

interface ListOptions {
  sender?: string
  contract?: string
  fromPlace?: string
  limit: number
}

export function listCommand(run: Run) {
  return define<ListOptions>(run, 'list', 'list transactions, newest first', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option('--sender <address>', 'only of this account; @NAME stands for a key')
        .option('--contract <name>', 'only to this contract')
        .option('--from-place <place>', 'start at a height, or at HEIGHT-INDEX as `next` gives it')
        .option('--limit <count>', 'how many', wholeNumber(1, 100), 20),
    async handle(context, _, { sender, contract, fromPlace, limit }) {
      const address = sender === undefined ? undefined : await resolveAccount(context, sender)
      const nodes = await context.nodes()
      await rememberHeights(context, nodes)
      const query = { sender: address, contract, from: fromPlace, limit }
      const answer = (await nodes.read('/v1/transactions', query)) as {
        transactions: TransactionDocument[]
        next: string | null
      }
      const rows = answer.transactions.map((tx) => [
        `${tx.height}-${tx.index}`,
        tx.id,
        tx.status,
        `${tx.contract}.${tx.method}`,
        cell(tx.gasUsed),
        tx.sender,
      ])
      context.print(
        answer,
        rows.length === 0 ? 'no transactions' : table(['place', 'id', 'status', 'call', 'gas', 'sender'], rows),
      )
    },
  })
}
