// Synchronous reads of the ledger's state: contracts scan without awaiting, and LevelDB has no synchronous iterator.
//
// A helper thread opens the same folder and answers into shared memory while the asking thread waits in Atomics.wait. One question
// at a time; an answer longer than the shared memory is fetched piece by piece.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type ErrorData, errorFromData } from './errors.ts'

/** The shared words: which question is answered, the whole answer's bytes, those in this piece, and whether it is an error. */
export const words = { answered: 0, total: 1, piece: 2, failed: 3, count: 4 } as const
export const HEAD_BYTES = 4 * words.count
const DATA_BYTES = 256 * 1024
/** Far longer than any read; past it the helper is gone, and waiting on would hang the executor for ever. */
const WAIT_MAX_MS = 30_000
const OPEN_MAX_MS = 60_000

export type Question =
  | { kind: 'get'; height: number | 'latest'; key: string }
  | { kind: 'scan'; height: number | 'latest'; prefix: string; after: string | undefined; limit: number }
  | { kind: 'more'; offset: number }
export interface Asked {
  number: number
  question: Question
}
export interface ReaderOptions {
  directory: string
  genesisHash: string
}
export type WorkerOptions = ReaderOptions & { shared: SharedArrayBuffer }
export type Opened = { opened: true } | { opened: false; error: ErrorData }

export interface SyncReader {
  get(height: number | 'latest', key: string): string | undefined
  /** As the ledger's `stateAt(height).scan`. */
  scan(
    height: number | 'latest',
    prefix: string,
    after: string | undefined,
    limit: number,
  ): [key: string, value: string][]
  close(): Promise<void>
}

export async function createSyncReader(options: ReaderOptions): Promise<SyncReader> {
  const shared = new SharedArrayBuffer(HEAD_BYTES + DATA_BYTES)
  const file = import.meta.url.endsWith('.ts') ? './sync-reader-worker.ts' : './sync-reader-worker.js'
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData: { ...options, shared } satisfies WorkerOptions,
  })
  await opened(worker)
  // An idle helper must not keep the process alive.
  worker.unref()
  const ask = createAsker(worker, shared)
  return {
    get: (height, key) => ask({ kind: 'get', height, key }) as string | undefined,
    scan: (height, prefix, after, limit) => ask({ kind: 'scan', height, prefix, after, limit }) as [string, string][],
    async close() {
      worker.ref()
      const exited = once(worker, 'exit')
      worker.postMessage('close')
      await exited
    },
  }
}

async function opened(worker: Worker): Promise<void> {
  try {
    const [message] = (await once(worker, 'message', { signal: AbortSignal.timeout(OPEN_MAX_MS) })) as [Opened]
    if (!message.opened) throw errorFromData(message.error)
  } catch (error) {
    await worker.terminate()
    throw error
  }
}

function createAsker(worker: Worker, shared: SharedArrayBuffer): (question: Question) => unknown {
  const head = new Int32Array(shared, 0, words.count)
  const data = Buffer.from(shared, HEAD_BYTES)
  let number = 0

  function round(question: Question): void {
    // Numbers wrap, so that they always fit a shared word.
    const before = number
    number = (number + 1) & 0x3fffffff
    worker.postMessage({ number, question } satisfies Asked)
    const outcome = Atomics.wait(head, words.answered, before, WAIT_MAX_MS)
    if (outcome === 'timed-out' || Atomics.load(head, words.answered) !== number) {
      throw new Error(
        `The ledger's reading thread gave no answer within ${WAIT_MAX_MS} ms. This is a bug; restart the node.`,
      )
    }
  }

  return (question) => {
    round(question)
    const failed = head[words.failed] === 1
    const total = head[words.total]!
    let text: string
    if (total <= DATA_BYTES) text = data.toString('utf8', 0, total)
    else {
      const whole = Buffer.allocUnsafe(total)
      let offset = 0
      for (;;) {
        const length = head[words.piece]!
        data.copy(whole, offset, 0, length)
        offset += length
        if (offset >= total) break
        round({ kind: 'more', offset })
      }
      text = whole.toString('utf8')
    }
    if (failed) throw errorFromData(JSON.parse(text) as ErrorData)
    // Nothing is no JSON text, so it stands for an absent value.
    return text === '' ? undefined : JSON.parse(text)
  }
}
