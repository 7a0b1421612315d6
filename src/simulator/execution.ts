// What stands in for contracts: nonces exactly as docs/protocol.md counts them, and a counter per sender. Headers are real ones, so
// every hash, link and root is what a ledger would have.
import { batchDigest, blockHash, transactionId } from '../crypto/digest.ts'
import { sha256 } from '../crypto/hash.ts'
import { buildHeader, type EpochFields } from '../execution/header.ts'
import { skipReason } from '../execution/transaction.ts'
import type { ExecutedBlock } from '../replica.ts'
import { type Batch, batchCodec, type Header, type Receipt, ZERO_HASH } from '../types/block.ts'
import { toHex } from '../types/hex.ts'
import { decode } from '../types/schema.ts'
import { decodeTransaction, type Transaction } from '../types/transaction.ts'

/** A block and the state after it. Immutable, and shared by every node that has it. */
export interface ChainBlock extends ExecutedBlock {
  batch: Uint8Array
  txs: Transaction[]
  receipts: Receipt[]
  /** Next nonces by sender; a sender's counter is its next nonce, since each executed transaction adds one to both. */
  nonces: ReadonlyMap<string, number>
}

export interface Execution {
  genesis: ChainBlock
  /** The same parent and batch give the same block: it is made once and then remembered. */
  execute(parent: ChainBlock, batch: Uint8Array): ChainBlock
}

const encoder = new TextEncoder()

export function createExecution(genesisHash: string, epoch: EpochFields, time: number): Execution {
  const made = new Map<string, ChainBlock>()
  const genesis = genesisBlock(genesisHash, epoch, time)

  function execute(parent: ChainBlock, bytes: Uint8Array): ChainBlock {
    const batch = decode(batchCodec, bytes)
    const digest = batchDigest(batch)
    const key = `${parent.blockHash} ${digest}`
    const known = made.get(key)
    if (known !== undefined) return known
    const block = makeBlock(parent, batch, digest, bytes, epoch)
    made.set(key, block)
    return block
  }

  return { genesis, execute }
}

function makeBlock(
  parent: ChainBlock,
  batch: Batch,
  digest: string,
  bytes: Uint8Array,
  epoch: EpochFields,
): ChainBlock {
  const nonces = new Map(parent.nonces)
  const txs = batch.txs.map(decodeTransaction)
  const receipts = txs.map((transaction) => run(nonces, transaction, parent.header.height + 1))
  const header = buildHeader({
    ...epoch,
    parent: parent.header,
    parentHash: parent.blockHash,
    batch,
    batchDigest: digest,
    receipts,
    stateRoot: stateRoot(parent, receipts),
  })
  const moved = new Set(receipts.filter(({ status }) => status === 'ok').map(({ sender }) => sender))
  return {
    header,
    blockHash: blockHash(header),
    batch: bytes,
    txs,
    receipts,
    nonces,
    transactions: receipts.map(({ txId: id, sender, nonce, code }) => ({
      id,
      sender,
      nonce,
      final: code !== 'NONCE_GAP',
    })),
    nextNonces: [...moved].map((sender) => [sender, nonces.get(sender)!]),
  }
}

function run(nonces: Map<string, number>, transaction: Transaction, height: number): Receipt {
  const { sender, nonce, unsigned } = transaction
  const next = nonces.get(sender) ?? 0
  const code = skipReason(transaction, next, height) ?? ''
  const isRun = code === ''
  if (isRun) nonces.set(sender, next + 1)
  const result = encoder.encode(isRun ? String(next + 1) : '')
  const status = isRun ? 'ok' : 'skipped'
  return { txId: transactionId(unsigned), sender, nonce, status, code, message: '', gasUsed: 0, result, events: [] }
}

/** A chain of the writes: two histories with one root do not exist. */
function stateRoot(parent: ChainBlock, receipts: Receipt[]): string {
  const writes = receipts.filter(({ status }) => status === 'ok').map(({ sender, nonce }) => `${sender}=${nonce + 1}`)
  return toHex(sha256(encoder.encode(`${parent.header.stateRoot} ${writes.join()}`)))
}

function genesisBlock(genesisHash: string, epoch: EpochFields, time: number): ChainBlock {
  const header: Header = {
    ...epoch,
    genesisHash,
    height: 0,
    parentHash: ZERO_HASH,
    batchDigest: ZERO_HASH,
    txRoot: ZERO_HASH,
    receiptsRoot: ZERO_HASH,
    stateRoot: ZERO_HASH,
    time,
    proposer: ZERO_HASH,
  }
  return {
    header,
    blockHash: blockHash(header),
    batch: new Uint8Array(),
    txs: [],
    receipts: [],
    nonces: new Map(),
    transactions: [],
    nextNonces: [],
  }
}
