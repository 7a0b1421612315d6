/** A folder of named keys, one file each (see `key-file.ts`). Refusals are thrown as KeystoreError with a stable code. */
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { seedBytes } from './ed25519.ts'
import { toHex } from './hex.ts'
import {
  checkKeyName,
  isKeyName,
  type KeyProtection,
  type LoadedKey,
  type PublicKeyEntry,
  readKeyFile,
  readPublicEntry,
  readSeed,
  writeKeyFile,
} from './key-file.ts'
import { KeystoreError } from './keystore-error.ts'

export { type KeyProtection, type LoadedKey, type PublicKeyEntry, readKeyFile, writeKeyFile } from './key-file.ts'
export type { ScryptCost } from './key-sealing.ts'
export { KeystoreError, type KeystoreErrorCode } from './keystore-error.ts'

const suffix = '.json'

/** A new random key. */
export function createKey(folder: string, name: string, protection: KeyProtection): Promise<PublicKeyEntry> {
  return importKey(folder, name, new Uint8Array(randomBytes(seedBytes)), protection)
}

/** A key from its 32-byte seed. */
export async function importKey(
  folder: string,
  name: string,
  seed: Uint8Array,
  protection: KeyProtection,
): Promise<PublicKeyEntry> {
  return await writeKeyFile(pathOf(folder, name), { name, seed, ...protection })
}

/** The public fields of every key, by name; none where the folder does not exist. */
export async function listKeys(folder: string): Promise<PublicKeyEntry[]> {
  const files = await readdir(folder).catch((error) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const names = files.filter((file) => file.endsWith(suffix)).map((file) => file.slice(0, -suffix.length))
  const entries: PublicKeyEntry[] = []
  for (const name of names.filter(isKeyName).sort()) entries.push(await showKey(folder, name))
  return entries
}

/** The public fields of one key; needs no passphrase. */
export async function showKey(folder: string, name: string): Promise<PublicKeyEntry> {
  return named(folder, name, await readPublicEntry(pathOf(folder, name)))
}

/** The key, ready to sign. An unencrypted key needs no passphrase. */
export async function loadKey(folder: string, name: string, passphrase?: string): Promise<LoadedKey> {
  return named(folder, name, await readKeyFile(pathOf(folder, name), passphrase))
}

/** The public fields and the secret seed in hexadecimal, which `importKey` takes back as bytes. */
export async function exportKey(
  folder: string,
  name: string,
  passphrase?: string,
): Promise<PublicKeyEntry & { seed: string }> {
  const key = named(folder, name, await readSeed(pathOf(folder, name), passphrase))
  return { ...key, seed: toHex(key.seed) }
}

function pathOf(folder: string, name: string): string {
  // Names are checked before they become paths, so that none leads out of the folder.
  checkKeyName(name)
  return join(folder, name + suffix)
}

/** A file renamed by hand would sign as somebody else than its name says. */
function named<Key extends { name: string }>(folder: string, name: string, key: Key): Key {
  if (key.name === name) return key
  throw new KeystoreError(
    'KEY_DAMAGED',
    `Key file ${pathOf(folder, name)} holds key "${key.name}"; give the file that key's name again.`,
  )
}
