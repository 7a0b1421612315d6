// What correct nodes' ledgers hold, checked block by block as it becomes durable: one chain, of transactions that clients signed, each
// run once.
import type { Certificate } from '../types/block.ts'
import type { ChainBlock } from './execution.ts'
import type { Rule } from './violation.ts'
import { short } from './votes.ts'

export interface BlockChecksOptions {
  /** Signatures that make a certificate. */
  quorum: number
  /** Whether a client of this run signed these bytes. */
  isSubmitted(id: string, wire: Uint8Array): boolean
  report(rule: Rule, node: number | null, detail: string): void
}

export interface BlockChecks {
  onBlock(node: number, block: ChainBlock): void
  /** A certificate became durable: q distinct validators signed the agreed hash. */
  onCertificate(node: number, certificate: Certificate): void
  /** The height at which a transaction ran. */
  heightOf(id: string): number | undefined
  height(): number
}

export function createBlockChecks({ quorum, isSubmitted, report }: BlockChecksOptions): BlockChecks {
  const hashes: string[] = []
  const ranAt = new Map<string, number>()
  const usedBy = new Map<string, string>()

  function checkFirst(node: number, { header, txs, receipts, batch }: ChainBlock): void {
    for (const [index, { txId, sender, nonce, status }] of receipts.entries()) {
      if (!isSubmitted(txId, txs[index]!.wire))
        report('validity', node, `block ${header.height} runs what no client signed`)
      if (status !== 'ok') continue
      const slot = `${sender} ${nonce}`
      if (usedBy.has(slot))
        report('validity', node, `block ${header.height} runs nonce ${nonce} of ${short(sender)} again`)
      usedBy.set(slot, txId)
      ranAt.set(txId, header.height)
    }
    if (batch.length === 0) report('validity', node, `block ${header.height} has no batch`)
  }

  return {
    onBlock(node, block) {
      const { height, parentHash } = block.header
      const agreed = hashes[height]
      if (agreed === undefined) {
        const parent = hashes[height - 1]
        if (height > 1 && parent !== parentHash)
          report(
            'agreement',
            node,
            `block ${height} follows ${short(parentHash)}, block ${height - 1} is ${short(parent ?? '')}`,
          )
        hashes[height] = block.blockHash
        checkFirst(node, block)
      } else if (agreed !== block.blockHash)
        report('agreement', node, `block ${height} is ${short(block.blockHash)} here and ${short(agreed)} elsewhere`)
    },
    onCertificate(node, { height, blockHash, signatures }) {
      const signers = new Set(signatures.map(({ signer }) => signer))
      if (signers.size < quorum)
        report('certificate', node, `block ${height} is certified by ${signers.size} validators`)
      if (hashes[height] !== blockHash)
        report('certificate', node, `block ${height} has a certificate for ${short(blockHash)}`)
    },
    heightOf: (id) => ranAt.get(id),
    height: () => Math.max(0, hashes.length - 1),
  }
}
