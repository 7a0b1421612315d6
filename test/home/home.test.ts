// A node home from `init` to `start`: what is made, what is never touched, what is said when something is missing.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addValidator, formatGenesis, parseGenesis } from '../../src/genesis/document.ts'
import { homePaths, initHome, openHome } from '../../src/home/home.ts'
import { openConsensusLog } from '../../src/ledger/consensus-log.ts'
import { ENGINE_HASH, soundGenesis } from '../genesis/support.ts'

let root = ''
let counter = 0
const newPath = () => join(root, `home-${counter++}`)
const context = { engineHash: ENGINE_HASH }

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-home-'))
})
afterAll(() => rm(root, { recursive: true }))

async function genesisFile(text = formatGenesis(soundGenesis())): Promise<string> {
  const path = newPath()
  await writeFile(path, text)
  return path
}

async function newHome(settings = {}): Promise<string> {
  const home = newPath()
  await initHome({ home, name: 'berlin', genesisFile: await genesisFile(), settings, context })
  return home
}

describe('ledger.keepBlocks', () => {
  test('holds at least the state history and what a snapshot leaves to be fetched', async () => {
    const opened = (keepBlocks: number, historyBlocks: number) =>
      newHome({ 'ledger.keepBlocks': keepBlocks, 'ledger.historyBlocks': historyBlocks }).then((home) =>
        openHome(home, { context }),
      )
    const { snapshotIntervalBlocks } = soundGenesis().parameters
    const least = 3 * snapshotIntervalBlocks
    expect((await opened(0, 10)).config.ledger.keepBlocks).toBe(0)
    expect((await opened(least, 10)).config.ledger.keepBlocks).toBe(least)
    const refused = { code: 'CONFIG_INVALID', message: expect.stringContaining(`0 or at least ${least}`) }
    await expect(opened(least - 1, 10)).rejects.toMatchObject(refused)
    await expect(opened(least, least + 1)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

describe('initHome', () => {
  test('makes keys only their owner can read, an empty log and a configuration', async () => {
    const home = newPath()
    const entry = await initHome({ home, name: 'berlin', settings: { 'api.port': 4601 } })
    expect((await readdir(home)).sort()).toEqual(['backups', 'config.toml', 'data', 'keys'])
    const paths = homePaths(home)
    for (const path of [paths.validatorKey, paths.nodeKey]) expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readFile(paths.config, 'utf8')).toContain('name = "berlin"')
    const opened = await openConsensusLog(paths.consensusLog)
    if ('fault' in opened) throw new Error(opened.reason)
    expect(opened.log.id).toBe(entry.log)
    expect(opened.records).toEqual([])
    await opened.log.close()
    const key = JSON.parse(await readFile(paths.validatorKey, 'utf8')).publicKey
    expect(entry).toEqual({ name: 'berlin', key, log: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(addValidator(soundGenesis(), entry).ok).toBe(true)
  })

  test('gives every home keys and a log of its own', async () => {
    const first = await initHome({ home: newPath() })
    const second = await initHome({ home: newPath() })
    expect(first.key).not.toBe(second.key)
    expect(first.log).not.toBe(second.log)
  })

  test('never overwrites: whatever is there stays as it is', async () => {
    const home = await newHome()
    const before = await readFile(homePaths(home).validatorKey, 'utf8')
    await expect(initHome({ home })).rejects.toMatchObject({
      code: 'HOME_EXISTS',
      message: expect.stringContaining('keys'),
    })
    expect(await readFile(homePaths(home).validatorKey, 'utf8')).toBe(before)
    const other = newPath()
    await mkdir(other)
    await writeFile(join(other, 'notes.txt'), 'mine')
    await expect(initHome({ home: other })).rejects.toMatchObject({ code: 'HOME_EXISTS' })
    expect(await readdir(other)).toEqual(['notes.txt'])
    await expect(initHome({ home: join(other, 'notes.txt') })).rejects.toMatchObject({ code: 'HOME_EXISTS' })
  })

  test('takes an empty folder, such as a fresh volume', async () => {
    const home = newPath()
    await mkdir(join(home, 'lost+found'), { recursive: true })
    await initHome({ home })
    expect(await readdir(home)).toContain('config.toml')
  })

  test('checks name, settings and genesis before it makes anything', async () => {
    const home = newPath()
    await expect(initHome({ home, name: 'a b' })).rejects.toMatchObject({ code: 'NAME_INVALID' })
    await expect(initHome({ home, settings: { 'api.port': -1 } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    const missing = initHome({ home, genesisFile: join(root, 'nowhere.json') })
    await expect(missing).rejects.toMatchObject({ code: 'GENESIS_MISSING' })
    const otherEngine = { home, genesisFile: await genesisFile(), context: { engineHash: 'f'.repeat(64) } }
    await expect(initHome(otherEngine)).rejects.toMatchObject({
      code: 'GENESIS_INVALID',
      message: expect.stringContaining('engineHash: expected'),
    })
    await expect(stat(home)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('leaves nothing behind when it fails half-way', async () => {
    // Folders fit under the system's bound on paths, the key file's longer path does not.
    const pathMax = process.platform === 'darwin' ? 1_024 : 4_096
    let home = root
    while (home.length < pathMax - 26) home = join(home, 'x'.repeat(Math.min(200, pathMax - 27 - home.length)))
    await expect(initHome({ home })).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
    await expect(stat(home)).rejects.toMatchObject({ code: 'ENOENT' })
    await mkdir(home, { recursive: true })
    await expect(initHome({ home })).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
    expect(await readdir(home)).toEqual([])
  })
})

describe('openHome', () => {
  test('reads everything, and environment and flags override the file', async () => {
    const home = await newHome({ 'api.port': 1, 'log.level': 'warn' })
    const opened = await openHome(home, {
      context,
      environment: { QUORATE_API_PORT: '2' },
      flags: { 'log.level': 'debug' },
    })
    expect(opened.config).toMatchObject({ node: { name: 'berlin' }, api: { port: 2 }, log: { level: 'debug' } })
    const parsed = parseGenesis(formatGenesis(soundGenesis()))
    expect(opened.genesisHash).toBe(parsed.ok && parsed.hash)
    expect(opened.genesis).toEqual(soundGenesis())
    expect(opened.nodeKeySeed).toHaveLength(32)
    expect(opened.validatorKey.address).not.toBe(opened.nodeKey.address)
    expect(opened.hasConsensusLog).toBe(true)
    expect(opened.warnings).toEqual([])
  })

  test('says what is missing and how to mend it', async () => {
    await expect(openHome(newPath())).rejects.toMatchObject({
      code: 'HOME_MISSING',
      message: expect.stringContaining('quorate init'),
    })
    const home = newPath()
    await initHome({ home })
    await expect(openHome(home)).rejects.toMatchObject({
      code: 'GENESIS_MISSING',
      message: expect.stringContaining("copy the network's genesis.json there"),
    })
    await rm(homePaths(home).config)
    await expect(openHome(home)).rejects.toMatchObject({ code: 'CONFIG_MISSING' })
    const keyless = await newHome()
    await rm(homePaths(keyless).nodeKey)
    await expect(openHome(keyless)).rejects.toMatchObject({ code: 'KEY_UNKNOWN' })
  })

  test('refuses a genesis document that was changed into a faulty one', async () => {
    const home = await newHome()
    await writeFile(homePaths(home).genesis, '{}')
    await expect(openHome(home)).rejects.toMatchObject({
      code: 'GENESIS_INVALID',
      message: expect.stringContaining('chainId: expected a text, got nothing: add the field'),
    })
  })

  test('warns of keys that others can read, a lost log and a small network', async () => {
    const home = await newHome()
    const paths = homePaths(home)
    await chmod(paths.nodeKey, 0o640)
    await rm(paths.consensusLog)
    const genesis = soundGenesis()
    genesis.validators.pop()
    await writeFile(paths.genesis, formatGenesis(genesis))
    const opened = await openHome(home)
    expect(opened.hasConsensusLog).toBe(false)
    expect(opened.warnings).toEqual([
      expect.stringContaining('at least 4 validators'),
      expect.stringMatching(/node\.json has mode 0640.*chmod 600/),
      expect.stringContaining('does not vote'),
    ])
    // Opening never makes a log: an empty one in place of a lost one could vote twice.
    await expect(stat(paths.consensusLog)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
