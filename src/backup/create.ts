// Making a backup from one unchanging moment of a ledger, while blocks go on being committed. It is written under another name, synced
// and renamed: a folder with a backup's name is whole.
import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createBlockFile } from '../ledger/block-file.ts'
import { placed } from '../ledger/errors.ts'
import type { LedgerView } from '../ledger/view.ts'
import { snapshotFolder } from '../snapshot/files.ts'
import { makeSnapshot, SnapshotStopped } from '../snapshot/make.ts'
import { syncFolder, writeSynced } from '../synced.ts'
import { shortcomingOf } from './check.ts'
import { BackupError } from './error.ts'
import { describeFile, filesIn } from './files.ts'
import {
  type Backup,
  backupName,
  chainsOf,
  listBackups,
  ofNetwork,
  readBackup,
  readChain,
  removeUnfinished,
} from './folder.ts'
import { type BackupKind, formatManifest, MANIFEST, type Manifest, sealManifest } from './manifest.ts'
import { BLOCKS, encodeHeaders, GENESIS, HEADERS, README, readmeText, SNAPSHOT } from './parts.ts'

export type Phase = 'state' | 'blocks' | 'hashes'

export interface CreateOptions {
  view: LedgerView
  /** The genesis document's text, the network's name in it, and its hash. */
  genesis: { text: string; chainId: string; hash: string }
  /** The folder of all backups. */
  root: string
  /** An incremental one needs one to continue, else it becomes a full one. */
  kind: BackupKind
  /** What it says of when it was made, in ms since 1970. */
  createdAt: number
  isStopped(): boolean
  /** Of the state, entries; of blocks, blocks; of hashes, bytes. The total is 0 where it is not known. */
  onProgress(phase: Phase, done: number, total: number): void
}

export interface Created {
  backup: Backup
  /** False where there was nothing to add to the newest one, which is then `backup`. */
  isNew: boolean
  /** Why it is not what was asked for; empty where it is. */
  note: string
}

/** What another process may still be writing is not older. */
const UNFINISHED_MS = 24 * 60 * 60_000

export async function createBackup(options: CreateOptions): Promise<Created> {
  const { view, root, kind } = options
  const to = view.certifiedHeight()
  if (to === 0) {
    throw new BackupError(
      'BACKUP_EMPTY',
      'There is nothing to back up yet: no block is certified. Wait until the node has caught up with its network.',
    )
  }
  await removeUnfinished(root, UNFINISHED_MS)
  const found = kind === 'full' ? '' : await findParent(options, to)
  if (typeof found === 'string') return { backup: await write(options, undefined, to), isNew: true, note: found }
  if (found.manifest.to < to) return { backup: await write(options, found, to), isNew: true, note: '' }
  const note = `no block was certified after ${found.name}, so there is nothing to add to it`
  return { backup: found, isNew: false, note }
}

/** The newest backup that these blocks continue, or why there is none. */
async function findParent({ root, genesis, view }: CreateOptions, to: number): Promise<Backup | string> {
  // Of two that reach as far that of the newer chain comes first.
  const newest = chainsOf(ofNetwork(await listBackups(root), genesis.hash))
    .reverse()
    .flat()
    .sort((a, b) => b.manifest.to - a.manifest.to)
  if (newest.length === 0) return 'there is no backup to continue, so this one is full'
  const parent = newest.find(({ manifest }) => manifest.to <= to)
  if (parent === undefined) return 'every backup there reaches further than this ledger, so this one is full'
  const { manifest, name } = parent
  if (view.oldestBlock() > manifest.to + 1) return `blocks after ${name} are pruned here already, so this one is full`
  const own = manifest.to < view.oldestHeight() ? undefined : await view.blockHash(manifest.to)
  if (own !== manifest.blockHash)
    return `${name} has another block ${manifest.to} than this ledger, so this one is full`
  // What is put upon it could not be restored either.
  const shortcoming = await shortcomingOf(await readChain(parent))
  return shortcoming === undefined ? parent : `${shortcoming} So this one is full`
}

async function write(options: CreateOptions, parent: Backup | undefined, to: number): Promise<Backup> {
  const { view, genesis, root } = options
  const kind = parent === undefined ? 'full' : 'incremental'
  const from = parent === undefined ? view.oldestBlock() : parent.manifest.to + 1
  const created = new Date(options.createdAt).toISOString()
  const making = join(root, `.making-${randomBytes(8).toString('hex')}`)
  await mkdir(making, { mode: 0o700 })
  try {
    await writeSynced(join(making, GENESIS), genesis.text)
    await writeSynced(join(making, README), readmeText(kind, from, to))
    if (parent === undefined) await writeState(options, making, to)
    await writeBlocks(options, making, from, to)
    const manifest = sealManifest({
      kind,
      network: genesis.chainId,
      genesisHash: genesis.hash,
      from,
      to,
      blockHash: (await view.certifiedHeader(to)).certificate.blockHash,
      created,
      parent: parent?.id ?? null,
      files: await describeAll(options, making),
    })
    return await finish(making, join(root, backupName(created, to, kind)), manifest)
  } catch (error) {
    await rm(making, { recursive: true, force: true })
    throw error instanceof SnapshotStopped ? stopped() : placed(error, root)
  }
}

async function writeState({ view, isStopped, onProgress }: CreateOptions, making: string, to: number): Promise<void> {
  const state = view.stateAt(to)
  let keys = 0
  await makeSnapshot(making, {
    ...(await view.certifiedHeader(to)),
    isStopped,
    async scan(after, limit) {
      const page = await state.scan('', after, limit)
      keys += page.length
      onProgress('state', keys, 0)
      return page
    },
  })
  await rename(snapshotFolder(making, to), join(making, SNAPSHOT))
  const headers = await view.keptHeaders()
  if (headers.length > 0) await writeSynced(join(making, HEADERS), encodeHeaders(headers))
}

async function writeBlocks(options: CreateOptions, making: string, from: number, to: number): Promise<void> {
  const { view, genesis } = options
  const file = await createBlockFile(join(making, BLOCKS), genesis.hash)
  try {
    for (let height = from; height <= to; height++) {
      if (options.isStopped()) throw stopped()
      const block = await view.block(height)
      if (block === undefined)
        throw new Error(`The ledger has no block ${height}, though it keeps those from ${from} on.`)
      await file.append({ ...block, certificate: block.certificate ?? null })
      options.onProgress('blocks', height - from + 1, to - from + 1)
    }
    await file.finish()
  } catch (error) {
    await file.abandon()
    throw error
  }
}

/** From what lies on the disk, so that what is hashed is what can be read again. */
async function describeAll({ isStopped, onProgress }: CreateOptions, making: string): Promise<Manifest['files']> {
  const files: Manifest['files'] = []
  let bytes = 0
  for (const name of await filesIn(making)) {
    files.push(
      await describeFile(making, name, (read) => {
        if (isStopped()) throw stopped()
        bytes += read
        onProgress('hashes', bytes, 0)
      }),
    )
  }
  return files
}

async function finish(making: string, folder: string, manifest: Manifest): Promise<Backup> {
  await writeSynced(join(making, MANIFEST), formatManifest(manifest))
  if (manifest.kind === 'full') await syncFolder(join(making, SNAPSHOT))
  await syncFolder(making)
  await rename(making, folder)
  await syncFolder(join(folder, '..'))
  return await readBackup(folder)
}

const stopped = () =>
  new BackupError('BACKUP_STOPPED', 'The backup was given up because the node stops. Make it again when the node runs.')
