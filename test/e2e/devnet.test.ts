// What the README promises, done as a user does it: `quorate devnet` and the commands beside it, over real processes.
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ran, root } from '../cli/linked.ts'
import { ALL, ask, until } from '../faults/cluster.ts'
import { createDevnet, type Devnet, type Running } from './devnet.ts'

interface Status {
  height: number
  certifiedHeight: number
  blockHash: string
}

const status = (devnet: Devnet, index: number) => ask<Status>(devnet.url(index, '/v1/status'))
const hashesAt = (devnet: Devnet, height: number) =>
  Promise.all(
    ALL.map(
      async (index) =>
        (await ask<{ hash: string }>(devnet.url(index, `/v1/blocks/${height}?minHeight=${height}`))).hash,
    ),
  )

/** The verifier that has no code of ours. */
function verifyAlone(file: string, genesisHash: string): Promise<{ code: number; stdout: string }> {
  const verifier = join(import.meta.dirname, '../independent/verify-bundle.mjs')
  return new Promise((resolve) => {
    execFile(process.execPath, [verifier, file, genesisHash], (error, stdout) =>
      resolve({ code: error === null ? 0 : 1, stdout }),
    )
  })
}

describe('a devnet', () => {
  let devnet: Devnet
  let running: Running
  let bob: string

  beforeAll(async () => {
    devnet = await createDevnet()
    running = await devnet.up()
    bob = (await devnet.json('keys', 'show', 'bob')).address as unknown as string
  }, 120_000)
  afterAll(() => devnet?.close())

  const pay = (amount: string, ...options: string[]) =>
    devnet.run('tx', 'send', 'token', 'transfer', JSON.stringify({ to: bob, amount }), '--from', 'alice', ...options)

  it('prints its table, takes a transaction at node 0 and shows it at node 3', async () => {
    for (let index = 0; index < 4; index++) expect(running.output()).toContain(devnet.url(index, ''))
    const sent = await pay('5', '--node', devnet.url(0, ''))
    expect([sent.code, sent.stdout]).toEqual([0, expect.stringContaining('ok')])
    const view = await devnet.json(
      'view',
      'token',
      'balanceOf',
      JSON.stringify({ account: bob }),
      '--node',
      devnet.url(3, ''),
    )
    expect(view.result).toBe('5')
  }, 60_000)

  it('has every shipped contract, with what its init made', async () => {
    const { contracts } = await ask<{ contracts: { name: string }[] }>(devnet.url(3, '/v1/contracts'))
    const shipped = ['escrow', 'kv', 'lock', 'multisig', 'registry', 'shop', 'stream', 'token']
    expect(contracts.map(({ name }) => name).filter((name) => name !== 'system')).toEqual(shipped)
    const view = async (...args: string[]) => (await devnet.json('view', ...args)).result
    const addresses = await Promise.all(
      ['alice', 'bob', 'admin'].map(async (name) => (await devnet.json('keys', 'show', name)).address),
    )
    expect(await view('multisig', 'policy', '{}')).toMatchObject({ owners: addresses, threshold: 2 })
    expect(await view('shop', 'settings', '{}')).toMatchObject({ owner: addresses[2], token: 'token' })
  }, 60_000)

  it('deploys a contract from its source, once', async () => {
    const folder = join(devnet.directory, '..', 'counter')
    const { mkdir } = await import('node:fs/promises')
    await mkdir(folder)
    await writeFile(
      join(folder, 'index.ts'),
      `import { contract } from 'quorate/contract'
       export default contract({
         calls: { add(ctx, args: { by: number }) { const n = ((ctx.state.get('n') as number) ?? 0) + args.by; ctx.state.set('n', n); return n } },
         views: { read(ctx) { return ctx.state.get('n') ?? 0 } },
       })`,
    )
    expect(await devnet.run('contract', 'deploy', folder, '--name', 'counter', '--from', 'alice')).toMatchObject({
      code: 0,
    })
    const again = await devnet.run('contract', 'deploy', folder, '--name', 'counter', '--from', 'alice')
    expect([again.code, again.stdout + again.stderr]).toEqual([1, expect.stringContaining('CONTRACT_EXISTS')])
    expect(await devnet.run('tx', 'send', 'counter', 'add', '{"by":2}', '--from', 'bob')).toMatchObject({ code: 0 })
    expect((await devnet.json('state', 'get', 'counter', 'n')).value).toBe(2)
    expect((await devnet.json('contract', 'show', 'counter')).version).toBe(1)
  }, 60_000)

  it('proves what it holds to whoever knows the genesis hash, with our code or without', async () => {
    const paid = await pay('2', '--json')
    const { id, height } = JSON.parse(paid.stdout) as { id: string; height: number }
    const { genesisHash } = await ask<{ genesisHash: string }>(devnet.url(0, '/v1/status'))
    const { result: balance } = await devnet.json('view', 'token', 'balanceOf', JSON.stringify({ account: bob }))
    const range = ['--from', String(height), '--to', String(height)]
    // biome-ignore lint/suspicious/noExplicitAny: bundles of three kinds are changed here.
    const questions: [command: string[], proven: object, tamper: (document: any) => unknown][] = [
      [
        ['tx', 'show', id],
        { txId: id, status: 'ok', events: [{ name: 'Transfer', data: expect.stringContaining('"amount":"2"') }] },
        ({ proof }) => Object.assign(proof, { index: proof.index + 1 }),
      ],
      [
        ['state', 'get', 'token', `balance/${bob}`],
        { key: `balance/${bob}`, present: true, value: JSON.stringify(balance) },
        ({ proof }) => Object.assign(proof, { value: '"1000"' }),
      ],
      [
        ['state', 'get', 'token', 'balance/nobody'],
        { present: false, value: null },
        ({ proof }) => Object.assign(proof, { siblings: proof.siblings.slice(1) }),
      ],
      [
        ['events', ...range],
        { from: height, to: height, events: [{ name: 'Transfer' }] },
        ({ blocks }) => blocks[0].receipts.pop(),
      ],
    ]
    const file = join(devnet.directory, '..', 'proof.json')
    const verify = (...trusted: string[]) => devnet.run('verify', file, '--json', ...trusted)
    for (const [command, proven, tamper] of questions) {
      const bundle = await devnet.json(...command, '--prove', '--genesis-hash', genesisHash)
      await writeFile(file, JSON.stringify(bundle))
      const alone = await verifyAlone(file, genesisHash)
      expect([alone.code, JSON.parse(alone.stdout)]).toMatchObject([0, proven])
      const verified = await verify('--genesis-hash', genesisHash)
      expect([verified.code, JSON.parse(verified.stdout)]).toMatchObject([0, { genesisHash, epoch: 0 }])

      tamper(bundle.document)
      await writeFile(file, JSON.stringify(bundle))
      expect(await verifyAlone(file, genesisHash)).toEqual({ code: 1, stdout: '' })
      const refused = await verify('--genesis-hash', genesisHash)
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('BAD_PROOF')])
    }
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const commands = /## Check it yourself\n.*?```sh\n(.*?)```/s.exec(readme)![1]!.replaceAll('proof.json', file)
    const environment = { QUORATE_NODE: devnet.url(0, ''), QUORATE_KEYSTORE: join(devnet.directory, 'keystore') }
    const shown = await ran('sh', ['-ec', commands], root, environment)
    expect([shown.code, shown.output]).toEqual([0, expect.stringContaining('"kind":"events","from":0,"to":1')])
    await writeFile(file, await (await fetch(devnet.url(1, `/v1/transactions/${id}?prove=true`))).text())
    const bare = await verify('--genesis', join(devnet.directory, 'genesis.json'))
    expect([bare.code, JSON.parse(bare.stdout)]).toMatchObject([0, { genesisHash, id }])
  }, 120_000)

  it('says on one line what is wrong, and exits 1 or 2', async () => {
    const cases: [string[], number, string][] = [
      [['tx', 'send', 'nothing', 'go', '{}', '--from', 'alice'], 1, 'UNKNOWN_CONTRACT'],
      [['tx', 'send', 'token', 'nothing', '{}', '--from', 'alice'], 1, 'UNKNOWN_METHOD'],
      [['tx', 'send', 'token', 'transfer', '{"to":', '--from', 'alice'], 2, 'JSON'],
      [['tx', 'send', 'token', 'transfer', '{}', '--from', 'nobody'], 1, 'nobody'],
      [['view', 'token', 'balanceOf', '{}', '--node', 'http://127.0.0.1:1'], 1, '127.0.0.1:1'],
      [['frobnicate'], 2, 'frobnicate'],
      [['start', '--home', join(devnet.directory, 'node-0')], 1, 'node-0'],
    ]
    for (const [args, code, text] of cases) {
      const ran = await devnet.run(...args)
      expect([args[0], ran.code, ran.stdout + ran.stderr]).toEqual([args[0], code, expect.stringContaining(text)])
      expect(ran.stderr).not.toContain('    at ')
    }
  }, 60_000)

  it('refuses bad bytes over HTTP and changes nothing', async () => {
    const before = await status(devnet, 0)
    const post = async (body: string) => {
      const response = await fetch(devnet.url(0, '/v1/transactions'), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      return [response.status, ((await response.json()) as { code: string }).code]
    }
    expect(await post('{"tx":"oQ=="}')).toEqual([400, 'MALFORMED'])
    expect(await post('{"tx":17}')).toEqual([400, 'MALFORMED'])
    expect(await post('{"tx":')).toEqual([400, 'MALFORMED'])
    expect(await post(JSON.stringify({ tx: 'A'.repeat(8 << 20) }))).toEqual([413, 'TOO_LARGE'])
    expect((await status(devnet, 0)).height).toBe(before.height)
  })

  it('is of this engine: quorate start refuses a genesis document of another one', async () => {
    const home = join(devnet.directory, '..', 'home')
    const init = await devnet.run('init', '--home', home, '--name', 'solo', '--json')
    expect(init.code).toBe(0)
    const missing = await devnet.run('start', '--home', home)
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('genesis.json')])
    const text = await readFile(join(devnet.directory, 'genesis.json'), 'utf8')
    await writeFile(
      join(home, 'genesis.json'),
      text.replace(/"engineHash": "[0-9a-f]{64}"/, `"engineHash": "${'0'.repeat(64)}"`),
    )
    const refused = await devnet.run('start', '--home', home)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('engine')])
  }, 60_000)

  it('stops on Ctrl-C and resumes the same ledger on the same folder', async () => {
    const before = await until(
      'agreement',
      () => Promise.all(ALL.map((i) => status(devnet, i))),
      (all) => new Set(all.map((one) => one.blockHash)).size === 1,
    )
    const { certifiedHeight } = before[0]!
    const hashes = await hashesAt(devnet, certifiedHeight)
    expect(await running.end('SIGINT')).toBe(0)
    for (const index of ALL) {
      const log = await readFile(join(devnet.directory, `node-${index}`, 'node.log'), 'utf8')
      expect(log.trimEnd().split('\n').at(-1)).toContain('the node has stopped')
    }
    running = await devnet.up()
    expect((await status(devnet, 0)).height).toBe(certifiedHeight)
    expect(await hashesAt(devnet, certifiedHeight)).toEqual(hashes)
    expect((await pay('1')).code).toBe(0)
  }, 120_000)

  it('keeps everything certified when all four are killed in the middle of a load', async () => {
    const pids = await devnet.pids(running)
    expect(pids).toHaveLength(4)
    const certified: { id: string; height: number }[] = []
    const loading = load(devnet, 200, 8, (receipt) => certified.push(receipt)).catch(() => undefined)
    await until(
      'some receipts',
      async () => certified.length,
      (count) => count >= 40,
    )
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await loading
    await running.end('SIGINT')
    running = await devnet.up()
    expect(certified.length).toBeGreaterThanOrEqual(40)
    for (const [position, { id, height }] of certified.entries()) {
      const found = await ask<{ height: number; status: string }>(
        devnet.url(position % 4, `/v1/transactions/${id}?minHeight=${height}`),
      )
      expect(found).toMatchObject({ height, status: 'ok' })
    }
    const { certifiedHeight } = await status(devnet, 0)
    for (let height = 0; height <= certifiedHeight; height += 7)
      expect(new Set(await hashesAt(devnet, height)).size).toBe(1)
    expect((await pay('1')).code).toBe(0)
  }, 180_000)

  it('goes on with a backup killed for 200 blocks; it catches up and votes', async () => {
    const pids = await devnet.pids(running)
    process.kill(pids[3]!, 'SIGKILL')
    const start = (await status(devnet, 0)).certifiedHeight
    await load(devnet, 220, 1)
    expect((await status(devnet, 0)).certifiedHeight - start).toBeGreaterThanOrEqual(200)
    const back = devnet.start(3)
    const { certifiedHeight } = await status(devnet, 0)
    await until(
      'catching up',
      () => status(devnet, 3),
      (one) => one.certifiedHeight >= certifiedHeight,
    )
    expect(new Set(await hashesAt(devnet, certifiedHeight)).size).toBe(1)
    process.kill(pids[2]!, 'SIGKILL')
    expect((await pay('1')).code).toBe(0)
    const second = devnet.start(2)
    await until(
      'readiness',
      () => fetch(devnet.url(2, '/ready')),
      ({ status }) => status === 200,
    )
    await Promise.all([back.end('SIGTERM'), second.end('SIGTERM')])
  }, 180_000)

  /** Sends transfers one after another from several senders, each waiting for its certified receipt. */
  async function load(
    on: Devnet,
    count: number,
    senders: number,
    onReceipt: (receipt: { id: string; height: number }) => void = () => {},
  ) {
    const { loadKey } = await import('../../src/crypto/keystore.ts')
    const { signTransaction } = await import('../../src/client/transaction.ts')
    const { createKeyPair } = await import('../../src/crypto/signer.ts')
    const { genesisHash: network } = await ask<{ genesisHash: string }>(on.url(0, '/v1/status'))
    const alice = await loadKey(join(on.directory, 'keystore'), 'alice')
    const keys =
      senders === 1
        ? [alice]
        : Array.from({ length: senders }, (_, index) => createKeyPair(new Uint8Array(32).fill(index + 1)))
    const first = senders === 1 ? ((await on.json('account', alice.address)).nonce as unknown as number) : 0
    await Promise.all(
      keys.map(async (key, index) => {
        for (let nonce = first; nonce < first + count / senders; nonce++) {
          const args = JSON.stringify({ to: bob, amount: senders === 1 ? '1' : '0' })
          const call = { network, nonce, expires: 0, gasLimit: 2_000_000, contract: 'token', method: 'transfer', args }
          const { wire } = await signTransaction(key, call)
          const url = on.url(senders === 1 ? 0 : index % 4, '/v1/transactions?wait=certified&timeout=30000')
          const response = await fetch(url, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ tx: Buffer.from(wire).toString('base64') }),
          })
          const receipt = (await response.json()) as { id: string; height: number; status: string }
          if (response.status !== 200 || receipt.status !== 'ok') throw new Error(JSON.stringify(receipt))
          onReceipt(receipt)
        }
      }),
    )
  }
})
