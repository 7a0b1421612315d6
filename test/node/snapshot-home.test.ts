// Snapshots of stopped homes, by the command line: made, moved to an empty home, refused where anything of them is not right.
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCli } from '../cli/support.ts'
import { alice, createNetwork, getJson, signed, statusOf, submit, type TestNetwork, until } from './network.ts'

const quorate = createCli()
const [MAKER, JOINER] = [0, 1] as const
const transfer = { contract: 'token', method: 'transfer', args: { to: alice.address, amount: '1' } }

describe('quorate snapshot', () => {
  let network: TestNetwork
  let stranger: TestNetwork
  let folder: string
  let height: number
  const home = (index: number, ...path: string[]) => join(network.directory, `node-${index}`, ...path)
  const restore = (from: string) => quorate('snapshot', 'restore', '--home', home(JOINER), '--from', from, '--json')

  beforeAll(async () => {
    network = await createNetwork({ validators: 1, observers: 1, largeContracts: 6 })
    stranger = await createNetwork({ validators: 1 })
    await network.start(MAKER)
    for (let nonce = 0; nonce < 3; nonce++) await submit(network, MAKER, signed(network, alice, nonce, transfer))
    height = (await statusOf(network, MAKER)).certifiedHeight
    await network.stop(MAKER)
  }, 60_000)
  afterAll(async () => {
    await network?.close()
    await stranger?.close()
  })

  it('create makes one at the certified height, where it is told', async () => {
    const root = join(network.directory, 'taken along')
    const { exitCode, out } = await quorate('snapshot', 'create', '--home', home(MAKER), '--to', root, '--json')
    expect(exitCode).toBe(0)
    const made = JSON.parse(out)
    folder = join(root, String(height))
    expect(made).toMatchObject({ height, folder, chunks: 8 })
    expect((await readdir(folder)).filter((name) => name.startsWith('chunk-')).length).toBe(made.chunks)
  })

  it('create says when there is nothing to make one of', async () => {
    const { exitCode, err } = await quorate('snapshot', 'create', '--home', home(JOINER))
    expect([exitCode, err]).toEqual([1, expect.stringMatching(/there is no ledger at .*\(LEDGER_MISSING\)/)])
  })

  it.each([
    ['a truncated chunk', (copy: string) => cutEnd(join(copy, 'chunk-3')), /chunk 3 .*input ends/],
    ['a chunk edited', (copy: string) => edit(join(copy, 'chunk-5')), /chunk 5/],
    ['a missing chunk', (copy: string) => rm(join(copy, 'chunk-0')), /chunk 0 .*missing/],
    ['a chunk in the place of another', (copy: string) => cp(join(copy, 'chunk-1'), join(copy, 'chunk-2')), /chunk 2/],
    ['an edited manifest', (copy: string) => edit(join(copy, 'manifest')), /its manifest is wrong/],
    ['a truncated manifest', (copy: string) => cutEnd(join(copy, 'manifest')), /its manifest is wrong/],
    ['a chunk that never ends', (copy: string) => replace(join(copy, 'chunk-5'), '/dev/zero'), /chunk 5/],
    ['a manifest that never ends', (copy: string) => replace(join(copy, 'manifest'), '/dev/zero'), /manifest/],
    ['a chunk of a terabyte', (copy: string) => truncate(join(copy, 'chunk-5'), 2 ** 40), /chunk 5/],
    ['no manifest', (copy: string) => rm(join(copy, 'manifest')), /has no file `manifest`/],
  ])('restore refuses %s', async (_, harm, reason) => {
    const copy = `${folder} harmed`
    await cp(folder, copy, { recursive: true })
    await harm(copy)
    const { exitCode, err } = await restore(copy)
    await rm(copy, { recursive: true })
    expect([exitCode, err]).toEqual([1, expect.stringMatching(reason)])
    expect(err).toContain('(SNAPSHOT_INVALID)')
    expect(await readdir(home(JOINER, 'data'))).toEqual(['consensus.log'])
  })

  it('restore refuses one of another network', async () => {
    const other = join(stranger.directory, 'node-0')
    const { exitCode, err } = await quorate('snapshot', 'restore', '--home', other, '--from', folder)
    expect([exitCode, err]).toEqual([1, expect.stringMatching(/another network.*SNAPSHOT_INVALID/)])
  })

  it('restore takes the place of no ledger, not even of one that cannot be opened', async () => {
    await mkdir(home(JOINER, 'data/ledger'))
    await writeFile(home(JOINER, 'data/ledger/000005.ldb'), 'blocks')
    const { exitCode, err } = await restore(folder)
    expect([exitCode, err]).toEqual([1, expect.stringContaining('(LEDGER_OCCUPIED)')])
    expect(await readFile(home(JOINER, 'data/ledger/000005.ldb'), 'utf8')).toBe('blocks')
    await rm(home(JOINER, 'data/ledger'), { recursive: true })
  })

  it('restore makes the ledger, and the node goes on from there', async () => {
    const log = await readFile(home(JOINER, 'data/consensus.log'))
    const { exitCode, out, err } = await restore(folder)
    expect([exitCode, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toMatchObject({ height })
    expect(await readFile(home(JOINER, 'data/consensus.log'))).toEqual(log)
    expect(existsSync(home(JOINER, 'data/ledger-incoming'))).toBe(false)
    const again = await restore(folder)
    expect([again.exitCode, again.err]).toEqual([1, expect.stringContaining('(LEDGER_OCCUPIED)')])

    await network.start(MAKER)
    await network.start(JOINER)
    const started = await statusOf(network, JOINER)
    expect(started.certifiedHeight).toBeGreaterThanOrEqual(height)
    await submit(network, MAKER, signed(network, alice, 3, transfer))
    const tip = await statusOf(network, MAKER)
    expect(tip.certifiedHeight).toBeGreaterThan(height)
    const reached = await until(
      'the tip',
      () => statusOf(network, JOINER),
      ({ certifiedHeight }) => certifiedHeight === tip.certifiedHeight,
    )
    expect(reached.stateRoot).toBe(tip.stateRoot)
    expect((await getJson(network.url(JOINER, `/v1/blocks/${height}`))).body.code).toBe('PRUNED')
    expect(network.fatal).toEqual([])
  }, 60_000)
})

async function replace(file: string, target: string): Promise<void> {
  await rm(file)
  await symlink(target, file)
}

const cutEnd = async (file: string) => truncate(file, (await stat(file)).size - 10)

async function edit(file: string): Promise<void> {
  const bytes = await readFile(file)
  bytes[Math.floor(bytes.length / 2)]! ^= 1
  await writeFile(file, bytes)
}
