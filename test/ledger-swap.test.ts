// Changing one ledger folder for another: whatever point a crash comes at, the next start finds the old one or the new one, whole.
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { homePaths } from '../src/home/paths.ts'
import { openLedgerBuilder } from '../src/ledger/builder.ts'
import { markSwap, settleSwap, swapLedger } from '../src/ledger-swap.ts'

let home: string
const paths = () => homePaths(home)
const put = async (directory: string, name: string) => {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'CURRENT'), name)
}
const ledger = () => readFile(join(paths().ledger, 'CURRENT'), 'utf8')

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'quorate-swap-'))
  await put(paths().ledger, 'old')
  await writeFile(paths().consensusLog, 'votes')
})
afterEach(() => rm(home, { recursive: true, force: true }))

describe('changing the ledger', () => {
  it('leaves the new one and the consensus log, and nothing else', async () => {
    await put(paths().ledgerIncoming, 'new')
    await swapLedger(paths())
    expect(await ledger()).toBe('new')
    expect((await readdir(paths().data)).sort()).toEqual(['consensus.log', 'ledger'])
  })

  it('works where there was none', async () => {
    await rm(paths().ledger, { recursive: true })
    await put(paths().ledgerIncoming, 'new')
    await swapLedger(paths())
    expect(await ledger()).toBe('new')
  })

  const crashes: [name: string, crash: () => Promise<void>, left: string][] = [
    ['before the mark', async () => {}, 'old'],
    ['after the mark', () => markSwap(paths()), 'new'],
    [
      'with the old one aside',
      async () => {
        await markSwap(paths())
        await rename(paths().ledger, paths().ledgerReplaced)
      },
      'new',
    ],
    [
      'with the new one in its place',
      async () => {
        await markSwap(paths())
        await rename(paths().ledger, paths().ledgerReplaced)
        await rename(paths().ledgerIncoming, paths().ledger)
      },
      'new',
    ],
    [
      'with the mark away',
      async () => {
        await rename(paths().ledger, paths().ledgerReplaced)
        await rename(paths().ledgerIncoming, paths().ledger)
      },
      'new',
    ],
  ]
  it.each(crashes)('goes on after a crash %s', async (_, crash, left) => {
    await put(paths().ledgerIncoming, 'new')
    await crash()
    for (let start = 0; start < 2; start++) {
      await settleSwap(paths())
      expect(await ledger()).toBe(left)
      expect((await readdir(paths().data)).sort()).toEqual(['consensus.log', 'ledger'])
    }
  })

  it('is not disturbed by what an earlier change left', async () => {
    await cp(paths().ledger, paths().ledgerReplaced, { recursive: true })
    await put(paths().ledgerIncoming, 'new')
    await swapLedger(paths())
    expect([await ledger(), existsSync(paths().ledgerReplaced)]).toEqual(['new', false])
  })

  it('leaves alone what another process is building', async () => {
    const builder = await openLedgerBuilder(paths().ledgerIncoming, '0'.repeat(64))
    await builder.putState([['token\0a', '1']])
    const before = await readdir(paths().ledgerIncoming)
    await expect(settleSwap(paths())).rejects.toMatchObject({ code: 'LEDGER_LOCKED' })
    expect(await readdir(paths().ledgerIncoming)).toEqual(
      expect.arrayContaining(before.filter((name) => /log$/.test(name))),
    )
    await builder.abandon()
    await settleSwap(paths())
    expect([await ledger(), existsSync(paths().ledgerIncoming)]).toEqual(['old', false])
  })

  it('does nothing in a home without data', async () => {
    await rm(paths().data, { recursive: true })
    expect(await settleSwap(paths())).toBe(false)
  })
})
