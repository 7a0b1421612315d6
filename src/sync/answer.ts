// The answering side of catching up: consecutive certified blocks by height.
import { FETCH_BLOCKS_MAX, FETCH_BYTES_MAX } from '../limits.ts'
import type { Certificate, Header } from '../types/block.ts'
import { type BlockRequest, blockAnswerCodec, blockRequestCodec, type CertifiedBlock } from '../types/fetch.ts'
import { decode, encode } from '../types/schema.ts'

export interface BlockSource {
  certifiedHeight(): number
  header(height: number): Promise<Header | undefined>
  batch(height: number): Promise<Uint8Array | undefined>
  certificate(height: number): Promise<Certificate | undefined>
}

/** Answers a block request: consecutive certified blocks, bounded in number and bytes; none where they are pruned. Throws DecodeError on a malformed request. */
export async function answerBlockRequest(ledger: BlockSource, payload: Uint8Array): Promise<Uint8Array> {
  const { from, limit }: BlockRequest = decode(blockRequestCodec, payload)
  const blocks: CertifiedBlock[] = []
  const last = Math.min(ledger.certifiedHeight(), from + Math.min(limit, FETCH_BLOCKS_MAX) - 1)
  let bytes = 0
  for (let height = from; height <= last && bytes < FETCH_BYTES_MAX; height++) {
    const [header, certificate, batch] = await Promise.all([
      ledger.header(height),
      ledger.certificate(height),
      ledger.batch(height),
    ]).catch(nothingIfPruned)
    if (header === undefined || certificate === undefined || batch === undefined) break
    if (blocks.length > 0 && bytes + batch.length > FETCH_BYTES_MAX) break
    bytes += batch.length
    blocks.push({ header, certificate, batch })
  }
  return encode(blockAnswerCodec, blocks)
}

/** Blocks may also be pruned between two reads. */
function nothingIfPruned(error: unknown): [undefined, undefined, undefined] {
  if (error instanceof Error && 'code' in error && error.code === 'PRUNED') return [undefined, undefined, undefined]
  throw error
}
