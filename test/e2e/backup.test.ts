// The restore drill of docs/operations.md: backups of a running validator under load, restored in the home of a lost one and of an observer.
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCli } from '../cli/support.ts'
import { ALL, ask, type Cluster, createCluster, until } from '../faults/cluster.ts'
import { expectExactlyOnce, settled, untilProgress } from '../faults/ledgers.ts'
import { type Load, startLoad } from '../faults/load.ts'

interface Status {
  certifiedHeight: number
  voting: boolean
  reason: string | null
  node: { role: string }
}

const cli = createCli()
const LOST = 3
/** Keeps its consensus log. */
const LOST_LEDGER = 2
const PATIENCE_MS = 180_000
const control = (cluster: Cluster, index: number) => join(cluster.home(index), 'data', 'control.json')

describe('a backup of a running network', () => {
  let cluster: Cluster
  let load: Load
  let observer: ChildProcess | undefined
  /** The last of a chain of two. */
  let last: { folder: string; to: number }

  beforeAll(async () => {
    cluster = await createCluster()
    await cluster.start()
    load = await startLoad(cluster, 2)
  }, 120_000)
  afterAll(async () => {
    observer?.kill('SIGKILL')
    await cluster?.close()
  }, 60_000)

  it('is made full and incremental while transfers run, by the node itself', async () => {
    const before = await cluster.status(0)
    const full = await cli('backup', 'create', '--home', cluster.home(0), '--json')
    // On a busy machine there are lines of progress.
    expect(full.err).not.toContain('quorate:')
    expect(full.json).toMatchObject({ isNew: true, by: 'node', note: '', backup: { kind: 'full', from: 0 } })
    expect(full.json.backup.to).toBeGreaterThanOrEqual(before.certifiedHeight)
    await untilProgress(cluster, ALL, 5)
    const { json } = await cli('backup', 'create', '--home', cluster.home(0), '--incremental', '--json')
    expect(json).toMatchObject({
      isNew: true,
      by: 'node',
      backup: { kind: 'incremental', parent: full.json.backup.id },
    })
    expect(json.backup.from).toBe(full.json.backup.to + 1)
    last = json.backup
    await untilProgress(cluster, ALL, 5)
    const metrics = await (await fetch(cluster.url(0, '/metrics'))).text()
    expect(metrics).toContain('quorate_backups_total{result="made"} 2\n')
    expect(metrics).toContain('quorate_backups_total{result="failed"} 0\n')
  }, 120_000)

  it('is made for the owner of the home alone', async () => {
    const path = control(cluster, 0)
    const kept = await readFile(path, 'utf8')
    await writeFile(path, kept.replace(/"token": "./, '"token": "g'))
    expect((await cli('backup', 'create', '--home', cluster.home(0))).err).toMatch(/--home.* \(UNAUTHORIZED\)\n$/)
    await rm(path)
    expect((await cli('backup', 'create', '--home', cluster.home(0))).err).toMatch(/\(NODE_UNKNOWN\)\n$/)
    await writeFile(path, kept, { mode: 0o600 })
  }, 60_000)

  it('brings a validator with its keys and without its log back: it follows, serves, and says why it does not vote', async () => {
    const home = cluster.home(LOST)
    await cluster.kill(LOST, 'SIGTERM')
    expect(await readdir(join(home, 'data'))).not.toContain('control.json')
    await rename(home, `${home}.lost`)
    const genesis = join(cluster.directory, 'genesis.json')
    const init = await cli(
      ...['init', '--home', home, '--name', 'node-3', '--genesis', genesis, '--set', 'backup.intervalMinutes=60'],
    )
    expect(init.exitCode).toBe(0)
    await rm(join(home, 'keys'), { recursive: true })
    await cp(join(`${home}.lost`, 'keys'), join(home, 'keys'), { recursive: true })
    const { json } = await cli('backup', 'restore', '--home', home, '--from', last.folder, '--json')
    expect(json).toMatchObject({ height: last.to, oldestBlock: 0 })
    expect(json.backups).toHaveLength(2)
    expect(json.executed).toBeGreaterThan(0)
    await cluster.start(LOST)
    const status = await until(
      'it follows',
      () => ask<Status>(cluster.url(LOST, '/v1/status')),
      ({ certifiedHeight }) => certifiedHeight > last.to + 5,
      PATIENCE_MS,
    )
    expect(status).toMatchObject({ voting: false, node: { role: 'validator' } })
    expect(status.reason).toMatch(/its consensus log has the id [0-9a-f]{64}, the validator set names [0-9a-f]{64}/)
    expect(await cluster.log(LOST)).toContain('follows and does not vote: its consensus log has the id')
  }, 300_000)

  it('makes the first scheduled backup of the new home when it starts', async () => {
    const folder = join(cluster.home(LOST), 'backups')
    const names = await until(
      'a scheduled backup',
      () => readdir(folder),
      (found) => found.some((name) => name.endsWith('-full')),
    )
    expect(names).toHaveLength(1)
  }, 60_000)

  it('lets a validator vote on that lost its ledger and not its log', async () => {
    const home = cluster.home(LOST_LEDGER)
    await cluster.kill(LOST_LEDGER, 'SIGTERM')
    await rm(join(home, 'data', 'ledger'), { recursive: true })
    const { json } = await cli('backup', 'restore', '--home', home, '--from', last.folder, '--json')
    expect(json.height).toBe(last.to)
    await cluster.start(LOST_LEDGER)
    // Three of four make a quorum, and one of the others has no vote: nothing is certified without this one.
    await untilProgress(cluster, ALL, 5, PATIENCE_MS)
    expect(await ask<Status>(cluster.url(LOST_LEDGER, '/v1/status'))).toMatchObject({ voting: true, reason: null })
  }, 300_000)

  it('starts an observer, which serves the same', async () => {
    const home = join(cluster.directory, 'observer')
    const port = Number(new URL(cluster.url(0, '')).port) + 12
    const settings = {
      'api.port': port,
      'p2p.listen': `/ip4/127.0.0.1/tcp/${port + 1}`,
      'p2p.bootstrap': ALL.map(cluster.p2p).join(','),
      'p2p.mdns': false,
    }
    const set = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
    await cli('init', '--home', home, '--genesis', join(cluster.directory, 'genesis.json'), ...set)
    expect((await cli('backup', 'restore', '--home', home, '--from', last.folder)).exitCode).toBe(0)
    const entry = join(import.meta.dirname, '../../bin/quorate.js')
    observer = spawn(process.execPath, [entry, 'start', '--home', home], { stdio: 'ignore' })
    const url = (path: string) => `http://127.0.0.1:${port}${path}`
    const begun = (await cluster.status(0)).certifiedHeight
    const status = await until(
      'the observer follows',
      () => ask<Status>(url('/v1/status')),
      ({ certifiedHeight }) => certifiedHeight > begun,
      PATIENCE_MS,
    )
    expect(status).toMatchObject({
      voting: false,
      reason: 'its key is not in the validator set',
      node: { role: 'observer' },
    })
    await load.stop()
    const [state] = await settled(cluster, ALL)
    const height = state!.certifiedHeight
    await ask(url(`/v1/status?minHeight=${height}`), 30_000)
    const old = load.certified.find((one) => one.height < last.to)!
    for (const path of [
      `/v1/blocks/${height}`,
      '/v1/blocks/1',
      `/v1/blocks/${last.to}`,
      `/v1/transactions/${old.id}?prove=true`,
      `/v1/accounts/${load.receiver}?minHeight=${height}`,
      `/v1/transactions?contract=token&limit=50&minHeight=${height}`,
      `/v1/contracts/token/state/${encodeURIComponent(`balance/${load.receiver}`)}?minHeight=${height}`,
    ]) {
      const answers = await Promise.all([0, LOST].map((index) => ask(cluster.url(index, path))))
      expect(answers[1], path).toEqual(answers[0])
      expect(await ask(url(path)), path).toEqual(answers[0])
    }
  }, 300_000)

  it('lost and doubled nothing', async () => {
    await expectExactlyOnce(cluster, ALL, load)
  }, 60_000)
})
