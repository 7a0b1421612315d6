// What proves state, events and epochs, as JSON (docs/proofs.md). Transactions' proofs are in blocks.ts.
import { receiptCodec } from '../types/block.ts'
import { epochRecordCodec } from '../types/epoch.ts'
import { encode } from '../types/schema.ts'
import type { CertifiedHeader } from './blocks.ts'
import { base64, certificateJson, headerJson } from './json.ts'
import type { EpochLinkView, StatePath, StoredBlock } from './port.ts'

/** A block's header and who signed it; null for genesis, which nobody has to sign. */
export function signedHeader({ header, certificate }: CertifiedHeader) {
  return {
    header: headerJson(header),
    certificate: certificate === undefined ? null : certificateJson(certificate),
  }
}

/** That the full state key has this JSON text, or no value, in the state after the block. */
export function stateProof(block: CertifiedHeader, key: string, value: string | undefined, path: StatePath) {
  return { ...signedHeader(block), key, value: value ?? null, ...path }
}

function rangeBlock({ header, receipts }: StoredBlock) {
  return { header: headerJson(header), receipts: receipts.map((receipt) => base64(encode(receiptCodec, receipt))) }
}

export function epochLinkJson({ record, ...block }: EpochLinkView) {
  return { ...signedHeader(block), record: base64(encode(epochRecordCodec, record)) }
}

/** What of a range goes into one document; `at` reads a block. */
export async function rangeDocument(
  at: (height: number) => Promise<StoredBlock>,
  range: { from: number; to: number },
  limits: { blocks: number; bytes: number },
) {
  const blocks: ReturnType<typeof rangeBlock>[] = []
  let last: StoredBlock
  let bytes = 0
  let height = range.from
  do {
    last = await at(height++)
    const block = rangeBlock(last)
    blocks.push(block)
    bytes += HEADER_BYTES + block.receipts.reduce((sum, receipt) => sum + receipt.length, 0)
  } while (height <= range.to && blocks.length < limits.blocks && bytes < limits.bytes)
  const { certificate } = signedHeader(last)
  return { from: range.from, to: height - 1, blocks, certificate, next: height }
}
/** What a header comes to, about, as JSON. */
const HEADER_BYTES = 1_024
