// The snapshots of a running node: one is made every so many blocks by a worker behind everything else, the newest are kept and served.
import { mkdir } from 'node:fs/promises'
import { adoptIncoming, readIncoming } from './snapshot/incoming.ts'
import type { MadeSnapshot } from './snapshot/make.ts'
import { createShelf, removeUnfinished } from './snapshot/shelf.ts'
import type { SnapshotterAnswer, SnapshotterOptions, SnapshotterQuestion } from './snapshotter.ts'
import { snapshotRequestCodec } from './types/fetch.ts'
import { decode } from './types/schema.ts'
import { startWorker, type WorkerClient, workerFile } from './worker-client.ts'

export interface SnapshotsPorts {
  options: Omit<SnapshotterOptions, 'stopped' | 'niceness'>
  /** The genesis parameter. */
  intervalBlocks: number
  /** How many are kept; with 0 none is made. */
  kept: number
  /** False while this node has better things to do: it fetches what it missed itself. */
  mayMake(): boolean
  onMade(made: MadeSnapshot, tookMs: number): void
  onNotMade(height: number, reason: string): void
  onDropped(height: number, reason: string): void
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

/** The worker as those who join by a snapshot use it. */
export type AskSnapshotter = <K extends SnapshotterQuestion['kind']>(
  question: Extract<SnapshotterQuestion, { kind: K }>,
) => Promise<SnapshotterAnswer>

export interface Snapshots {
  /** Finds what is kept; `h` is the certified height. */
  load(h: number): Promise<void>
  /** Makes the snapshot that is due, if one is. */
  onCertified(height: number): void
  /** Answers a request about snapshots. Throws DecodeError on a malformed one. */
  answer(payload: Uint8Array): Promise<Uint8Array>
  /** The height of the newest one kept, or undefined. */
  newest(): number | undefined
  ask: AskSnapshotter
  /** Does not wait for a snapshot to be ready: it is given up. */
  stop(): Promise<void>
}

/** The lowest there is: what making one costs is time that nobody else wants. */
const MAKER_NICENESS = 19
/** Like the executor's, whose work it spares. */
const JOINER_NICENESS = 10

export function createSnapshots(ports: SnapshotsPorts): Snapshots {
  const { options, intervalBlocks, kept, now } = ports
  const root = options.snapshots
  const shelf = createShelf({ root, kept: Math.max(1, kept), onDropped: ports.onDropped, now })
  const stopped = new SharedArrayBuffer(4)
  const maker = createAsker({ ...options, stopped, niceness: MAKER_NICENESS })
  const joiner = createAsker({ ...options, stopped, niceness: JOINER_NICENESS })
  let making: Promise<void> | undefined
  /** The height of the last attempt: one that failed is not tried again. */
  let triedHeight = 0
  let certifiedHeight = 0
  let isStopped = false

  async function make(height: number): Promise<void> {
    const since = now()
    const answer = await maker.ask({ kind: 'make', height })
    if (isStopped) return
    if (answer.kind === 'made') {
      await shelf.refresh()
      const { kind: _, ...made } = answer
      ports.onMade(made, now() - since)
    } else if (answer.kind === 'not made') ports.onNotMade(height, answer.reason)
  }

  /** The newest one only: those that became due while another was made are passed over. */
  function makeDue(): void {
    const due = certifiedHeight - (certifiedHeight % intervalBlocks)
    const newest = Math.max(shelf.heights()[0] ?? 0, triedHeight)
    if (kept === 0 || isStopped || making !== undefined || due <= newest || !ports.mayMake()) return
    triedHeight = due
    making = make(due)
      .catch((error) => {
        // A full disk or a damaged value ends no node here: votes and blocks do without snapshots.
        if (!isStopped) ports.onNotMade(due, error instanceof Error ? error.message : String(error))
      })
      .finally(() => {
        making = undefined
        makeDue()
      })
  }

  return {
    async load(h) {
      await mkdir(root, { recursive: true, mode: 0o700 })
      await removeUnfinished(root)
      const fetched = await readIncoming(options.snapshotIncoming)
      // The ledger was made of it: from now on it serves others.
      if (fetched !== undefined && fetched.header.height <= h)
        await adoptIncoming(options.snapshotIncoming, root, fetched)
      await shelf.refresh()
    },
    onCertified(height) {
      certifiedHeight = height
      makeDue()
    },
    answer: (payload) => shelf.answer(decode(snapshotRequestCodec, payload)),
    newest: () => shelf.heights()[0],
    ask: joiner.ask,
    async stop() {
      isStopped = true
      Atomics.store(new Int32Array(stopped), 0, 1)
      await making
      await Promise.all([maker.close(), joiner.close()])
    },
  }
}

/** A worker that is started at the first question, and again at the next one where it was lost: whoever asked hears of that. */
function createAsker(workerData: SnapshotterOptions) {
  let worker: Promise<WorkerClient<SnapshotterQuestion, SnapshotterAnswer>> | undefined

  function start(): NonNullable<typeof worker> {
    const forget = () => {
      if (worker === started) worker = undefined
    }
    const started: NonNullable<typeof worker> = startWorker(
      workerFile('./snapshotter', import.meta.url),
      { workerData },
      forget,
    )
    started.catch(forget)
    return started
  }

  return {
    async ask(question: SnapshotterQuestion): Promise<SnapshotterAnswer> {
      worker ??= start()
      return (await worker).ask(question)
    },
    async close() {
      await (await worker?.catch(() => undefined))?.close()
    },
  }
}
