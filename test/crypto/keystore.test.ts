import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseAddress } from '../../src/crypto/address.ts'
import { publicKeyOf, signReference } from '../../src/crypto/ed25519.ts'
import { fromHex, toHex } from '../../src/crypto/hex.ts'
import {
  createKey,
  exportKey,
  importKey,
  KeystoreError,
  listKeys,
  loadKey,
  readKeyFile,
  showKey,
  writeKeyFile,
} from '../../src/crypto/keystore.ts'

const scrypt = { N: 16, r: 8, p: 1 }
const sealed = { passphrase: 'open sesame', scrypt }
const seed = fromHex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
const message = Uint8Array.of(1, 2, 3)

let parent = ''
let folder = ''

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'quorate-keystore-'))
  folder = join(parent, 'keys')
})
afterEach(() => rm(parent, { recursive: true }))

describe('a key', () => {
  test.each([
    ['sealed', sealed, 'open sesame'],
    ['unencrypted', { unencrypted: true }, undefined],
  ])('that is %s signs after loading as its seed does', async (_, protection, passphrase) => {
    const entry = await importKey(folder, 'alice', seed, protection)
    const key = await loadKey(folder, 'alice', passphrase)
    expect(key.sign(message)).toEqual(signReference(seed, message))
    expect(key.publicKey).toEqual(publicKeyOf(seed))
    expect(entry).toEqual({ name: 'alice', address: key.address, publicKey: toHex(key.publicKey) })
    expect(parseAddress(entry.address)).toEqual(key.publicKey)
    expect(await showKey(folder, 'alice')).toEqual(entry)
    expect(await exportKey(folder, 'alice', passphrase)).toEqual({ ...entry, seed: toHex(seed) })
  })

  test('is new each time it is created', async () => {
    const first = await createKey(folder, 'first', sealed)
    const second = await createKey(folder, 'second', sealed)
    expect(first.address).not.toBe(second.address)
  })

  test('is for its owner alone on disk', async () => {
    await createKey(folder, 'alice', sealed)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'alice.json'))).mode & 0o777).toBe(0o600)
  })

  test('leaves its seed in the file only when unencrypted, which the file says', async () => {
    await importKey(folder, 'sealed', seed, sealed)
    await importKey(folder, 'open', seed, { unencrypted: true })
    expect(await readFile(join(folder, 'sealed.json'), 'utf8')).not.toContain(toHex(seed))
    const open = await readFile(join(folder, 'open.json'), 'utf8')
    expect(open).toContain(toHex(seed))
    expect(open).toContain('not encrypted')
  })

  test('opens however the system composes accents', async () => {
    await importKey(folder, 'alice', seed, { passphrase: 'caf\u00e9', scrypt })
    expect((await loadKey(folder, 'alice', 'cafe\u0301')).publicKey).toEqual(publicKeyOf(seed))
  })

  test('is sealed as this vector is, so that old files stay readable', async () => {
    const path = new URL('../vectors/ed25519-key-file.json', import.meta.url)
    expect((await readKeyFile(fileURLToPath(path), 'open sesame')).sign(message)).toEqual(signReference(seed, message))
  })

  test('costs 128 MiB to guess at by default', async () => {
    await importKey(folder, 'alice', seed, { passphrase: 'open sesame' })
    const { kdf } = JSON.parse(await readFile(join(folder, 'alice.json'), 'utf8'))
    expect(kdf).toMatchObject({ name: 'scrypt', N: 131072, r: 8, p: 1 })
    expect((await loadKey(folder, 'alice', 'open sesame')).publicKey).toEqual(publicKeyOf(seed))
  })
})

describe('the list', () => {
  test('has every key by name, and nothing else that lies in the folder', async () => {
    const bob = await createKey(folder, 'bob', sealed)
    const alice = await createKey(folder, 'alice', { unencrypted: true })
    await writeFile(join(folder, 'README.txt'), 'hello')
    await writeFile(join(folder, 'carol.json.012345abcdef.tmp'), 'half written')
    expect(await listKeys(folder)).toEqual([alice, bob])
  })

  test('of a missing folder is empty', async () => {
    expect(await listKeys(join(parent, 'missing'))).toEqual([])
  })
})

describe('refused', () => {
  test('a name that is taken, leaving the old key as it was and no litter', async () => {
    await importKey(folder, 'alice', seed, { unencrypted: true })
    const before = await readFile(join(folder, 'alice.json'), 'utf8')
    await refuses(createKey(folder, 'alice', sealed), 'KEY_EXISTS', 'alice.json exists')
    expect(await readFile(join(folder, 'alice.json'), 'utf8')).toBe(before)
    expect(await readdir(folder)).toEqual(['alice.json'])
  })

  test('all but one of several who create the same key at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => createKey(folder, 'alice', sealed)))
    const created = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(created).toHaveLength(1)
    expect(await showKey(folder, 'alice')).toEqual((created[0] as PromiseFulfilledResult<unknown>).value)
    expect(await readdir(folder)).toEqual(['alice.json'])
  })

  test('a key that is not there', async () => {
    await refuses(showKey(folder, 'nobody'), 'KEY_UNKNOWN', 'nobody.json')
    await refuses(loadKey(folder, 'nobody', 'x'), 'KEY_UNKNOWN', 'create or import')
    await refuses(exportKey(folder, 'nobody'), 'KEY_UNKNOWN', 'nobody.json')
  })

  test.each(['', 'Alice', '-alice', 'a/b', '../alice', 'a.b', 'a b', 'é', 'a'.repeat(65)])(
    'the name %j',
    async (name) => {
      await refuses(createKey(folder, name, sealed), 'KEY_NAME_INVALID', 'cannot name a key')
      await refuses(loadKey(folder, name), 'KEY_NAME_INVALID', JSON.stringify(name))
      await refuses(writeKeyFile(join(parent, 'x.json'), { name, seed, ...sealed }), 'KEY_NAME_INVALID', 'lower-case')
    },
  )

  test('a passphrase that is missing or wrong', async () => {
    await createKey(folder, 'alice', sealed)
    await refuses(loadKey(folder, 'alice'), 'PASSPHRASE_NEEDED', 'is encrypted')
    await refuses(loadKey(folder, 'alice', ''), 'PASSPHRASE_NEEDED', 'is encrypted')
    await refuses(loadKey(folder, 'alice', 'open sesame!'), 'PASSPHRASE_WRONG', 'did not open')
    await refuses(exportKey(folder, 'alice', 'x'), 'PASSPHRASE_WRONG', 'did not open')
    await refuses(createKey(folder, 'bob', {}), 'PASSPHRASE_NEEDED', 'ask for an unencrypted key')
    await refuses(createKey(folder, 'bob', { passphrase: '' }), 'PASSPHRASE_NEEDED', '"bob" was not written')
    expect(await readdir(folder)).toEqual(['alice.json'])
  })

  test('a file under the name of another key', async () => {
    await createKey(folder, 'alice', { unencrypted: true })
    await rename(join(folder, 'alice.json'), join(folder, 'bob.json'))
    await refuses(loadKey(folder, 'bob'), 'KEY_DAMAGED', 'holds key "alice"')
    await refuses(listKeys(folder), 'KEY_DAMAGED', 'bob.json')
  })
})

describe('a damaged file is refused', () => {
  type Fields = { address: string; kdf: object; cipher: object }
  type Alter = (file: Fields) => unknown

  test.each<[string, Alter, string]>([
    ['another format', (file) => ({ ...file, format: 'other' }), 'format'],
    ['no object', () => 7, 'format'],
    ['null', () => null, 'format'],
    ['a list', () => [], 'format'],
    ['a bad name', (file) => ({ ...file, name: '../x' }), 'name'],
    ['a short public key', (file) => ({ ...file, publicKey: 'ab' }), 'publicKey'],
    ['an address of another key', (file) => ({ ...file, address: file.address.replace('q', 'p') }), 'address'],
    ['unknown protection', (file) => ({ ...file, protection: 'rot13' }), 'protection'],
    ['an unencrypted seed that is missing', (file) => ({ ...file, protection: 'none' }), 'seed'],
    ['no kdf', (file) => ({ ...file, kdf: undefined }), 'kdf.name'],
    ['another kdf', (file) => ({ ...file, kdf: { ...file.kdf, name: 'md5' } }), 'kdf.name'],
    ['no cipher', (file) => ({ ...file, cipher: null }), 'cipher.name'],
    ['a short salt', (file) => ({ ...file, kdf: { ...file.kdf, salt: '00' } }), 'kdf.salt'],
    ['a long nonce', (file) => ({ ...file, cipher: { ...file.cipher, nonce: '00'.repeat(25) } }), 'cipher.nonce'],
    ['a short ciphertext', (file) => ({ ...file, cipher: { ...file.cipher, ciphertext: '' } }), 'cipher.ciphertext'],
    ['N that takes gigabytes', (file) => ({ ...file, kdf: { ...file.kdf, N: 2 ** 30 } }), 'MiB'],
    ['r that takes gigabytes', (file) => ({ ...file, kdf: { ...file.kdf, r: 2 ** 20, N: 1024 } }), 'MiB'],
    ['p that takes hours', (file) => ({ ...file, kdf: { ...file.kdf, N: 2 ** 17, p: 2 ** 20 } }), 'sixteen times'],
    ['N that is no power of two', (file) => ({ ...file, kdf: { ...file.kdf, N: 1000 } }), 'power of two'],
    ['N that is text', (file) => ({ ...file, kdf: { ...file.kdf, N: '16' } }), 'whole numbers'],
    ['p of zero', (file) => ({ ...file, kdf: { ...file.kdf, p: 0 } }), 'whole numbers'],
  ])('when it has %s', async (_, alter, reason) => {
    const path = await writeSealed()
    await chmod(path, 0o600)
    await writeFile(path, JSON.stringify(alter(JSON.parse(await readFile(path, 'utf8')))))
    await refuses(loadKey(folder, 'alice', 'open sesame'), 'KEY_DAMAGED', reason)
  })

  test('when it is not JSON, or longer than any key file', async () => {
    const path = await writeSealed()
    await writeFile(path, 'not json')
    await refuses(loadKey(folder, 'alice', 'open sesame'), 'KEY_DAMAGED', 'not JSON')
    await writeFile(path, ' '.repeat(100_000))
    await refuses(loadKey(folder, 'alice', 'open sesame'), 'KEY_DAMAGED', 'longer than')
  })

  test('when its public fields were replaced by those of another key', async () => {
    const path = await writeSealed()
    const other = await createKey(folder, 'other', { unencrypted: true })
    const file = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify({ ...file, address: other.address, publicKey: other.publicKey }))
    await refuses(loadKey(folder, 'alice', 'open sesame'), 'PASSPHRASE_WRONG', 'if it was altered')
    await writeFile(path, JSON.stringify({ ...file, protection: 'none', seed: '00'.repeat(32) }))
    await refuses(loadKey(folder, 'alice'), 'KEY_DAMAGED', 'belongs to another public key')
  })
})

async function writeSealed(): Promise<string> {
  await importKey(folder, 'alice', seed, sealed)
  return join(folder, 'alice.json')
}

async function refuses(attempt: Promise<unknown>, code: string, words: string): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(KeystoreError)
  expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.stringContaining(words) })
}
