// The reading worker's composition root: views and dry runs at a fixed height, in a thread of their own with a gas cap, so that
// reads never slow down blocks. It writes nothing.
import { workerData } from 'node:worker_threads'
import { verify } from './crypto/signer.ts'
import { runView, simulate, type ViewResult } from './execution/query.ts'
import { createRuntime } from './execution/runtime.ts'
import { createSandbox } from './execution/sandbox/index.ts'
import { createSyncReader } from './ledger/sync-reader.ts'
import { CALL_DEPTH_MAX, VIEW_GAS_MAX } from './limits.ts'
import { stepBack } from './thread-priority.ts'
import type { Receipt } from './types/block.ts'
import type { Parameters } from './types/epoch.ts'
import { decodeTransaction } from './types/transaction.ts'
import { serveWorker } from './worker-serve.ts'

export interface ViewerOptions {
  directory: string
  genesisHash: string
  parameters: Parameters
}
export type ViewerQuestion =
  /** `height` and `time` are the block's whose state is read. */
  | { kind: 'view'; height: number; time: number; contract: string; method: string; args: string }
  /** Runs at `height + 1`; with `assumeNonce`, as if the sender's earlier transactions had run. */
  | { kind: 'simulate'; height: number; time: number; wire: Uint8Array; assumeNonce: boolean }
export type ViewerAnswer = { kind: 'view'; result: ViewResult } | { kind: 'simulate'; receipt: Receipt }

/** Behind the main thread, which votes, and the executor. */
const VIEWER_NICENESS = 10
stepBack(VIEWER_NICENESS)
const { directory, genesisHash, parameters }: ViewerOptions = workerData
const reader = await createSyncReader({ directory, genesisHash })
const runtime = createRuntime({ sandbox: createSandbox({ depthMax: CALL_DEPTH_MAX }), verifyEd25519: verify })

function answer(question: ViewerQuestion): ViewerAnswer {
  const { height, time } = question
  const store = {
    get: (key: string) => reader.get(height, key),
    scan: (prefix: string, after: string | undefined, limit: number) => reader.scan(height, prefix, after, limit),
  }
  if (question.kind === 'view') {
    const { contract, method, args } = question
    const result = runView({ runtime, store, height, time, contract, method, args, gasLimit: VIEW_GAS_MAX })
    return { kind: 'view', result }
  }
  const { receipt } = simulate({
    runtime,
    store,
    parameters,
    height: height + 1,
    time: time + 1,
    transaction: decodeTransaction(question.wire),
    assumeNonce: question.assumeNonce,
  })
  return { kind: 'simulate', receipt }
}

serveWorker(answer, () => reader.close())
