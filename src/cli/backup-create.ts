// `quorate backup create`: by the node where one runs on the home, since it has the ledger open; else by this process.
import { resolve } from 'node:path'
import type { BackupView } from '../api/port.ts'
import type { CreateOptions } from '../backup/create.ts'
import { askNode } from './backup-node.ts'
import { backupFields } from './backup-text.ts'
import { define, type Run } from './command.ts'
import { type LedgerHome, openLedgerHome, requireLedger } from './ledger-home.ts'
import { createProgressLine } from './ledger-progress.ts'
import { fields } from './table.ts'

interface CreateCommandOptions {
  home: string
  incremental?: boolean
  to?: string
}

export interface CreateReport {
  /** False where nothing was new: `backup` is then the newest one. */
  isNew: boolean
  backup: BackupView
  note: string
}

/** Of one phase. */
export type Told = Parameters<CreateOptions['onProgress']>

const HELP = `
Where a node runs on the home it makes the backup itself and goes on committing blocks meanwhile; it is found by data/control.json, which
only the home's owner can read. A full backup has the state and the kept blocks up to the last certified one; --incremental adds the blocks
since the newest backup in the same folder, and makes a full one where there is none that fits, and says so. Keys, settings and the
consensus log are in none: a restored log could contradict votes that it has forgotten.

--json prints {isNew, backup: {name, folder, id, kind, from, to, blockHash, created, parent, bytes}, note, by, seconds}; by is node or command.`

export function createCommand(run: Run) {
  return define<CreateCommandOptions>(run, 'create', 'make a backup, also while the node runs', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the node's home")
        .option('--incremental', 'only the blocks since the newest backup there')
        .option('--to <dir>', "the folder of backups (default: the home's backups/); one for each node")
        .addHelpText('after', HELP),
    async handle(context, _, { home, incremental = false, to }) {
      const opened = await openLedgerHome(home, { runs: false })
      await requireLedger(opened)
      const kind = incremental ? 'incremental' : 'full'
      const root = resolve(to ?? opened.paths.backups)
      const line = createProgressLine(context.io, 'writing')
      const onProgress = (...told: Told) => line.step(progressText(...told))
      const startedAt = performance.now()
      const { by, ...report } = await create(opened, { kind, root, onProgress }).finally(line.end)
      const seconds = Math.round(performance.now() - startedAt) / 1_000
      const text = fields([
        ...backupFields(report.backup),
        ['made by', by === 'node' ? `the node, in ${seconds} s` : `this command, in ${seconds} s`],
        ['note', report.note === '' ? undefined : report.note],
      ])
      context.print({ ...report, by, seconds }, text)
    },
  })
}

async function create(
  { paths, genesis, genesisHash }: LedgerHome,
  options: Pick<CreateOptions, 'kind' | 'root' | 'onProgress'>,
): Promise<CreateReport & { by: 'node' | 'command' }> {
  const [{ createBackup }, { formatGenesis }, { LedgerLocked }, { openLedgerView }, { viewOfBackup }] =
    await Promise.all([
      import('../backup/create.ts'),
      import('../genesis/document.ts'),
      import('../ledger/errors.ts'),
      import('../ledger/view.ts'),
      import('../backup/folder.ts'),
    ])
  const view = await openLedgerView({ directory: paths.ledger, genesisHash }).catch((error: unknown) => {
    if (error instanceof LedgerLocked) return undefined
    throw error
  })
  if (view === undefined) return { ...(await askNode(paths, options)), by: 'node' }
  try {
    const { backup, isNew, note } = await createBackup({
      ...options,
      view,
      genesis: { text: formatGenesis(genesis), chainId: genesis.chainId, hash: genesisHash },
      createdAt: Date.now(),
      isStopped: () => false,
    })
    return { backup: viewOfBackup(backup), isNew, note, by: 'command' }
  } finally {
    await view.close()
  }
}

function progressText(phase: Told[0], done: number, total: number): string {
  if (phase === 'blocks') return `writing block ${done} of ${total}`
  if (phase === 'state') return `writing the state, ${done} entries`
  return `reading back and hashing, ${Math.round(done / 1e6)} MB`
}
