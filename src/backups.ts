// Backups of a running node: one at a time, in a thread of its own that is started for it; asked for by the owner, or due by the
// schedule. What goes wrong with one is told, counted and tried again when the next is due; the node runs on.
import type { Logger } from 'pino'
import type { BackupRunView, ControlPort } from './api/port.ts'
import type { Created } from './backup/create.ts'
import { listBackups, ofNetwork, removeOldChains, removeUnfinished, viewOfBackup } from './backup/folder.ts'
import type { BackupKind } from './backup/manifest.ts'
import { createProgress, PROGRESS_BYTES } from './backup/progress.ts'
import { dueAt, nextKind } from './backup/schedule.ts'
import type { BackupAnswer, BackupQuestion, BackupWorkerOptions } from './backup-worker.ts'
import { startWorker, workerFile } from './worker-client.ts'

export interface BackupsPorts {
  options: Omit<BackupWorkerOptions, 'shared'>
  /** The folder of the home's own backups. */
  root: string
  schedule: { intervalMinutes: number; keep: number; fullEvery: number }
  logger: Logger
  onResult(result: 'made' | 'failed'): void
  /** Milliseconds since 1970. */
  now(): number
  after(delayMs: number, callback: () => void): () => void
}

export interface Backups extends ControlPort {
  /** Clears what an earlier process left, and begins to follow the schedule. */
  start(): Promise<void>
  /** Gives up what is being made. */
  stop(): Promise<void>
}

interface Run {
  id: number
  kind: BackupKind
  startedAt: number
  progress: ReturnType<typeof createProgress>
  result: Created | { error: { code: string; message: string } } | undefined
}

const MINUTE_MS = 60_000
/** A node that has no certified block yet soon has one. */
const EMPTY_RETRY_MS = MINUTE_MS

export function createBackups(ports: BackupsPorts): Backups {
  const { root, schedule, logger } = ports
  const genesisHash = ports.options.genesis.hash
  let run: Run | undefined
  let running: Promise<void> = Promise.resolve()
  let runs = 0
  let triedAt: number | undefined
  let cancelTimer = () => {}
  let isStopped = false

  /** Undefined while another one is being made. */
  function begin(kind: BackupKind, folder: string): Run | undefined {
    if (isStopped || (run !== undefined && run.result === undefined)) return undefined
    const shared = new SharedArrayBuffer(PROGRESS_BYTES)
    const started: Run = {
      id: ++runs,
      kind,
      startedAt: ports.now(),
      progress: createProgress(shared),
      result: undefined,
    }
    run = started
    running = make(started, { root: folder, kind, createdAt: started.startedAt }, shared).then(plan)
    return started
  }

  async function make(own: Run, question: BackupQuestion, shared: SharedArrayBuffer): Promise<void> {
    const answer = await askWorker({ ...ports.options, shared }, question).catch(
      ({ code = 'INTERNAL', message }): BackupAnswer => ({ failed: { code, message } }),
    )
    if ('failed' in answer) {
      own.result = { error: answer.failed }
      // A node that stops has not failed.
      if (answer.failed.code === 'BACKUP_STOPPED') return logger.info('the backup was given up: the node stops')
      if (answer.failed.code === 'BACKUP_EMPTY') return logger.info('no backup was made: no block is certified yet')
      ports.onResult('failed')
      return logger.error({ kind: own.kind, folder: question.root, ...answer.failed }, 'the backup failed')
    }
    const { backup, isNew, note } = answer.made
    own.result = answer.made
    if (!isNew) return logger.info({ newest: backup.name }, 'nothing is new since the last backup')
    ports.onResult('made')
    const { kind, from, to } = backup.manifest
    const tookMs = ports.now() - own.startedAt
    const what = note === '' ? {} : { note }
    logger.info({ backup: backup.folder, kind, from, to, bytes: backup.bytes, tookMs, ...what }, 'a backup is made')
  }

  /** Looks when the next one is due. An error here is one of reading the folder, which the next attempt would meet too. */
  async function plan(): Promise<void> {
    if (schedule.intervalMinutes === 0 || isStopped) return
    cancelTimer()
    const now = ports.now()
    const isEmpty = run?.result !== undefined && 'error' in run.result && run.result.error.code === 'BACKUP_EMPTY'
    const intervalMs = isEmpty ? EMPTY_RETRY_MS : schedule.intervalMinutes * MINUTE_MS
    const due = dueAt(await networkBackups(), intervalMs, triedAt, now)
    if (!isStopped) cancelTimer = ports.after(due - now, () => void onDue())
  }

  async function onDue(): Promise<void> {
    // When one that the owner asked for is over, `plan` looks again.
    if (run !== undefined && run.result === undefined) return
    triedAt = ports.now()
    const own = begin(nextKind(await networkBackups(), schedule.fullEvery), root)
    if (own === undefined) return
    await running
    if (own.result === undefined || 'error' in own.result) return
    const removed = await removeOldChains(root, schedule.keep, genesisHash).catch((error: Error) => {
      logger.error({ err: error }, 'old backups could not be removed')
      return []
    })
    if (removed.length > 0) logger.info({ removed, kept: schedule.keep }, 'old backups are removed')
  }

  const ownBackups = () =>
    listBackups(root, ({ message }) => logger.warn(message)).catch((error: Error) => {
      logger.error({ err: error, folder: root }, 'the folder of backups cannot be read')
      return []
    })

  /** Those that the schedule is about. */
  const networkBackups = async () => ofNetwork(await ownBackups(), genesisHash)

  return {
    startBackup(kind, folder = root) {
      const started = begin(kind, folder)
      return started && viewOf(started)
    },
    backups: async () => ({
      run: run === undefined ? null : viewOf(run),
      backups: (await ownBackups()).map(viewOfBackup),
    }),
    async start() {
      await removeUnfinished(root).catch((error: Error) => logger.error({ err: error }, 'the folder of backups'))
      await plan()
    },
    async stop() {
      isStopped = true
      cancelTimer()
      run?.progress.stop()
      await running
    },
  }
}

/** A thread for this one question. */
async function askWorker(workerData: BackupWorkerOptions, question: BackupQuestion): Promise<BackupAnswer> {
  const file = workerFile('./backup-worker', import.meta.url)
  // Whoever waits for the answer is told.
  const worker = await startWorker<BackupQuestion, BackupAnswer>(file, { workerData }, () => {})
  try {
    return await worker.ask(question)
  } finally {
    await worker.close()
  }
}

function viewOf({ id, kind, startedAt, progress, result }: Run): BackupRunView {
  const { phase, done, total } = progress.read()
  const isMade = result !== undefined && 'backup' in result
  return {
    id,
    kind,
    state: result === undefined ? 'running' : !isMade ? 'failed' : result.isNew ? 'made' : 'unchanged',
    phase: phase ?? null,
    done,
    total,
    startedAt: new Date(startedAt).toISOString(),
    backup: isMade ? viewOfBackup(result.backup) : null,
    note: isMade ? result.note : '',
    error: result !== undefined && 'error' in result ? result.error : null,
  }
}
