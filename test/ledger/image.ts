// All that a ledger answers, to be compared with what another one answers.
import type { Ledger } from '../../src/ledger/ledger.ts'
import { toHex } from '../../src/types/hex.ts'

export interface Image {
  head: number
  /** What was asked to what was answered, as text; for a height, a transaction, or a key at a height. */
  answers: Map<string, { height: number; text: string }>
}

/** Whole scans of the state as it was: at every so many heights, and at the head. */
const SCAN_EVERY = 10
/** Stands for an answer that was refused because what is stored is damaged. */
export const REFUSED = 'LEDGER_DAMAGED'

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (inner instanceof Uint8Array ? toHex(inner) : inner)) ?? 'nothing'

async function answerOf(read: () => unknown): Promise<string> {
  try {
    return textOf(await read())
  } catch (error) {
    if ((error as { code?: string }).code === REFUSED) return REFUSED
    throw error
  }
}

/** With a model, asks what the model was asked, up to this ledger's head. */
export async function imageOf(ledger: Ledger, model?: Image): Promise<Image> {
  const head = ledger.head()?.height ?? -1
  const answers: Image['answers'] = new Map()
  const ask = async (question: string, height: number, read: () => unknown): Promise<void> => {
    answers.set(question, { height, text: await answerOf(read) })
  }
  for (let height = 0; height <= head; height++) {
    await ask(`block ${height}`, height, async () => ({ ...(await ledger.block(height)), certificate: undefined }))
    await ask(`receipts ${height}`, height, () => ledger.receipts(height))
    if (height <= ledger.certifiedHeight() && height > 0)
      await ask(`certificate ${height}`, height, () => ledger.certificate(height))
    await ask(`listing before ${height}`, height, () => ledger.transactionsBy({ beforeHeight: height, limit: 1_000 }))
    if (height % SCAN_EVERY === 0 || height === (model?.head ?? head))
      await ask(`state ${height}`, height, () => ledger.stateAt(height).scan('', undefined, 10_000))
  }
  for (const [question, { height }] of model?.answers ?? (await lookupsOf(ledger))) {
    const [kind, first, second] = question.split(' ')
    if (height > head) continue
    if (kind === 'transaction') await ask(question, height, () => ledger.findTransaction(first!))
    if (kind === 'nonce') await ask(question, height, () => ledger.executedBy(first!, Number(second)))
    if (kind === 'sender' || kind === 'contract') {
      const beforeHeight = height
      await ask(question, height, () => ledger.transactionsBy({ [kind]: first, beforeHeight, limit: 1_000 }))
    }
  }
  return { head, answers }
}

/** What may be asked about each transaction. */
async function lookupsOf(ledger: Ledger): Promise<Image['answers']> {
  const found: Image['answers'] = new Map()
  const head = ledger.head()!.height
  for (let height = 1; height <= head; height++) {
    for (const { txId, sender, nonce, status } of (await ledger.receipts(height))!) {
      if (status === 'skipped') continue
      found.set(`transaction ${txId}`, { height, text: '' })
      found.set(`nonce ${sender} ${nonce}`, { height, text: '' })
      found.set(`sender ${sender} ${height}`, { height, text: '' })
    }
    found.set(`contract token ${height}`, { height, text: '' })
  }
  return found
}

/** Questions that are answered otherwise than by the model; a refusal is no answer. */
export function differences(model: Image, found: Image): string[] {
  const wrong: string[] = []
  for (const [question, { text }] of found.answers) {
    const expected = model.answers.get(question)?.text
    if (text !== REFUSED && text !== expected) wrong.push(question)
  }
  return wrong
}

export const refusals = ({ answers }: Image): string[] =>
  [...answers].filter(([, { text }]) => text === REFUSED).map(([question]) => question)
