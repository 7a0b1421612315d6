// The ledger that a full backup holds: its state, proven by the certified root, and its blocks, put beside it without executing them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Network } from '../audit/network.ts'
import { type BlockToKeep, type CertifiedHeader, type LedgerBuilder, openLedgerBuilder } from '../ledger/builder.ts'
import { chunksOf, readChunkFile, readManifestFile } from '../snapshot/files.ts'
import { readChunk, readManifest } from '../snapshot/verify.ts'
import { DecodeError } from '../types/schema.ts'
import type { Manifest as SnapshotManifest } from '../types/snapshot.ts'
import type { BlockCheck, CheckedBlock } from './blocks.ts'
import { edited, unproven } from './error.ts'
import type { Backup } from './folder.ts'
import { decodeHeaders, HEADERS, SNAPSHOT } from './parts.ts'

export interface BuildOptions {
  full: Backup
  directory: string
  network: Network
  check: BlockCheck
  onProgress(phase: 'state' | 'blocks', done: number, total: number): void
}

/** Blocks in one write. */
const BLOCKS_MAX = 64

/** Gives the lowest height whose block is there. */
export async function buildFrom(options: BuildOptions): Promise<number> {
  const { full, directory, network } = options
  const builder = await openLedgerBuilder(directory, network.genesisHash)
  let isFinished = false
  try {
    const state = await readSnapshot(options)
    const headers = await readHeaders(options)
    await putState(options, builder, state)
    await putBlocks(options, builder)
    const { header, certificate } = state
    const below = headers.filter((one) => one.header.height < header.height)
    await builder.finish({ header, certificate }, below)
    isFinished = true
    return full.manifest.from
  } finally {
    if (!isFinished) await builder.abandon()
  }
}

/** The snapshot's manifest: of the last block, by its root and a quorum's signatures. */
async function readSnapshot({ full, network, check }: BuildOptions): Promise<SnapshotManifest> {
  const { folder, manifest } = full
  const bytes = await readManifestFile(join(folder, SNAPSHOT))
  if (bytes === undefined) throw edited(folder, SNAPSHOT, 'a full backup has one')
  const { genesisHash } = network
  const read = await readManifest({ genesisHash, certificateFault: () => undefined }, bytes)
  if (typeof read === 'string') throw unproven(folder, `its snapshot: ${read}`)
  const { height } = read.header
  if (height !== manifest.to || read.certificate.blockHash !== manifest.blockHash)
    throw unproven(folder, `its snapshot is of block ${height} with the hash ${read.certificate.blockHash}`)
  await check.certified(folder, read)
  return read
}

/** Lowest first; the last one is the base, which the first block follows, unless the blocks begin at 0. */
async function readHeaders({ full, check }: BuildOptions): Promise<CertifiedHeader[]> {
  const { folder, manifest } = full
  const isNamed = manifest.files.some(({ name }) => name === HEADERS)
  if (isNamed !== manifest.from > 0) throw edited(folder, HEADERS, `its blocks begin at ${manifest.from}`)
  if (!isNamed) return []
  const headers = decodeOrRefuse(folder, await readFile(join(folder, HEADERS)))
  for (const [index, one] of headers.entries()) {
    const { height, epochEnd } = one.header
    const isBase = index === headers.length - 1
    if (height <= (headers[index - 1]?.header.height ?? 0)) throw unproven(folder, `header ${index} is out of order`)
    if (isBase ? height !== manifest.from - 1 : height !== epochEnd)
      throw unproven(folder, `header ${index} is of block ${height}, which ends no epoch`)
    await check.certified(folder, one)
  }
  if (headers.length === 0) throw unproven(folder, `the header of block ${manifest.from - 1} is missing`)
  return headers
}

function decodeOrRefuse(folder: string, bytes: Uint8Array): CertifiedHeader[] {
  try {
    return decodeHeaders(bytes)
  } catch (error) {
    if (error instanceof DecodeError) throw unproven(folder, `its headers: ${error.message}`)
    throw error
  }
}

async function putState(
  { full, onProgress }: BuildOptions,
  builder: LedgerBuilder,
  state: SnapshotManifest,
): Promise<void> {
  const { folder } = full
  const chunks = chunksOf(state)
  for (const [place, index] of chunks.entries()) {
    const bytes = await readChunkFile(join(folder, SNAPSHOT), index)
    if (bytes === undefined) throw unproven(folder, `chunk ${index} of its snapshot is missing`)
    const chunk = readChunk(state, index, bytes)
    if (typeof chunk === 'string') throw unproven(folder, `chunk ${index} of its snapshot: ${chunk}`)
    await builder.putState(chunk.entries.map(({ key, value }) => [key, value] as const))
    onProgress('state', place + 1, chunks.length)
  }
}

async function putBlocks({ full, check, onProgress }: BuildOptions, builder: LedgerBuilder): Promise<void> {
  const { from, to } = full.manifest
  let pending: BlockToKeep[] = []
  let done = 0
  const flush = async () => {
    await builder.putBlocks(pending)
    done += pending.length
    pending = []
    onProgress('blocks', done, to - from + 1)
  }
  await check.blocksOf(full, async (block) => {
    pending.push(toKeep(block))
    if (pending.length >= BLOCKS_MAX) await flush()
  })
  if (pending.length > 0) await flush()
}

function toKeep({ header, blockHash, certificate, batch, receipts, decoded }: CheckedBlock): BlockToKeep {
  const transactions = decoded.map(({ sender, nonce, contract }, index) => ({
    id: receipts[index]!.txId,
    sender,
    nonce,
    contract,
  }))
  return { header, blockHash, certificate, batch, transactions, receipts }
}
