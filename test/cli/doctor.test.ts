// `quorate doctor`: what follows from nodes' answers, and everything that can be wrong with a home, found without touching it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { PeerView, StatusView } from '../../src/api/port.ts'
import { type Answer, findingsOf, reportValidators } from '../../src/cli/doctor-network.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import { createGenesis, formatGenesis, parseGenesis } from '../../src/genesis/document.ts'
import { writeControl } from '../../src/home/control.ts'
import { homePaths, initHome } from '../../src/home/home.ts'
import { createConsensusLog, openConsensusLog } from '../../src/ledger/consensus-log.ts'
import { openLedger } from '../../src/ledger/ledger.ts'
import type { Validator } from '../../src/types/epoch.ts'
import { validatorOf } from '../genesis/support.ts'
import { createCli, withFolder } from './support.ts'

const SINCE = '2026-02-01T10:00:00.000Z'

function peer(validator: string, more: Partial<PeerView> = {}): PeerView {
  return {
    id: `id-${validator}`,
    validator,
    addresses: [],
    connected: true,
    state: 'ok',
    suspectedSince: null,
    lastHeard: '2026-02-01T10:00:09.000Z',
    height: 10,
    certifiedHeight: 10,
    view: 0,
    phase: 'active',
    lag: 0,
    ...more,
  }
}

/** The answer of one of four validators that hears all others well. */
function answer(
  name: string,
  more: { status?: Partial<StatusView>; peers?: PeerView[]; ready?: Answer['ready'] } = {},
) {
  const validators = ['a', 'b', 'c', 'd']
  const status: StatusView = {
    network: 'harbour',
    genesisHash: '11'.repeat(32),
    node: { name, role: 'validator', address: 'qr1', version: '0.1.0' },
    height: 10,
    certifiedHeight: 10,
    oldestHeight: 0,
    blockHash: '22'.repeat(32),
    stateRoot: '33'.repeat(32),
    epoch: 0,
    view: 0,
    primary: 'a',
    phase: 'idle',
    voting: true,
    reason: null,
    syncing: null,
    peers: 3,
    mempool: { count: 0, bytes: 0 },
    ...more.status,
  }
  const given = more.peers ?? []
  const peers = validators
    .filter((other) => other !== name)
    .map((other) => given.find(({ validator }) => validator === other) ?? peer(other))
  const found: Answer = {
    url: `http://${name}`,
    name,
    status,
    peers,
    ready: more.ready ?? { ready: true },
    quorum: 3,
    validators,
  }
  return found
}
const gone = { state: 'missing', suspectedSince: SINCE, connected: false } as const
const shown = (answers: Answer[]) => findingsOf(answers).map(({ code, about }) => `${code} ${about}`)

describe('answers of nodes', () => {
  test('that hear one another say that all is well', () => {
    expect(findingsOf(['a', 'b', 'c', 'd'].map((name) => answer(name)))).toEqual([])
  })

  test('name who is missing, since the first that lost it, with where it was last', () => {
    const later = {
      ...gone,
      suspectedSince: '2026-02-01T10:00:01.000Z',
      lastHeard: '2026-02-01T10:00:01.000Z',
      height: 11,
    }
    const answers = [answer('a', { peers: [peer('d', gone)] }), answer('b', { peers: [peer('d', later)] })]
    const [found, ...rest] = findingsOf(answers)
    expect(rest).toEqual([])
    expect(found).toMatchObject({ code: 'VALIDATOR_MISSING', about: 'd', since: SINCE })
    expect(found!.reason).toContain('a, b does not hear of it; it was last at height 10')
    expect(reportValidators(answers)[3]).toMatchObject({
      name: 'd',
      state: 'missing',
      voting: null,
      seenBy: ['a', 'b'],
    })
  })

  test('do not call missing who answers itself: the network between is', () => {
    const answers = [answer('a', { peers: [peer('d', gone)] }), answer('d', { peers: [peer('a', gone)] })]
    expect(shown(answers)).toEqual(['VALIDATOR_UNHEARD a', 'VALIDATOR_UNHEARD d'])
  })

  test('name who lags, who diverged and who does not vote', () => {
    const lagging = peer('b', { state: 'lagging', suspectedSince: SINCE, certifiedHeight: 4, lag: 6 })
    const diverged = peer('c', { state: 'diverged', suspectedSince: SINCE })
    const follower = answer('d', { status: { voting: false, reason: 'there is no consensus log' } })
    const answers = [answer('a', { peers: [lagging, diverged] }), follower]
    expect(shown(answers)).toEqual(['VALIDATOR_LAGGING b', 'VALIDATOR_DIVERGED c', 'NOT_VOTING d'])
    expect(findingsOf(answers)[2]!.reason).toContain('there is no consensus log')
  })

  test('a node that says of itself that it diverged is named once', () => {
    const where = { missing: [], diverged: [], phase: 'diverged', height: 10, view: 0, difference: null }
    const ready: Answer['ready'] = { ready: false, cause: 'DIVERGED', message: 'block 11 differs', ...where }
    const own = answer('c', { status: { phase: 'diverged', voting: false, reason: 'block 11 differs' }, ready })
    expect(shown([own])).toEqual(['DIVERGED c'])
    expect(reportValidators([own])[2]).toMatchObject({ name: 'c', state: 'diverged', voting: false })
  })

  test('an observer that does not vote is as it should be', () => {
    const node = { name: 'o', role: 'observer', address: null, version: '0.1.0' } as const
    expect(shown([answer('o', { status: { node, voting: false, reason: 'not in the set' } })])).toEqual([])
  })

  test('that contradict each other are a fork; of two networks nothing else is concluded', () => {
    const other = { blockHash: '44'.repeat(32) }
    expect(shown([answer('a'), answer('b', { status: other })])).toEqual(['FORK b'])
    expect(shown([answer('a'), answer('b', { status: { ...other, certifiedHeight: 11 } })])).toEqual([])
    const foreign = answer('b', { status: { genesisHash: '55'.repeat(32) }, peers: [peer('d', gone)] })
    expect(shown([answer('a'), foreign])).toEqual(['DIFFERENT_NETWORKS http://a', 'DIFFERENT_NETWORKS http://b'])
  })
})

/** A validator's home in a network of four; `spoil` is what happened to it. */
function withHome(use: (home: string, genesisHash: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const home = join(folder, 'home')
    const entry = await initHome({
      home,
      name: 'berlin',
      settings: { 'log.level': 'silent', 'api.port': 4699 } as never,
    })
    const text = genesisText([entry, ...[2, 3, 4].map(validatorOf)])
    await writeFile(homePaths(home).genesis, text)
    const parsed = parseGenesis(text)
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
    await use(home, parsed.hash)
  })
}

const genesisText = (validators: Validator[], engine = engineHash()) =>
  formatGenesis(createGenesis({ chainId: 'harbour', engineHash: engine, time: 1_700_000_000_000, validators }))
const doctor = (home: string) => createCli()('doctor', '--home', home, '--json')
const codesOf = async (home: string) => {
  const { exitCode, json } = await doctor(home)
  const codes = json.findings.map(({ code }: { code: string }) => code)
  expect(exitCode).toBe(codes.length === 0 ? 0 : 1)
  return codes
}

async function contentsOf(home: string): Promise<Record<string, string>> {
  const files = await readdir(home, { recursive: true, withFileTypes: true })
  const contents: Record<string, string> = {}
  for (const file of files) {
    const path = join(file.parentPath, file.name)
    if (file.isFile()) contents[path] = await readFile(path, 'latin1')
  }
  return contents
}

describe('a home', () => {
  let child: ChildProcess | undefined
  afterEach(() => {
    child?.kill('SIGKILL')
    child = undefined
  })

  test('that is sound is told so, and left as it is', () =>
    withHome(async (home, genesisHash) => {
      const before = await contentsOf(home)
      const { exitCode, json, err } = await doctor(home)
      expect([exitCode, err]).toEqual([0, ''])
      expect(json).toMatchObject({ ok: true, findings: [], name: 'berlin', role: 'validator', genesisHash })
      expect(json).toMatchObject({ running: false, api: 'http://127.0.0.1:4699' })
      const checks = ['config', 'genesis', 'keys', 'permissions', 'ledger', 'consensus log']
      expect(json.checks.map(({ name, state }: { name: string; state: string }) => [name, state])).toEqual(
        checks.map((name) => [name, 'ok']),
      )
      expect(await contentsOf(home)).toEqual(before)
      expect((await createCli()('doctor', '--home', home)).out).toContain('All is well.')
    }))

  test('that is not there, or without its files, is told what is missing', () =>
    withHome(async (home) => {
      expect(await codesOf(join(home, 'nothing'))).toEqual(['HOME_MISSING'])
      const paths = homePaths(home)
      for (const path of [paths.config, paths.genesis, paths.validatorKey, paths.consensusLog]) await rm(path)
      const { json } = await doctor(home)
      expect(json.findings.map(({ code }: { code: string }) => code)).toEqual([
        'CONFIG_MISSING',
        'GENESIS_MISSING',
        'KEY_UNKNOWN',
      ])
      await rm(paths.data, { recursive: true })
      const gone = (await doctor(home)).json.findings.at(-1)
      expect(gone).toMatchObject({ code: 'DATA_PERMISSIONS', about: paths.data, reason: 'it is missing' })
      expect(json.findings[0].mend).toContain('quorate init')
      expect(json.checks.at(-1)).toMatchObject({ name: 'consensus log', state: 'skipped' })
    }))

  test('names every fault at once, each with its mend', () =>
    withHome(async (home) => {
      const paths = homePaths(home)
      await appendFile(paths.config, '\n[nonsense]\nx = 1\n')
      await chmod(paths.nodeKey, 0o644)
      await rm(paths.consensusLog)
      const { json } = await doctor(home)
      expect(json.findings.map(({ code }: { code: string }) => code)).toEqual([
        'CONFIG_INVALID',
        'KEY_PERMISSIONS',
        'LOG_MISSING',
      ])
      expect(json.findings[1].mend).toBe(`run \`chmod 600 ${paths.nodeKey}\``)
      expect(json.findings[0].reason).toContain('nonsense')
      for (const { mend } of json.findings) expect(mend.length).toBeGreaterThan(10)
    }))

  test('with a damaged key, or a genesis for another engine, is told so', () =>
    withHome(async (home) => {
      const paths = homePaths(home)
      await writeFile(paths.validatorKey, '{}')
      await chmod(paths.validatorKey, 0o600)
      await writeFile(paths.genesis, genesisText([1, 2, 3, 4].map(validatorOf), 'e1'.repeat(32)))
      const { json } = await doctor(home)
      expect(json.findings.map(({ code }: { code: string }) => code)).toEqual(['GENESIS_INVALID', 'KEY_DAMAGED'])
      expect(json.findings[0].reason).toContain('engineHash')
      expect(json.findings[1].mend).toBe('restore it from a backup')
    }))

  test('whose key is in no set is an observer and needs no log', () =>
    withHome(async (home) => {
      const paths = homePaths(home)
      await writeFile(paths.genesis, genesisText([1, 2, 3, 4].map(validatorOf)))
      await rm(paths.consensusLog)
      expect((await doctor(home)).json).toMatchObject({ ok: true, role: 'observer' })
    }))

  test('with a damaged or foreign log is told so; a torn tail is no fault; the file stays as it is', () =>
    withHome(async (home) => {
      const { consensusLog } = homePaths(home)
      const opened = await openConsensusLog(consensusLog)
      if ('fault' in opened) throw new Error(opened.reason)
      opened.log.append([new Uint8Array(300).fill(7)])
      await opened.log.sync()
      opened.log.append([new Uint8Array(300).fill(8)])
      await opened.log.sync()
      await opened.log.close()
      const sound = await readFile(consensusLog)

      await writeFile(consensusLog, sound.subarray(0, sound.length - 5))
      await writeFile(`${consensusLog}.new`, 'left by a crash')
      const before = await contentsOf(home)
      const torn = await doctor(home)
      expect([torn.exitCode, torn.json.checks.at(-1).detail]).toEqual([0, expect.stringMatching(/1 records.* torn/)])
      expect(await contentsOf(home)).toEqual(before)

      const flipped = Buffer.from(sound)
      flipped[150]! ^= 1
      await writeFile(consensusLog, flipped)
      expect(await codesOf(home)).toEqual(['LOG_DAMAGED'])

      await rm(consensusLog)
      await createConsensusLog(consensusLog, new Uint8Array(32).fill(9))
      expect(await codesOf(home)).toEqual(['LOG_FOREIGN'])
    }))

  test('with a repair that lacks its last step is told so', () =>
    withHome(async (home, genesisHash) => {
      const { ledger } = homePaths(home)
      await (await openLedger({ directory: ledger, genesisHash, tree: false })).close()
      await mkdir(`${ledger}-repair`)
      await rename(ledger, join(`${ledger}-repair`, 'built'))
      const { json } = await doctor(home)
      expect(JSON.stringify(json)).toContain('a repair of it lacks its last step, which the next start does')
    }))

  test('with a ledger that is damaged or of another network is told so', () =>
    withHome(async (home, genesisHash) => {
      const { ledger } = homePaths(home)
      const open = async (hash: string) =>
        (await openLedger({ directory: ledger, genesisHash: hash, tree: false })).close()
      await open(genesisHash)
      expect(await codesOf(home)).toEqual([])
      const files = await readdir(ledger)
      await rm(join(ledger, files.find((name) => name.startsWith('MANIFEST'))!))
      expect(await codesOf(home)).toEqual(['LEDGER_DAMAGED'])
      await rename(join(ledger, 'CURRENT'), join(ledger, 'CURRENT.old'))
      const left = await readdir(ledger)
      expect(await codesOf(home)).toEqual(['LEDGER_DAMAGED'])
      expect(await readdir(ledger)).toEqual(left)
      await rm(ledger, { recursive: true })
      await open('ab'.repeat(32))
      expect(await codesOf(home)).toEqual(['LEDGER_FOREIGN'])
    }))

  test('on which a node runs is told so, with the address to ask', () =>
    withHome(async (home) => {
      const writer = join(import.meta.dirname, '../ledger/writer.ts')
      child = spawn(process.execPath, [writer, homePaths(home).ledger], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout!, 'data')
      const { exitCode, json } = await doctor(home)
      expect([exitCode, json.running]).toEqual([0, true])
      expect((await createCli()('doctor', '--home', home)).out).toContain('quorate doctor --node http://127.0.0.1:4699')
      // Where a flag gave the node another address than config.toml, it has left its own.
      await writeControl(homePaths(home).control, { url: 'http://127.0.0.1:4711', token: '00' })
      expect((await doctor(home)).json.api).toBe('http://127.0.0.1:4711')
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect((await doctor(home)).json.api).toBe('http://127.0.0.1:4699')
      expect((await doctor(home)).json).toMatchObject({ running: false, findings: [{ code: 'LEDGER_FOREIGN' }] })
    }))
})

test('a node that does not answer is told once, with its code once', async () => {
  const { exitCode, out } = await createCli()('doctor', '--node', 'http://127.0.0.1:1')
  expect(exitCode).toBe(1)
  expect(out.match(/UNREACHABLE/g)).toHaveLength(1)
})

test('asked for both a home and a node it refuses; --help documents the document', async () => {
  const both = await createCli()('doctor', '--home', '.', '--node', 'http://127.0.0.1:1')
  expect([both.exitCode, both.err]).toEqual([2, expect.stringContaining('one of the two')])
  const help = await createCli()('doctor', '--help')
  for (const word of ['findings', 'checks', 'VALIDATOR_MISSING', 'LOG_MISSING']) expect(help.out).toContain(word)
})
