// A snapshot on its way in: chunks that proved themselves, kept as files, so that a restart goes on where it was.
import { mkdir, rm } from 'node:fs/promises'
import { decode } from '../types/schema.ts'
import { type Manifest, manifestCodec } from '../types/snapshot.ts'
import {
  chunksOf,
  decodeManifest,
  openSnapshotWriter,
  readChunkFile,
  readManifestFile,
  type SnapshotWriter,
} from './files.ts'
import { readChunk } from './verify.ts'

export interface Incoming {
  /** Chunks that are not there yet. */
  missing(): number[]
  /** Keeps a chunk, or says why it is not the manifest's. */
  take(index: number, bytes: Uint8Array): Promise<string | undefined>
}

/**
 * Opens the folder for this manifest, which the caller has verified. What is there of another one is removed; what is there of this
 * one is verified again, so a damaged file is only one more chunk to fetch.
 */
export async function openIncoming(directory: string, manifestBytes: Uint8Array): Promise<Incoming> {
  const manifest = decode(manifestCodec, manifestBytes)
  const before = await readIncoming(directory)
  if (before === undefined || !isSameState(before, manifest)) await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const writer: SnapshotWriter = await openSnapshotWriter(directory)
  await writer.putManifest(manifestBytes)
  const missing = new Set<number>()
  for (const index of chunksOf(manifest)) {
    const bytes = await readChunkFile(directory, index)
    if (bytes === undefined || typeof readChunk(manifest, index, bytes) === 'string') missing.add(index)
  }
  return {
    missing: () => [...missing],
    async take(index, bytes) {
      const chunk = readChunk(manifest, index, bytes)
      if (typeof chunk === 'string') return chunk
      await writer.putChunk(index, bytes)
      missing.delete(index)
      return undefined
    },
  }
}

/** The manifest of what was being fetched; it was verified when it was put there. Undefined where there is none, or no readable one. */
export async function readIncoming(directory: string): Promise<Manifest | undefined> {
  const bytes = await readManifestFile(directory)
  return bytes === undefined ? undefined : decodeManifest(bytes)
}

/** Makes it one of the snapshots that are kept; where it is not whole it is removed. */
export async function adoptIncoming(directory: string, root: string, manifest: Manifest): Promise<void> {
  const writer = await openSnapshotWriter(directory)
  await writer.finish(root, manifest).catch(() => rm(directory, { recursive: true, force: true }))
}

/** Certificates may have other signers. */
const isSameState = (a: Manifest, b: Manifest): boolean =>
  a.header.height === b.header.height && a.header.stateRoot === b.header.stateRoot && a.depth === b.depth
