/** The scheduler of `verifier.ts` over worker threads. It lives in the calling thread and decides what each worker does next. */
import { Worker } from 'node:worker_threads'
import { createLanes } from './lanes.ts'
import { isWellFormed } from './signer.ts'
import type { SignedItem, Verdict } from './verifier.ts'
import { packItems, type WorkerAnswer, type WorkerRequest } from './verifier-packing.ts'

// A chunk is what one worker does at a stretch: 3 ms at most for signatures, and about as much for hashing long messages.
const chunkItemsMax = 64
const chunkBytesMax = 1024 * 1024
// One chunk at work and one waiting keeps a worker busy while its answer travels; more would only lengthen the queue.
const chunksPerWorkerMax = 2
// Work without a lane takes turns like any lane.
const ownLane = ''

export interface PoolOptions {
  workers: number
  undecidedPerLaneMax: number
  waitingMax: number
}

export interface VerifierPool {
  judgeBatch(items: readonly SignedItem[], lane?: string): Promise<Verdict[]>
  close(): Promise<void>
}

interface Batch {
  items: readonly SignedItem[]
  lane: string | undefined
  verdicts: Verdict[]
  open: number
  resolve(verdicts: Verdict[]): void
  reject(reason: Error): void
}

interface Chunk {
  batch: Batch
  mode: WorkerRequest['mode']
  /** Which items of the batch. */
  indices: number[]
}

interface Hand {
  worker: Worker
  /** Chunks sent and not yet answered, oldest first. */
  sent: Chunk[]
}

export function createVerifierPool({ workers, undecidedPerLaneMax, waitingMax }: PoolOptions): VerifierPool {
  const fast = createLanes<Chunk>()
  const slow = createLanes<Chunk>()
  const batches = new Set<Batch>()
  const hands: Hand[] = Array.from({ length: workers }, () => ({ worker: startWorker(), sent: [] }))
  let waiting = 0
  let slowUnderWay = false
  let ended: Error | undefined

  for (const hand of hands) {
    hand.worker.on('message', (answer: WorkerAnswer) => onAnswer(hand, answer))
    hand.worker.on('error', (cause) => end(new Error('A signature worker failed; restart the process.', { cause })))
    hand.worker.on('exit', () => end(new Error('A signature worker ended by itself; restart the process.')))
  }

  function judgeBatch(items: readonly SignedItem[], lane?: string): Promise<Verdict[]> {
    if (ended !== undefined) return Promise.reject(ended)
    if (lane !== undefined && waiting + items.length > waitingMax) return Promise.resolve(items.map(() => 'refused'))
    return new Promise((resolve, reject) => {
      const verdicts: Verdict[] = items.map(() => 'invalid')
      const batch: Batch = { items, lane, verdicts, open: 0, resolve, reject }
      const chunks = chunksOf(batch)
      if (batch.open === 0) return resolve(verdicts)
      batches.add(batch)
      waiting += batch.open
      for (const chunk of chunks) fast.push(lane ?? ownLane, chunk)
      dispatch()
    })
  }

  function dispatch(): void {
    for (;;) {
      const hand = hands.reduce((least, other) => (other.sent.length < least.sent.length ? other : least))
      if (hand.sent.length >= chunksPerWorkerMax) return
      const chunk = takeNext()
      if (chunk === undefined) return
      hand.sent.push(chunk)
      const packed = packItems(chunk.indices.map((index) => chunk.batch.items[index]!))
      hand.worker.postMessage({ mode: chunk.mode, packed } satisfies WorkerRequest, [packed])
    }
  }

  /** One undecided signature at a time in the whole pool: slow work never occupies more than one worker, nor that one for long. */
  function takeNext(): Chunk | undefined {
    if (!slowUnderWay) {
      const undecided = slow.take()
      if (undecided !== undefined) {
        slowUnderWay = true
        return undecided
      }
    }
    return fast.take()
  }

  function onAnswer(hand: Hand, { accepted }: WorkerAnswer): void {
    if (ended !== undefined) return
    const chunk = hand.sent.shift()!
    if (chunk.mode === 'slow') slowUnderWay = false
    chunk.indices.forEach((index, position) => {
      if (accepted[position]) settle(chunk.batch, index, 'valid')
      else if (chunk.mode === 'slow') settle(chunk.batch, index, 'invalid')
      else postpone(chunk.batch, index)
    })
    dispatch()
  }

  function postpone(batch: Batch, index: number): void {
    const lane = batch.lane ?? ownLane
    const isOverBudget = batch.lane !== undefined && slow.waiting(lane) >= undecidedPerLaneMax
    if (isOverBudget) settle(batch, index, 'refused')
    else slow.push(lane, { batch, mode: 'slow', indices: [index] })
  }

  function settle(batch: Batch, index: number, verdict: Verdict): void {
    batch.verdicts[index] = verdict
    batch.open--
    waiting--
    if (batch.open > 0) return
    batches.delete(batch)
    batch.resolve(batch.verdicts)
  }

  function end(reason: Error): void {
    if (ended !== undefined) return
    ended = reason
    for (const batch of batches) batch.reject(reason)
    batches.clear()
  }

  async function close(): Promise<void> {
    end(new Error('The signature verifier was closed.'))
    await Promise.all(hands.map((hand) => hand.worker.terminate()))
  }

  return { judgeBatch, close }
}

/** Cuts the batch's well-formed items into chunks and counts them as open. */
function chunksOf(batch: Batch): Chunk[] {
  const chunks: Chunk[] = []
  let indices: number[] = []
  let bytes = 0
  batch.items.forEach(({ publicKey, message, signature }, index) => {
    if (!isWellFormed(publicKey, signature)) return
    if (indices.length === chunkItemsMax || (indices.length > 0 && bytes + message.length > chunkBytesMax)) {
      indices = []
      bytes = 0
    }
    if (indices.length === 0) chunks.push({ batch, mode: 'fast', indices })
    indices.push(index)
    bytes += message.length
    batch.open++
  })
  return chunks
}

function startWorker(): Worker {
  // From a checkout Node runs the TypeScript source; from the published package, the built file.
  const file = import.meta.url.endsWith('.ts') ? './verifier-worker.ts' : './verifier-worker.js'
  // Flags of the main thread, such as --input-type, may make no sense for a file.
  return new Worker(new URL(file, import.meta.url), { execArgv: [] })
}
