// Whether a range of blocks is complete: headers linked by hash up to a certified one, and every receipt of each. So all events of the
// range are there and none was left out (docs/proofs.md, "Events").
import { blockHash } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { merkleRoot } from '../crypto/merkle.ts'
import { BATCH_TRANSACTIONS_MAX, type Header, type Receipt, receiptCodec } from '../types/block.ts'
import { toHex } from '../types/hex.ts'
import { decode } from '../types/schema.ts'
import type { TrustedEpoch } from './genesis.ts'
import { type CertifiedHeader, readHeader, type VerifySignature, verifyHeader } from './header.ts'
import { attempt, refuse, requireBytes, requireList, requireObject, requireSame } from './read.ts'

/** More blocks than any node puts into one document. */
const RANGE_BLOCKS_MAX = 10_000

export interface ProvenBlock {
  header: Header
  blockHash: string
  receipts: Receipt[]
}

/** `height`, `time` and `header` are those of the last block, which the certificate is for. */
export interface ProvenRange extends CertifiedHeader {
  from: number
  to: number
  blocks: ProvenBlock[]
}

/**
 * Checks an answer of `GET /v1/events/range`. `from` is the height that was asked for; without it the document says which it is. The
 * range may end before the height that was asked for: `to` says where. Throws ClientError `BAD_PROOF`.
 */
export function verifyEventRange(
  document: unknown,
  asked: { from: number; to?: number } | undefined,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): ProvenRange {
  const given = requireObject(document, 'the document')
  const blocks = requireList(given.blocks, 'its blocks', RANGE_BLOCKS_MAX).map(readBlock)
  const [first, last] = [blocks[0], blocks.at(-1)]
  if (first === undefined || last === undefined) refuse('it has no blocks')
  const certified = verifyHeader(last.header, given.certificate, trust, verify)
  for (const [index, { header }] of blocks.entries()) {
    const parent = blocks[index - 1]
    if (parent === undefined) continue
    if (header.parentHash !== parent.blockHash) refuse(`block ${header.height} does not follow on the one before it`)
    if (header.height !== parent.header.height + 1) refuse(`block ${header.height} has a height that does not follow`)
  }
  const [from, to] = [first.header.height, last.header.height]
  requireSame('from', given.from, from)
  requireSame('to', given.to, to)
  requireSame('next', given.next, to + 1)
  if (asked !== undefined && asked.from !== from) refuse(`it begins with block ${from}, asked for was ${asked.from}`)
  if (asked?.to !== undefined && to > asked.to) refuse(`it ends with block ${to}, asked for was ${asked.to}`)
  return { ...certified, from, to, blocks }
}

function readBlock(value: unknown): ProvenBlock {
  const given = requireObject(value, 'a block')
  const header = readHeader(given.header)
  const name = `the receipts of block ${header.height}`
  const leaves = requireList(given.receipts, name, BATCH_TRANSACTIONS_MAX).map((text) =>
    requireBytes(text, `one of ${name}`),
  )
  if (toHex(merkleRoot(leaves)) !== header.receiptsRoot) refuse(`${name} are not all of them, or not these`)
  const receipts = leaves.map((leaf) => attempt(`one of ${name} is not canonical`, () => decode(receiptCodec, leaf)))
  return { header, blockHash: blockHash(header), receipts }
}
