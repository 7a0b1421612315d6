// Asking the node that runs on a home for a backup, and waiting until it is made.
import type { BackupRunView } from '../api/port.ts'
import type { CreateOptions } from '../backup/create.ts'
import { type Control, readControl } from '../home/control.ts'
import type { HomePaths } from '../home/paths.ts'
import type { CreateReport } from './backup-create.ts'
import { CliError } from './error.ts'

const ASK_MS = 250
const TIMEOUT_MS = 30_000

/** What comes of asking where no node of this home listens. */
const STRANGER_CODES: ReadonlySet<string> = new Set(['UNREACHABLE', 'NOT_FOUND', 'BAD_ANSWER'])

function unknown({ ledger, control }: HomePaths, cause?: unknown): CliError {
  const mend = 'wait until that command is done, or restart the node with this version'
  const message = `another process has the ledger ${ledger} open and it is no node that left ${control}: ${mend}`
  return new CliError('NODE_UNKNOWN', message, { cause })
}

export async function askNode(
  paths: HomePaths,
  { kind, root, onProgress }: Pick<CreateOptions, 'kind' | 'root' | 'onProgress'>,
): Promise<CreateReport> {
  const control = await readControl(paths.control)
  if (control === undefined) throw unknown(paths)
  const { fetchJson } = await import('../client/http.ts')
  const ask = async (control: Control, body?: string) =>
    (await fetchJson(control.url, {
      path: '/v1/backups',
      token: control.token,
      timeoutMs: TIMEOUT_MS,
      ...(body === undefined ? {} : { method: 'POST', body }),
    })) as { run: BackupRunView | null }
  const started = await ask(control, JSON.stringify({ kind, folder: root })).catch((error: unknown) => {
    throw STRANGER_CODES.has((error as { code?: string }).code ?? '') ? unknown(paths, error) : error
  })
  // A killed node leaves the file, and another server may have its address since.
  if (typeof started?.run?.id !== 'number' || typeof started.run.state !== 'string') throw unknown(paths)
  for (;;) {
    const { run } = await ask(control)
    if (run === null || run.id !== started.run.id)
      throw new CliError(
        'BACKUP_STOPPED',
        'the node opened its parts again meanwhile and gave the backup up: make it again',
      )
    if (run.state === 'failed') throw new CliError(run.error!.code, run.error!.message)
    if (run.state !== 'running') return { backup: run.backup!, isNew: run.state === 'made', note: run.note }
    if (run.phase !== null) onProgress(run.phase, run.done, run.total)
    await new Promise((resolve) => setTimeout(resolve, ASK_MS))
  }
}
