// What a manifest and its chunks must be before anything of them is believed. A fault is text: what is wrong with it. Portable.
import type { Certificate, Header } from '../types/block.ts'
import { ZERO_HASH } from '../types/block.ts'
import { compareBytes } from '../types/hex.ts'
import { DecodeError, decode } from '../types/schema.ts'
import { type Chunk, chunkCodec, EMPTY, type Manifest, manifestCodec } from '../types/snapshot.ts'
import { foldSubtrees, indexOf, pathOf, subtreeOf } from './subtree.ts'

export interface ManifestRules {
  genesisHash: string
  /** Why the certificate does not vouch for the header: q distinct signatures over its hash. */
  certificateFault(header: Header, certificate: Certificate): string | undefined | Promise<string | undefined>
}

/** Cheap checks first: a quorum's signatures are looked at only on what hangs together. */
export async function readManifest(rules: ManifestRules, bytes: Uint8Array): Promise<Manifest | string> {
  const manifest = decoded(manifestCodec, bytes)
  if (typeof manifest === 'string') return manifest
  const { header, certificate, depth, subtrees } = manifest
  if (header.genesisHash !== rules.genesisHash)
    return `it is of another network: its genesis hash is ${header.genesisHash}, expected ${rules.genesisHash}`
  if (header.height < 1) return 'its height is 0, which every node makes itself'
  if (subtrees.length !== 2 ** depth) return `expected ${2 ** depth} subtrees, got ${subtrees.length}`
  if (subtrees.some(({ kind, hash }) => (kind === EMPTY) !== (hash === ZERO_HASH)))
    return 'an empty subtree has a hash, or another one has none'
  const root = foldSubtrees(subtrees)
  if (root !== header.stateRoot) return `its subtrees give the state root ${root}, its header says ${header.stateRoot}`
  return (await rules.certificateFault(header, certificate)) ?? manifest
}

/**
 * The chunk at `index`, or why it is not the manifest's. Only the hash counts, not the kind: where a neighbour is not empty, the root
 * says nothing of kinds, so a manifest with a wrong one must not make right chunks look wrong.
 */
export function readChunk({ header, depth, subtrees }: Manifest, index: number, bytes: Uint8Array): Chunk | string {
  const chunk = decoded(chunkCodec, bytes)
  if (typeof chunk === 'string') return chunk
  if (chunk.height !== header.height) return `expected height ${header.height}, got ${chunk.height}`
  if (chunk.index !== index) return `expected chunk ${index}, got ${chunk.index}`
  const paths: Uint8Array[] = []
  for (const [place, { key }] of chunk.entries.entries()) {
    const path = pathOf(key)
    paths.push(path)
    if (indexOf(path, depth) !== index) return `entry ${place} belongs to chunk ${indexOf(path, depth)}`
    if (place > 0 && compareBytes(paths[place - 1]!, path) >= 0) return `entry ${place} is out of order`
  }
  const { hash } = subtreeOf(chunk.entries, paths, depth)
  const expected = subtrees[index]?.hash
  return hash === expected ? chunk : `its entries give the hash ${hash}, the manifest says ${expected}`
}

function decoded<T>(codec: Parameters<typeof decode<T>>[0], bytes: Uint8Array): T | string {
  try {
    return decode(codec, bytes)
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
}
