// One transaction or view, executed as any validator does, with what its receipt does not say: reads, logs, where it threw.
import type { Positions, StackFrame } from '../contract/positions.ts'
import type { Journal } from '../execution/journal.ts'
import { runView, type ViewInput, type ViewResult } from '../execution/query.ts'
import { executeTransaction, type TransactionScene } from '../execution/transaction.ts'
import type { Receipt } from '../types/block.ts'
import type { Transaction } from '../types/transaction.ts'
import { type Observer, observe } from './observer.ts'
import { diagnose } from './thrown.ts'

export interface Observed {
  observer: Observer
  /** Of what was thrown, innermost first; empty where nothing was, or its source is not known. */
  frames: StackFrame[]
}

export type PositionsOf = (codeHash: string) => Positions | undefined

/** What telling where something was thrown costs comes on top of the gas limit. */
const DIAGNOSIS_GAS = 1_000_000_000

/** Executes in a new layer over the journal, which is left to the caller to merge. */
export function executeObserved(
  scene: TransactionScene,
  journal: Journal,
  transaction: Transaction,
  positionsOf: PositionsOf,
): Observed & { receipt: Receipt; layer: Journal } {
  const { runtime } = scene
  const observer = observe(runtime.sandbox)
  const layer = journal.open()
  const receipt = executeTransaction(
    { ...scene, runtime: { ...runtime, sandbox: observer.sandbox } },
    layer,
    transaction,
  )
  const diagnosis = diagnose(runtime.sandbox, positionsOf)
  if (hasThrown(receipt)) {
    const again = { ...transaction, gasLimit: transaction.gasLimit + DIAGNOSIS_GAS }
    executeTransaction({ ...scene, runtime: { ...runtime, sandbox: diagnosis.sandbox } }, journal.open(), again)
  }
  return { receipt, layer, observer, frames: diagnosis.frames() }
}

export function viewObserved(view: ViewInput, positionsOf: PositionsOf): Observed & { result: ViewResult } {
  const { runtime, gasLimit } = view
  const observer = observe(runtime.sandbox)
  const result = runView({ ...view, runtime: { ...runtime, sandbox: observer.sandbox } })
  const diagnosis = diagnose(runtime.sandbox, positionsOf)
  if (!result.ok && hasThrown({ status: 'failed', code: result.code })) {
    runView({ ...view, gasLimit: gasLimit + DIAGNOSIS_GAS, runtime: { ...runtime, sandbox: diagnosis.sandbox } })
  }
  return { result, observer, frames: diagnosis.frames() }
}

/** Whatever ends the whole transaction is not thrown, and running it again could take as long as the gas of a diagnosis lasts. */
const TRAPS = ['OUT_OF_GAS', 'STACK', 'DEPTH', 'ENGINE']
const hasThrown = ({ status, code }: { status: string; code: string }) =>
  (status === 'reverted' || status === 'failed') && !TRAPS.includes(code)
