// What can be said of a backup before its blocks are read: whose it is, whether its chain has no gap, and whether each file is the one
// that was written.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Network } from '../audit/network.ts'
import { genesisHash as hashOfGenesis } from '../crypto/digest.ts'
import { readGenesisDraft } from '../genesis/document.ts'
import { BackupError, edited, truncated } from './error.ts'
import { describeFile, filesIn } from './files.ts'
import type { Backup } from './folder.ts'
import { type FiledPart, MANIFEST } from './manifest.ts'
import { BLOCKS, GENESIS, partBytesMax } from './parts.ts'

export function checkNetwork({ folder, manifest }: Backup, { genesis, genesisHash }: Network): void {
  if (manifest.genesisHash === genesisHash && manifest.network === genesis.chainId) return
  const found = `${manifest.network} with the genesis hash ${manifest.genesisHash}`
  throw new BackupError(
    'BACKUP_FOREIGN',
    `The backup ${folder} is of the network ${found}, this home is of ${genesis.chainId} with ${genesisHash}. Restore it in a home with its own genesis.json.`,
  )
}

/** That each continues the one before, and nothing is left out between them. */
export function checkChain(chain: Backup[], network: Network): void {
  for (const [index, backup] of chain.entries()) {
    checkNetwork(backup, network)
    const { manifest, folder } = backup
    const isFirst = index === 0
    if ((manifest.kind === 'full') !== isFirst || (manifest.parent === null) !== isFirst)
      throw edited(folder, MANIFEST, `it says ${manifest.kind} and ${manifest.parent === null ? 'no' : 'a'} parent`)
    const before = chain[index - 1]?.manifest.to
    const isGap = before === undefined ? manifest.from > manifest.to + 1 : manifest.from !== before + 1
    if (isGap || (!isFirst && manifest.to < manifest.from)) {
      const expected =
        before === undefined ? `at most ${manifest.to}` : `${before + 1}, after ${chain[index - 1]!.name}`
      throw new BackupError(
        'BACKUP_GAP',
        `The backup ${folder} holds blocks ${manifest.from} to ${manifest.to}, expected was that it begins at ${expected}. Restore another backup.`,
      )
    }
  }
}

/** That every file that the manifests name is there as it was written, and no other. */
export async function checkBackupFiles(
  chain: Backup[],
  network: Network,
  onProgress: (phase: 'files', done: number, total: number) => void,
): Promise<void> {
  const total = chain.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  const onRead = (bytes: number) => {
    done += bytes
    onProgress('files', done, total)
  }
  for (const backup of chain) {
    await checkFiles(backup, onRead)
    await checkGenesis(backup, network)
  }
}

async function checkFiles({ folder, manifest }: Backup, onRead: (bytes: number) => void): Promise<void> {
  const named = new Set(manifest.files.map(({ name }) => name))
  for (const name of [GENESIS, BLOCKS]) if (!named.has(name)) throw edited(folder, MANIFEST, `it names no ${name}`)
  const stranger = (await filesIn(folder)).find((name) => name !== MANIFEST && !named.has(name))
  if (stranger !== undefined) throw edited(folder, stranger, 'the manifest does not name it')
  for (const expected of manifest.files) {
    const { name } = expected
    await checkLength(folder, expected)
    const found = await describeFile(folder, name, onRead)
    if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256)
      throw edited(folder, name, `its SHA-256 is ${found.sha256}, expected ${expected.sha256}`)
  }
}

/** Why the chain could not be restored, by a look at the lengths of its files alone; undefined where nothing is missing or cut off. */
export async function shortcomingOf(chain: Backup[]): Promise<string | undefined> {
  try {
    for (const { folder, manifest } of chain) for (const file of manifest.files) await checkLength(folder, file)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** Before it is read: some things never end, and some parts are read as a whole. */
async function checkLength(folder: string, { name, bytes }: FiledPart): Promise<void> {
  const found = await stat(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw truncated(folder, name, 'it is missing')
    throw error
  })
  if (!found.isFile()) throw edited(folder, name, 'it is no file')
  if (found.size < bytes) throw truncated(folder, name, `it has ${found.size} of its ${bytes} bytes`)
  if (found.size > bytes) throw edited(folder, name, `it has ${found.size} bytes, expected ${bytes}`)
  const bytesMax = partBytesMax(name)
  if (bytes > bytesMax)
    throw edited(folder, MANIFEST, `it says that ${name} has ${bytes} bytes, at most ${bytesMax} are possible`)
}

async function checkGenesis({ folder }: Backup, { genesisHash }: Network): Promise<void> {
  const draft = readGenesisDraft(await readFile(join(folder, GENESIS), 'utf8'))
  const found = draft.ok ? hashOfGenesis(draft.genesis) : 'that of no genesis document'
  if (found !== genesisHash) throw edited(folder, GENESIS, `its hash is ${found}, expected ${genesisHash}`)
}
