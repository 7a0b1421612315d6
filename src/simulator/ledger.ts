// The ledger of a simulated node: blocks and certificates, each write all or nothing as LevelDB's synced batches are.
import type { Certificate } from '../types/block.ts'
import type { Divergence } from '../types/divergence.ts'
import type { Disk } from './disk.ts'
import type { ChainBlock } from './execution.ts'

/** What is durable. */
export interface LedgerFile {
  blocks: ChainBlock[]
  certificates: Map<number, Certificate>
  certifiedHeight: number
  /** What a quorum certified in place of a block that was here when this was kept. */
  divergence: Pick<Divergence, 'certificate' | 'ours'> | undefined
}

export interface SimulatedLedger {
  head(): ChainBlock
  block(height: number): ChainBlock | undefined
  certificate(height: number): Certificate | undefined
  certifiedHeight(): number
  commitBlock(block: ChainBlock): Promise<void>
  putCertificates(certificates: Certificate[]): Promise<void>
  hasDiverged(): boolean
  putDivergence(certificate: Certificate, ours: string): Promise<void>
}

/** Hears what has become durable. */
export interface LedgerWatch {
  onBlock(block: ChainBlock): void
  onCertificate(certificate: Certificate): void
}

export function createLedgerFile(genesis: ChainBlock): LedgerFile {
  return { blocks: [genesis], certificates: new Map(), certifiedHeight: 0, divergence: undefined }
}

/** Whether a quorum contradicts a block that is in it. */
export function hasDiverged({ divergence, blocks }: LedgerFile): boolean {
  return divergence !== undefined && blocks[divergence.certificate.height]?.blockHash === divergence.ours
}

export function openSimulatedLedger(file: LedgerFile, disk: Disk, watch: LedgerWatch): SimulatedLedger {
  return {
    head: () => file.blocks.at(-1)!,
    block: (height) => file.blocks[height],
    certificate: (height) => file.certificates.get(height),
    certifiedHeight: () => file.certifiedHeight,
    commitBlock(block) {
      const head = file.blocks.at(-1)!
      if (block.header.parentHash !== head.blockHash)
        throw new Error(`block ${block.header.height} does not follow block ${head.header.height}`)
      return disk.write((remains) => {
        if (remains !== 'all') return
        file.blocks.push(block)
        watch.onBlock(block)
      })
    },
    hasDiverged: () => hasDiverged(file),
    putDivergence: (certificate, ours) =>
      disk.write((remains) => {
        if (remains === 'all') file.divergence = { certificate, ours }
      }),
    putCertificates(certificates) {
      for (const { height, blockHash } of certificates) {
        const executed = file.blocks[height]?.blockHash
        if (executed !== blockHash)
          throw new Error(`a certificate for block ${height} was put, but ${executed} is executed`)
      }
      return disk.write((remains) => {
        if (remains !== 'all') return
        for (const certificate of certificates) {
          file.certificates.set(certificate.height, certificate)
          watch.onCertificate(certificate)
        }
        while (file.certificates.has(file.certifiedHeight + 1)) file.certifiedHeight++
      })
    },
  }
}
