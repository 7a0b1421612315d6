// Accounts by name: the same name has the same key on every machine and in every run.
import { addressOf } from '../crypto/address.ts'
import { sha256 } from '../crypto/hash.ts'
import { createKeyPair } from '../crypto/signer.ts'
import { toHex } from '../types/hex.ts'

export interface Account {
  readonly name: string
  readonly address: string
  /** Lower-case hexadecimal, as `ctx.crypto.verifyEd25519` takes it. */
  readonly publicKey: string
  /** The 32 bytes that the key pair is made of. */
  readonly seed: Uint8Array
  /** A signature in lower-case hexadecimal over bytes, or over a text's UTF-8 bytes. */
  sign(message: string | Uint8Array): string
}

const accounts = new Map<string, Account>()
/** A test that makes up names by the thousand must not keep them all. */
const ACCOUNTS_MAX = 10_000

export function accountOf(name: string): Account {
  const known = accounts.get(name)
  if (known !== undefined) return known
  if (name === '' || name.startsWith('qr1')) {
    throw new Error(`"${name}" cannot sign: name an account, such as 'alice'; chain.account('alice') has its address`)
  }
  const seed = sha256(new TextEncoder().encode(`quorate/testing/account/${name}`))
  const { publicKey, sign } = createKeyPair(seed)
  const account: Account = {
    name,
    address: addressOf(publicKey),
    publicKey: toHex(publicKey),
    seed,
    sign: (message) => toHex(sign(typeof message === 'string' ? new TextEncoder().encode(message) : message)),
  }
  if (accounts.size >= ACCOUNTS_MAX) accounts.clear()
  accounts.set(name, account)
  return account
}
