// Building a network from the command line: init, genesis, and the faults of a devnet. Devnets that run are in test/e2e.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lockFolder, nodesOf, p2pAddressOf, prepareFolder, resetFolder } from '../../src/cli/devnet-folder.ts'
import { homePaths } from '../../src/home/paths.ts'
import { createCli, withFolder } from './support.ts'

test('organisations make their homes, one builds the genesis document, all check it', () =>
  withFolder(async (folder) => {
    const at = (name: string) => join(folder, name)
    const cli = createCli({ QUORATE_KEYSTORE: at('keystore') })
    await cli('keys', 'create', 'admin', '--unencrypted')
    const admin = (await cli('keys', 'show', 'admin', '--json')).json.address
    const entries: { name: string }[] = []
    for (const name of ['org-a', 'org-b', 'org-c', 'org-d']) {
      const made = await cli('init', '--home', at(name), '--name', name, '--json')
      expect(Object.keys(made.json)).toEqual(['name', 'key', 'log'])
      await writeFile(at(`${name}.json`), made.out)
      entries.push(made.json)
    }
    await mkdir(at('contract'))
    await writeFile(
      at('contract/index.ts'),
      "import { contract } from 'quorate/contract'\nexport default contract({})\n",
    )
    const genesis = at('genesis.json')
    const parts = ['--validator', at('org-a.json'), '--contract', `demo=${at('contract')}`, '--owner', 'demo=@admin']
    const more = [
      '--init',
      'demo={"owner":"@admin"}',
      '--role',
      'deployer=@admin',
      '--parameter',
      'batchDelayMs=50',
      '--parameter',
      'deploy=role:deployer',
    ]
    const created = await cli(
      'genesis',
      'create',
      '--chain-id',
      'example',
      ...parts,
      ...more,
      '--out',
      genesis,
      '--json',
    )
    expect(created.err).toBe('')
    expect(created.json).toMatchObject({ validators: 1 })

    const added = await cli(
      'genesis',
      'add-validator',
      genesis,
      at('org-b.json'),
      at('org-c.json'),
      JSON.stringify(entries[3]),
      '--json',
    )
    expect(added.json).toMatchObject({ validators: 4 })
    const shown = (await cli('genesis', 'show', genesis, '--json')).json
    expect(shown).toMatchObject({
      chainId: 'example',
      quorum: 3,
      validators: entries,
      genesisHash: added.json.genesisHash,
    })
    expect(shown.parameters).toMatchObject({ batchDelayMs: 50, deploy: 'role:deployer' })
    expect(shown.roles).toEqual([{ role: 'deployer', accounts: [admin] }])
    expect(JSON.parse(await readFile(genesis, 'utf8')).contracts[0]).toMatchObject({
      name: 'demo',
      owner: admin,
      init: { owner: admin },
    })
    const checked = await cli('genesis', 'check', genesis, '--json')
    expect(checked).toMatchObject({ exitCode: 0, json: { ok: true, genesisHash: shown.genesisHash, faults: [] } })

    const home = await cli('init', '--home', at('observer'), '--genesis', genesis, '--set', 'api.port=4999', '--json')
    expect(home.exitCode).toBe(0)
    expect(await readFile(at('observer/config.toml'), 'utf8')).toMatch(/^port = 4999$/m)
    expect(await cli('init', '--home', at('observer'))).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/HOME_EXISTS/),
    })
  }))

test('genesis check explains every fault and exits with 1; the rest refuse the document', () =>
  withFolder(async (folder) => {
    const cli = createCli()
    const genesis = join(folder, 'genesis.json')
    await cli('genesis', 'create', '--chain-id', 'example', '--out', genesis)
    const document = JSON.parse(await readFile(genesis, 'utf8'))
    await writeFile(genesis, JSON.stringify({ ...document, chainId: 'a b', engineHash: '00'.repeat(32) }))
    const checked = await cli('genesis', 'check', genesis, '--json')
    expect(checked).toMatchObject({ exitCode: 1, json: { ok: false, genesisHash: null } })
    const codes = checked.json.faults.map(({ code }: { code: string }) => code)
    expect(codes).toEqual(expect.arrayContaining(['CHAIN_ID', 'ENGINE_MISMATCH', 'NO_VALIDATORS']))
    expect((await cli('genesis', 'check', genesis)).out.split('\n').length).toBeGreaterThanOrEqual(4)
    expect(await cli('genesis', 'show', genesis)).toMatchObject({
      exitCode: 1,
      out: '',
      err: expect.stringMatching(/^quorate: [^\n]+GENESIS_INVALID\)\n$/),
    })
    const added = await cli('genesis', 'add-validator', genesis, '{"name":"x"}')
    expect(added).toMatchObject({ exitCode: 1, err: expect.stringMatching(/validators\[0\]\.key.*GENESIS_INVALID/) })
  }))

test('genesis create makes no document that no node would take, and check runs the contracts', () =>
  withFolder(async (folder) => {
    const cli = createCli({ QUORATE_KEYSTORE: join(folder, 'keys') })
    const out = join(folder, 'genesis.json')
    const create = (...parts: string[]) => cli('genesis', 'create', '--chain-id', 'example', '--out', out, ...parts)
    for (const [parameter, reason] of [
      ['nosuch=5', /parameters\.nosuch: expected no such field/],
      ['batchDelayMs=abc', /parameters\.batchDelayMs: expected a/],
      ['windowBlocks=0', /parameters\.windowBlocks: expected a whole number/],
    ] as const) {
      const refused = await create('--parameter', parameter)
      expect(refused).toMatchObject({ exitCode: 1, out: '', err: expect.stringMatching(reason) })
    }
    const account = (await cli('keys', 'create', 'admin', '--unencrypted', '--json')).json.address
    await writeFile(join(folder, 'index.ts'), SOURCE)
    const contract = (owner: string) =>
      create('--contract', `demo=${folder}`, '--owner', 'demo=@admin', '--init', `demo={"owner":"${owner}"}`)
    const refused = await contract('nobody')
    expect(refused).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/contracts\[0\].*THROWN of demo \(no owner\)/),
    })
    await expect(readFile(out)).rejects.toThrow(/ENOENT/)
    expect(await contract(account)).toMatchObject({ exitCode: 0 })
    const text = await readFile(out, 'utf8')
    const entry = (await cli('init', '--home', join(folder, 'home'), '--name', 'one', '--json')).out
    await writeFile(out, text.replace(`"owner": "${account}"\n`, '"owner": "nobody"\n'))
    await cli('genesis', 'add-validator', out, entry)
    const checked = await cli('genesis', 'check', out, '--json')
    expect(checked).toMatchObject({ exitCode: 1, json: { ok: false, genesisHash: null } })
    expect(checked.json.faults.at(-1)).toMatchObject({
      severity: 'error',
      code: 'CONTRACT_FAILS',
      path: 'contracts[0]',
    })
    expect((await cli('genesis', 'check', out)).out).toMatch(/cannot be used: 1 fault$/m)
  }))

const SOURCE = `
import { contract } from 'quorate/contract'
export default contract({
  init(ctx, { owner }: { owner: string }) {
    if (!ctx.isAddress(owner)) throw new Error('no owner')
    ctx.state.set('owner', owner)
  },
  calls: {},
  views: {},
})
`

const PORT = 5000

describe('a devnet’s folder', () => {
  const size = { validators: 2, observers: 1 }
  const quiet = () => {}

  test('is made once, resumed afterwards, and reset only as far as it was made', () =>
    withFolder(async (folder) => {
      const made = await prepareFolder(folder, size, PORT, quiet)
      expect((await readdir(folder)).sort()).toEqual([
        'devnet.json',
        'genesis.json',
        'keystore',
        'node-0',
        'node-1',
        'observer-0',
      ])
      expect(made.keys.map(({ name }) => name)).toEqual(['alice', 'bob', 'admin'])
      const genesis = JSON.parse(await readFile(join(folder, 'genesis.json'), 'utf8'))
      const [alice, bob, admin] = made.keys.map(({ address }) => address)
      expect(genesis.validators.map(({ name }: { name: string }) => name)).toEqual(['node-0', 'node-1'])
      const shipped = (await readdir(new URL('../../contracts/', import.meta.url))).filter((name) => name !== 'shared')
      const contracts = genesis.contracts as { name: string; init: unknown; owner: string }[]
      expect(contracts.map(({ name }) => name).sort()).toEqual(shipped.sort())
      expect(contracts.every(({ owner }) => owner === admin)).toBe(true)
      expect(Object.fromEntries(contracts.map(({ name, init }) => [name, init]))).toMatchObject({
        token: { owner: admin, balances: { [alice!]: '1000000' } },
        shop: { owner: admin, token: 'token' },
        multisig: { owners: [alice, bob, admin], threshold: 2 },
      })
      expect(await prepareFolder(folder, size, PORT, quiet)).toEqual(made)

      await writeFile(join(folder, 'notes.txt'), 'mine')
      await resetFolder(folder)
      expect(await readdir(folder)).toEqual(['notes.txt'])
      await expect(resetFolder(folder)).rejects.toMatchObject({ code: 'NOT_A_DEVNET' })
      await expect(prepareFolder(folder, size, PORT, quiet)).rejects.toMatchObject({ code: 'NOT_A_DEVNET' })
      expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('mine')
    }))

  test('left unfinished is made anew', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'devnet.unfinished'), '')
      await mkdir(join(folder, 'node-0'))
      await prepareFolder(folder, { validators: 1, observers: 0 }, PORT, quiet)
      expect(await readdir(folder)).not.toContain('devnet.unfinished')
      expect(await readFile(homePaths(join(folder, 'node-0')).genesis, 'utf8')).toContain('devnet-')
    }))

  test('says where its nodes are, by their own libp2p ids', () =>
    withFolder(async (folder) => {
      await prepareFolder(folder, { validators: 1, observers: 1 }, PORT, quiet)
      const nodes = nodesOf({ validators: 1, observers: 1 }, folder, PORT)
      expect(nodes.map(({ name, role, apiPort, p2pPort }) => [name, role, apiPort, p2pPort])).toEqual([
        ['node-0', 'validator', 5000, 5100],
        ['observer-0', 'observer', 5001, 5101],
      ])
      const [{ generateKeyPairFromSeed }, { peerIdFromPrivateKey }, { readSeed }] = await Promise.all([
        import('@libp2p/crypto/keys'),
        import('@libp2p/peer-id'),
        import('../../src/crypto/key-file.ts'),
      ])
      const { seed } = await readSeed(homePaths(nodes[0]!.home).nodeKey)
      const id = peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString()
      expect(await p2pAddressOf(nodes[0]!)).toBe(`/ip4/127.0.0.1/tcp/5100/p2p/${id}`)
    }))

  test('is one devnet’s at a time', () =>
    withFolder(async (folder) => {
      const lock = await lockFolder(folder)
      await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'DEVNET_RUNNING' })
      await lock.release()
      // A process that is gone holds nothing: no process has the highest number there can be.
      await writeFile(join(folder, 'devnet.pid'), `${2 ** 22 + 1}\n`)
      await (await lockFolder(folder)).release()
      expect(await readdir(folder)).toEqual([])
    }))
})

describe('quorate devnet refuses', () => {
  test('a port in use, before anything is made', () =>
    withFolder(async (folder) => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as { port: number }
      const dir = join(folder, 'net')
      const refused = await createCli()('devnet', '--dir', dir, '--port', String(port), '--validators', '1')
      server.close()
      expect(refused).toMatchObject({
        exitCode: 1,
        out: '',
        err: expect.stringMatching(new RegExp(`port ${port} .*PORT_IN_USE`)),
      })
      expect(await readdir(dir)).toEqual([])
    }))

  test('another number of nodes than the folder has, strangers’ folders, and more ports than there are', () =>
    withFolder(async (folder) => {
      const cli = createCli()
      const dir = join(folder, 'net')
      await mkdir(dir)
      await prepareFolder(dir, { validators: 2, observers: 0 }, PORT, () => {})
      expect((await cli('devnet', '--dir', dir, '--validators', '3')).err).toMatch(
        /has 2 validators, asked for were 3.*DEVNET_DIFFERS/,
      )
      expect((await cli('devnet', '--dir', dir, '--observers', '1')).err).toMatch(/DEVNET_DIFFERS/)
      expect((await cli('devnet', '--dir', dir, '--port', '65500')).err).toMatch(
        /port 65601 would be needed.*DEVNET_TOO_LARGE/,
      )
      await mkdir(join(folder, 'other'))
      await writeFile(join(folder, 'other', 'x'), '')
      for (const extra of [[], ['--reset']]) {
        const refused = await cli('devnet', '--dir', join(folder, 'other'), '--port', '20600', ...extra)
        expect(refused).toMatchObject({ exitCode: 1, err: expect.stringMatching(/was left as it is.*NOT_A_DEVNET/) })
      }
      expect(await readdir(join(folder, 'other'))).toEqual(['x'])
    }))
})
