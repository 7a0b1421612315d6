// Making: what is written is the state, the same whatever the order it came in, and a damaged file is never served.
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CHUNK_BYTES_GOAL, createCut } from '../../src/snapshot/cut.ts'
import { chunksOf, listSnapshots, openSnapshot, snapshotFolder } from '../../src/snapshot/files.ts'
import { makeSnapshot } from '../../src/snapshot/make.ts'
import { readChunk, readManifest } from '../../src/snapshot/verify.ts'
import { CHUNK_BYTES_MAX, CHUNK_ENTRIES_MAX, type Chunk, type Manifest } from '../../src/types/snapshot.ts'
import { naiveRoot } from '../ledger/naive-tree.ts'
import { certificateOf, headerAt } from '../network-edge/support.ts'
import { rules, type State, scanOf, stateOf } from './support.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-snapshot-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const HEIGHT = 1_000
const header = (state: State) => headerAt(HEIGHT, { stateRoot: naiveRoot(state) })
function sourceOf(state: State) {
  const head = header(state)
  return {
    header: head,
    certificate: certificateOf(head, [0, 1, 2]),
    scan: scanOf(state),
    isStopped: () => false,
  }
}

async function readBack(): Promise<Map<string, string>> {
  const stored = await openSnapshot(snapshotFolder(root, HEIGHT))
  const manifest = (await readManifest(rules, stored.manifestBytes)) as Manifest
  const state = new Map<string, string>()
  for (const index of chunksOf(manifest)) {
    const chunk = readChunk(manifest, index, (await stored.chunk(index))!) as Chunk
    for (const { key, value } of chunk.entries) state.set(key, value)
  }
  return state
}

describe('making a snapshot', () => {
  it.each([
    ['no keys', stateOf(0), 0, 0],
    ['one key', stateOf(1), 0, 1],
    ['what fits in one chunk', stateOf(2_000), 0, 1],
    ['some hundred kilobytes', stateOf(2_000, 300), 3, 8],
    ['one large value among small ones', new Map([...stateOf(50), ['token\0large', '1'.repeat(2e6)]]), 4, 14],
  ])('of %s', async (_, state, depth, chunks) => {
    const made = await makeSnapshot(root, sourceOf(state))
    expect(await readBack()).toEqual(state)
    const { manifest } = await openSnapshot(snapshotFolder(root, HEIGHT))
    expect([manifest.depth, made.chunks, made.keys]).toEqual([depth, chunks, state.size])
    expect(await readdir(root)).toEqual([String(HEIGHT)])
  })

  it('cuts deeper than some hundred subtrees, through files, into the same bytes', async () => {
    const state = stateOf(9_000, 4_500)
    const inMemory = await makeSnapshot(root, sourceOf(state))
    expect(inMemory.chunks).toBe(512)
    expect(inMemory.bytes / inMemory.chunks).toBeLessThan(1.1 * CHUNK_BYTES_GOAL)
    const first = await readFile(join(snapshotFolder(root, HEIGHT), 'chunk-300'))
    await makeSnapshot(root, { ...sourceOf(state), heldBytesMax: 3_000_000 })
    expect(await readFile(join(snapshotFolder(root, HEIGHT), 'chunk-300'))).toEqual(first)
    expect((await readBack()).size).toBe(state.size)
  })

  it('is cut deeper where chunks would be too large, and refused where that does not help', async () => {
    const half = '1'.repeat(CHUNK_BYTES_MAX / 2)
    const state = new Map([0, 1, 2].map((n) => [`token\0${n}`, half]))
    await makeSnapshot(root, sourceOf(state))
    expect(await readBack()).toEqual(state)
    const tooLarge = new Map([['token\0a', half + half]])
    await expect(makeSnapshot(root, sourceOf(tooLarge))).rejects.toThrow(/no snapshot can be made/)
    expect(await readdir(root)).toEqual([String(HEIGHT)])
  })

  it('is refused where a part has more entries than a chunk may have', () => {
    const cut = createCut()
    const path = new Uint8Array(32)
    for (let n = 0; n < CHUNK_ENTRIES_MAX; n++) cut.add(path, 5, 1)
    expect(cut.depth()).toBe(4)
    cut.add(path, 5, 1)
    expect(() => cut.depth()).toThrow(/in 65537 entries/)
  })

  it('leaves nothing behind when it is stopped, fails, or finds another state than the header says', async () => {
    const state = stateOf(3_000, 200)
    let asked = 0
    await expect(makeSnapshot(root, { ...sourceOf(state), isStopped: () => ++asked > 5 })).rejects.toMatchObject({
      code: 'STOPPED',
    })
    const other = new Map([...state, ['token\0more', '1']])
    await expect(makeSnapshot(root, { ...sourceOf(state), scan: scanOf(other) })).rejects.toThrow(
      /state read at height/,
    )
    const scan = () => Promise.reject(new Error('PRUNED'))
    await expect(makeSnapshot(root, { ...sourceOf(state), scan })).rejects.toThrow('PRUNED')
    expect(await readdir(root)).toEqual([])
    expect(await listSnapshots(root)).toEqual([])
  })
})

describe('a stored snapshot', () => {
  beforeEach(() => makeSnapshot(root, sourceOf(stateOf(2_000, 300))).then(() => undefined))
  const folder = () => snapshotFolder(root, HEIGHT)

  it.each(['manifest', 'checksums'])('is not opened with a damaged %s', async (name) => {
    const file = join(folder(), name)
    const bytes = await readFile(file)
    bytes[Math.min(20, bytes.length - 1)]! ^= 1
    await writeFile(file, bytes)
    await expect(openSnapshot(folder())).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' })
  })

  it('does not give out a chunk that was changed, cut off or deleted', async () => {
    const stored = await openSnapshot(folder())
    await truncate(join(folder(), 'chunk-0'), 100)
    const bytes = await readFile(join(folder(), 'chunk-1'))
    bytes[100]! ^= 1
    await writeFile(join(folder(), 'chunk-1'), bytes)
    await rm(join(folder(), 'chunk-2'))
    for (const index of [0, 1, 2]) await expect(stored.chunk(index)).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' })
    expect(await stored.chunk(3)).toBeDefined()
    expect(await stored.chunk(99)).toBeUndefined()
  })
})
