// `quorate ledger import`: blocks of a file into the home of a stopped node, each checked and executed.
import { availableParallelism } from 'node:os'
import type { ImportReport } from '../audit/import.ts'
import { define, type Run } from './command.ts'
import { EXIT_FAILED, EXIT_OK } from './error.ts'
import { describeFault } from './ledger-fault.ts'
import { openLedgerHome } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { fields } from './table.ts'

interface ImportOptions {
  home: string
  from: string
}

const HELP = `
The node must be stopped; a home that \`quorate init\` just made will do, with the network's genesis.json in it. The file is read through
once before anything is written: one that is cut off, edited or of another network is refused. Then each block's certificate is checked, it
is executed, and written only when that gives the certified block. Blocks that are there already must be the same and are passed over, so
an import that was interrupted can be repeated. The consensus log is left alone: importing is no voting.

Exit code 0: every block of the file is in the ledger; 1: a fault; what comes before it is imported.
--json prints {ok, genesisHash, first, last, present, imported, transactions, head, certified, fault, seconds};
  fault is null or {height, part, expected, found, mend}.`

export function importCommand(run: Run) {
  return define<ImportOptions>(run, 'import', 'take the blocks of a file into a home', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the stopped node's home")
        .requiredOption('--from <file>', 'the file that `quorate ledger export` wrote')
        .addHelpText('after', HELP),
    async handle(context, _, { home, from: file }) {
      const [{ importBlocks }, { openConfig }, { settleSwap }] = await Promise.all([
        import('../audit/import.ts'),
        import('../home/home.ts'),
        import('../ledger-swap.ts'),
      ])
      const { genesis, paths } = await openLedgerHome(home, { runs: true })
      const { ledger: settings } = await openConfig(home, { environment: context.io.env })
      // A start would put another ledger in the place of the one imported into.
      await settleSwap(paths)
      const line = createProgressLine(context.io, 'importing')
      const startedAt = performance.now()
      const report = await importBlocks({
        directory: paths.ledger,
        genesis,
        file,
        historyBlocks: settings.historyBlocks,
        keepBlocks: settings.keepBlocks,
        workers: availableParallelism(),
        onProgress: line.heights,
      }).finally(line.end)
      const seconds = Math.round(performance.now() - startedAt) / 1_000
      context.print({ ok: report.fault === null, ...report, seconds }, describe(report, seconds))
      return report.fault === null ? EXIT_OK : EXIT_FAILED
    },
  })
}

function describe(report: ImportReport, seconds: number): string {
  const { genesisHash, first, last, present, imported, transactions, head, certified, fault } = report
  const text = fields([
    ['network', genesisHash],
    ['file', last < first ? 'no blocks' : `heights ${first} to ${last}`],
    ['imported', `${imported} blocks, ${transactions} transactions; ${present} blocks were there already`],
    ['ledger', `height ${head}, certified up to ${certified}`],
    ['seconds', seconds],
  ])
  if (fault === null) return text
  return `${text}\n\nIt ended at a fault:\n\n${describeFault(fault)}`
}
