// The folder of all backups: what is there, and which backup continues which.
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { BackupError } from './error.ts'
import { type BackupKind, MANIFEST, type Manifest, manifestId, parseManifest } from './manifest.ts'

export interface Backup {
  name: string
  folder: string
  /** SHA-256 of its manifest's text. */
  id: string
  manifest: Manifest
  /** Of all files. */
  bytes: number
}

/** As it is told. */
export function viewOfBackup({ name, folder, id, bytes, manifest }: Backup) {
  const { kind, from, to, blockHash, created, parent } = manifest
  return { name, folder, id, kind, from, to, blockHash, created, parent, bytes }
}

const NAME = /^\d{8}T\d{9}Z-\d{1,16}-(full|incremental)$/
/** What is being made has such a name until it is whole. */
const MAKING = /^\.making-[0-9a-f]{16}$/
/** Well above what the largest has. */
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024
/** An incremental each quarter of an hour for months: reading the manifests takes well below a second. */
const CHAIN_MAX = 10_000

/** Names sort by time. */
export const backupName = (created: string, height: number, kind: BackupKind): string =>
  `${created.replace(/[-:.]/g, '')}-${height}-${kind}`

/** Throws BackupError where the folder is no backup or its manifest was edited. Its other files are not looked at. */
export async function readBackup(folder: string): Promise<Backup> {
  const path = resolve(folder)
  const text = await readManifestText(path).catch((cause: NodeJS.ErrnoException) => {
    const isMissing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR'
    const mend = '`quorate backup list` shows those there are'
    const reason = isMissing
      ? `There is no backup at ${path}: it has no ${MANIFEST}; ${mend}.`
      : `The backup ${path} cannot be read: ${cause.message}. Mend that, or name another one; ${mend}.`
    throw new BackupError('BACKUP_UNREADABLE', reason, { cause })
  })
  const manifest = parseManifest(text, path)
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
  return { name: basename(path), folder: path, id: manifestId(text), manifest, bytes }
}

async function readManifestText(folder: string): Promise<string> {
  const path = join(folder, MANIFEST)
  const found = await stat(path)
  if (!found.isFile()) throw new Error(`${MANIFEST} is no file`)
  if (found.size > MANIFEST_BYTES_MAX)
    throw new Error(`${MANIFEST} has ${found.size} bytes, at most ${MANIFEST_BYTES_MAX} are possible`)
  return await readFile(path, 'utf8')
}

/** Oldest first. A backup whose manifest cannot be used is left out and told to `onFault`. */
export async function listBackups(root: string, onFault: (error: BackupError) => void = () => {}): Promise<Backup[]> {
  const names = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const found: Backup[] = []
  for (const name of names.filter((name) => NAME.test(name)).sort()) {
    try {
      found.push(await readBackup(join(root, name)))
    } catch (error) {
      if (!(error instanceof BackupError)) throw error
      onFault(error)
    }
  }
  return found
}

/** The backups that lead to this one, the full one first. Throws BackupError where one is missing. */
export async function readChain(last: Backup): Promise<Backup[]> {
  const chain = [last]
  if (last.manifest.parent === null) return chain
  const byId = new Map((await listBackups(dirname(last.folder))).map((backup) => [backup.id, backup]))
  while (chain[0]!.manifest.parent !== null) {
    const first = chain[0]!
    const parent = byId.get(first.manifest.parent!)
    if (parent === undefined || chain.length >= CHAIN_MAX) {
      const reason = `the backup with the manifest hash ${first.manifest.parent}, which it continues, is not beside it`
      throw new BackupError(
        'BACKUP_GAP',
        `The backup ${first.folder} cannot be restored by itself: ${reason}. Copy that one into the same folder, or restore a full backup.`,
      )
    }
    chain.unshift(parent)
  }
  return chain
}

/**
 * The backups in their chains, each with its full one first; what has lost its full one is in none. The chain that reaches furthest is last.
 * Heights say which is newer, as clocks jump; so give backups of one network.
 */
export function chainsOf(backups: Backup[]): Backup[][] {
  const byId = new Map(backups.map((backup) => [backup.id, backup]))
  const chains = new Map<Backup, Backup[]>()
  // What an incremental one continues ends below it.
  for (const backup of backups.toSorted(byReach)) {
    const { parent } = backup.manifest
    const before = parent === null ? undefined : byId.get(parent)
    // Where two continue one backup, both belong to its chain.
    const chain = parent === null ? [] : before && chains.get(before)
    if (chain === undefined) continue
    chain.push(backup)
    chains.set(backup, chain)
  }
  return [...new Set(chains.values())].sort((a, b) => byReach(a.at(-1)!, b.at(-1)!))
}

const byReach = (a: Backup, b: Backup): number =>
  a.manifest.to - b.manifest.to || Date.parse(a.manifest.created) - Date.parse(b.manifest.created)

/** Of all backups in a folder, those of one network. */
export const ofNetwork = (backups: Backup[], genesisHash: string): Backup[] =>
  backups.filter(({ manifest }) => manifest.genesisHash === genesisHash)

/**
 * Removes all but the newest `keep` chains of a network, each from its last backup to its full one, so that what an interruption leaves
 * can be restored. Gives the names of what was removed.
 */
export async function removeOldChains(root: string, keep: number, genesisHash: string): Promise<string[]> {
  const chains = chainsOf(ofNetwork(await listBackups(root), genesisHash))
  const outdated = chains.slice(0, Math.max(0, chains.length - keep)).flatMap((chain) => chain.reverse())
  for (const { folder } of outdated) await rm(folder, { recursive: true })
  return outdated.map(({ name }) => name)
}

/** Removes what interrupted attempts left; `olderThanMs` spares what another process may be making now. */
export async function removeUnfinished(root: string, olderThanMs = 0): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  for (const name of await readdir(root)) {
    if (!MAKING.test(name)) continue
    const { mtimeMs } = await stat(join(root, name))
    if (Date.now() - mtimeMs >= olderThanMs) await rm(join(root, name), { recursive: true, force: true })
  }
}
