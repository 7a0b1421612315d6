// `quorate tx replay`: a certified transaction run again on this machine, from what it read on the ledger.

import type { ReplayRecord } from '../client/replay.ts'
import type { ProvenTransaction, TransactionDocument } from '../light/transaction.ts'
import type { Genesis } from '../types/epoch.ts'
import { define, type Run } from './command.ts'
import type { Context } from './context.ts'
import { EXIT_FAILED, EXIT_OK } from './error.ts'
import { type ReplayDocument, replayText } from './replay-text.ts'
import { connectTo, genesisHashOption } from './sending.ts'
import { checkTransactionId } from './transaction-id.ts'

interface ReplayOptions {
  inspectSource?: string[]
  genesisHash?: string
}

const HELP = `
The transaction and its receipt are proven; the state it read, the hashes of code among it, is one node's word. The exit code is 0 when
this run gives the certified receipt, whatever that is, and 1 when it does not; what differs is then said.

  quorate tx replay ID --inspect-source contracts/token

bundles that source and shows where in it the contract threw. Give it several times for contracts that call others.`

export function replayCommand(run: Run) {
  return define<ReplayOptions>(run, 'replay <id>', 'run a certified transaction again here and look into it', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option(
          '--inspect-source <path>',
          'source of a contract that ran, for its TypeScript lines',
          (path: string, earlier: string[] = []) => [...earlier, path],
        )
        .addOption(genesisHashOption())
        .addHelpText('after', HELP),
    async handle(context, [id], { inspectSource = [], genesisHash }) {
      checkTransactionId(id!)
      const document = await replayOf(context, { id: id!, paths: inspectSource, genesisHash })
      context.print(document, replayText(document))
      return document.matches ? EXIT_OK : EXIT_FAILED
    },
  })
}

async function replayOf(
  context: Context,
  { id, paths, genesisHash }: { id: string; paths: string[]; genesisHash: string | undefined },
): Promise<ReplayDocument> {
  const [{ verifyTransaction }, { readReplay }, { verify }] = await Promise.all([
    import('../light/transaction.ts'),
    import('../client/replay.ts'),
    import('../crypto/signer.ts'),
  ])
  const { client, saveHeights } = await connectTo(context, genesisHash)
  const { nodes } = client.parts
  const { genesis, validators } = client.trust
  const { proof, ...document } = (await nodes.read(`/v1/transactions/${id}`, { prove: true })) as TransactionDocument
  const proven = verifyTransaction({ ...document, proof }, id, client.trust, verify)
  nodes.sawHeight(proven.height)
  await saveHeights()
  const { signatures } = (proof as { certificate: { signatures: unknown[] } }).certificate
  const certificate = { signatures: signatures.length, validators: validators.length }
  if (proven.receipt.status === 'skipped') return { ...withoutRun(document, proven), certificate }
  const record = readReplay(await nodes.read(`/v1/transactions/${id}/replay`), proven)
  return { ...(await runAgain(proven, record, { genesis, paths })), certificate }
}

type Outcome = Omit<ReplayDocument, 'certificate'>

async function runAgain(
  { transaction, receipt: certified, height, index, time }: ProvenTransaction,
  record: ReplayRecord,
  { genesis, paths }: { genesis: Genesis; paths: string[] },
): Promise<Outcome> {
  const [{ replay, differencesOf }, { loadSources }, { transactionJson }, { engineHash }, { explain }] =
    await Promise.all([
      import('../diagnosis/replay.ts'),
      import('../diagnosis/sources.ts'),
      import('../api/json.ts'),
      import('../execution/engine-hash.ts'),
      import('../execution/codes.ts'),
    ])
  const { sources, positionsOf } = await loadSources(paths, record, transaction.contract)
  const { parameters } = genesis
  const { receipt, error, reads, writes, logs, missing } = replay({
    record,
    parameters,
    block: { height, time },
    transaction,
    positionsOf,
  })
  const differences = [
    ...differencesOf(receipt, certified),
    ...missing.map((key) => `state: this run asks for ${key}, which the node’s record does not hold`),
  ]
  if (differences.length > 0 && engineHash() !== genesis.engineHash)
    differences.push('engine: this program has another one than the network: use the version that its nodes run')
  return {
    ...transactionJson(transaction, receipt, { height, index }, explain),
    error,
    matches: differences.length === 0,
    differences,
    reads,
    writes,
    logs,
    sources,
    note: null,
  }
}

/** What kept a transaction from running needs no run to be shown. */
function withoutRun(document: TransactionDocument, { receipt, transaction, height }: ProvenTransaction): Outcome {
  const { nonce, expires } = transaction
  const reasons: Record<string, string> = {
    NONCE_USED: `its nonce ${nonce} was used before this place`,
    EXPIRED: `it could run up to block ${expires}, and this is block ${height}`,
    NONCE_GAP: `its nonce is ${nonce}, and one below it had not run yet`,
  }
  return {
    ...document,
    error: { ...document.error!, stack: [] },
    matches: true,
    differences: [],
    reads: [],
    writes: [],
    logs: [],
    sources: [],
    note: `It did not run, so there is nothing to replay: ${reasons[receipt.code] ?? receipt.code}.`,
  }
}
