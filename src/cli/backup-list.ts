// `quorate backup list`: which backups there are and what each continues.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { blocksText } from './backup-text.ts'
import { define, type Run } from './command.ts'
import { CliError, EXIT_FAILED, EXIT_OK } from './error.ts'
import { cell, table } from './table.ts'

const HELP = `
Only manifests are read: \`backup restore\` checks every file. A backup that cannot be restored, since its own manifest or one it continues
is missing or was changed, is told on its own.

--json prints {backups: [{name, folder, id, kind, from, to, blockHash, created, parent, bytes}], faults: [{code, message}]}.`

export function listCommand(run: Run) {
  return define<{ home: string; in?: string }>(run, 'list', 'list the backups of a home', {
    set: (command) =>
      command
        .requiredOption('--home <dir>', "the node's home")
        .option('--in <dir>', "the folder of backups (default: the home's backups/)")
        .addHelpText('after', HELP),
    async handle(context, _, { home, in: folder }) {
      const [{ listBackups, readChain, viewOfBackup }, { BackupError }, { homePaths }] = await Promise.all([
        import('../backup/folder.ts'),
        import('../backup/error.ts'),
        import('../home/paths.ts'),
      ])
      const paths = homePaths(home)
      if (folder !== undefined && !existsSync(folder))
        throw new CliError('ENOENT', `${folder}: there is no such folder: check the path`)
      if (folder === undefined && !existsSync(paths.home))
        throw new CliError('HOME_MISSING', `there is no node home at ${paths.home}: name the right folder with --home`)
      const faults: { code: string; message: string }[] = []
      const note = ({ code, message }: { code: string; message: string }) => void faults.push({ code, message })
      const found = await listBackups(resolve(folder ?? paths.backups), note)
      for (const backup of found) {
        await readChain(backup).catch((error: unknown) => {
          if (!(error instanceof BackupError)) throw error
          note(error)
        })
      }
      const names = new Map(found.map(({ id, name }) => [id, name]))
      const rows = found.map(({ name, bytes, manifest: { from, to, parent } }) => [
        name,
        blocksText(from, to),
        cell(bytes),
        parent === null ? '-' : (names.get(parent) ?? 'a missing one'),
      ])
      const shown = rows.length === 0 ? 'no backups' : table(['name', 'blocks', 'bytes', 'continues'], rows)
      const text = [shown, ...faults.map(({ code, message }) => `${message} (${code})`)].join('\n')
      context.print({ backups: found.map(viewOfBackup), faults }, text)
      return faults.length === 0 ? EXIT_OK : EXIT_FAILED
    },
  })
}
