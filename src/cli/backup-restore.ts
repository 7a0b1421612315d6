// `quorate backup restore`: a ledger out of a backup, in a home of its own.
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { RestorePhase } from '../backup/restore.ts'
import { define, type Run } from './command.ts'
import { openLedgerHome } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { fields } from './table.ts'

interface RestoreOptions {
  home: string
  from: string
}

const HELP = `
The home is one that \`quorate init\` made, with the network's genesis.json in it and no ledger yet. Given an incremental backup, those it
continues are looked for beside it. Nothing in a backup is believed: it must be of the genesis document's network, every file the one that was
written, every block and the state certified by a quorum, and every block after the full backup comes out as certified when it is executed.
One that is not is refused, and the home is left as it was.

The home keeps its own keys and consensus log; a backup has neither. A node whose log is not the one that the validator set names follows,
serves and says why it does not vote. Restore no consensus log from a copy.

--json prints {backups, oldestBlock, height, blockHash, executed, seconds}; backups are the names, the full one first.`

export function restoreCommand(run: Run) {
  return define<RestoreOptions>(run, 'restore', 'make a ledger out of a backup', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', 'the home to restore in, without a ledger')
        .requiredOption('--from <dir>', 'the folder of the last backup to restore')
        .addHelpText('after', HELP),
    async handle(context, _, { home, from }) {
      const [{ restoreBackup }, { openConfig }, { settleSwap }] = await Promise.all([
        import('../backup/restore.ts'),
        import('../home/home.ts'),
        import('../ledger-swap.ts'),
      ])
      const { genesis, paths } = await openLedgerHome(home, { runs: true })
      const { ledger: settings } = await openConfig(home, { environment: context.io.env })
      // What a start would put in the place of this ledger counts as the one that is there.
      await settleSwap(paths)
      const line = createProgressLine(context.io, 'restoring')
      const startedAt = performance.now()
      const report = await restoreBackup({
        from: resolve(from),
        ledger: paths.ledger,
        genesis,
        historyBlocks: settings.historyBlocks,
        verifiers: availableParallelism(),
        onProgress: (...told) => line.step(progressText(...told)),
      }).finally(line.end)
      const seconds = Math.round(performance.now() - startedAt) / 1_000
      const { backups, oldestBlock, height, blockHash, executed } = report
      const text = fields([
        ['restored', backups.join(', ')],
        ['head', `block ${height}, ${blockHash}`],
        ['oldest block', oldestBlock > height ? 'none, the state alone' : oldestBlock],
        ['executed', `${executed} blocks, in ${seconds} s`],
        ['next', `quorate start --home ${home}`],
      ])
      context.print({ ...report, seconds }, text)
    },
  })
}

const VERBS: Record<RestorePhase, string> = {
  files: 'hashing the files',
  state: 'checking the state',
  blocks: 'checking the blocks',
  execution: 'executing the blocks',
}

const progressText = (phase: RestorePhase, done: number, total: number): string =>
  phase === 'files'
    ? `${VERBS.files}, ${Math.round(done / 1e6)} of ${Math.round(total / 1e6)} MB`
    : `${VERBS[phase]}, ${done} of ${total}`
