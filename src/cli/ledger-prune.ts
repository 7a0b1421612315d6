// `quorate ledger prune`: forgets the old blocks of a stopped node.
import { define, type Run } from './command.ts'
import { openLedgerHome, requireLedger } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { wholeNumber } from './number.ts'
import { fields } from './table.ts'

interface PruneOptions {
  home: string
  before: number
}

const HELP = `
The node must be stopped. Batches, receipts and indexes of the blocks below the height go, and their headers and certificates, but for those
by which light clients cross epochs. The state stays. What went can be had again only by making the ledger anew from a node that has it;
\`quorate ledger export\` keeps it in a file. The last blocks stay in any case: as many as the state history (ledger.historyBlocks) and one snapshot
interval more than snapshots are kept (ledger.snapshots). The setting ledger.keepBlocks does the same while the node runs, a few blocks at a time.

--json prints {from, oldestBlock, bytesBefore, bytesAfter}: the lowest height with a whole block before and after, and the folder's size.`

export function pruneCommand(run: Run) {
  return define<PruneOptions>(run, 'prune', 'forget the blocks below a height', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the stopped node's home")
        .requiredOption('--before <height>', 'the lowest block to keep', wholeNumber(0))
        .addHelpText('after', HELP),
    async handle(context, _, { home, before }) {
      const [{ pruneLedger }, { openConfig }, { keepBlocksMin }] = await Promise.all([
        import('../ledger/pruning.ts'),
        import('../home/home.ts'),
        import('../limits.ts'),
      ])
      const opened = await openLedgerHome(home, { runs: false })
      await requireLedger(opened)
      const { genesis, genesisHash, paths } = opened
      const { ledger: settings } = await openConfig(home, { environment: context.io.env })
      const line = createProgressLine(context.io, 'pruning')
      const report = await pruneLedger({
        directory: paths.ledger,
        genesisHash,
        before,
        keepMin: keepBlocksMin(settings, genesis.parameters.snapshotIntervalBlocks),
        onProgress: ({ height, to }) => line.step(`pruning block ${height} of ${to}`),
      }).finally(line.end)
      const { from, oldestBlock, bytesBefore, bytesAfter } = report
      const text = fields([
        ['oldest block', from === oldestBlock ? `${oldestBlock}, as before` : `${oldestBlock}, before it was ${from}`],
        ['bytes', `${bytesAfter}, before ${bytesBefore}`],
      ])
      context.print(report, text)
    },
  })
}
