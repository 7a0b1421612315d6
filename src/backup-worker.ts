// The backup worker's composition root: makes one backup of the ledger of a running node, far behind the threads that vote and execute.
import { workerData } from 'node:worker_threads'
import { type Created, type CreateOptions, createBackup } from './backup/create.ts'
import { createProgress } from './backup/progress.ts'
import { openLedgerView } from './ledger/view.ts'
import { stepBack } from './thread-priority.ts'
import { serveWorker } from './worker-serve.ts'

export interface BackupWorkerOptions {
  directory: string
  genesis: CreateOptions['genesis']
  shared: SharedArrayBuffer
}
export type BackupQuestion = Pick<CreateOptions, 'root' | 'kind' | 'createdAt'>
/** Errors keep their code only as data. */
export type BackupAnswer = { made: Created } | { failed: { code: string; message: string } }

/** Behind everything else: nobody waits for a backup. */
const BACKUP_NICENESS = 19
stepBack(BACKUP_NICENESS)
const { directory, genesis, shared }: BackupWorkerOptions = workerData
const progress = createProgress(shared)

async function answer(question: BackupQuestion): Promise<BackupAnswer> {
  try {
    const view = await openLedgerView({ directory, genesisHash: genesis.hash })
    const { isStopped, report: onProgress } = progress
    try {
      return { made: await createBackup({ ...question, view, genesis, isStopped, onProgress }) }
    } finally {
      await view.close()
    }
  } catch (error) {
    const { code = 'INTERNAL', message } = error as Error & { code?: string }
    return { failed: { code, message } }
  }
}

serveWorker(answer, async () => {})
