// `quorate ledger` over real homes.
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatGenesis } from '../../src/genesis/document.ts'
import { initHome } from '../../src/home/home.ts'
import * as keys from '../../src/ledger/keys.ts'
import { openStore } from '../../src/ledger/store.ts'
import { type Made, makeLedger } from '../audit/chain.ts'
import { createCli } from './support.ts'

const cli = createCli()
const HEAD = 3
let folder: string
let home: string
let made: Made
const ledgerOf = (where: string) => join(where, 'data', 'ledger')

async function newHome(name: string): Promise<string> {
  const path = join(folder, name)
  await initHome({ home: path, name })
  await writeFile(join(path, 'genesis.json'), formatGenesis(made.genesis))
  return path
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-cli-ledger-'))
  const directory = join(folder, 'made')
  made = await makeLedger({ directory, blocks: HEAD, transactionsPerBlock: 3, senders: 3 })
  home = await newHome('one')
  await mkdir(join(home, 'data'), { recursive: true })
  await rm(ledgerOf(home), { recursive: true, force: true })
  await rename(directory, ledgerOf(home))
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('quorate ledger', () => {
  test('verify tells what it checked, as text and as one document', async () => {
    const text = await cli('ledger', 'verify', '--home', home)
    expect(text).toMatchObject({ exitCode: 0, err: '' })
    expect(text.out).toContain('Nothing is wrong with this ledger.')
    const { exitCode, json } = await cli('ledger', 'verify', '--home', home, '--replay', '--temp', folder, '--json')
    expect(exitCode).toBe(0)
    expect(json).toMatchObject({ ok: true, genesisHash: made.genesisHash, head: HEAD, transactions: 12, fault: null })
    expect(json.replayed).toEqual({ from: 0, to: HEAD, transactions: 12, reason: null })
  })

  test('import first ends a change of the ledger that a crash interrupted', async () => {
    const [other, file] = [await newHome('interrupted'), join(folder, 'some blocks')]
    await cli('ledger', 'export', '--home', home, '--to', file)
    await cp(ledgerOf(home), join(other, 'data', 'ledger-incoming'), { recursive: true })
    await mkdir(join(other, 'data', 'ledger-replaced'))
    await writeFile(join(other, 'data', 'ledger-replaced', 'CURRENT'), '')
    await writeFile(join(other, 'data', 'ledger-swap'), '')
    const { json } = await cli('ledger', 'import', '--home', other, '--from', file, '--json')
    expect(json).toMatchObject({ ok: true, present: HEAD + 1, imported: 0 })
    expect((await readdir(join(other, 'data'))).sort()).toEqual(['consensus.log', 'ledger'])
  })

  test('export and import move the blocks, and verify finds them whole', async () => {
    const [other, file] = [await newHome('two'), join(folder, 'blocks')]
    const written = await cli('ledger', 'export', '--home', home, '--to', file, '--json')
    expect(written.json).toMatchObject({ from: 0, until: HEAD, blocks: HEAD + 1, file })
    const again = await cli('ledger', 'export', '--home', home, '--to', file)
    expect([again.exitCode, again.err]).toEqual([1, expect.stringContaining('(BLOCK_FILE_EXISTS)')])
    const read = await cli('ledger', 'import', '--home', other, '--from', file, '--json')
    expect([read.exitCode, read.json]).toEqual([
      0,
      expect.objectContaining({ ok: true, imported: HEAD, certified: HEAD }),
    ])
    expect((await cli('ledger', 'verify', '--home', other)).exitCode).toBe(0)
  })

  test('verify exits with 1 at a fault and says what to do', async () => {
    const damaged = await newHome('three')
    const file = join(folder, 'blocks-3')
    await cli('ledger', 'export', '--home', home, '--to', file)
    await cli('ledger', 'import', '--home', damaged, '--from', file)
    const store = await openStore(ledgerOf(damaged))
    await store.write([{ type: 'del', key: keys.heightKey('batch', 2) }])
    await store.close()
    const { exitCode, out } = await cli('ledger', 'verify', '--home', damaged)
    expect(exitCode).toBe(1)
    expect(out).toMatch(/height +2\npart +the batch\nexpected +an entry\nfound +none\n\n.*fetches the blocks/)
  })

  test('no command opens a ledger whose files are damaged, which would have LevelDB delete what is left of it', async () => {
    const [damaged, file] = [await newHome('five'), join(folder, 'blocks-5')]
    // What is in the journal becomes a table when it is opened.
    await (await openStore(ledgerOf(home))).close()
    await cp(ledgerOf(home), ledgerOf(damaged), { recursive: true })
    const names = async () => (await readdir(ledgerOf(damaged))).filter((name) => !/^LO(G|CK)/.test(name)).sort()

    const last = async (kind: RegExp) => join(ledgerOf(damaged), (await names()).findLast((name) => kind.test(name))!)
    const flip = async (kind: RegExp) => {
      const [path, bytes] = await last(kind).then(async (path) => [path, await readFile(path)] as const)
      bytes[Math.floor(bytes.length / 2)]! ^= 1
      await writeFile(path, bytes)
    }
    const harms: [thing: string, harm: () => Promise<void>][] = [
      ['the file CURRENT: it is missing', async () => rm(join(ledgerOf(damaged), 'CURRENT'))],
      ['MANIFEST', async () => truncate(await last(/^MANIFEST/), 10)],
      ['the table file', () => flip(/\.ldb$/)],
    ]
    const commands = [
      ['ledger', 'verify'],
      ['ledger', 'export', '--to', file],
      ['ledger', 'prune', '--before', '1'],
      ['backup', 'create', '--to', join(folder, 'backup-5')],
    ]
    for (const [thing, harm] of harms) {
      await rm(ledgerOf(damaged), { recursive: true })
      await cp(ledgerOf(home), ledgerOf(damaged), { recursive: true })
      await harm()
      const before = await names()
      for (const [command, verb, ...rest] of commands) {
        const { exitCode, err } = await cli(command!, verb!, '--home', damaged, ...rest)
        expect([verb, exitCode, err]).toEqual([verb, 1, expect.stringContaining('(LEDGER_DAMAGED)')])
        expect(err).toContain(thing)
        expect(err).toContain('quorate ledger repair')
      }
      expect(await names()).toEqual(before)
    }
  })

  test('refuses a home that is not there, one without a ledger, and heights that are not there', async () => {
    const empty = await newHome('four')
    const refusals = [
      [['verify', '--home', join(folder, 'nowhere')], 'HOME_MISSING'],
      [['verify', '--home', empty], 'LEDGER_MISSING'],
      [['export', '--home', home, '--to', join(folder, 'x'), '--until', '99'], 'NO_SUCH_BLOCKS'],
    ] as const
    for (const [argv, code] of refusals) {
      const { exitCode, err } = await cli('ledger', ...argv)
      expect([exitCode, err]).toEqual([1, expect.stringMatching(new RegExp(`^quorate: [^\\n]+ \\(${code}\\)\\n$`))])
    }
    expect((await cli('ledger', 'export', '--home', home, '--to', 'x', '--from', '3', '--until', '2')).exitCode).toBe(2)
  })
})
