// The keystore from the command line: what goes in comes out again, and nothing is overwritten or shown by accident.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createCli, withFolder } from './support.ts'

test('a key without a passphrase: create, show, list, export, import', () =>
  withFolder(async (folder) => {
    const cli = createCli({ QUORATE_KEYSTORE: folder })
    const created = (await cli('keys', 'create', 'alice', '--unencrypted', '--json')).json
    expect(Object.keys(created)).toEqual(['name', 'address', 'publicKey'])
    expect((await cli('keys', 'show', 'alice', '--json')).json).toEqual(created)
    expect((await cli('keys', 'list', '--json')).json).toEqual({ keys: [created] })
    expect((await cli('keys', 'show', 'alice')).out).toContain(created.address)

    const { out: seed } = await cli('keys', 'export', 'alice')
    expect(seed).toMatch(/^[0-9a-f]{64}\n$/)
    const piped = createCli({ QUORATE_KEYSTORE: folder }, seed)
    expect((await piped('keys', 'import', 'copy', '--unencrypted', '--json')).json).toEqual({
      ...created,
      name: 'copy',
    })
    await writeFile(join(folder, 'seed.txt'), seed.toUpperCase())
    const imported = await cli(
      'keys',
      'import',
      'again',
      '--unencrypted',
      '--seed-file',
      join(folder, 'seed.txt'),
      '--json',
    )
    expect(imported.json).toEqual({ ...created, name: 'again' })
  }))

test('a key with a passphrase opens with it only, and its seed is never in the file', () =>
  withFolder(async (folder) => {
    const env = { QUORATE_KEYSTORE: folder }
    const file = join(folder, 'passphrase.txt')
    await writeFile(file, 'correct horse\n')
    expect((await createCli(env)('keys', 'create', 'alice', '--passphrase-file', file)).exitCode).toBe(0)
    const opened = await createCli({ ...env, QUORATE_PASSPHRASE: 'correct horse' })('keys', 'export', 'alice', '--json')
    expect(opened.json).toMatchObject({ name: 'alice', seed: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(await readFile(join(folder, 'alice.json'), 'utf8')).not.toContain(opened.json.seed)
    expect((await createCli(env)('keys', 'export', 'alice')).err).toMatch(/PASSPHRASE_NEEDED/)
    const wrong = await createCli({ ...env, QUORATE_PASSPHRASE: 'wrong horse' })('keys', 'export', 'alice')
    expect(wrong).toMatchObject({ exitCode: 1, out: '', err: expect.stringMatching(/PASSPHRASE_WRONG/) })
  }))

test('nothing is overwritten, and what is no seed is refused', () =>
  withFolder(async (folder) => {
    const cli = createCli({ QUORATE_KEYSTORE: folder }, 'ab'.repeat(31))
    const { address } = (await cli('keys', 'create', 'alice', '--unencrypted', '--json')).json
    for (const argv of [
      ['create', 'alice'],
      ['import', 'alice'],
    ]) {
      expect(await cli('keys', ...argv, '--unencrypted')).toMatchObject({
        exitCode: 1,
        err: expect.stringMatching(/KEY_EXISTS/),
      })
    }
    expect((await cli('keys', 'show', 'alice', '--json')).json.address).toBe(address)
    expect((await cli('keys', 'import', 'bob', '--unencrypted')).err).toMatch(
      /expected 64 hexadecimal digits, got 62 .*SEED_INVALID/,
    )
    expect((await cli('keys', 'create', '../out', '--unencrypted')).err).toMatch(/KEY_NAME_INVALID/)
  }))

test('--keystore goes before the variable, and the local devnet’s before the home’s', () =>
  withFolder(async (folder) => {
    await createCli()('keys', 'create', 'here', '--unencrypted', '--keystore', join(folder, 'a'))
    const both = createCli({ QUORATE_KEYSTORE: join(folder, 'b') })
    expect((await both('keys', 'list', '--json', '--keystore', join(folder, 'a'))).json.keys).toHaveLength(1)
    expect((await both('--keystore', join(folder, 'a'), 'keys', 'list', '--json')).json.keys).toHaveLength(1)
    expect((await both('keys', 'list', '--json')).json.keys).toHaveLength(0)

    const { createContext } = await import('../../src/cli/context.ts')
    const io = { out() {}, err() {}, env: {}, readInput: async () => '' }
    const before = process.cwd()
    // vitest's threads cannot change folders; its processes can.
    process.chdir(folder)
    try {
      expect(createContext(io, {}).keystore).not.toContain('devnet')
      await mkdir(join('.quorate', 'devnet', 'keystore'), { recursive: true })
      expect(createContext(io, {}).keystore).toBe(join('.quorate', 'devnet', 'keystore'))
    } finally {
      process.chdir(before)
    }
  }))
