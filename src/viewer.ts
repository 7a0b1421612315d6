// The reading worker's composition root: views, dry runs and replays at a fixed height, in a thread of their own with a gas cap, so that
// reads never slow down blocks. It writes nothing.
import { workerData } from 'node:worker_threads'
import { verify } from './crypto/signer.ts'
import { lastWrites, runView, simulate, type ViewResult } from './execution/query.ts'
import type { StateRecord } from './execution/recording.ts'
import { type Rehearsal, rehearse } from './execution/rehearsal.ts'
import { createRuntime } from './execution/runtime.ts'
import { createSandbox } from './execution/sandbox/index.ts'
import { utf8Length } from './execution/utf8.ts'
import { readImageFiles } from './image-files.ts'
import { type ErrorData, errorToData, LedgerDamaged, Pruned } from './ledger/errors.ts'
import { createSyncReader } from './ledger/sync-reader.ts'
import { CALL_DEPTH_MAX, VIEW_GAS_MAX } from './limits.ts'
import { stepBack } from './thread-priority.ts'
import type { Receipt } from './types/block.ts'
import { WRITES_BYTES_MAX } from './types/divergence.ts'
import type { Parameters } from './types/epoch.ts'
import { decodeTransaction } from './types/transaction.ts'
import { serveWorker } from './worker-serve.ts'

export interface ViewerOptions {
  directory: string
  /** The executor's contract images. */
  imageFolder: string
  genesisHash: string
  parameters: Parameters
}
export type ViewerQuestion =
  /** `height` and `time` are the block's whose state is read. */
  | { kind: 'view'; height: number; time: number; contract: string; method: string; args: string }
  /** Runs at `height + 1`; with `assumeNonce`, as if the sender's earlier transactions had run. */
  | { kind: 'simulate'; height: number; time: number; wire: Uint8Array; assumeNonce: boolean }
  /** `height` and `time` are of the block that the last of `wires` is in; the others are before it there. */
  | { kind: 'replay'; height: number; time: number; wires: Uint8Array[] }
  /** The same block and transactions: what the last of them writes. */
  | { kind: 'writes'; height: number; time: number; wires: Uint8Array[] }
  /** `height` and `time` are those of the block that is run again; `migrate` is JSON text. */
  | ({ kind: 'rehearse'; height: number; time: number; wires: Uint8Array[] } & Rehearsed)
interface Rehearsed {
  contract: string
  code: string
  migrate: string
}
export type ViewerAnswer =
  | { kind: 'view'; result: ViewResult }
  | { kind: 'simulate'; receipt: Receipt }
  /** Undefined where the record is larger than `REPLAY_BYTES_MAX`. */
  | { kind: 'replay'; record: StateRecord | undefined }
  /** Undefined where they are more than `WRITES_BYTES_MAX`. */
  | { kind: 'writes'; writes: [key: string, value: string | null][] | undefined }
  | { kind: 'rehearse'; rehearsal: Rehearsal }
  /** Errors keep their class only as data. */
  | { kind: 'failed'; error: ErrorData }

/** Behind the main thread, which votes, and the executor. */
const VIEWER_NICENESS = 10
stepBack(VIEWER_NICENESS)
const { directory, imageFolder, genesisHash, parameters }: ViewerOptions = workerData
const reader = await createSyncReader({ directory, genesisHash })
const sandbox = createSandbox({ depthMax: CALL_DEPTH_MAX, imageStore: readImageFiles(imageFolder) })
const runtime = createRuntime({ sandbox, verifyEd25519: verify })

const stateAt = (height: number) => ({
  get: (key: string) => reader.get(height, key),
  scan: (prefix: string, after: string | undefined, limit: number) => reader.scan(height, prefix, after, limit),
})

function answer(question: ViewerQuestion): ViewerAnswer {
  try {
    return answerOf(question)
  } catch (error) {
    if (!(error instanceof Pruned || error instanceof LedgerDamaged)) throw error
    return { kind: 'failed', error: errorToData(error, question.height) }
  }
}

function answerOf(question: ViewerQuestion): ViewerAnswer {
  const { height, time } = question
  switch (question.kind) {
    case 'view': {
      const { contract, method, args } = question
      const store = stateAt(height)
      const result = runView({ runtime, store, height, time, contract, method, args, gasLimit: VIEW_GAS_MAX })
      return { kind: 'view', result }
    }
    case 'simulate': {
      const next = { height: height + 1, time: time + 1 }
      const transaction = decodeTransaction(question.wire)
      const { assumeNonce } = question
      const { receipt } = simulate({ runtime, store: stateAt(height), parameters, ...next, transaction, assumeNonce })
      return { kind: 'simulate', receipt }
    }
    case 'replay': {
      const before = question.wires.map(decodeTransaction)
      const transaction = before.pop()!
      const store = stateAt(height - 1)
      const { record } = simulate({ runtime, store, parameters, height, time, transaction, before })
      return { kind: 'replay', record }
    }
    case 'writes': {
      const before = question.wires.map(decodeTransaction)
      const transaction = before.pop()!
      const store = stateAt(height - 1)
      const writes = lastWrites({ runtime, store, parameters, height, time, transaction, before })
      const bytes = writes.reduce((sum, [key, value]) => sum + utf8Length(key) + utf8Length(value ?? ''), 0)
      return { kind: 'writes', writes: bytes > WRITES_BYTES_MAX ? undefined : writes }
    }
    case 'rehearse': {
      const { wires, contract, code, migrate } = question
      const transactions = wires.map(decodeTransaction)
      const scene = { runtime, store: stateAt(height - 1), parameters, height, time, transactions }
      return { kind: 'rehearse', rehearsal: rehearse({ ...scene, contract, code, migrate }) }
    }
  }
}

serveWorker(answer, () => reader.close())
