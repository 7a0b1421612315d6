// Making a snapshot of the state at one height: read in pages, sorted by path, cut into chunks, checked against the header's state root, written.
import { mkdir, rm } from 'node:fs/promises'
import type { Certificate, Header } from '../types/block.ts'
import { encode } from '../types/schema.ts'
import { CHUNK_BYTES_MAX, chunkCodec, type Manifest, manifestCodec, type Subtree } from '../types/snapshot.ts'
import { createCut } from './cut.ts'
import { makingFolder, openSnapshotWriter, type SnapshotWriter } from './files.ts'
import { createSorting, type Placed, type Sorting } from './sorting.ts'
import { EMPTY_SUBTREE, foldSubtrees, indexOf, pathOf, subtreeOf } from './subtree.ts'

export interface SnapshotSource {
  header: Header
  certificate: Certificate
  /** Up to `limit` entries of the state at that height, those after the key `after`, in an order of their own. */
  scan(after: string | undefined, limit: number): Promise<[key: string, value: string][]>
  /** Asked between pages and chunks: whoever stops the node does not wait for a snapshot. */
  isStopped(): boolean
  /** Bytes of entries held in memory while they are sorted. */
  heldBytesMax?: number
}

export interface MadeSnapshot {
  height: number
  keys: number
  chunks: number
  /** Of the chunks and the manifest. */
  bytes: number
}

export class SnapshotStopped extends Error {
  readonly code = 'STOPPED'
}

const PAGE_ENTRIES = 1_024

/** Makes the snapshot in `root` under its height. Leaves nothing behind when it fails. */
export async function makeSnapshot(root: string, source: SnapshotSource): Promise<MadeSnapshot> {
  const directory = makingFolder(root)
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true, mode: 0o700 })
  try {
    const sorting = createSorting(directory, source.heldBytesMax)
    const { keys, depth } = await readState(source, sorting)
    const writer = await openSnapshotWriter(directory)
    const { subtrees, bytes, chunks } = await writeChunks(source, sorting, depth, writer)
    const { header, certificate } = source
    const stateRoot = foldSubtrees(subtrees)
    if (stateRoot !== header.stateRoot) {
      throw new Error(
        `The state read at height ${header.height} has the root ${stateRoot}, its header says ${header.stateRoot}: run \`quorate doctor --home\`.`,
      )
    }
    const manifest: Manifest = { header, certificate, depth, subtrees }
    const manifestBytes = encode(manifestCodec, manifest)
    await writer.putManifest(manifestBytes)
    await writer.finish(root, manifest)
    return { height: header.height, keys, chunks, bytes: bytes + manifestBytes.length }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

function refuseStopped(source: SnapshotSource): void {
  if (source.isStopped()) throw new SnapshotStopped('The snapshot was given up.')
}

async function readState(source: SnapshotSource, sorting: Sorting): Promise<{ keys: number; depth: number }> {
  const cut = createCut()
  let keys = 0
  let after: string | undefined
  for (;;) {
    refuseStopped(source)
    const page = await source.scan(after, PAGE_ENTRIES)
    for (const [key, value] of page) {
      const path = pathOf(key)
      cut.add(path, Buffer.byteLength(key), Buffer.byteLength(value))
      await sorting.add({ key, value, path })
    }
    keys += page.length
    if (page.length < PAGE_ENTRIES) return { keys, depth: cut.depth() }
    after = page.at(-1)![0]
  }
}

async function writeChunks(source: SnapshotSource, sorting: Sorting, depth: number, writer: SnapshotWriter) {
  const subtrees: Subtree[] = []
  let bytes = 0
  let chunks = 0
  for await (const entries of chunksInOrder(sorting, depth)) {
    refuseStopped(source)
    const index = subtrees.length
    if (entries.length === 0) {
      subtrees.push(EMPTY_SUBTREE)
      continue
    }
    const chunk = encode(chunkCodec, { height: source.header.height, index, entries })
    if (chunk.length > CHUNK_BYTES_MAX) throw new Error(`Chunk ${index} came out with ${chunk.length} bytes.`)
    subtrees.push(
      subtreeOf(
        entries,
        entries.map(({ path }) => path),
        depth,
      ),
    )
    await writer.putChunk(index, chunk)
    bytes += chunk.length
    chunks++
  }
  return { subtrees, bytes, chunks }
}

const BUCKET_BITS = 8

/** The entries of each subtree, the lowest prefix first. */
async function* chunksInOrder(sorting: Sorting, depth: number): AsyncGenerator<Placed[]> {
  const bucketsPerChunk = 2 ** Math.max(0, BUCKET_BITS - depth)
  const chunksPerBucket = 2 ** Math.max(0, depth - BUCKET_BITS)
  for (let first = 0; first < 2 ** BUCKET_BITS; first += bucketsPerChunk) {
    const buckets: Placed[][] = []
    for (let bucket = first; bucket < first + bucketsPerChunk; bucket++) buckets.push(await sorting.bucket(bucket))
    const entries = buckets.flat()
    if (chunksPerBucket === 1) {
      yield entries
      continue
    }
    const parts: Placed[][] = Array.from({ length: chunksPerBucket }, () => [])
    for (const entry of entries) parts[indexOf(entry.path, depth) % chunksPerBucket]!.push(entry)
    yield* parts
  }
}
