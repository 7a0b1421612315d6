// The blocks of backups, each checked against its parent, its certificate and its own roots before it is handed on.
import { join } from 'node:path'
import { checkBody, checkCertificate, checkHeader, type Parent } from '../audit/block.ts'
import type { Finding } from '../audit/finding.ts'
import type { Network } from '../audit/network.ts'
import type { SignedItem } from '../crypto/verifier.ts'
import { BlockFileError, type FiledBlock, readBlockFile } from '../ledger/block-file.ts'
import type { CertifiedHeader } from '../ledger/builder.ts'
import type { Header } from '../types/block.ts'
import type { Transaction } from '../types/transaction.ts'
import { edited, unproven } from './error.ts'
import type { Backup } from './folder.ts'
import { BLOCKS } from './parts.ts'

export interface CheckedBlock extends FiledBlock {
  decoded: Transaction[]
}

export interface BlockCheck {
  /** Hands on the blocks of a backup in order, each once it is proven. Throws BackupError at the first that is not. */
  blocksOf(backup: Backup, use: (block: CheckedBlock) => Promise<void>): Promise<void>
  /** Of a header without its block. Also where the next block links to. */
  certified(folder: string, header: CertifiedHeader): Promise<void>
}

/** Blocks whose signatures are being checked by other threads while this one reads on. */
const AHEAD_MAX = 64

export function createBlockCheck(
  network: Network,
  verifyBatch: (items: readonly SignedItem[]) => Promise<boolean[]>,
): BlockCheck {
  let parent: Parent | undefined

  async function signatures(folder: string, { header, certificate }: CertifiedHeader, hash: string): Promise<void> {
    const items = checkCertificate(network, { header, blockHash: hash }, certificate)
    if (!Array.isArray(items)) throw failed(folder, items)
    const wrong = (await verifyBatch(items)).indexOf(false)
    if (wrong < 0) return
    const { signer } = certificate.signatures[wrong]!
    throw unproven(folder, `the signature of validator ${signer} under block ${header.height} is wrong`)
  }

  /** Everything but the signatures, which are waited for when the block is handed on. */
  function check(folder: string, block: FiledBlock, height: number): { block: CheckedBlock; signed: Promise<void> } {
    const { header, certificate } = block
    const wrong = checkHeader(network, height, block, parent)
    if (wrong !== undefined) throw failed(folder, wrong)
    // Block 0 has no certificate: the next block, which has one, names its hash.
    if ((certificate === null) !== (height === 0)) throw unproven(folder, `block ${height} has no certificate`)
    const decoded = checkBody(network, header, block, height === 0 ? undefined : parent)
    if (!Array.isArray(decoded)) throw failed(folder, decoded)
    parent = { blockHash: block.blockHash, time: header.time }
    const signed =
      certificate === null ? Promise.resolve() : signatures(folder, { header, certificate }, block.blockHash)
    signed.catch(() => undefined)
    return { block: { ...block, decoded }, signed }
  }

  return {
    async blocksOf({ folder, manifest }, use) {
      const waiting: ReturnType<typeof check>[] = []
      const handOn = async () => {
        const { block, signed } = waiting.shift()!
        await signed
        await use(block)
      }
      let next = manifest.from
      let lastHash = parent?.blockHash
      for await (const block of blocksIn(folder, network.genesisHash)) {
        if (next > manifest.to) throw edited(folder, BLOCKS, `it has blocks after ${manifest.to}`)
        waiting.push(check(folder, block, next++))
        lastHash = block.blockHash
        if (waiting.length > AHEAD_MAX) await handOn()
      }
      while (waiting.length > 0) await handOn()
      if (next !== manifest.to + 1) throw edited(folder, BLOCKS, `it ends before block ${manifest.to}`)
      if (lastHash !== manifest.blockHash)
        throw edited(folder, BLOCKS, `block ${manifest.to} has the hash ${lastHash}, expected ${manifest.blockHash}`)
    },
    async certified(folder, { header, certificate }) {
      const { blockHash } = certificate
      const wrong = checkHeader(network, header.height, { header, blockHash }, undefined)
      if (wrong !== undefined) throw failed(folder, wrong)
      await signatures(folder, { header, certificate }, blockHash)
      parent = headerAsParent(header, blockHash)
    },
  }
}

const headerAsParent = ({ time }: Header, blockHash: string): Parent => ({ blockHash, time })

const failed = (folder: string, { height, part, expected, found }: Finding) =>
  unproven(folder, `block ${height}, ${part}: expected ${expected}, found ${found}`)

async function* blocksIn(folder: string, genesisHash: string): AsyncGenerator<FiledBlock> {
  try {
    yield* readBlockFile(join(folder, BLOCKS), genesisHash)
  } catch (error) {
    if (error instanceof BlockFileError) throw edited(folder, BLOCKS, error.message)
    throw error
  }
}
