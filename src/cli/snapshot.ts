// `quorate snapshot`: the state of a stopped node as files, and a node's ledger out of such files.
import { define, group, type Run } from './command.ts'
import { openLedgerHome, requireLedger } from './ledger-home.ts'
import { fields } from './table.ts'

const CREATE_HELP = `
The node must be stopped; a running one makes snapshots by itself. The snapshot is of the highest certified height. It is written to
FOLDER/<height>, or to data/snapshots/<height> in the home, from where the node serves it to others once it runs.
--json prints {height, keys, chunks, bytes, folder}.`

const RESTORE_HELP = `
The node must be stopped and have no ledger: move data/ledger aside first if there is one. Everything is checked before anything is
changed: the certificate by the home's genesis document, every part of the state by the certified state root. The consensus log is left
alone. Blocks up to the snapshot's height are not in the new ledger.
--json prints {height, blockHash, stateRoot, keys}.`

export function snapshotCommands(run: Run) {
  return group('snapshot', 'the state at one height as files that prove themselves', [
    createCommand(run),
    restoreCommand(run),
  ])
}

function createCommand(run: Run) {
  return define<{ home: string; to?: string }>(run, 'create', "make a snapshot of a stopped node's state", {
    set: (command) =>
      command
        .requiredOption('--home <dir>', 'the home of a stopped node')
        .option('--to <folder>', 'where to write it; the home unless told')
        .addHelpText('after', CREATE_HELP),
    async handle(context, _, { home, to }) {
      const { createHomeSnapshot } = await import('../snapshot-home.ts')
      const opened = await openLedgerHome(home, { runs: false })
      await requireLedger(opened)
      const { paths, genesisHash } = opened
      const { height, keys, chunks, bytes, folder } = await createHomeSnapshot(
        paths,
        genesisHash,
        to ?? paths.snapshots,
      )
      context.print(
        { height, keys, chunks, bytes, folder },
        fields([
          ['height', height],
          ['keys', keys],
          ['chunks', chunks],
          ['bytes', bytes],
          ['folder', folder],
        ]),
      )
    },
  })
}

function restoreCommand(run: Run) {
  return define<{ home: string; from: string }>(run, 'restore', "make a stopped node's ledger out of a snapshot", {
    set: (command) =>
      command
        .requiredOption('--home <dir>', 'the home of a stopped node without a ledger')
        .requiredOption('--from <folder>', 'the folder with the manifest and the chunks')
        .addHelpText('after', RESTORE_HELP),
    async handle(context, _, { home, from }) {
      const { restoreHomeSnapshot } = await import('../snapshot-home.ts')
      const { paths, genesis } = await openLedgerHome(home, { runs: true })
      const { height, blockHash, stateRoot, keys } = await restoreHomeSnapshot(paths, genesis, from)
      context.print(
        { height, blockHash, stateRoot, keys },
        fields([
          ['height', height],
          ['block hash', blockHash],
          ['state root', stateRoot],
          ['keys', keys],
        ]),
      )
    },
  })
}
