// The snapshot worker's composition root, behind the thread that votes: it makes snapshots of the ledger's state, keeps
// the chunks of one that is being fetched, and makes a ledger out of them.
import { rm } from 'node:fs/promises'
import { workerData } from 'node:worker_threads'
import { openLedger } from './ledger/ledger.ts'
import { ChunkDamaged, restoreLedger } from './restoring.ts'
import { type Incoming, openIncoming, readIncoming } from './snapshot/incoming.ts'
import { type MadeSnapshot, makeSnapshot, SnapshotStopped } from './snapshot/make.ts'
import { stepBack } from './thread-priority.ts'
import { serveWorker } from './worker-serve.ts'

export interface SnapshotterOptions {
  genesisHash: string
  /** Folders: the ledger, kept snapshots, the one being fetched, and the ledger made of it. */
  ledger: string
  snapshots: string
  snapshotIncoming: string
  ledgerIncoming: string
  /** One 32-bit word, not 0 once the node stops. */
  stopped: SharedArrayBuffer
  /** How far the thread steps back. */
  niceness: number
}
export type SnapshotterQuestion =
  | { kind: 'make'; height: number }
  /** The height of what was being fetched before. */
  | { kind: 'resumable' }
  /** `manifest` was verified. */
  | { kind: 'open'; manifest: Uint8Array }
  | { kind: 'take'; index: number; bytes: Uint8Array }
  | { kind: 'build' }
  /** Nothing of it is kept. */
  | { kind: 'discard' }
export type SnapshotterAnswer =
  | ({ kind: 'made' } & MadeSnapshot)
  /** The state at that height is not kept any more, or the node stops. */
  | { kind: 'not made'; reason: string }
  | { kind: 'resumable'; height: number | undefined }
  | { kind: 'missing'; indices: number[] }
  /** `fault`: why the chunk is not the manifest's. */
  | { kind: 'taken'; fault: string | undefined }
  /** `damaged`: the chunk whose file was changed since. */
  | { kind: 'discarded' }
  | { kind: 'built'; keys: number; damaged: number | undefined }

const options: SnapshotterOptions = workerData
stepBack(options.niceness)
const { genesisHash, snapshots, snapshotIncoming, ledgerIncoming } = options
const stopped = new Int32Array(options.stopped)
const isStopped = () => Atomics.load(stopped, 0) !== 0
let incoming: Incoming | undefined

async function make(height: number): Promise<SnapshotterAnswer> {
  const ledger = await openLedger({ directory: options.ledger, genesisHash, tree: false })
  try {
    const [header, certificate] = [await ledger.header(height), await ledger.certificate(height)]
    if (header === undefined || certificate === undefined)
      throw new Error(`the ledger has no certified block ${height} to make a snapshot of`)
    const view = ledger.stateAt(height)
    const scan = (after: string | undefined, limit: number) => view.scan('', after, limit)
    return { kind: 'made', ...(await makeSnapshot(snapshots, { header, certificate, scan, isStopped })) }
  } catch (error) {
    if (error instanceof SnapshotStopped || (error as { code?: string }).code === 'PRUNED')
      return { kind: 'not made', reason: (error as Error).message }
    throw error
  } finally {
    await ledger.close()
  }
}

async function build(): Promise<SnapshotterAnswer> {
  const manifest = await readIncoming(snapshotIncoming)
  if (manifest === undefined) throw new Error('a ledger is to be made of a snapshot, but none was fetched')
  const before = await openLedger({ directory: options.ledger, genesisHash, tree: false })
  const evidence = await before.evidence().finally(() => before.close())
  const parts = { folder: snapshotIncoming, manifest, directory: ledgerIncoming, genesisHash, evidence, isStopped }
  try {
    return { kind: 'built', keys: await restoreLedger(parts), damaged: undefined }
  } catch (error) {
    if (error instanceof ChunkDamaged) return { kind: 'built', keys: 0, damaged: error.index }
    throw error
  }
}

async function answer(question: SnapshotterQuestion): Promise<SnapshotterAnswer> {
  switch (question.kind) {
    case 'make':
      return make(question.height)
    case 'resumable':
      return { kind: 'resumable', height: (await readIncoming(snapshotIncoming))?.header.height }
    case 'open':
      incoming = await openIncoming(snapshotIncoming, question.manifest)
      return { kind: 'missing', indices: incoming.missing() }
    case 'take':
      if (incoming === undefined) throw new Error('a chunk came in before its manifest')
      return { kind: 'taken', fault: await incoming.take(question.index, question.bytes) }
    case 'build':
      return build()
    case 'discard':
      incoming = undefined
      for (const folder of [snapshotIncoming, ledgerIncoming]) await rm(folder, { recursive: true, force: true })
      return { kind: 'discarded' }
  }
}

serveWorker(answer, async () => {})
