// `quorate backup` over homes that no node runs on; test/e2e/backup.test.ts has those of running nodes.
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatGenesis } from '../../src/genesis/document.ts'
import { initHome } from '../../src/home/home.ts'
import { type Made, makeLedger } from '../audit/chain.ts'
import { createCli } from './support.ts'

const cli = createCli()
let folder: string
let home: string
let made: Made
let homes = 0

async function newHome(genesis = made.genesis): Promise<string> {
  const path = join(folder, `home-${homes++}`)
  await initHome({ home: path, name: 'node' })
  await writeFile(join(path, 'genesis.json'), formatGenesis(genesis))
  return path
}
const stepTo = async (blocks: number) => {
  const directory = join(folder, `made-${blocks}`)
  made = await makeLedger({ directory, blocks, transactionsPerBlock: 2, senders: 2 })
  home ??= await newHome()
  await rm(join(home, 'data', 'ledger'), { recursive: true, force: true })
  await rename(directory, join(home, 'data', 'ledger'))
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-cli-backup-'))
  await stepTo(3)
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('quorate backup', () => {
  test('creates, lists and restores full and incremental ones', async () => {
    const full = await cli('backup', 'create', '--home', home, '--json')
    expect(full.json).toMatchObject({ isNew: true, note: '', by: 'command', backup: { kind: 'full', from: 0, to: 3 } })
    await stepTo(5)
    const text = await cli('backup', 'create', '--home', home, '--incremental')
    expect(text).toMatchObject({ exitCode: 0, out: expect.stringMatching(/kind +incremental\nblocks +4 to 5\n/) })
    const listed = await cli('backup', 'list', '--home', home, '--json')
    expect(listed.json.backups.map(({ kind }: { kind: string }) => kind)).toEqual(['full', 'incremental'])
    const [first, second] = listed.json.backups
    expect((await cli('backup', 'list', '--home', home)).out).toMatch(new RegExp(`${second.name} .*${first.name}\n`))
    const other = await newHome()
    const restored = await cli('backup', 'restore', '--home', other, '--from', second.folder, '--json')
    expect(restored.json).toMatchObject({ backups: [first.name, second.name], height: 5, executed: 2, oldestBlock: 0 })
    const audit = await cli('ledger', 'verify', '--home', other, '--json')
    expect([audit.exitCode, audit.json]).toEqual([0, expect.objectContaining({ ok: true, head: 5 })])
    // The home's own keys and consensus log stay, and nothing else came.
    expect((await readdir(join(other, 'data'))).sort()).toEqual(['consensus.log', 'ledger'])
  }, 60_000)

  test('writes elsewhere when it is told to, and makes a full one where nothing fits', async () => {
    const to = join(folder, 'elsewhere')
    const made = await cli('backup', 'create', '--home', home, '--incremental', '--to', to, '--json')
    expect(made.json).toMatchObject({
      backup: { kind: 'full' },
      note: expect.stringContaining('no backup to continue'),
    })
    expect((await cli('backup', 'list', '--home', home, '--in', to, '--json')).json.backups).toHaveLength(1)
  })

  test('lists what cannot be restored on its own', async () => {
    const to = join(folder, 'broken')
    const first = await cli('backup', 'create', '--home', home, '--to', to, '--json')
    await writeFile(join(first.json.backup.folder, 'manifest.json'), '{}')
    const listed = await cli('backup', 'list', '--home', home, '--in', to)
    expect([listed.exitCode, listed.out]).toEqual([1, expect.stringMatching(/^no backups\n.*\(BACKUP_UNREADABLE\)\n$/)])
    expect(await cli('backup', 'list', '--home', await newHome())).toMatchObject({
      exitCode: 0,
      out: 'no backups\n',
    })
  })

  test('says what is wrong and what mends it', async () => {
    const { json } = await cli('backup', 'list', '--home', home, '--json')
    const from = json.backups[0].folder
    const stranger = await newHome({ ...made.genesis, chainId: 'other' })
    const cases: [argv: string[], code: string][] = [
      [['create', '--home', join(folder, 'none')], 'HOME_MISSING'],
      [['list', '--home', join(folder, 'none')], 'HOME_MISSING'],
      [['create', '--home', stranger], 'LEDGER_MISSING'],
      [['restore', '--home', stranger, '--from', from], 'BACKUP_FOREIGN'],
      [['restore', '--home', home, '--from', from], 'LEDGER_OCCUPIED'],
      [['restore', '--home', await newHome(), '--from', folder], 'BACKUP_UNREADABLE'],
    ]
    for (const [argv, code] of cases) {
      const { exitCode, out, err } = await cli('backup', ...argv)
      expect([exitCode, out, err]).toEqual([
        1,
        '',
        expect.stringMatching(new RegExp(`^quorate: .*[.:;] .*\\(${code}\\)\n$`)),
      ])
    }
    expect(await readdir(join(stranger, 'data'))).toEqual(['consensus.log'])
    // A ledger that was about to be put into its place.
    const waiting = await newHome()
    await mkdir(join(waiting, 'data', 'ledger-incoming'))
    await writeFile(join(waiting, 'data', 'ledger-incoming', 'CURRENT'), '')
    await writeFile(join(waiting, 'data', 'ledger-swap'), '')
    expect((await cli('backup', 'restore', '--home', waiting, '--from', from)).err).toMatch(/\(LEDGER_OCCUPIED\)\n$/)
  })
})
