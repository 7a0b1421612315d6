// `quorate ledger repair`: a damaged ledger is set aside, and what of it proves itself is kept.
import { availableParallelism } from 'node:os'
import type { RepairReport } from '../audit/repair.ts'
import { define, type Run } from './command.ts'
import { EXIT_OK } from './error.ts'
import { openLedgerHome } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { fields } from './table.ts'

interface RepairOptions {
  home: string
  fromPeersOnly?: boolean
}

const HELP = `
The node must be stopped. The whole ledger is read; where nothing is wrong, nothing is done. A damaged one is moved aside, to
data/ledger-damaged-TIME, never deleted. A new one is built of every block from the first on whose link, certificate and batch
are whole, up to the first that is not: each is executed again and kept only when that gives the certified block. Evidence is kept too. The
rest comes from peers when the node starts. It needs room for the blocks twice, and can be interrupted and run again.

--from-peers-only keeps no block, only evidence: quicker where peers are near, and for a ledger that began from a snapshot.

The consensus log is left as it is: a validator whose ledger is behind its votes follows until it has caught up, then votes again.

Exit code 0: the ledger is whole; 1: it could not be mended.
--json prints {ok, outcome, genesisHash, faults: [{code, thing, reason, mend}], setAside, kept, found, evidence, ended, seconds};
  outcome is whole, finished (an interrupted repair was) or repaired; ended is null or {height, part, expected, found}.`

export function repairCommand(run: Run) {
  return define<RepairOptions>(run, 'repair', 'set a damaged ledger aside and keep what of it proves itself', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the stopped node's home")
        .option('--from-peers-only', 'keep no block: fetch all of them at the next start')
        .addHelpText('after', HELP),
    async handle(context, _, { home, fromPeersOnly = false }) {
      const [{ repairLedger }, { openConfig }] = await Promise.all([
        import('../audit/repair.ts'),
        import('../home/home.ts'),
      ])
      const { genesis, paths } = await openLedgerHome(home, { runs: true })
      const { ledger: settings } = await openConfig(home, { environment: context.io.env })
      const line = createProgressLine(context.io, 'keeping')
      const startedAt = performance.now()
      const report = await repairLedger({
        directory: paths.ledger,
        genesis,
        historyBlocks: settings.historyBlocks,
        keepBlocks: settings.keepBlocks,
        workers: availableParallelism(),
        isFromPeersOnly: fromPeersOnly,
        now: () => new Date(),
        onStep: line.step,
        onProgress: line.heights,
      }).finally(line.end)
      const seconds = Math.round(performance.now() - startedAt) / 1_000
      context.print({ ok: true, ...report, seconds }, describe(report, seconds))
      return EXIT_OK
    },
  })
}

function describe(report: RepairReport, seconds: number): string {
  const { outcome, genesisHash, faults, setAside, kept, found, evidence, ended } = report
  if (outcome === 'whole') return 'Nothing is damaged; nothing was done.'
  if (outcome === 'finished') return 'A repair that was interrupted is finished. Start the node.'
  const text = fields([
    ['network', genesisHash],
    ['wrong', faults.map(({ thing, reason }) => `${thing}: ${reason}`).join('; ') || undefined],
    ['set aside', setAside ?? undefined],
    ['kept', kept === 0 ? 'no block' : `blocks 1 to ${kept}, executed again`],
    [
      'ended',
      ended === null
        ? undefined
        : `block ${ended.height}, ${ended.part}: expected ${ended.expected}, found ${ended.found}`,
    ],
    ['to fetch', found > kept ? `blocks ${kept + 1} to ${found} and what came since` : 'what came since'],
    ['evidence', `${evidence} entries kept`],
    ['seconds', seconds],
  ])
  return `${text}\n\nStart the node: it fetches the rest from its peers. Once it has caught up, what was set aside can be removed.`
}
