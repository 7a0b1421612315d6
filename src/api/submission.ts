// Handing one transaction to the node, and waiting for what becomes of it.
import { transactionId } from '../crypto/digest.ts'
import { DecodeError } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'
import { transactionOf, wiresOf } from './blocks.ts'
import type { ApiContext } from './context.ts'
import { Problem, refusalCode } from './problem.ts'

export type Wait = 'none' | 'executed' | 'certified'

export interface Waiting {
  wait: Wait
  timeoutMs: number
  signal: AbortSignal
}

/** The bytes of base64 with padding, in its one spelling; undefined where the text is not that. */
function parseBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined
}

export function bytesOrRefuse(text: string): Uint8Array {
  const wire = parseBase64(text)
  if (wire !== undefined) return wire
  throw new Problem(
    'MALFORMED',
    'The transaction is not base64: encode its wire form in the standard alphabet, padded, without line breaks.',
  )
}

function tryDecode(wire: Uint8Array): (Transaction & { id: string }) | undefined {
  try {
    const transaction = decodeTransaction(wire)
    return { ...transaction, id: transactionId(transaction.unsigned) }
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

/** A node's refusal as a problem; the id is there whenever the bytes are a transaction, whatever the node said. */
export function refusalProblem(wire: Uint8Array, refusal: { code: string; message: string; id?: string }): Problem {
  const id = refusal.id ?? tryDecode(wire)?.id
  return new Problem(refusalCode(refusal.code), refusal.message, id === undefined ? {} : { id })
}

/** Refusals that a transaction gets for having run already: then it is answered as it was the first time. */
const MAY_HAVE_RUN = new Set(['NONCE_USED', 'EXPIRED', 'NOT_ALLOWED', 'GAS_LIMIT', 'MEMPOOL_FULL', 'NONCE_TAKEN'])

/** Admits the transaction, or finds that a block has it. The id, or the problem thrown. */
export async function submit({ node }: ApiContext, wire: Uint8Array, client: string): Promise<string> {
  const result = await node.submit(wire, client)
  if (result.ok) return result.id
  const problem = refusalProblem(wire, result)
  const { id } = problem.members
  if (typeof id !== 'string' || !MAY_HAVE_RUN.has(result.code)) throw problem
  const place = await node.ledger.findTransaction(id)
  // A block that skipped it settles nothing by itself: the refusal says why it will not run now.
  if (place === undefined || (!place.executed && !(await isFinalSkip(node, place)))) throw problem
  return id
}

async function isFinalSkip(node: ApiContext['node'], { height, index }: { height: number; index: number }) {
  const receipt = (await node.ledger.block(height))?.receipts[index]
  return receipt !== undefined && receipt.code !== 'NONCE_GAP'
}

/** The receipt once the transaction is as far as asked; throws what became of it otherwise. */
export async function receiptOf(
  context: ApiContext,
  id: string,
  wire: Uint8Array,
  { wait, timeoutMs, signal }: Waiting,
) {
  const { node } = context
  const until = wait === 'executed' ? 'executed' : 'certified'
  const isThere = await node.awaitTransaction(id, until, timeoutMs, signal)
  const found = await findReceipt(context, id, isThere, until)
  if (found !== undefined) return found
  await refuseOvertaken(context, id, wire)
  const { certifiedHeight } = node.status()
  throw new Problem(
    'TIMEOUT',
    `Transaction ${id} was not ${until} within ${timeoutMs} ms; it may still run: ask for it by its id, or submit the same bytes again.`,
    { id, certifiedHeight },
  )
}

async function findReceipt({ node }: ApiContext, id: string, isThere: boolean, until: 'executed' | 'certified') {
  if (!isThere) return undefined
  const { ledger } = node
  const place = await ledger.findTransaction(id)
  if (place === undefined || (until === 'certified' && place.height > ledger.certifiedHeight())) return undefined
  const block = await ledger.block(place.height)
  return block === undefined ? undefined : transactionOf(node, block, place.index, wiresOf(block))
}

/** No block has the transaction: says so for good where its nonce is used or its last height is past. */
async function refuseOvertaken({ node }: ApiContext, id: string, wire: Uint8Array): Promise<void> {
  const transaction = tryDecode(wire)
  const height = node.ledger.certifiedHeight()
  if (transaction === undefined || (await node.ledger.findTransaction(id)) !== undefined) return
  const { sender, nonce, expires } = transaction
  const next = Number((await node.ledger.stateAt(height).get(`system\0nonce/${sender}`)) ?? 0)
  if (next > nonce) {
    const detail = `Another transaction of the sender used nonce ${nonce}, the next is ${next}: sign it again with that.`
    throw new Problem('NONCE_USED', detail, { id })
  }
  if (expires !== 0 && expires <= height) {
    const detail = `The transaction could run up to height ${expires}, the ledger is at ${height}: sign it again.`
    throw new Problem('EXPIRED', detail, { id })
  }
}
