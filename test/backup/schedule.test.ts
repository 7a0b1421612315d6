// The schedule: when a backup is due and of which kind, what it removes, and that whatever goes wrong stays with the backup.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { dueAt } from '../../src/backup/schedule.ts'
import { type Backups, createBackups } from '../../src/backups.ts'
import { backUp, type Chain, chainOf, genesisParts, temporaryFolder } from './support.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
const chains: Chain[] = []
let root: string
let roots = 0
let now = Date.UTC(2027, 0, 1)
let timers: { at: number; callback: () => void }[]
let results: string[]
let logged: { level: number; msg: string; code?: string }[]
let backups: Backups | undefined

beforeAll(async () => {
  folder = await temporaryFolder()
  for (const blocks of [1, 2, 3]) chains[blocks] = await chainOf(folder.path, blocks)
  chains[EMPTY] = await chainOf(folder.path, 1, { uncertified: 1 })
}, 60_000)
afterAll(() => folder.remove())
beforeEach(() => {
  root = join(folder.path, `backups-${roots++}`)
  timers = []
  results = []
  logged = []
})
afterEach(() => backups?.stop())

const EMPTY = 9
const PATIENCE = { timeout: 25_000 }

function create(blocks: number, schedule: Partial<{ intervalMinutes: number; keep: number; fullEvery: number }> = {}) {
  const { directory, genesis, genesisHash } = chains[blocks]!
  backups = createBackups({
    options: { directory, genesis: genesisParts(genesis, genesisHash) },
    root,
    schedule: { intervalMinutes: 0, keep: 1, fullEvery: 2, ...schedule },
    logger: pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    onResult: (result) => void results.push(result),
    now: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((each) => each !== timer)
      }
    },
  })
  return backups
}

/** The time of the only timer comes. */
async function fire(): Promise<void> {
  expect(timers).toHaveLength(1)
  const { at, callback } = timers.shift()!
  now = Math.max(now, at)
  callback()
  await idle()
}

/** Until nothing is being made and what follows is planned. */
async function idle(): Promise<void> {
  const isOver = async () => (await backups!.backups()).run?.state !== 'running' && timers.length === 1
  while (!(await isOver())) await new Promise((resolve) => setTimeout(resolve, 20))
}
const made = async () => (await readdir(root)).map((name) => name.split('-').slice(1).join('-'))

describe('the schedule', () => {
  it('makes a full one at once, then incremental ones, then removes the older chain with the next full one', async () => {
    const schedule = { intervalMinutes: 60, fullEvery: 2, keep: 1 }
    await create(1, schedule).start()
    expect(timers[0]!.at).toBe(now)
    await fire()
    expect(await made()).toEqual(['1-full'])
    // What a restart finds says when the next is due: an hour after the last, by the time in its manifest.
    const created = now
    expect(timers.map(({ at }) => at)).toEqual([created + 60 * 60_000])
    await backups!.stop()
    now += 10 * 60_000
    await create(2, schedule).start()
    expect(timers.map(({ at }) => at)).toEqual([created + 60 * 60_000])
    await fire()
    expect([now, await made()]).toEqual([created + 60 * 60_000, ['1-full', '2-incremental']])
    await backups!.stop()
    now += 24 * 60 * 60_000
    await create(3, schedule).start()
    expect(timers.map(({ at }) => at)).toEqual([now])
    await fire()
    await expect.poll(made, PATIENCE).toEqual(['3-full'])
    expect(results).toEqual(['made', 'made', 'made'])
  })

  it('makes none when it is off, and whatever an earlier process left unfinished is cleared', async () => {
    await mkdir(join(root, `.making-${'0'.repeat(16)}`), { recursive: true })
    await create(1).start()
    expect(timers).toEqual([])
    expect(await readdir(root)).toEqual([])
  })

  it('makes none where nothing is new, and looks again after the interval', async () => {
    await backUp(chains[3]!, root)
    await create(3, { intervalMinutes: 60, fullEvery: 9 }).start()
    now = Math.max(now, timers[0]!.at)
    await fire()
    expect([await made(), results]).toEqual([['3-full'], []])
    expect(timers[0]!.at).toBe(now + 60 * 60_000)
  })

  it('says and counts a failure, leaves nothing half, and tries again after the interval', async () => {
    await create(1, { intervalMinutes: 30 }).start()
    // As root may write everywhere, the folder's place is taken by a file.
    await rm(root, { recursive: true })
    await writeFile(root, '')
    await fire()
    expect(results).toEqual(['failed'])
    expect(logged.filter(({ level }) => level >= 50)).toContainEqual(
      expect.objectContaining({ msg: 'the backup failed' }),
    )
    expect((await backups!.backups()).run).toMatchObject({ state: 'failed', error: { code: 'EEXIST' } })
    expect(timers[0]!.at).toBe(now + 30 * 60_000)
    await rm(root)
    await fire()
    expect([await made(), results]).toEqual([['1-full'], ['failed', 'made']])
  })

  it('waits for the first certified block, which is no failure', async () => {
    await create(EMPTY, { intervalMinutes: 600 }).start()
    await fire()
    expect([await made(), results]).toEqual([[], []])
    expect(timers[0]!.at).toBe(now + 60_000)
  })

  it('counts from what was tried and from what is there, whichever is later, and not from a time to come', () => {
    const at = (created: number) => ({ manifest: { created: new Date(created).toISOString() } }) as never
    expect(dueAt([], 10, undefined, 1_000)).toBe(1_000)
    expect(dueAt([at(500), at(990)], 100, undefined, 1_000)).toBe(1_090)
    expect(dueAt([at(500)], 100, undefined, 1_000)).toBe(1_000)
    expect(dueAt([at(500)], 100, 995, 1_000)).toBe(1_095)
    expect(dueAt([at(5_000)], 100, undefined, 1_000)).toBe(1_000)
    expect(dueAt([at(500)], 100, 900_000, 1_000)).toBe(1_000)
  })
})

describe('asked for', () => {
  it('makes one at a time', async () => {
    await create(3).start()
    const run = backups!.startBackup('full')
    expect(run).toMatchObject({ id: 1, kind: 'full', state: 'running', backup: null })
    expect(backups!.startBackup('incremental')).toBeUndefined()
    const state = async () => (await backups!.backups()).run!.state
    await expect.poll(state, PATIENCE).toBe('made')
    expect((await backups!.backups()).backups).toHaveLength(1)
    expect(backups!.startBackup('incremental')).toMatchObject({ id: 2 })
    await expect.poll(state, PATIENCE).toBe('unchanged')
    expect(results).toEqual(['made'])
  })

  it('writes into another folder, and says which backups are in its own', async () => {
    await create(3).start()
    const other = join(folder.path, `other-${roots}`)
    backups!.startBackup('full', other)
    await expect.poll(async () => (await backups!.backups()).run!.backup?.folder ?? '', PATIENCE).toContain(other)
    expect((await backups!.backups()).backups).toEqual([])
  })

  it('gives up when the node stops, and that is no failure', async () => {
    await create(3).start()
    backups!.startBackup('full')
    await backups!.stop()
    expect((await backups!.backups()).run).toMatchObject({ state: 'failed', error: { code: 'BACKUP_STOPPED' } })
    expect([await readdir(root), results]).toEqual([[], []])
    expect(backups!.startBackup('full')).toBeUndefined()
  })
})
