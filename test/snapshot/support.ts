// Snapshots of made-up states, certified by a made-up validator set.

import { foldSubtrees, indexOf, pathOf, subtreeOf } from '../../src/snapshot/subtree.ts'
import { encode } from '../../src/types/schema.ts'
import { chunkCodec, type Manifest, manifestCodec } from '../../src/types/snapshot.ts'
import { compareText } from '../ledger/chain.ts'
import { naiveRoot } from '../ledger/naive-tree.ts'
import { certificateOf, edgeWith, GENESIS, headerAt } from '../network-edge/support.ts'

export type State = ReadonlyMap<string, string>

const { edge } = edgeWith()
export const rules = { genesisHash: GENESIS, certificateFault: edge.certificateFault }

/** Cut by hand at a depth of the test's choice. */
export function snapshotOf(state: State, height: number, depth: number) {
  const placed = [...state].map(([key, value]) => ({ key, value, path: pathOf(key) }))
  placed.sort((a, b) => Buffer.compare(a.path, b.path))
  const parts = Array.from({ length: 2 ** depth }, (_, index) =>
    placed.filter(({ path }) => indexOf(path, depth) === index),
  )
  const subtrees = parts.map((entries) =>
    subtreeOf(
      entries,
      entries.map(({ path }) => path),
      depth,
    ),
  )
  const header = headerAt(height, { stateRoot: naiveRoot(state) })
  const manifest: Manifest = { header, certificate: certificateOf(header, [0, 1, 2]), depth, subtrees }
  const chunks = parts.map((entries, index) => encode(chunkCodec, { height, index, entries }))
  return { manifest, manifestBytes: encode(manifestCodec, manifest), chunks, root: foldSubtrees(subtrees) }
}

/** What a ledger's `stateAt(height).scan` gives. */
export function scanOf(state: State) {
  const entries = [...state].sort(([a], [b]) => compareText(a, b))
  return async (after: string | undefined, limit: number) => {
    const from = after === undefined ? 0 : entries.findIndex(([key]) => key === after) + 1
    return entries.slice(from, from + limit)
  }
}

export function stateOf(keys: number, valueBytes = 20): Map<string, string> {
  return new Map(
    Array.from({ length: keys }, (_, n) => [`token\0balance/${n}`, JSON.stringify(`${n}`.padStart(valueBytes, '0'))]),
  )
}
