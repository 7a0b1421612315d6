// What peers answer that do not answer as they should.
import { batchCodec, ZERO_HASH } from '../../src/types/block.ts'
import type { CertifiedBlock } from '../../src/types/fetch.ts'
import { encode } from '../../src/types/schema.ts'
import { certificateOf } from '../network-edge/support.ts'
import { type Answer, answerOf, batchAt, blocksFrom, chain, LENGTH, never } from './world.ts'

/** Changes the answer's block at `index` (the last for -1), or replaces the list. */
export const changing =
  (index: number, change: (block: CertifiedBlock) => CertifiedBlock): Answer =>
  async (request) => {
    const blocks = blocksFrom(request)
    const at = index < 0 ? blocks.length - 1 : Math.min(index, blocks.length - 1)
    return answerOf(blocks.map((block, position) => (position === at ? change(block) : block)))
  }
const resigned = (block: CertifiedBlock, header: CertifiedBlock['header']) => ({
  ...block,
  header,
  certificate: certificateOf(header, [0, 1, 2]),
})

/** Answers that no correct node gives. */
export const lies: Record<string, Answer> = {
  'heights one too high': async ({ from, limit }) => answerOf(blocksFrom({ from: from + 1, limit })),
  'heights one too low': async ({ from, limit }) =>
    answerOf([...(from > 1 ? chain.slice(from - 2, from - 1) : blocksFrom({ from: 3, limit }))]),
  'a gap': async (request) => answerOf(blocksFrom(request).filter((_, index) => index !== 1)),
  'a block twice': async (request) => answerOf(blocksFrom(request).flatMap((block) => [block, block])),
  'the wrong order': async (request) => answerOf(blocksFrom(request).reverse()),
  'a broken link': changing(1, (block) => resigned(block, { ...block.header, parentHash: ZERO_HASH })),
  'another first parent': changing(0, (block) => resigned(block, { ...block.header, parentHash: ZERO_HASH })),
  'one block of another chain': async ({ from }) => {
    const block = chain[Math.min(from, LENGTH) - 1]!
    return answerOf([resigned(block, { ...block.header, parentHash: ZERO_HASH })])
  },
  'too few signatures': changing(2, (block) => ({
    ...block,
    certificate: { ...block.certificate, signatures: block.certificate.signatures.slice(1) },
  })),
  'no signatures': changing(-1, (block) => ({ ...block, certificate: { ...block.certificate, signatures: [] } })),
  'the certificate of another block': changing(1, (block) => ({ ...block, certificate: chain[140]!.certificate })),
  'a forged signature': changing(0, (block) => {
    const [first, ...rest] = block.certificate.signatures
    return {
      ...block,
      certificate: { ...block.certificate, signatures: [{ ...first!, signature: new Uint8Array(64) }, ...rest] },
    }
  }),
  'a changed header': changing(-1, (block) => ({ ...block, header: { ...block.header, time: 1 } })),
  'another batch': changing(1, (block) => ({ ...block, batch: encode(batchCodec, batchAt(999)) })),
  'a batch that is none': changing(1, (block) => ({ ...block, batch: Uint8Array.of(0xff) })),
  garbage: async () => Uint8Array.of(1, 2, 3),
  'half an answer': async (request) => answerOf(blocksFrom(request)).subarray(0, -10),
  'nothing at all': async () => new Uint8Array(),
}

/** Answers that are of no use and prove nothing. */
export const useless: Record<string, Answer> = {
  'no blocks': async () => answerOf([]),
  'an error': async () => {
    throw new Error('the connection closed')
  },
  'no answer': never,
}
