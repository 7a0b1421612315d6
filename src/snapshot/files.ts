// A snapshot as files: `manifest`, `chunk-<index>` for each subtree that is not empty, and `checksums` (docs/data.md, "Snapshots").
//
// A folder is written under another name, synced and renamed, so under its height it is whole. `checksums` tells a damaged file
// before it is sent; what it is worth to the receiver the manifest says.
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../crypto/hash.ts'
import { syncFolder, writeSynced } from '../synced.ts'
import { equalBytes } from '../types/hex.ts'
import { DecodeError, decode } from '../types/schema.ts'
import { CHUNK_BYTES_MAX, EMPTY, type Manifest, manifestCodec } from '../types/snapshot.ts'

const HASH_BYTES = 32
/** A manifest and checksums are far smaller. */
const FILE_BYTES_MAX = CHUNK_BYTES_MAX
const HEIGHT = /^[1-9]\d{0,15}$/
const manifestFile = (directory: string) => join(directory, 'manifest')
const chunkFile = (directory: string, index: number) => join(directory, `chunk-${index}`)
const checksumsFile = (directory: string) => join(directory, 'checksums')

/** The folder of a whole snapshot. */
export const snapshotFolder = (root: string, height: number): string => join(root, String(height))

/** The chunks there are, ascending: a subtree without keys has none. */
export function chunksOf({ subtrees }: Manifest): number[] {
  return subtrees.flatMap(({ kind }, index) => (kind === EMPTY ? [] : [index]))
}

export interface SnapshotWriter {
  putChunk(index: number, bytes: Uint8Array): Promise<void>
  putManifest(bytes: Uint8Array): Promise<void>
  /** Writes the checksums and gives the folder its name; one of that name gives way. Every chunk must be there. */
  finish(root: string, manifest: Manifest): Promise<void>
}

/** Writes into `directory`, which may hold a part of the same snapshot already. */
export async function openSnapshotWriter(directory: string): Promise<SnapshotWriter> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return {
    putChunk: (index, bytes) => putFile(chunkFile(directory, index), bytes),
    putManifest: (bytes) => putFile(manifestFile(directory), bytes),
    async finish(root, manifest) {
      const sums = [sha256(await readFile(manifestFile(directory)))]
      for (const index of chunksOf(manifest)) sums.push(sha256(await readFile(chunkFile(directory, index))))
      await putFile(checksumsFile(directory), Buffer.concat(sums))
      await syncFolder(directory)
      const target = snapshotFolder(root, manifest.header.height)
      await mkdir(root, { recursive: true, mode: 0o700 })
      await rm(target, { recursive: true, force: true })
      await rename(directory, target)
      await syncFolder(root)
    },
  }
}

/** Undefined where there is none. */
export const readManifestFile = (directory: string): Promise<Buffer | undefined> => readIfThere(manifestFile(directory))
export const readChunkFile = (directory: string, index: number): Promise<Buffer | undefined> =>
  readIfThere(chunkFile(directory, index))

/** A whole snapshot, opened for those who ask for it. */
export interface StoredSnapshot {
  readonly manifest: Manifest
  readonly manifestBytes: Uint8Array
  /** Undefined for a subtree without keys; throws DamagedSnapshot where the file is not what was written. */
  chunk(index: number): Promise<Uint8Array | undefined>
}

export class DamagedSnapshot extends Error {
  readonly code = 'SNAPSHOT_DAMAGED'
}

/** Throws DamagedSnapshot where a file is missing or not what was written. */
export async function openSnapshot(directory: string): Promise<StoredSnapshot> {
  const damaged = (file: string) => new DamagedSnapshot(`${join(directory, file)} is missing or was changed`)
  const [manifestBytes, checksums] = await Promise.all([
    readManifestFile(directory),
    readIfThere(checksumsFile(directory)),
  ])
  if (manifestBytes === undefined || checksums === undefined) throw damaged('manifest')
  const isSum = (bytes: Uint8Array, place: number) =>
    equalBytes(sha256(bytes), checksums.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES))
  if (!isSum(manifestBytes, 0)) throw damaged('manifest')
  const manifest = decodeManifest(manifestBytes)
  if (manifest === undefined)
    throw new DamagedSnapshot(`${manifestFile(directory)} is of a format that this version does not know`)
  const places = new Map(chunksOf(manifest).map((index, place) => [index, place + 1]))
  return {
    manifest,
    manifestBytes,
    async chunk(index) {
      const place = places.get(index)
      if (place === undefined) return undefined
      const bytes = await readChunkFile(directory, index)
      if (bytes === undefined || !isSum(bytes, place)) throw damaged(`chunk-${index}`)
      return bytes
    },
  }
}

/** Undefined where the bytes are no manifest. */
export function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  try {
    return decode(manifestCodec, bytes)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

/** Heights of the whole snapshots in the folder, newest first. */
export async function listSnapshots(root: string): Promise<number[]> {
  const names = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names
    .filter((name) => HEIGHT.test(name))
    .map(Number)
    .sort((a, b) => b - a)
}

export const removeSnapshot = (root: string, height: number): Promise<void> =>
  rm(snapshotFolder(root, height), { recursive: true, force: true })

/** The folder a snapshot is made in; one that is left over was never finished. */
export const makingFolder = (root: string): string => join(root, 'making')

async function putFile(file: string, bytes: Uint8Array): Promise<void> {
  // Under another name first: a torn write never looks like a whole file.
  const temporary = `${file}.new`
  await writeSynced(temporary, bytes, { flag: 'w' })
  await rename(temporary, file)
}

/** Nothing is read of what is no file or longer than any can be: a folder that came from anywhere is looked at too. */
async function readIfThere(file: string): Promise<Buffer | undefined> {
  const found = await stat(file).catch(undefinedIfMissing)
  if (found === undefined) return undefined
  if (!found.isFile() || found.size > FILE_BYTES_MAX) return Buffer.alloc(0)
  return await readFile(file).catch(undefinedIfMissing)
}

function undefinedIfMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
