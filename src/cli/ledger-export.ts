// `quorate ledger export`: the certified blocks of a stopped node in one file.
import { resolve } from 'node:path'
import { define, type Run } from './command.ts'
import { usage } from './error.ts'
import { openLedgerHome, requireLedger } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { wholeNumber } from './number.ts'
import { fields } from './table.ts'

interface ExportOptions {
  home: string
  to: string
  from?: number
  until?: number
}

const HELP = `
The node must be stopped. The file has each block's header, certificate, batch and receipts (docs/data.md, "Block files"); it is called
FILE.partial until it is whole. \`quorate ledger import\` takes it into another home of the same network and checks all of it.

--json prints {genesisHash, from, until, blocks, transactions, bytes, file}.`

export function exportCommand(run: Run) {
  return define<ExportOptions>(run, 'export', 'write certified blocks into a file', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the stopped node's home")
        .requiredOption('--to <file>', 'the new file')
        .option('--from <height>', 'the first block (default: the oldest kept)', wholeNumber(0))
        .option('--until <height>', 'the last block (default: the last certified)', wholeNumber(0))
        .addHelpText('after', HELP),
    async handle(context, _, { home, to, from, until }) {
      if (from !== undefined && until !== undefined && from > until)
        throw usage(`--from ${from} is above --until ${until}: give the lower height first`)
      const { exportBlocks } = await import('../audit/export.ts')
      const opened = await openLedgerHome(home, { runs: false })
      await requireLedger(opened, { isThorough: true })
      const line = createProgressLine(context.io, 'writing')
      const { genesis, paths } = opened
      const options = { directory: paths.ledger, genesis, file: to, from, until, onProgress: line.heights }
      const report = await exportBlocks(options).finally(line.end)
      const text = fields([
        ['network', report.genesisHash],
        ['blocks', `${report.blocks}, from height ${report.from} to ${report.until}`],
        ['transactions', report.transactions],
        ['file', `${resolve(to)}, ${report.bytes} bytes`],
      ])
      context.print({ ...report, file: resolve(to) }, text)
    },
  })
}
