/**
 * How a seed rests in a key file: in the open, or sealed under a passphrase with scrypt (RFC 7914) and XChaCha20-Poly1305. The
 * public key is authenticated along with the seed, so a sealed file cannot show one address and hold the key of another.
 */
import { randomBytes, scrypt } from 'node:crypto'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { seedBytes } from './ed25519.ts'
import { fromHex, toHex } from './hex.ts'

export interface ScryptCost {
  N: number
  r: number
  p: number
}

export interface SealedSeed {
  protection: 'passphrase'
  kdf: { name: 'scrypt'; N: number; r: number; p: number; salt: string }
  cipher: { name: 'xchacha20-poly1305'; nonce: string; ciphertext: string }
}

export interface OpenSeed {
  protection: 'none'
  warning: string
  seed: string
}

/** 128 MiB and about half a second. */
export const scryptCostDefault: ScryptCost = { N: 2 ** 17, r: 8, p: 1 }

const saltBytes = 32
const nonceBytes = 24
const tagBytes = 16
// Parameters come from a file that may be hostile: four times the default memory and sixteen times its work, no more.
const memoryBytesMax = 512 * 1024 * 1024
const workMax = 16 * scryptCostDefault.N * scryptCostDefault.r * scryptCostDefault.p

/** What is wrong with the cost, in words; undefined where nothing is. */
function faultOfCost({ N, r, p }: ScryptCost): string | undefined {
  if (![N, r, p].every((value) => Number.isSafeInteger(value) && value >= 1))
    return 'scrypt parameters must be positive whole numbers'
  if (N < 2 || !Number.isInteger(Math.log2(N))) return 'scrypt parameter N must be a power of two'
  if (128 * N * r > memoryBytesMax) return `scrypt would need more than ${memoryBytesMax / 2 ** 20} MiB`
  if (N * r * p > workMax) return 'scrypt would take more than sixteen times the usual work'
  return undefined
}

export async function sealSeed(
  seed: Uint8Array,
  publicKey: Uint8Array,
  passphrase: string,
  cost: ScryptCost,
): Promise<SealedSeed> {
  const fault = faultOfCost(cost)
  if (fault !== undefined) throw new RangeError(`${fault}; choose a smaller cost.`)
  const salt = new Uint8Array(randomBytes(saltBytes))
  const nonce = new Uint8Array(randomBytes(nonceBytes))
  const key = await deriveKey(passphrase, salt, cost)
  const ciphertext = xchacha20poly1305(key, nonce, publicKey).encrypt(seed)
  return {
    protection: 'passphrase',
    kdf: { name: 'scrypt', ...cost, salt: toHex(salt) },
    cipher: { name: 'xchacha20-poly1305', nonce: toHex(nonce), ciphertext: toHex(ciphertext) },
  }
}

/** The seed, or undefined where the passphrase is not the one it was sealed under (or the ciphertext was altered). */
export async function unsealSeed(
  { kdf, cipher }: SealedSeed,
  publicKey: Uint8Array,
  passphrase: string,
): Promise<Uint8Array | undefined> {
  const key = await deriveKey(passphrase, fromHex(kdf.salt), kdf)
  try {
    return xchacha20poly1305(key, fromHex(cipher.nonce), publicKey).decrypt(fromHex(cipher.ciphertext))
  } catch {
    return undefined
  }
}

/** What is wrong with a sealed seed that came from a file, in words; undefined where it can be unsealed given the passphrase. */
export function faultOfSealed(sealed: SealedSeed): string | undefined {
  const { kdf, cipher } = sealed
  if (kdf?.name !== 'scrypt') return 'kdf.name is not "scrypt"'
  if (cipher?.name !== 'xchacha20-poly1305') return 'cipher.name is not "xchacha20-poly1305"'
  if (!isHex(kdf.salt, saltBytes)) return `kdf.salt is not ${saltBytes} bytes in hexadecimal`
  if (!isHex(cipher.nonce, nonceBytes)) return `cipher.nonce is not ${nonceBytes} bytes in hexadecimal`
  if (!isHex(cipher.ciphertext, seedBytes + tagBytes))
    return `cipher.ciphertext is not ${seedBytes + tagBytes} bytes in hexadecimal`
  return faultOfCost(kdf)
}

export function isHex(text: unknown, bytes: number): text is string {
  return typeof text === 'string' && text.length === 2 * bytes && /^[0-9a-f]*$/.test(text)
}

function deriveKey(passphrase: string, salt: Uint8Array, { N, r, p }: ScryptCost): Promise<Uint8Array> {
  // Keyboards and systems compose accented letters differently; the same passphrase must give the same key.
  const secret = passphrase.normalize('NFKC')
  return new Promise((resolve, reject) => {
    scrypt(secret, salt, 32, { N, r, p, maxmem: 2 * memoryBytesMax }, (error, key) =>
      error === null ? resolve(new Uint8Array(key)) : reject(error),
    )
  })
}
