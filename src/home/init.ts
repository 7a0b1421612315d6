// A new node home. Whatever is there already stays as it is: a home holds the only keys and the only consensus log of a validator.
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { seedBytes } from '../crypto/ed25519.ts'
import { writeKeyFile } from '../crypto/keystore.ts'
import type { CheckContext } from '../genesis/document.ts'
import { createConsensusLog } from '../ledger/consensus-log.ts'
import { writeSynced } from '../synced.ts'
import type { Validator } from '../types/epoch.ts'
import { toHex } from '../types/hex.ts'
import { formatConfig, type Overrides } from './config.ts'
import { HomeError } from './error.ts'
import { readGenesisFile } from './genesis-file.ts'
import { homePaths } from './paths.ts'
import { NODE_NAME, nodeNames } from './settings.ts'

export interface InitOptions {
  home: string
  name?: string
  genesisFile?: string
  /** Settings that config.toml gets instead of their defaults. */
  settings?: Overrides
  /** What the genesis document is checked against. */
  context?: CheckContext
}

/** A file system may put this into the root of every volume. */
const VOLUME_ENTRIES = new Set(['lost+found'])
const ID_BYTES = 32

/** Makes the home and gives the validator's public entry, for whoever builds the genesis document. Throws a HomeError. */
export async function initHome({
  home,
  name = 'node',
  genesisFile,
  settings,
  context = {},
}: InitOptions): Promise<Validator> {
  if (!NODE_NAME.test(name)) {
    const message = `${JSON.stringify(name)} cannot name a node: expected ${nodeNames}; choose another name.`
    throw new HomeError('NAME_INVALID', message)
  }
  const config = formatConfig({ ...settings, name })
  const mend = 'check the path, or leave it out and add genesis.json later'
  const genesis = genesisFile === undefined ? undefined : await readGenesisFile(genesisFile, context, mend)
  const paths = homePaths(home)
  await refuseContents(paths.home)
  const isNew = (await mkdir(paths.home, { recursive: true, mode: 0o700 })) !== undefined
  const log = new Uint8Array(randomBytes(ID_BYTES))
  try {
    for (const folder of [paths.keys, paths.data, paths.backups]) await mkdir(folder, { mode: 0o700 })
    const { publicKey: key } = await writeNewKey(paths.validatorKey, 'validator')
    await writeNewKey(paths.nodeKey, 'node')
    await createConsensusLog(paths.consensusLog, log)
    if (genesis !== undefined) await writeNew(paths.genesis, genesis.text)
    // Last, since a home without it is seen to be unfinished.
    await writeNew(paths.config, config)
    return { name, key, log: toHex(log) }
  } catch (error) {
    // The folder was empty before, so all of this is ours and nothing has been told to anyone.
    for (const path of [paths.config, paths.genesis, paths.keys, paths.data, paths.backups]) {
      await rm(path, { recursive: true, force: true })
    }
    if (isNew) await rmdir(paths.home)
    throw error
  }
}

async function refuseContents(home: string): Promise<void> {
  const entries = await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    if (error.code !== 'ENOTDIR') throw error
    throw new HomeError('HOME_EXISTS', `${home} is a file and was left as it is; choose another folder.`)
  })
  const found = entries.filter((entry) => !VOLUME_ENTRIES.has(entry)).sort()
  if (found.length === 0) return
  const shown = found.slice(0, 5).join(', ')
  const mend = 'choose an empty folder, or move these away after saving the keys'
  throw new HomeError(
    'HOME_EXISTS',
    `The home ${home} is not empty and was left as it is (it holds ${shown}); ${mend}.`,
  )
}

/** Unencrypted, since a node has to start without a person at hand; the file's mode keeps it from other users. */
function writeNewKey(path: string, name: string): Promise<{ publicKey: string }> {
  return writeKeyFile(path, { name, seed: new Uint8Array(randomBytes(seedBytes)), unencrypted: true })
}

const writeNew = (path: string, text: string): Promise<void> => writeSynced(path, text, { mode: 0o644 })
