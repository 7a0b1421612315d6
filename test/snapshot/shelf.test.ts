// What is kept and served: the newest few, longer while somebody fetches one, never one that is damaged.
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/crypto/hash.ts'
import { openSnapshotWriter, snapshotFolder } from '../../src/snapshot/files.ts'
import { createShelf } from '../../src/snapshot/shelf.ts'
import { snapshotOf, stateOf } from './support.ts'

let root: string
let now = 0
let dropped: [height: number, reason: string][] = []
const shelfOf = (kept: number) =>
  createShelf({ root, kept, onDropped: (height, reason) => dropped.push([height, reason]), now: () => now })
const empty = new Uint8Array()
const chunk = (height: number, index: number, depth = 2) => ({ type: 'chunk', height, depth, index }) as const
const manifest = (height: number) => ({ type: 'manifest', height }) as const

async function put(height: number, keys = 30) {
  const snapshot = snapshotOf(stateOf(keys), height, 2)
  const writer = await openSnapshotWriter(join(root, 'making'))
  for (const [index, bytes] of snapshot.chunks.entries()) await writer.putChunk(index, bytes)
  await writer.putManifest(snapshot.manifestBytes)
  await writer.finish(root, snapshot.manifest)
  return snapshot
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-shelf-'))
  now = 0
  dropped = []
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('the shelf', () => {
  it('serves manifests and chunks by height, and nothing that it does not have', async () => {
    const older = await put(100, 20)
    const newer = await put(200)
    const shelf = shelfOf(2)
    await shelf.refresh()
    expect(Buffer.compare(await shelf.answer(manifest(0)), newer.manifestBytes)).toBe(0)
    expect(Buffer.compare(await shelf.answer(manifest(100)), older.manifestBytes)).toBe(0)
    expect(Buffer.compare(await shelf.answer(chunk(100, 3)), older.chunks[3]!)).toBe(0)
    for (const request of [manifest(300), chunk(300, 0), chunk(200, 0, 3), chunk(200, 4)])
      expect(await shelf.answer(request)).toEqual(empty)
  })

  it('has nothing where there is nothing', async () => {
    const shelf = shelfOf(2)
    await shelf.refresh()
    expect([await shelf.answer(manifest(0)), shelf.heights()]).toEqual([empty, []])
  })

  it('keeps the newest, and others for a minute after they were asked for', async () => {
    const shelf = shelfOf(2)
    for (const height of [100, 200, 300]) await put(height)
    await shelf.refresh()
    expect(shelf.heights()).toEqual([300, 200])
    await shelf.answer(chunk(200, 1))
    for (const height of [400, 500]) await put(height)
    await shelf.refresh()
    expect(shelf.heights()).toEqual([500, 400, 200])
    now = 61_000
    await shelf.refresh()
    expect([shelf.heights(), (await readdir(root)).sort()]).toEqual([
      [500, 400],
      ['400', '500'],
    ])
  })

  it('keeps at most as many again for those who ask', async () => {
    const shelf = shelfOf(1)
    for (const height of [100, 200, 300]) {
      await put(height)
      await shelf.refresh()
      await shelf.answer(chunk(height, 0))
    }
    expect(shelf.heights()).toEqual([300, 200])
  })

  it('is not kept from the others by what cannot be read, and looks again the next time', async () => {
    await put(100)
    await writeFile(join(root, '200'), 'a file in the place of a folder')
    await put(300)
    await rm(join(root, '300', 'checksums'))
    await mkdir(join(root, '300', 'checksums'))
    const shelf = shelfOf(2)
    await shelf.refresh()
    expect([shelf.heights(), dropped.map(([height]) => height)]).toEqual([[100], [300, 200]])
    await rm(join(root, '200'))
    await put(200)
    await shelf.refresh()
    expect(shelf.heights()).toEqual([200, 100])
  })

  it('drops one whose manifest is of another format', async () => {
    await put(100)
    const bytes = Buffer.from('another format')
    await writeFile(join(root, '100', 'manifest'), bytes)
    await writeFile(join(root, '100', 'checksums'), sha256(bytes))
    const shelf = shelfOf(2)
    await shelf.refresh()
    expect([shelf.heights(), dropped.length, await readdir(root)]).toEqual([[], 1, []])
  })

  it('drops one with a damaged file as soon as that shows', async () => {
    await put(100)
    await put(200)
    const shelf = shelfOf(2)
    await shelf.refresh()
    await truncate(join(snapshotFolder(root, 200), 'chunk-2'), 5)
    expect((await shelf.answer(chunk(200, 1))).length).toBeGreaterThan(0)
    expect(await shelf.answer(chunk(200, 2))).toEqual(empty)
    expect([shelf.heights(), await readdir(root)]).toEqual([[100], ['100']])
    await truncate(join(snapshotFolder(root, 100), 'manifest'), 5)
    const restarted = shelfOf(2)
    await restarted.refresh()
    expect([restarted.heights(), await readdir(root)]).toEqual([[], []])
    expect(dropped.map(([height]) => height)).toEqual([200, 100])
  })
})
