// Makes blocks that follow one another, and remembers what each height's state is.
import { blockHash as hashOfHeader } from '../../src/crypto/digest.ts'
import type { BlockToCommit, Ledger } from '../../src/ledger/ledger.ts'
import {
  type Batch,
  batchCodec,
  type Certificate,
  type Header,
  type Receipt,
  ZERO_HASH,
} from '../../src/types/block.ts'
import { encode } from '../../src/types/schema.ts'
import { encodeTransaction, unsignedTransactionCodec } from '../../src/types/transaction.ts'

export const GENESIS = 'ab'.repeat(32)
export const name = (n: number): string => n.toString(16).padStart(64, '0')

export interface Sent {
  id: string
  sender: string
  nonce: number
  contract: string
  status?: Receipt['status']
}
export type Writes = [key: string, value: string | null][]

export const compareText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

function receiptOf({ id, sender, nonce, status = 'ok' }: Sent): Receipt {
  const code = status === 'skipped' ? 'NONCE_GAP' : ''
  const result = new Uint8Array([1, 2])
  return { txId: id, sender, nonce, status, code, message: '', gasUsed: 7, result, events: [] }
}

/** A batch that decodes to these transactions; what pruning removes it reads from there. */
export function batchOf(sent: Sent[]): Uint8Array {
  const txs = sent.map(({ sender, nonce, contract }) => {
    const rest = { expires: 0, gasLimit: 1, method: 'm', args: new Uint8Array(), network: GENESIS }
    const unsigned = encode(unsignedTransactionCodec, { ...rest, sender, nonce, contract })
    return encodeTransaction(unsigned, new Uint8Array(64))
  })
  const batch: Batch = { view: 0, proposer: ZERO_HASH, time: 0, txs }
  return encode(batchCodec, batch)
}

export function createChain(ledger: Ledger, genesisHash = GENESIS) {
  const states: Map<string, string>[] = []
  const hashes: string[] = []

  /** The next block, not committed. */
  function build(writes: Writes, sent: Sent[] = [], change: Partial<Header> = {}): BlockToCommit {
    const height = hashes.length
    const map = new Map(writes)
    const header: Header = {
      genesisHash,
      epoch: 0,
      height,
      parentHash: hashes.at(-1) ?? ZERO_HASH,
      batchDigest: name(height),
      txRoot: ZERO_HASH,
      receiptsRoot: ZERO_HASH,
      stateRoot: ledger.rootAfter(map),
      time: 1_000 + height,
      proposer: ZERO_HASH,
      validatorsHash: ZERO_HASH,
      nextValidatorsHash: ZERO_HASH,
      epochEnd: 0,
      proposers: new Uint8Array(),
      ...change,
    }
    const blockHash = hashOfHeader(header)
    const batch = new Uint8Array([height & 0xff, 9, 9])
    const transactions = sent.map(({ id, sender, nonce, contract }) => ({ id, sender, nonce, contract }))
    return { header, blockHash, batch, transactions, receipts: sent.map(receiptOf), writes: map }
  }

  async function commit(writes: Writes, sent: Sent[] = []): Promise<BlockToCommit> {
    const block = build(writes, sent)
    await ledger.commitBlock(block)
    const state = new Map(states.at(-1))
    for (const [key, value] of block.writes) {
      if (value === null) state.delete(key)
      else state.set(key, value)
    }
    states.push(state)
    hashes.push(block.blockHash)
    return block
  }

  const certificate = (height: number): Certificate => ({
    height,
    blockHash: hashes[height]!,
    signatures: [{ signer: 1, signature: new Uint8Array(64).fill(height) }],
  })

  /** What a scan at `height` must give. */
  function scan(height: number, prefix: string, after: string | undefined, limit: number): [string, string][] {
    return [...states[height]!]
      .filter(([key]) => key.startsWith(prefix) && (after === undefined || compareText(key, after) > 0))
      .sort(([a], [b]) => compareText(a, b))
      .slice(0, limit)
  }
  return { build, commit, certificate, scan, states, hashes }
}
