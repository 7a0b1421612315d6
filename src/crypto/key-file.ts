/**
 * One key in one JSON file, mode 0600. The file appears whole or not at all and never replaces another. Its public fields
 * (name, address, publicKey) are readable without a passphrase.
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder, writeSynced } from '../synced.ts'
import { addressOf } from './address.ts'
import { publicKeyBytes, publicKeyOf, seedBytes } from './ed25519.ts'
import { equalBytes, fromHex, toHex } from './hex.ts'
import {
  faultOfSealed,
  isHex,
  type OpenSeed,
  type ScryptCost,
  type SealedSeed,
  scryptCostDefault,
  sealSeed,
  unsealSeed,
} from './key-sealing.ts'
import { KeystoreError } from './keystore-error.ts'
import { createKeyPair, type KeyPair } from './signer.ts'

/** What anyone may know of a key; publicKey in hexadecimal. */
export interface PublicKeyEntry {
  name: string
  address: string
  publicKey: string
}

export interface LoadedKey extends KeyPair {
  readonly name: string
  readonly address: string
}

/** A passphrase to seal the seed under, or `unencrypted: true` to say that none is wanted. */
export interface KeyProtection {
  passphrase?: string
  unencrypted?: boolean
  /** How hard guessing the passphrase is made; the default suits people. */
  scrypt?: ScryptCost
}

type KeyFile = { format: typeof format } & PublicKeyEntry & (SealedSeed | OpenSeed)

const format = 'quorate-key-1'
const fileBytesMax = 16 * 1024
const namePattern = /^[a-z0-9][a-z0-9-]{0,63}$/
const warning = 'This key is not encrypted: whoever reads this file can sign as this address.'

export function isKeyName(name: string): boolean {
  return namePattern.test(name)
}

export function checkKeyName(name: string): void {
  if (isKeyName(name)) return
  throw new KeystoreError(
    'KEY_NAME_INVALID',
    `${JSON.stringify(name)} cannot name a key; use 1 to 64 lower-case letters, digits and hyphens, not starting with a hyphen.`,
  )
}

/** Writes a new key file, and the folder it is in where that is missing. Throws a KeystoreError where the file exists. */
export async function writeKeyFile(
  path: string,
  { name, seed, ...protection }: { name: string; seed: Uint8Array } & KeyProtection,
): Promise<PublicKeyEntry> {
  checkKeyName(name)
  const publicKey = createKeyPair(seed).publicKey
  const entry = { name, address: addressOf(publicKey), publicKey: toHex(publicKey) }
  const content: KeyFile = { format, ...entry, ...(await protect(name, seed, publicKey, protection)) }
  await createFile(path, `${JSON.stringify(content, null, 2)}\n`)
  return entry
}

/** The key, ready to sign. Throws a KeystoreError where the file is missing or damaged, or the passphrase is missing or wrong. */
export async function readKeyFile(path: string, passphrase?: string): Promise<LoadedKey> {
  const { name, address, seed } = await readSeed(path, passphrase)
  const { publicKey, sign } = createKeyPair(seed)
  return { name, address, publicKey, sign }
}

/** The key's secret seed along with its public fields. */
export async function readSeed(path: string, passphrase?: string): Promise<PublicKeyEntry & { seed: Uint8Array }> {
  const file = await parseKeyFile(path)
  const { name, address, publicKey } = file
  const seed = file.protection === 'none' ? fromHex(file.seed) : await unseal(path, file, passphrase)
  if (!equalBytes(publicKeyOf(seed), fromHex(publicKey))) throw damaged(path, 'its seed belongs to another public key')
  return { name, address, publicKey, seed }
}

/** The public fields; needs no passphrase. */
export async function readPublicEntry(path: string): Promise<PublicKeyEntry> {
  const { name, address, publicKey } = await parseKeyFile(path)
  return { name, address, publicKey }
}

async function protect(
  name: string,
  seed: Uint8Array,
  publicKey: Uint8Array,
  { passphrase, unencrypted, scrypt = scryptCostDefault }: KeyProtection,
): Promise<SealedSeed | OpenSeed> {
  if (unencrypted) return { protection: 'none', warning, seed: toHex(seed) }
  if (passphrase) return sealSeed(seed, publicKey, passphrase, scrypt)
  throw new KeystoreError(
    'PASSPHRASE_NEEDED',
    `Key "${name}" was not written, because it has no passphrase; give one, or ask for an unencrypted key.`,
  )
}

async function unseal(path: string, file: SealedSeed & PublicKeyEntry, passphrase?: string): Promise<Uint8Array> {
  if (!passphrase) {
    throw new KeystoreError('PASSPHRASE_NEEDED', `Key file ${path} is encrypted; give its passphrase.`)
  }
  const seed = await unsealSeed(file, fromHex(file.publicKey), passphrase)
  if (seed !== undefined) return seed
  throw new KeystoreError(
    'PASSPHRASE_WRONG',
    `Key file ${path} did not open with this passphrase; try again, or restore the file from a backup if it was altered.`,
  )
}

async function parseKeyFile(path: string): Promise<KeyFile> {
  const text = await readBounded(path)
  let file: KeyFile
  try {
    file = JSON.parse(text) as KeyFile
  } catch (cause) {
    throw damaged(path, 'it is not JSON', cause)
  }
  const fault = faultOf(file)
  if (fault !== undefined) throw damaged(path, fault)
  return file
}

function faultOf(file: KeyFile | null): string | undefined {
  if (file === null || typeof file !== 'object' || file.format !== format) return `its format is not "${format}"`
  if (typeof file.name !== 'string' || !isKeyName(file.name)) return 'its name is not a key name'
  if (!isHex(file.publicKey, publicKeyBytes)) return `its publicKey is not ${publicKeyBytes} bytes in hexadecimal`
  if (file.address !== addressOf(fromHex(file.publicKey))) return 'its address is not that of its publicKey'
  if (file.protection === 'passphrase') return faultOfSealed(file)
  if (file.protection !== 'none') return 'its protection is neither "passphrase" nor "none"'
  return isHex(file.seed, seedBytes) ? undefined : `its seed is not ${seedBytes} bytes in hexadecimal`
}

function damaged(path: string, reason: string, cause?: unknown): KeystoreError {
  return new KeystoreError('KEY_DAMAGED', `Key file ${path} is damaged: ${reason}; restore it from a backup.`, {
    cause,
  })
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path, 'r').catch((cause) => {
    if (cause.code !== 'ENOENT') throw cause
    throw new KeystoreError('KEY_UNKNOWN', `There is no key file ${path}; create or import the key first.`, { cause })
  })
  try {
    const buffer = new Uint8Array(fileBytesMax + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    if (bytesRead > fileBytesMax) throw damaged(path, `it is longer than ${fileBytesMax} bytes`)
    return new TextDecoder().decode(buffer.subarray(0, bytesRead))
  } finally {
    await file.close()
  }
}

/** The content is complete on disk under a temporary name before a link gives it its own; linking fails where that is taken. */
async function createFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    await writeSynced(temporary, content)
    await link(temporary, path).catch((cause) => {
      if (cause.code !== 'EEXIST') throw cause
      throw new KeystoreError('KEY_EXISTS', `Key file ${path} exists and was left as it is; choose another name.`, {
        cause,
      })
    })
  } finally {
    await rm(temporary, { force: true })
  }
  await syncFolder(dirname(path))
}
