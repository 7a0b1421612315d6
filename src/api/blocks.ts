// Reading blocks and what is in them, up to the certified height and no further.
import { merklePath } from '../crypto/merkle.ts'
import { batchCodec, receiptCodec } from '../types/block.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { decode, encode } from '../types/schema.ts'
import { decodeTransaction } from '../types/transaction.ts'
import { base64, certificateJson, headerJson, type TransactionJson, transactionJson } from './json.ts'
import type { ApiNode, LedgerReader, StoredBlock } from './port.ts'
import { Problem } from './problem.ts'

/** The block at a height that is certified, or the reason there is none. */
export async function readBlock(ledger: LedgerReader, height: number): Promise<StoredBlock> {
  refuseUncertified(ledger, height)
  refusePruned(ledger, height)
  return (await ledger.block(height)) ?? refuseUnknown(ledger, height)
}

/** The header at a height that is certified, and its certificate, which block 0 has none of. */
export async function readCertifiedHeader(ledger: LedgerReader, height: number): Promise<CertifiedHeader> {
  refuseUncertified(ledger, height)
  const [header, certificate] = await Promise.all([ledger.header(height), ledger.certificate(height)])
  return { header: header ?? refuseUnknown(ledger, height), certificate }
}

export type CertifiedHeader = Pick<StoredBlock, 'header' | 'certificate'>

function refuseUncertified(ledger: LedgerReader, height: number): void {
  const certifiedHeight = ledger.certifiedHeight()
  if (height <= certifiedHeight) return
  throw new Problem(
    'UNKNOWN_BLOCK',
    `Block ${height} is not certified, this node is at ${certifiedHeight}: wait for it with minHeight, or ask for a lower one.`,
    { certifiedHeight },
  )
}

function refuseUnknown(ledger: LedgerReader, height: number): never {
  throw new Problem('UNKNOWN_BLOCK', `Block ${height} is not in this node’s ledger: ask another node.`, {
    certifiedHeight: ledger.certifiedHeight(),
  })
}

export function refusePruned(ledger: LedgerReader, height: number): void {
  const oldestHeight = ledger.oldestHeight?.() ?? 0
  if (height >= oldestHeight) return
  throw new Problem(
    'PRUNED',
    `Block ${height} is pruned, this node keeps blocks from ${oldestHeight} on: ask a node with a longer history.`,
    { oldestHeight },
  )
}

export function blockJson({ header, blockHash, receipts, certificate }: StoredBlock) {
  return {
    height: header.height,
    hash: blockHash,
    header: headerJson(header),
    transactions: receipts.map((receipt) => receipt.txId),
    certificate: certificate === undefined ? null : certificateJson(certificate),
  }
}

const decodedWires = new WeakMap<StoredBlock, Uint8Array[]>()

/** The wire forms of a block's transactions, in order: its receipts are theirs. Decoded once while the block is in memory. */
export function wiresOf(block: StoredBlock): Uint8Array[] {
  if (block.receipts.length === 0) return []
  const wires = decodedWires.get(block) ?? decode(batchCodec, block.batch).txs
  decodedWires.set(block, wires)
  return wires
}

/** One transaction of a block. `wires` are the block's, where the caller has them already. */
export function transactionOf(
  node: Pick<ApiNode, 'explain'>,
  block: StoredBlock,
  index: number,
  wires: Uint8Array[] = wiresOf(block),
): TransactionJson {
  const place = { height: block.header.height, index }
  return transactionJson(decodeTransaction(wires[index]!), block.receipts[index]!, place, node.explain)
}

/** Everything needed to check, trusting nobody, that the receipt is that of the transaction (docs/proofs.md, "Transactions"). */
export function transactionProof(block: StoredBlock, index: number, wires: Uint8Array[]) {
  const { header, receipts, certificate } = block
  const ids = receipts.map((receipt) => fromHex(receipt.txId))
  const leaves = receipts.map((receipt) => encode(receiptCodec, receipt))
  return {
    header: headerJson(header),
    certificate: certificate === undefined ? null : certificateJson(certificate),
    receipt: base64(leaves[index]!),
    receiptPath: merklePath(leaves, index).map(toHex),
    transaction: base64(wires[index]!),
    transactionPath: merklePath(ids, index).map(toHex),
    index,
    count: receipts.length,
  }
}
