// Backups as they are made: what lies in them, which continues which, and that none is ever half.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeFile, filesIn } from '../../src/backup/files.ts'
import {
  chainsOf,
  listBackups,
  readBackup,
  readChain,
  removeOldChains,
  removeUnfinished,
} from '../../src/backup/folder.ts'
import { formatManifest, manifestId, parseManifest, sealManifest } from '../../src/backup/manifest.ts'
import { readBlockFile } from '../../src/ledger/block-file.ts'
import { openSnapshot } from '../../src/snapshot/files.ts'
import { backUp, type Chain, chainOf, temporaryFolder } from './support.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const chains: Chain[] = []
let tail: Chain
let root: string
let roots = 0
/** The chain's first blocks. */
const first = (blocks: number): Chain => chains[blocks]!

beforeAll(async () => {
  folder = await temporaryFolder()
  for (const blocks of [1, 2, 3, 5]) chains[blocks] = await chainOf(folder.path, blocks)
  tail = await chainOf(folder.path, 5, { uncertified: 2 })
}, 60_000)
afterAll(() => folder.remove())
beforeEach(() => {
  root = join(folder.path, `backups-${roots++}`)
})

const heightsIn = async (path: string, genesisHash: string) => {
  const heights: number[] = []
  for await (const { header } of readBlockFile(path, genesisHash)) heights.push(header.height)
  return heights
}

describe('a full backup', () => {
  it('has the blocks and the state up to the last certified height, and a hash of every file', async () => {
    const { backup, isNew, note } = await backUp(tail, root)
    expect([isNew, note]).toEqual([true, ''])
    const { manifest, folder: path, name } = backup
    expect(name).toBe(`${manifest.created.replace(/[-:.]/g, '')}-3-full`)
    const { genesisHash } = tail
    expect(manifest).toMatchObject({ kind: 'full', network: 'audit', genesisHash, from: 0, to: 3, parent: null })
    expect(await heightsIn(join(path, 'blocks'), genesisHash)).toEqual([0, 1, 2, 3])
    const snapshot = await openSnapshot(join(path, 'snapshot'))
    expect(snapshot.manifest.certificate).toMatchObject({ height: 3, blockHash: manifest.blockHash })
    const names = (await filesIn(path)).filter((file) => file !== 'manifest.json')
    expect(manifest.files.map((file) => file.name)).toEqual(names)
    for (const file of manifest.files) expect(await describeFile(path, file.name)).toEqual(file)
    expect(await readdir(root)).toEqual([name])
  })

  it('leaves keys and the consensus log out, and says so', async () => {
    const { backup } = await backUp(first(3), root)
    expect(backup.manifest.files.map(({ name }) => name)).toEqual([
      'README.md',
      'blocks',
      'genesis.json',
      'snapshot/checksums',
      'snapshot/chunk-0',
      'snapshot/manifest',
    ])
    const readme = await readFile(join(backup.folder, 'README.md'), 'utf8')
    expect(readme).toMatch(/Left out on purpose: the node's keys, its consensus log/)
  })

  it('is refused while nothing is certified', async () => {
    const empty = await chainOf(folder.path, 2, { uncertified: 2 })
    await expect(backUp(empty, root)).rejects.toMatchObject({ code: 'BACKUP_EMPTY' })
    expect(await readdir(root)).toEqual([])
  })
})

describe('an incremental backup', () => {
  it('has the blocks after the one it continues, and names its manifest', async () => {
    const full = await backUp(first(3), root)
    const next = await backUp(first(5), root, { kind: 'incremental' })
    expect([next.isNew, next.note]).toEqual([true, ''])
    const { manifest, folder: path } = next.backup
    expect(manifest).toMatchObject({ kind: 'incremental', from: 4, to: 5 })
    expect(manifest.parent).toBe(manifestId(await readFile(join(full.backup.folder, 'manifest.json'), 'utf8')))
    expect(manifest.files.map(({ name }) => name)).toEqual(['README.md', 'blocks', 'genesis.json'])
    expect(await heightsIn(join(path, 'blocks'), first(5).genesisHash)).toEqual([4, 5])
    expect((await readChain(next.backup)).map(({ name }) => name)).toEqual([full.backup.name, next.backup.name])
  })

  it('makes nothing where nothing is new', async () => {
    const full = await backUp(first(5), root)
    const next = await backUp(first(5), root, { kind: 'incremental' })
    expect(next).toMatchObject({ isNew: false, backup: { name: full.backup.name } })
    expect(next.note).toContain('nothing to add')
    expect(await readdir(root)).toHaveLength(1)
  })

  it.each([
    ['there is none', async () => {}, 'no backup to continue'],
    ['all reach further', async () => void (await backUp(first(5), root)), 'further than this ledger'],
    [
      'the full one of its chain is gone',
      async () => {
        const full = await backUp(first(1), root)
        await backUp(first(2), root, { kind: 'incremental' })
        await rm(full.backup.folder, { recursive: true })
      },
      'no backup to continue',
    ],
    [
      'the newest is of another chain of blocks',
      async () => {
        const { backup } = await backUp(first(2), root)
        const other = { ...backup.manifest, blockHash: '0'.repeat(64) }
        await writeFile(join(backup.folder, 'manifest.json'), formatManifest(sealManifest(other)))
      },
      'another block 2',
    ],
    [
      'a file of the chain is cut off',
      async () => {
        const full = await backUp(first(1), root)
        await backUp(first(2), root, { kind: 'incremental' })
        await truncate(join(full.backup.folder, 'blocks'), 100)
      },
      'blocks is not whole',
    ],
    [
      'a file of the chain is gone',
      async () => {
        const full = await backUp(first(1), root)
        await backUp(first(2), root, { kind: 'incremental' })
        await rm(join(full.backup.folder, 'snapshot'), { recursive: true })
      },
      'is missing',
    ],
  ])('becomes a full one where %s, and says why', async (_, prepare, reason) => {
    await prepare()
    const made = await backUp(first(3), root, { kind: 'incremental' })
    expect(made.backup.manifest).toMatchObject({ kind: 'full', to: 3 })
    expect(made.note).toContain(reason)
  })
})

describe('what is interrupted', () => {
  it.each(['state', 'blocks', 'hashes'])('leaves nothing that looks like a backup: stopped at %s', async (phase) => {
    let isStopped = false
    const making = backUp(first(5), root, {
      isStopped: () => isStopped,
      onProgress: (at) => {
        isStopped ||= at === phase
      },
    })
    await expect(making).rejects.toMatchObject({ code: 'BACKUP_STOPPED' })
    expect(await readdir(root)).toEqual([])
  })

  it('leaves nothing where the disk is full', async () => {
    const before = await backUp(first(5), root)
    // A limit on the size of files makes writes fail as a full disk does.
    const command = ['-c', 'ulimit -f 16; exec "$0" "$@"', process.execPath, join(import.meta.dirname, 'full-disk.ts')]
    const child = spawn('sh', [...command, JSON.stringify(first(5)), root], { stdio: ['ignore', 'pipe', 'inherit'] })
    const output: string[] = []
    child.stdout.on('data', (data) => output.push(String(data)))
    expect((await once(child, 'close'))[0]).toBe(0)
    expect(JSON.parse(output.join(''))).toEqual({
      code: 'EFBIG',
      message: expect.stringMatching(new RegExp(`^EFBIG: .* in ${root}$`)),
      left: [before.backup.name],
    })
  })

  it('is removed where it is old or its maker is known to be gone, and is never listed', async () => {
    const name = `.making-${'a'.repeat(16)}`
    const left = join(root, name)
    await cp((await backUp(first(3), root)).backup.folder, left, { recursive: true })
    expect(await listBackups(root)).toHaveLength(1)
    await backUp(first(5), root)
    expect(await readdir(root)).toContain(name)
    await utimes(left, 0, 0)
    await backUp(first(5), root)
    expect(await readdir(root)).not.toContain(name)
    await mkdir(left)
    await removeUnfinished(root)
    expect(await readdir(root)).toHaveLength(3)
  })
})

describe('retention', () => {
  const removeOld = (keep: number) => removeOldChains(root, keep, first(5).genesisHash)

  it('keeps the newest chains whole and removes others whole', async () => {
    const made = [
      await backUp(first(1), root),
      await backUp(first(2), root, { kind: 'incremental' }),
      await backUp(first(3), root),
      await backUp(first(5), root, { kind: 'incremental' }),
      await backUp(first(5), root),
    ]
    const names = made.map(({ backup }) => backup.name)
    expect(await removeOld(3)).toEqual([])
    expect(await removeOld(2)).toEqual([names[1], names[0]])
    expect((await listBackups(root)).map(({ name }) => name)).toEqual(names.slice(2))
    expect(await removeOld(1)).toEqual([names[3], names[2]])
    expect(await readdir(root)).toEqual([names[4]])
  })

  it('goes by heights and not by clocks, which jump', async () => {
    const at = (day: number) => ({ createdAt: Date.UTC(2026, 0, day) })
    // The clock was ahead, then was put right.
    const ahead = await backUp(first(1), root, at(300))
    const continued = await backUp(first(2), root, { kind: 'incremental', ...at(1) })
    expect(continued.backup.manifest.parent).toBe(ahead.backup.id)
    const newest = await backUp(first(3), root, at(2))
    const last = await backUp(first(5), root, { kind: 'incremental', ...at(1) })
    expect(last.backup.manifest.parent).toBe(newest.backup.id)
    expect(chainsOf(await listBackups(root)).map((chain) => chain.map(({ name }) => name))).toEqual([
      [ahead.backup.name, continued.backup.name],
      [newest.backup.name, last.backup.name],
    ])
    expect(await removeOld(1)).toEqual([continued.backup.name, ahead.backup.name])
    expect((await readChain(last.backup)).map(({ name }) => name)).toEqual([newest.backup.name, last.backup.name])
  })

  it('counts the chains of each network by themselves', async () => {
    const { backup } = await backUp(first(5), root)
    const stranger = sealManifest({ ...backup.manifest, genesisHash: 'f'.repeat(64), to: 900 })
    await writeFile(join(backup.folder, 'manifest.json'), formatManifest(stranger))
    const own = await backUp(first(3), root)
    expect(await removeOld(1)).toEqual([])
    expect((await readdir(root)).sort()).toEqual([backup.name, own.backup.name])
  })

  it('leaves alone what belongs to no chain', async () => {
    const full = await backUp(first(3), root)
    await backUp(first(5), root, { kind: 'incremental' })
    await rm(full.backup.folder, { recursive: true })
    await backUp(first(5), root)
    expect(await removeOld(1)).toEqual([])
    expect(await readdir(root)).toHaveLength(2)
  })
})

describe('the manifest', () => {
  it('reads back, and is refused when any of it was changed', async () => {
    const { backup } = await backUp(first(3), root)
    const text = await readFile(join(backup.folder, 'manifest.json'), 'utf8')
    expect(parseManifest(text, 'here')).toEqual(backup.manifest)
    const refused = expect.objectContaining({ code: expect.stringMatching(/^BACKUP_/) })
    for (let at = 0; at < text.length; at += 7) {
      const changed = `${text.slice(0, at)}${text[at] === '1' ? '2' : '1'}${text.slice(at + 1)}`
      expect(() => parseManifest(changed, 'here')).toThrow(refused)
    }
    const edited = expect.objectContaining({ code: 'BACKUP_EDITED' })
    expect(() => parseManifest(`${text} `, 'here')).toThrow(edited)
    expect(() => parseManifest(JSON.stringify(JSON.parse(text)), 'here')).toThrow(edited)
  })

  it('names no file outside its folder', async () => {
    const { backup } = await backUp(first(3), root)
    for (const name of ['../x', '/etc/x', 'a/../../x', 'a/b/c', '.hidden', '']) {
      const manifest = sealManifest({ ...backup.manifest, files: [{ name, bytes: 0, sha256: '0'.repeat(64) }] })
      expect(() => parseManifest(formatManifest(manifest), 'here')).toThrow('files.0.name')
    }
  })

  it('says of a folder that it is no backup', async () => {
    await expect(readBackup(folder.path)).rejects.toMatchObject({ code: 'BACKUP_UNREADABLE' })
    const { backup } = await backUp(first(3), root)
    const faults: string[] = []
    await writeFile(join(backup.folder, 'manifest.json'), '{')
    expect(await listBackups(root, ({ message }) => faults.push(message))).toEqual([])
    expect(faults).toEqual([expect.stringContaining('not JSON')])
  })
})
