// What an interrupted repair leaves, and who ends it.
import { existsSync, mkdtempSync } from 'node:fs'
import { cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { repairLedger } from '../../src/audit/repair.ts'
import { settleRepair } from '../../src/ledger/repair-folders.ts'
import { openStore } from '../../src/ledger/store.ts'
import { type Made, makeLedger } from './chain.ts'

const HEAD = 3
let folder: string
let directory: string
let made: Made
const work = () => `${directory}-repair`
const repair = (isFromPeersOnly = false) =>
  repairLedger({
    directory,
    genesis: made.genesis,
    historyBlocks: 100,
    workers: 0,
    isFromPeersOnly,
    now: () => new Date('2026-01-01T00:00:00.000Z'),
    onStep: (text) => onStep(text),
  })
let onStep: (text: string) => void

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-repair-'))
  made = await makeLedger({ directory: join(folder, 'made'), blocks: HEAD, transactionsPerBlock: 2, senders: 2 })
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  directory = join(mkdtempSync(join(folder, 'home-')), 'ledger')
  onStep = () => {}
  await cp(join(folder, 'made'), directory, { recursive: true })
})

it('is ended by the next start where only the last step is missing', async () => {
  await rm(join(directory, 'CURRENT'))
  expect(await repair()).toMatchObject({ outcome: 'repaired', kept: HEAD })
  await mkdir(work())
  await rename(directory, join(work(), 'built'))
  expect(await settleRepair(directory)).toBe(true)
  expect(existsSync(work())).toBe(false)
  expect(await repair()).toMatchObject({ outcome: 'whole' })
})

it('is ended by the next repair where only the last step is missing', async () => {
  await mkdir(work())
  await rename(directory, join(work(), 'built'))
  expect(await repair()).toMatchObject({ outcome: 'finished' })
  expect([existsSync(work()), existsSync(join(directory, 'CURRENT'))]).toEqual([false, true])
})

it('leaves nothing behind where it was interrupted after its last step', async () => {
  await mkdir(join(work(), 'saved'), { recursive: true })
  await writeFile(join(work(), 'saved', '000001.ldb'), 'much')
  expect(await settleRepair(directory)).toBe(false)
  expect(existsSync(work())).toBe(true)
  expect(await repair()).toMatchObject({ outcome: 'whole' })
  expect(existsSync(work())).toBe(false)
})

it('does not take the folder away from a node that was started meanwhile', async () => {
  const started: Promise<{ close(): Promise<void> }>[] = []
  onStep = (text) => {
    if (text === 'saving what is whole') started.push(openStore(directory))
  }
  await expect(repair(true)).rejects.toMatchObject({ code: 'LEDGER_LOCKED' })
  for (const store of started) await (await store).close()
  expect([started.length, existsSync(join(directory, 'CURRENT'))]).toEqual([1, true])
})
