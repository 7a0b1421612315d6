// One transaction of a block: the checks in their fixed order (docs/protocol.md, "Exactly once"), then its call, then its receipt.
import { transactionId } from '../crypto/digest.ts'
import type { Receipt } from '../types/block.ts'
import type { Parameters } from '../types/epoch.ts'
import type { Transaction } from '../types/transaction.ts'
import type { ReceiptCode } from './codes.ts'
import { intrinsicGas } from './cost.ts'
import { type Frame, rootFrame } from './frame.ts'
import { invoke, type Session } from './invoke.ts'
import type { Journal } from './journal.ts'
import { MESSAGE_BYTES_MAX } from './limits.ts'
import { failed, hasOwnMessage, type Outcome, trap } from './outcome.ts'
import type { Runtime } from './runtime.ts'
import { isAllowed, readNonce, systemKeys } from './state.ts'
import { truncateUtf8, utf8Bytes, utf8Text } from './utf8.ts'

export interface TransactionScene {
  readonly runtime: Runtime
  readonly parameters: Parameters
  readonly block: { height: number; time: number }
}

/** Executes over the block's journal, which receives what is to be kept. */
export function executeTransaction(scene: TransactionScene, journal: Journal, transaction: Transaction): Receipt {
  const id = transactionId(transaction.unsigned)
  const next = readNonce(journal, transaction.sender)
  const skip = skipReason(transaction, next, scene.block.height)
  if (skip !== undefined) return skipped(transaction, id, skip)
  // Below the frame of the call, so that a reverted transaction uses its nonce too.
  journal.set(systemKeys.nonce(transaction.sender), String(next + 1))
  const frame = rootFrame(journal.open())
  const outcome = refuseTooManyEvents(frame, runTransaction(scene, frame, transaction, id))
  if (outcome.status === 'ok') frame.journal.merge()
  return executed(transaction, id, outcome, frame)
}

/**
 * Why the transaction is not run at all; it then changes nothing. The order matters: what NONCE_USED and EXPIRED say is true for
 * ever, while a NONCE_GAP may close.
 */
export function skipReason(
  { nonce, expires }: { nonce: number; expires: number },
  nextNonce: number,
  height: number,
): 'NONCE_USED' | 'EXPIRED' | 'NONCE_GAP' | undefined {
  if (nonce < nextNonce) return 'NONCE_USED'
  if (expires !== 0 && height > expires) return 'EXPIRED'
  if (nonce > nextNonce) return 'NONCE_GAP'
  return undefined
}

/** Everything between the nonce and the receipt. `gasUsed` of the outcome includes what the bytes themselves cost. */
function runTransaction(
  { runtime, parameters, block }: TransactionScene,
  frame: Frame,
  tx: Transaction,
  id: string,
): Outcome {
  const intrinsic = intrinsicGas(tx.wire.length)
  // Validators refuse a proposal with such a limit; should enough of them be faulty, this is still a defined outcome.
  if (intrinsic > tx.gasLimit) return trap('OUT_OF_GAS', tx.gasLimit)
  const sender = runtime.addressOf(tx.sender)
  // Reverted, not skipped: the nonce is used, so the sender's later transactions go on and the pool is rid of this one for good.
  if (!isAllowed(frame.journal, parameters.transact, sender)) return failed('NOT_ALLOWED', intrinsic)
  const args = utf8Text(tx.args)
  if (args === undefined) return failed('BAD_ARGUMENTS', intrinsic)
  const session: Session = {
    runtime,
    block,
    transaction: { id },
    origin: sender,
    deployRule: parameters.deploy,
    skipped: 0,
  }
  const gasLimit = tx.gasLimit - intrinsic
  const outcome = invoke(session, frame, {
    kind: 'call',
    contract: tx.contract,
    method: tx.method,
    args,
    sender,
    gasLimit,
  })
  return { ...outcome, gasUsed: intrinsic + outcome.gasUsed }
}

/** Decided at the end, because events of callees that failed do not count. */
function refuseTooManyEvents(frame: Frame, outcome: Outcome): Outcome {
  if (outcome.status !== 'ok' || !frame.hasTooManyEvents) return outcome
  return failed('TOO_MANY_EVENTS', outcome.gasUsed)
}

function executed({ sender, nonce }: Transaction, txId: string, outcome: Outcome, frame: Frame): Receipt {
  const { gasUsed } = outcome
  if (outcome.status === 'ok') {
    const result = utf8Bytes(outcome.result ?? '')
    return { txId, sender, nonce, status: 'ok', code: '', message: '', gasUsed, result, events: frame.events }
  }
  const code: ReceiptCode = outcome.code
  const hasMessage = outcome.status === 'failed' && hasOwnMessage(outcome.code)
  const message = hasMessage ? truncateUtf8(outcome.message, MESSAGE_BYTES_MAX) : ''
  return { txId, sender, nonce, status: 'reverted', code, message, gasUsed, result: new Uint8Array(), events: [] }
}

function skipped(
  { sender, nonce }: Transaction,
  txId: string,
  code: NonNullable<ReturnType<typeof skipReason>>,
): Receipt {
  return { txId, sender, nonce, status: 'skipped', code, message: '', gasUsed: 0, result: new Uint8Array(), events: [] }
}
