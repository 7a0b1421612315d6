// One validator whose system contract differs in one method: docs/protocol.md, rule 10, over real processes. It stops voting, serves what
// is below, and says with its peers where it went wrong; a restart changes nothing of that until its ledger is made anew.
import { execFile } from 'node:child_process'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { keystoreOf } from '../../src/cli/devnet-folder.ts'
import { signTransaction } from '../../src/client/transaction.ts'
import { loadKey } from '../../src/crypto/keystore.ts'
import type { Difference } from '../../src/types/divergence.ts'
import { ALL, ask, type Cluster, createCluster, type Status, until } from './cluster.ts'

const PATCH = pathToFileURL(join(import.meta.dirname, 'other-system.ts')).href
const QUORATE = join(import.meta.dirname, '../../bin/quorate.js')
const WITH_PATCH = ['env', `NODE_OPTIONS=--import ${PATCH}`]

interface Ready {
  cause: string
  detail: string
  difference: Difference | null
}
interface Voting extends Status {
  voting: boolean
  reason: string | null
}

/** Not while it starts, and not while the peers are too busy to tell. */
const hasKey = ({ difference }: Ready) => (difference?.key ?? null) !== null

/** On a busy machine some may not answer in time; whoever does says the same. */
function expectWord({ answered, confirmedBy }: Difference, peers: readonly string[]): void {
  expect(peers).toEqual(expect.arrayContaining(confirmedBy))
  expect(confirmedBy.length).toBeGreaterThan(0)
  expect(answered).toBeGreaterThanOrEqual(confirmedBy.length)
}

describe('a validator whose system contract is another one', () => {
  const clusters: Cluster[] = []
  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.close()))
  }, 60_000)

  /** `different` are the nodes that start with the other contract; emptying `prefixes[i]` gives node i the right one at its next start. */
  async function start(different: number[]) {
    const prefixes = ALL.map((index) => (different.includes(index) ? [...WITH_PATCH] : []))
    const place = (index: number) => ({ host: '127.0.0.1', prefix: prefixes[index]! })
    const cluster = await createCluster({ place })
    clusters.push(cluster)
    await cluster.start()
    const { genesisHash } = await ask<{ genesisHash: string }>(cluster.url(0, '/v1/status'))
    const nonces = new Map<string, number>()

    async function sign(name: string, contract: string, method: string, args: unknown) {
      const key = await loadKey(keystoreOf(cluster.directory), name)
      const nonce = nonces.get(name) ?? 0
      nonces.set(name, nonce + 1)
      const call = { network: genesisHash, nonce, expires: 0, gasLimit: 5_000_000, contract, method }
      return signTransaction(key, { ...call, args: JSON.stringify(args) })
    }
    async function submit(...signed: { wire: Uint8Array }[]): Promise<void> {
      const txs = signed.map(({ wire }) => Buffer.from(wire).toString('base64'))
      const url = cluster.url(0, '/v1/transactions')
      await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ txs }),
      })
    }
    const note = (text: string) => sign('alice', 'kv', 'put', { key: `note-${text}`, value: text })
    const { address: bob } = await loadKey(keystoreOf(cluster.directory), 'bob')
    return {
      cluster,
      prefixes,
      sign,
      submit,
      note,
      setOwner: () => sign('admin', 'system', 'setOwner', { name: 'kv', owner: bob }),
    }
  }

  const status = (cluster: Cluster, index: number) => ask<Voting>(cluster.url(index, '/v1/status'))
  const readyOf = async (cluster: Cluster, index: number) =>
    (await (await fetch(cluster.url(index, '/ready'))).json()) as Ready
  const placeOf = async (cluster: Cluster, index: number, id: string) =>
    ask<{ height: number; index: number }>(cluster.url(index, `/v1/transactions/${id}`))
  const doctor = async (...args: string[]) => {
    const run = promisify(execFile)(process.execPath, [QUORATE, 'doctor', '--json', ...args])
    const { stdout } = await run.catch((error: { stdout: string }) => error)
    return JSON.parse(stdout) as { ok: boolean; findings: { code: string; about: string; reason: string }[] }
  }

  it('diverges, says which transaction and key, and stays so until its ledger is made anew', async () => {
    const { cluster, prefixes, submit, note, setOwner } = await start([3])
    const changed = await setOwner()
    await submit(await note('before'))
    await until(
      'four agree',
      () => status(cluster, 3),
      ({ certifiedHeight }) => certifiedHeight >= 1,
    )
    await submit(await note('one'), await note('two'), changed, await note('three'))
    const { height, index } = await until(
      'it runs',
      () => placeOf(cluster, 0, changed.id),
      (found) => found.height > 0,
    )

    const ready = await until('node 3 knows where it differs', () => readyOf(cluster, 3), hasKey)
    const key = { contract: 'system', key: 'contract/kv' }
    expect(ready).toMatchObject({ cause: 'DIVERGED', height: height - 1 })
    expect(ready.difference).toMatchObject({
      height,
      fields: ['stateRoot'],
      transaction: { index, id: changed.id, contract: 'system', method: 'setOwner' },
      isProven: false,
      key,
      note: '',
    })
    expect(ready.difference!.key!.ours).toContain(`"updatedHeight":${height + 1}`)
    expect(ready.difference!.key!.theirs).toContain(`"updatedHeight":${height}`)
    expectWord(ready.difference!, ['node-0', 'node-1', 'node-2'])
    const said = ready.detail
    expect(said).toContain(changed.id)
    expect(said).toContain('contract/kv of system')
    expect(await cluster.log(3)).toContain('contract/kv of system')

    // The others go on, and it serves what is below.
    await submit(await note('after'))
    await until(
      'three go on',
      () => status(cluster, 0),
      ({ certifiedHeight }) => certifiedHeight > height,
    )
    const there = await status(cluster, 3)
    expect(there).toMatchObject({ certifiedHeight: height - 1, phase: 'diverged', voting: false })
    expect(there.reason).toBe(said)
    const below = await ask<{ header: { height: number } }>(cluster.url(3, `/v1/blocks/${height - 1}`))
    expect(below.header.height).toBe(height - 1)
    expect((await fetch(cluster.url(3, `/v1/blocks/${height}`))).status).toBe(404)

    const refused = await fetch(cluster.url(3, '/v1/transactions'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tx: Buffer.from(changed.wire).toString('base64') }),
    })
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, 'DIVERGED'])

    const urls = ALL.map((node) => cluster.url(node, '')).join(',')
    const { findings } = await doctor('--node', urls)
    expect(findings.filter(({ code }) => code === 'DIVERGED')).toMatchObject([{ about: 'node-3' }])
    expect(findings.find(({ code }) => code === 'DIVERGED')!.reason).toContain('contract/kv of system')

    // With the right contract again it still has the wrong block.
    await cluster.kill(3, 'SIGTERM')
    const atHome = await doctor('--home', cluster.home(3))
    expect(atHome.findings).toMatchObject([{ code: 'LEDGER_DIVERGED', reason: expect.stringContaining(changed.id) }])
    const wrongContract = prefixes[3]!.splice(0)
    await cluster.start(3)
    expect(await readyOf(cluster, 3)).toMatchObject({ cause: 'DIVERGED', difference: ready.difference })
    expect(await status(cluster, 3)).toMatchObject({ voting: false, certifiedHeight: height - 1 })

    // Made anew with the wrong contract once more, it finds the same while it catches up.
    await cluster.kill(3, 'SIGTERM')
    const ledger = join(cluster.home(3), 'data', 'ledger')
    await rename(ledger, `${ledger}-wrong`)
    prefixes[3]!.push(...wrongContract)
    await cluster.start(3)
    const again = await until('it diverges from what it fetches', () => readyOf(cluster, 3), hasKey)
    expect(again.difference).toMatchObject({ height, transaction: { index, id: changed.id }, key })

    await cluster.kill(3, 'SIGTERM')
    await rename(ledger, `${ledger}-wrong-again`)
    prefixes[3]!.length = 0
    await cluster.start(3)
    await until(
      'it agrees again',
      () => status(cluster, 3),
      (now) => now.certifiedHeight > height && now.voting,
    )
  }, 240_000)

  it('two of four: nothing is certified, and each side says where the other differs', async () => {
    const { cluster, prefixes, submit, setOwner } = await start([2, 3])
    const changed = await setOwner()
    await submit(changed)
    for (const [node, others] of [
      [0, ['node-2', 'node-3']],
      [3, ['node-0', 'node-1']],
    ] as const) {
      const ready = await until(
        'it says where blocks differ',
        () => readyOf(cluster, node),
        (found) => found.cause === 'STALLED' && hasKey(found),
      )
      expect(ready.difference).toMatchObject({
        height: 1,
        transaction: { index: 0, id: changed.id, contract: 'system', method: 'setOwner' },
        key: { contract: 'system', key: 'contract/kv' },
      })
      expectWord(ready.difference!, others)
      expect(ready.detail).toContain('none with a quorum')
      expect(await status(cluster, node)).toMatchObject({ voting: true, certifiedHeight: 0 })
    }

    // As docs/operations.md says: two are made anew, and all forget the votes they heard.
    await Promise.all(ALL.map((node) => cluster.kill(node, 'SIGTERM')))
    for (const node of [2, 3]) {
      prefixes[node]!.length = 0
      const ledger = join(cluster.home(node), 'data', 'ledger')
      await rename(ledger, `${ledger}-wrong`)
    }
    await cluster.start()
    for (const node of ALL)
      await until(
        'it is certified',
        () => status(cluster, node),
        (now) => now.certifiedHeight >= 1 && now.voting,
      )
  }, 240_000)
})
