// A ledger out of a snapshot's files: every chunk is checked against the manifest once more, and the whole against the header's state root.
import { rm } from 'node:fs/promises'
import { openLedgerBuilder } from './ledger/builder.ts'
import { openLedger } from './ledger/ledger.ts'
import { chunksOf, readChunkFile } from './snapshot/files.ts'
import { readChunk } from './snapshot/verify.ts'
import type { Evidence } from './types/evidence.ts'
import type { Manifest } from './types/snapshot.ts'

export interface RestoreOptions {
  /** Of the snapshot. */
  folder: string
  /** Verified, certificate included. */
  manifest: Manifest
  /** Of the ledger that is made; what is there is removed. */
  directory: string
  genesisHash: string
  /** Kept from the ledger that was there before: it cannot be had again. */
  evidence: Evidence[]
  isStopped(): boolean
}

/** A chunk's file is missing or not the manifest's. */
export class ChunkDamaged extends Error {
  readonly code = 'SNAPSHOT_DAMAGED'
  readonly index: number
  constructor(index: number, reason: string) {
    super(`chunk ${index} of the snapshot cannot be used: ${reason}`)
    this.index = index
  }
}

/** Gives the number of keys. Throws ChunkDamaged. */
export async function restoreLedger(options: RestoreOptions): Promise<number> {
  const { folder, manifest, directory, genesisHash, evidence } = options
  await rm(directory, { recursive: true, force: true })
  const builder = await openLedgerBuilder(directory, genesisHash)
  let keys = 0
  try {
    for (const index of chunksOf(manifest)) {
      if (options.isStopped()) throw new Error('The making of the ledger was given up.')
      const bytes = await readChunkFile(folder, index)
      const chunk = bytes === undefined ? 'its file is missing' : readChunk(manifest, index, bytes)
      if (typeof chunk === 'string') throw new ChunkDamaged(index, chunk)
      await builder.putState(chunk.entries.map(({ key, value }) => [key, value]))
      keys += chunk.entries.length
    }
    const { header, certificate } = manifest
    await builder.finish({ header, certificate })
  } catch (error) {
    await builder.abandon()
    await rm(directory, { recursive: true, force: true })
    throw error
  }
  if (evidence.length > 0) await keepEvidence(options)
  return keys
}

async function keepEvidence({ directory, genesisHash, evidence }: RestoreOptions): Promise<void> {
  const ledger = await openLedger({ directory, genesisHash, tree: false })
  try {
    for (const entry of evidence) await ledger.putEvidence(entry)
  } finally {
    await ledger.close()
  }
}
