// Restoring: what comes out is the ledger that was backed up, and everything that is not what the network certified is refused.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describeFile } from '../../src/backup/files.ts'
import { type Backup, listBackups, readBackup } from '../../src/backup/folder.ts'
import { formatManifest, type Manifest, sealManifest } from '../../src/backup/manifest.ts'
import { restoreBackup } from '../../src/backup/restore.ts'
import { blockHash as hashOfHeader } from '../../src/crypto/digest.ts'
import { createBlockFile, type FiledBlock, readBlockFile } from '../../src/ledger/block-file.ts'
import { openLedgerBuilder } from '../../src/ledger/builder.ts'
import { openLedger } from '../../src/ledger/ledger.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { chunkCodec, manifestCodec } from '../../src/types/snapshot.ts'
import { certify } from '../audit/chain.ts'
import { backUp, type Chain, chainOf, shortened, temporaryFolder } from './support.ts'

const run = promisify(execFile)
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let three: Chain
let five: Chain
/** The backups every test begins with: 0 to 3 in full, then 4 and 5. */
let made: string
let root: string
let full: Backup
let last: Backup
let count = 0

beforeAll(async () => {
  folder = await temporaryFolder()
  three = await chainOf(folder.path, 3)
  five = await chainOf(folder.path, 5)
  made = join(folder.path, 'made')
  await backUp(three, made)
  await backUp(five, made, { kind: 'incremental' })
}, 60_000)
afterAll(() => folder.remove())
beforeEach(async () => {
  root = join(folder.path, `backups-${count++}`)
  await cp(made, root, { recursive: true })
  const [first, second] = (await readdir(root)).sort()
  full = await readBackup(join(root, first!))
  last = await readBackup(join(root, second!))
})

const ledgerFolder = () => join(folder.path, `restored-${count}`, 'data', 'ledger')
const restore = (from: Backup | string = last, options: Partial<Parameters<typeof restoreBackup>[0]> = {}) =>
  restoreBackup({
    from: typeof from === 'string' ? from : from.folder,
    ledger: ledgerFolder(),
    genesis: five.genesis,
    historyBlocks: 1_000,
    verifiers: 0,
    onProgress: () => {},
    ...options,
  })

/** Everything that can be read of a ledger. */
async function contentsOf(directory: string) {
  const ledger = await openLedger({ directory, genesisHash: five.genesisHash, tree: true })
  try {
    const height = ledger.head()!.height
    const blocks = []
    for (let at = ledger.oldestBlock(); at <= height; at++) blocks.push(await ledger.block(at))
    const state = await ledger.stateAt(height).scan('', undefined, 10_000)
    const lists = []
    for (const listing of [{}, { contract: 'token' }])
      lists.push(await ledger.transactionsBy({ ...listing, limit: 1_000 }))
    const places = []
    for (const { id } of lists[0]!) places.push(await ledger.findTransaction(id))
    const base = {
      header: await ledger.header(ledger.oldestHeight()),
      certificate: await ledger.certificate(ledger.oldestHeight()),
    }
    return {
      head: ledger.head(),
      certified: ledger.certifiedHeight(),
      base,
      blocks,
      state,
      lists,
      places,
      faults: await ledger.check(),
    }
  } finally {
    await ledger.close()
  }
}

const refused = async (code: string, reason: string | RegExp, from: Backup | string = last) => {
  await expect(restore(from)).rejects.toMatchObject({ code, message: expect.stringMatching(reason) })
  // Nothing is left of the attempt, so the next one may succeed.
  expect(await readdir(join(ledgerFolder(), '..')).catch(() => [])).toEqual([])
}

/** Writes the manifest anew, with right hashes, as somebody would who wants an edit to pass. */
async function forge(backup: Backup, change: (manifest: Manifest) => Partial<Manifest> = () => ({})): Promise<Backup> {
  const files = []
  for (const { name } of backup.manifest.files) files.push(await describeFile(backup.folder, name))
  const manifest = sealManifest({ ...backup.manifest, files, ...change({ ...backup.manifest, files }) })
  await writeFile(join(backup.folder, 'manifest.json'), formatManifest(manifest))
  return await readBackup(backup.folder)
}

/** The same with the blocks changed. */
async function forgeBlocks(backup: Backup, change: (blocks: FiledBlock[]) => FiledBlock[]): Promise<Backup> {
  const path = join(backup.folder, 'blocks')
  const blocks: FiledBlock[] = []
  for await (const block of readBlockFile(path, five.genesisHash)) blocks.push(block)
  await rm(path)
  const file = await createBlockFile(path, five.genesisHash)
  for (const block of change(blocks)) await file.append(block)
  await file.finish()
  return await forge(backup)
}

describe('restoring', () => {
  it('gives the ledger that was backed up, blocks, indexes and state', async () => {
    const phases = new Set<string>()
    const restored = await restore(last, { onProgress: (phase) => void phases.add(phase) })
    const { manifest } = last
    const backups = [full.name, last.name]
    expect(restored).toEqual({ backups, oldestBlock: 0, height: 5, blockHash: manifest.blockHash, executed: 2 })
    expect([...phases]).toEqual(['files', 'state', 'blocks', 'execution'])
    expect(await contentsOf(ledgerFolder())).toEqual(await contentsOf(five.directory))
    expect(await readdir(join(ledgerFolder(), '..'))).toEqual(['ledger'])
  })

  it('needs no incremental ones, and executes nothing then', async () => {
    expect(await restore(full)).toMatchObject({ backups: [full.name], height: 3, executed: 0 })
    expect(await contentsOf(ledgerFolder())).toEqual(await contentsOf(three.directory))
  })

  it('begins where the backed-up ledger began', async () => {
    const short = await shortened(five, join(folder.path, `short-${count}`), 3)
    const pruned = join(folder.path, `pruned-${count}`)
    const { backup } = await backUp(short, pruned)
    expect(backup.manifest).toMatchObject({ from: 4, to: 5 })
    expect(await restore(backup)).toMatchObject({ oldestBlock: 4, height: 5 })
    expect(await contentsOf(ledgerFolder())).toEqual(await contentsOf(short.directory))
    const bare = await shortened(five, join(folder.path, `bare-${count}`), 5)
    const second = await backUp(bare, join(folder.path, `bare-backups-${count}`))
    expect(second.backup.manifest).toMatchObject({ from: 6, to: 5 })
    const ledger = join(folder.path, `again-${count}`, 'ledger')
    expect(await restore(second.backup, { ledger })).toMatchObject({ oldestBlock: 6, height: 5 })
    expect(await contentsOf(ledger)).toEqual(await contentsOf(bare.directory))
  })

  it('takes an empty ledger folder, and no other', async () => {
    await mkdir(ledgerFolder(), { recursive: true })
    await restore()
    const before = await readdir(ledgerFolder())
    await expect(restore()).rejects.toMatchObject({ code: 'LEDGER_OCCUPIED' })
    expect((await readdir(ledgerFolder())).length).toBe(before.length)
  })

  it('clears what an interrupted attempt left', async () => {
    await mkdir(`${ledgerFolder()}-restoring`, { recursive: true })
    await writeFile(join(`${ledgerFolder()}-restoring`, 'CURRENT'), 'x')
    await restore()
    expect(await readdir(join(ledgerFolder(), '..'))).toEqual(['ledger'])
  })
})

describe('two at once', () => {
  it('do not build in one folder', async () => {
    const building = `${ledgerFolder()}-restoring`
    const other = await openLedgerBuilder(building, five.genesisHash)
    await expect(restore()).rejects.toMatchObject({ code: 'LEDGER_LOCKED' })
    await other.abandon()
    await restore()
  })

  it('do not take the place of what the other has put there meanwhile', async () => {
    const onProgress = (phase: string) => {
      if (phase !== 'blocks') return
      mkdirSync(ledgerFolder(), { recursive: true })
      writeFileSync(join(ledgerFolder(), 'CURRENT'), 'x')
    }
    await expect(restore(undefined, { onProgress })).rejects.toMatchObject({ code: 'LEDGER_OCCUPIED' })
    expect(await readdir(join(ledgerFolder(), '..'))).toEqual(['ledger'])
    expect(await readdir(ledgerFolder())).toEqual(['CURRENT'])
  })
})

describe('a backup is refused', () => {
  it('of another network, whatever its manifest says', async () => {
    const genesis = { ...five.genesis, chainId: 'other' }
    await expect(restore(last, { genesis })).rejects.toMatchObject({ code: 'BACKUP_FOREIGN' })
    await forge(full, () => ({ network: 'other' }))
    await refused('BACKUP_FOREIGN', 'is of the network other', full)
  })

  it('where a file is missing, cut off, longer, changed or not named', async () => {
    for (const backup of [full, last]) {
      for (const { name, bytes } of backup.manifest.files) {
        const path = join(backup.folder, name)
        const kept = await readFile(path)
        const harms: [code: string, harm: () => Promise<void>][] = [
          ['BACKUP_TRUNCATED', () => rename(path, `${root}/kept`)],
          ['BACKUP_TRUNCATED', () => truncate(path, bytes - 1)],
          ['BACKUP_EDITED', () => writeFile(path, Buffer.concat([kept, Buffer.of(0)]))],
          [
            'BACKUP_EDITED',
            () =>
              writeFile(
                path,
                kept.map((byte, at) => (at === bytes >> 1 ? byte ^ 1 : byte)),
              ),
          ],
        ]
        for (const [code, harm] of harms) {
          await harm()
          await refused(code, new RegExp(`${name}.* is not (what was written|whole)`))
          await writeFile(path, kept)
        }
      }
      const strange = join(backup.folder, 'strange')
      await writeFile(strange, '')
      await refused('BACKUP_EDITED', 'strange.*does not name it')
      await rm(strange)
    }
    expect(await restore()).toMatchObject({ height: 5 })
  })

  it.each([
    ['a link to what never ends', (path: string) => symlink('/dev/zero', path)],
    ['a folder', (path: string) => mkdir(path)],
    ['a pipe', (path: string) => run('mkfifo', [path])],
  ])('where a file is %s, without reading it', async (_, put) => {
    for (const name of ['genesis.json', 'blocks', 'snapshot/chunk-0']) {
      const path = join(full.folder, name)
      await rename(path, `${root}/kept`)
      await put(path)
      await refused('BACKUP_EDITED', new RegExp(`${name} is not what was written: it is no file`))
      await rm(path, { recursive: true })
      await rename(`${root}/kept`, path)
    }
    const manifest = join(full.folder, 'manifest.json')
    await rm(manifest)
    await put(manifest)
    await refused('BACKUP_UNREADABLE', 'manifest.json is no file', full)
    expect(await listBackups(root)).toHaveLength(1)
  })

  it('where a manifest that fits says more of a file than there can be', async () => {
    for (const name of ['snapshot/chunk-0', 'snapshot/manifest', 'genesis.json']) {
      const path = join(full.folder, name)
      const kept = await readFile(path)
      await truncate(path, 2 ** 40)
      const files = full.manifest.files.map((file) => (file.name === name ? { ...file, bytes: 2 ** 40 } : file))
      await writeFile(join(full.folder, 'manifest.json'), formatManifest(sealManifest({ ...full.manifest, files })))
      await refused('BACKUP_EDITED', `${name} has 1099511627776 bytes`, full.folder)
      await writeFile(path, kept)
    }
  })

  it.each<[field: keyof Manifest, value: unknown, code: string]>([
    ['format', 'quorate/backup/2', 'BACKUP_UNREADABLE'],
    ['kind', 'incremental', 'BACKUP_EDITED'],
    ['network', 'other', 'BACKUP_EDITED'],
    ['genesisHash', '0'.repeat(64), 'BACKUP_EDITED'],
    ['from', 1, 'BACKUP_EDITED'],
    ['to', 2, 'BACKUP_EDITED'],
    ['blockHash', '0'.repeat(64), 'BACKUP_EDITED'],
    ['created', '2020-01-01T00:00:00.000Z', 'BACKUP_EDITED'],
    ['parent', '0'.repeat(64), 'BACKUP_EDITED'],
    ['files', [], 'BACKUP_EDITED'],
    ['sha256', '0'.repeat(64), 'BACKUP_EDITED'],
  ])('where %s of its manifest was changed', async (field, value, code) => {
    await writeFile(
      join(full.folder, 'manifest.json'),
      `${JSON.stringify({ ...full.manifest, [field]: value }, null, 2)}\n`,
    )
    await refused(code, full.folder, full.folder)
    // To the one that continues it, it is gone.
    await refused('BACKUP_GAP', 'not beside it')
  })

  it.each<[what: string, change: (manifest: Manifest) => Partial<Manifest>, code: string, reason: string]>([
    ['kind', () => ({ kind: 'incremental' }), 'BACKUP_EDITED', 'says incremental and no parent'],
    ['genesisHash', () => ({ genesisHash: '0'.repeat(64) }), 'BACKUP_FOREIGN', 'genesis hash 0000'],
    ['from', () => ({ from: 1 }), 'BACKUP_EDITED', 'blocks begin at 1'],
    ['from beyond to', () => ({ from: 5 }), 'BACKUP_GAP', 'holds blocks 5 to 3'],
    ['to', () => ({ to: 2 }), 'BACKUP_UNPROVEN', 'its snapshot is of block 3'],
    ['blockHash', () => ({ blockHash: '0'.repeat(64) }), 'BACKUP_UNPROVEN', 'its snapshot is of block 3'],
    ['parent', () => ({ parent: '0'.repeat(64) }), 'BACKUP_GAP', 'not beside it'],
    [
      'files, all but the blocks',
      ({ files }) => ({ files: files.filter(({ name }) => name !== 'blocks') }),
      'BACKUP_EDITED',
      'names no blocks',
    ],
    [
      'files, all but a chunk',
      ({ files }) => ({ files: files.filter(({ name }) => name !== 'snapshot/chunk-0') }),
      'BACKUP_EDITED',
      'chunk-0.*does not name it',
    ],
  ])('where %s was changed and the manifest made to fit', async (_, change, code, reason) => {
    const { folder: from } = await forge(full, change)
    await refused(code, reason, from)
  })

  it('where a backup it continues, or blocks between the two, are missing', async () => {
    const kept = join(folder.path, `kept-${count}`)
    await rename(full.folder, kept)
    await refused('BACKUP_GAP', 'which it continues, is not beside it')
    await rename(kept, full.folder)
    const late = await forge(last, () => ({ from: 5 }))
    await refused('BACKUP_GAP', 'begins at 4, after', late)
    const early = await forge(late, () => ({ from: 3 }))
    await refused('BACKUP_GAP', 'begins at 4, after', early)
  })

  it.each<[what: string, change: (blocks: FiledBlock[]) => FiledBlock[], reason: string]>([
    ['a certificate is gone', (blocks) => blocks.map((one) => ({ ...one, certificate: null })), 'has no certificate'],
    [
      'a signature is another',
      (blocks) =>
        blocks.map((one) => {
          const signatures = one.certificate!.signatures.map((each, at) => {
            const signature = Uint8Array.from(each.signature)
            signature[3]! ^= at === 1 ? 1 : 0
            return { ...each, signature }
          })
          return { ...one, certificate: { ...one.certificate!, signatures } }
        }),
      'the signature of validator \\d under block 4 is wrong',
    ],
    [
      'too few signed',
      (blocks) =>
        blocks.map((one) => ({
          ...one,
          certificate: { ...one.certificate!, signatures: one.certificate!.signatures.slice(1) },
        })),
      'expected 3 signatures, found 2',
    ],
    [
      'a header was changed',
      (blocks) => blocks.map((one) => ({ ...one, header: { ...one.header, time: one.header.time + 1 } })),
      'block 4, the time',
    ],
    [
      'a receipt was changed',
      (blocks) =>
        blocks.map((one) => ({
          ...one,
          receipts: one.receipts.map((each) => ({ ...each, gasUsed: each.gasUsed + 1 })),
        })),
      'block 4, the receipts root',
    ],
    [
      'a receipt is gone',
      (blocks) => blocks.map((one) => ({ ...one, receipts: one.receipts.slice(1) })),
      'the receipts',
    ],
    [
      'a batch is another',
      ([first, ...others]) => [{ ...first!, batch: others[0]!.batch }, ...others],
      'block 4, the batch: expected the digest',
    ],
  ])('where %s and every hash was made to fit', async (_, change, reason) => {
    const forged = await forgeBlocks(last, change)
    await refused('BACKUP_UNPROVEN', reason, forged)
  })

  it.each<[what: string, change: (blocks: FiledBlock[]) => FiledBlock[], code: string, reason: string]>([
    ['first', (blocks) => blocks.slice(1), 'BACKUP_UNPROVEN', 'the height in the header: expected 4, found 5'],
    ['last', (blocks) => blocks.slice(0, 1), 'BACKUP_EDITED', 'ends before block 5'],
  ])('where its %s block is left out, and every hash was made to fit', async (_, change, code, reason) => {
    await refused(code, reason, await forgeBlocks(last, change))
  })

  it('where the state is another, and every hash was made to fit', async () => {
    const path = join(full.folder, 'snapshot', 'chunk-0')
    const chunk = decode(chunkCodec, await readFile(path))
    const entries = chunk.entries.map((one, at) => (at === 2 ? { ...one, value: '"9"' } : one))
    await writeFile(path, encode(chunkCodec, { ...chunk, entries }))
    const forged = await forge(full)
    await refused('BACKUP_UNPROVEN', 'chunk 0 of its snapshot: its entries give the hash', forged)
  })

  it('where the snapshot, the blocks and the manifest agree on a block that no quorum signed', async () => {
    const path = join(full.folder, 'snapshot', 'manifest')
    const manifest = decode(manifestCodec, await readFile(path))
    const certificate = { ...manifest.certificate, signatures: manifest.certificate.signatures.slice(1) }
    await writeFile(path, encode(manifestCodec, { ...manifest, certificate }))
    await refused('BACKUP_UNPROVEN', 'expected 3 signatures, found 2', await forge(full))
  })

  it('where certified blocks do not come out as their headers say', async () => {
    // As if a quorum had signed a header with another state root: everything but execution agrees.
    let blockHash = ''
    await forgeBlocks(last, ([first]) => {
      const header = { ...first!.header, stateRoot: '0'.repeat(64) }
      blockHash = hashOfHeader(header)
      return [{ ...first!, header, certificate: certify(five.genesis, header.height, blockHash) }]
    })
    const forged = await forge(last, () => ({ to: 4, blockHash }))
    await refused('BACKUP_UNPROVEN', 'block 4, stateRoot by executing the block again', forged)
  })
})
