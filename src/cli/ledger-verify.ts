// `quorate ledger verify`: everything a ledger says, checked from the genesis document on, without asking anybody.
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AuditReport } from '../audit/verify.ts'
import { define, type Run } from './command.ts'
import { EXIT_FAILED, EXIT_OK } from './error.ts'
import { describeFault } from './ledger-fault.ts'
import { openLedgerHome, requireLedger } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { fields } from './table.ts'

interface VerifyOptions {
  home: string
  replay?: boolean
  temp?: string
}

const HELP = `
The node must be stopped. Nothing in its home is changed. Checked of every block kept, lowest first: the header's hash, its link to the one
before and its validators, the certificate's signatures, the batch against its digest, the transactions and receipts against their roots, and
that every index leads to it; at the end the state against the head's state root, and the state as it was, back to the oldest height kept,
against the root of every height. It ends at the first fault and tells where it is, what was expected and what is there.

--replay checks the transactions' signatures too and runs every block again, from genesis or from the oldest state kept, comparing each
receipt, root and header. It needs room for the state and the headers under --temp.

Exit code 0: nothing is wrong; 1: a fault, or the folder cannot be opened.
--json prints {ok, genesisHash, oldest, head, certified, blocks, transactions, signatures, stateKeys, replayed, fault, seconds};
  replayed is null or {from, to, transactions, reason}: reason says why blocks before \`from\` could not be run again, or is null;
  fault is null or {height, part, expected, found, mend}.`

export function verifyCommand(run: Run) {
  return define<VerifyOptions>(run, 'verify', 'check a whole ledger against the genesis document', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the stopped node's home")
        .option('--replay', 'run every block again')
        .option('--temp <dir>', "where blocks are run again (default: the system's folder for temporary files)")
        .addHelpText('after', HELP),
    async handle(context, _, { home, replay = false, temp = tmpdir() }) {
      const { verifyLedger } = await import('../audit/verify.ts')
      const opened = await openLedgerHome(home, { runs: replay })
      await requireLedger(opened, { isThorough: true })
      const line = createProgressLine(context.io, replay ? 'running' : 'checking')
      const startedAt = performance.now()
      const replayIn = replay ? await mkdtemp(join(temp, 'quorate-replay-')) : undefined
      try {
        const report = await verifyLedger({
          directory: opened.paths.ledger,
          genesis: opened.genesis,
          replayIn,
          workers: availableParallelism(),
          onProgress: (progress) =>
            progress.phase === 'blocks' ? line.heights(progress) : line.step(`checking the ${progress.phase}`),
        })
        const seconds = Math.round(performance.now() - startedAt) / 1_000
        line.end()
        if (report.fault !== null) report.fault.mend = report.fault.mend.replaceAll('--home DIR', `--home ${home}`)
        context.print({ ok: report.fault === null, ...report, seconds }, describe(report, seconds))
        return report.fault === null ? EXIT_OK : EXIT_FAILED
      } finally {
        line.end()
        if (replayIn !== undefined) await rm(replayIn, { recursive: true, force: true })
      }
    },
  })
}

function describe(report: AuditReport, seconds: number): string {
  const { genesisHash, oldest, head, certified, blocks, transactions, signatures, stateKeys, replayed, fault } = report
  const text = fields([
    ['network', genesisHash],
    ['blocks', `${blocks}, from height ${oldest} to ${head}, certified up to ${certified}`],
    ['transactions', transactions],
    ['signatures', signatures],
    ['state', fault === null ? `${stateKeys} keys` : undefined],
    ['run again', replayed === null ? undefined : describeReplay(replayed)],
    ['seconds', seconds],
  ])
  if (fault === null) return `${text}\n\nNothing is wrong with this ledger.`
  return `${text}\n\nThe first fault:\n\n${describeFault(fault)}`
}

function describeReplay({ from, to, transactions, reason }: NonNullable<AuditReport['replayed']>): string {
  const done = from > to ? 'no block' : `blocks ${from} to ${to}, ${transactions} transactions`
  return reason === null ? done : `${done}; ${reason}`
}
