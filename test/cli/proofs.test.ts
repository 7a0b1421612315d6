// Proofs on the command line: what it shows as proven it has verified, and what it prints as a bundle anyone can verify.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bundleOf } from '../../src/client/bundle.ts'
import { signTransaction as signBy } from '../../src/client/transaction.ts'
import { trustGenesis, verifyBundle, verifyDocument } from '../../src/light/index.ts'
import { genesis, network, type Served, serve, signTransaction } from '../api/support.ts'
import { createChain, keyOf } from '../client/chain.ts'
import { createSamples, shownGenesis } from '../light/samples.ts'
import { type Cli, createCli, withFolder } from './support.ts'

let served: Served
let cli: Cli
const paid = signTransaction('alice', 0)
const failed = signTransaction('alice', 1, { method: 'burn' })
beforeEach(async () => {
  served = await serve()
  served.test.keepTree()
  served.test.addBlock([paid.wire])
  served.test.addBlock([failed.wire])
  cli = createCli({
    QUORATE_NODE: served.url,
    QUORATE_KEYSTORE: '/nonexistent/keystore',
    QUORATE_GENESIS_HASH: network,
  })
})
afterEach(() => served.api.close())

const signed = /verified: block 2 \([0-9a-f]{16}…\) of 2026-.*Z, signed by 3 of 4 validators: north, east, south/
const offline = createCli()

describe('--prove', () => {
  test('shows a transaction with its signers, and gives its bundle', async () => {
    const shown = await cli('tx', 'show', failed.id, '--prove')
    expect(shown.out).toMatch(signed)
    const bundle = (await cli('tx', 'show', failed.id, '--prove', '--json')).json
    expect(verifyBundle(bundle, { genesisHash: network })).toMatchObject({ kind: 'transaction', height: 2 })
    // What explains the code is the node's, so it is not in the bundle.
    expect(bundle.document.error).toEqual({ code: 'OUT_OF_GAS', message: '' })
  })

  test('shows a value, or that there is none', async () => {
    const key = `nonce/${served.test.blocks[1]!.receipts[0]!.sender}`
    const shown = await cli('state', 'get', 'system', key, '--prove')
    expect(shown.out).toMatch(/^value +2$/m)
    expect(shown.out).toMatch(signed)
    const earlier = await cli('state', 'get', 'system', key, '--prove', '--height', '1', '--json')
    expect(verifyBundle(earlier.json, { genesisHash: network })).toMatchObject({ height: 1, value: '1' })
    const absent = await cli('state', 'get', 'token', 'nothing', '--prove')
    expect(absent).toMatchObject({ exitCode: 0, out: expect.stringMatching(/^value +none: there is no such key/m) })
    const bundle = (await cli('state', 'get', 'token', 'nothing', '--prove', '--json')).json
    expect(verifyBundle(bundle, { genesisHash: network })).toMatchObject({ key: 'nothing', value: undefined })
  })

  test('shows nothing that a node makes up', async () => {
    served.test.node.ledger.proveState = async () => ({ siblings: [] })
    const shown = await cli('state', 'get', 'token', 'nothing', '--prove')
    expect(shown).toMatchObject({
      exitCode: 1,
      out: '',
      err: expect.stringMatching(/does not lead to the state root.*BAD_PROOF/),
    })
  })
})

describe('events', () => {
  test.each([[[]], [['--prove']]])('are shown line by line %j', async (options) => {
    const { out } = await cli('events', '--from', '1', '--to', '2', ...options)
    const lines = out.trimEnd().split('\n')
    expect(lines).toHaveLength(6)
    expect(lines[2]).toBe('1-2  token.Transfer {"amount":"5"}')
    expect(lines[5]).toMatch(/^2-1 {2}transaction [0-9a-f]{16}.* reverted \(OUT_OF_GAS.* by qr1/)
    const filtered = await cli('events', '--from', '1', '--to', '2', '--contract', 'notes', ...options)
    expect(filtered.out).toBe('1-3  notes.Noted "0"\n')
  })

  test('are one JSON document a line with --json', async () => {
    const { json } = await cli('events', '--from', '1', '--to', '2', '--name', 'Noted', '--json')
    expect(json).toMatchObject({ type: 'event', contract: 'notes', name: 'Noted', height: 1, position: 3, data: '0' })
  })

  test('are bundles with --prove --json --to, as many as it takes', async () => {
    await served.api.close()
    const { test: node } = served
    served = await serve({ limits: { rangeBlocksMax: 1 } })
    for (const { batch } of node.blocks.slice(1)) served.test.addBlock(batch.includes(1) ? [paid.wire] : [])
    cli = createCli({ QUORATE_NODE: served.url, QUORATE_KEYSTORE: '/nonexistent/keystore' })
    const { out } = await cli('events', '--from', '1', '--to', '2', '--prove', '--json')
    const proven = out
      .trimEnd()
      .split('\n')
      .map((line) => verifyBundle(JSON.parse(line), { genesisHash: network }))
    expect(proven).toMatchObject([
      { from: 1, to: 1 },
      { from: 2, to: 2 },
    ])
    await withFolder(async (folder) => {
      const file = join(folder, 'events.jsonl')
      await writeFile(file, out)
      const checked = await offline('verify', file, '--genesis-hash', network)
      expect(checked.out).toMatch(/blocks 1 to 1, complete[\s\S]*blocks 2 to 2, complete/)
    })
  })

  test('of blocks to come are waited for', async () => {
    const waiting = cli('events', '--from', '3', '--to', '3', '--prove', '--json')
    served.test.addBlock([])
    const { json } = await waiting
    expect(json).toMatchObject({ kind: 'events', document: { from: 3, to: 3 } })
  })

  test.each([
    [['--from', '2', '--to', '1'], /--to 1 lies before --from 2/],
    [['--contract', 'No'], /"No" is no contract's name/],
    [['--prove', '--json', '--to', '1', '--name', 'x'], /leave out --contract and --name/],
  ])('are refused for %j', async (options, reason) => {
    expect(await cli('events', ...options)).toMatchObject({ exitCode: 2, out: '', err: expect.stringMatching(reason) })
  })
})

describe('verify', () => {
  const withFile = (content: unknown, use: (file: string, folder: string) => Promise<void>) =>
    withFolder(async (folder) => {
      const file = join(folder, 'proof.json')
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
      await use(file, folder)
    })

  test('tells what a bundle proves, over changes of the validators', async () => {
    const { bundles, chain, ids } = await createSamples()
    const trusted = ['--genesis-hash', chain.genesisHash]
    const shown: Record<string, RegExp> = {
      receipt: /status +ok[\s\S]*event +token\.Transfer[\s\S]*signed by 4 of 5 validators: node-6, /,
      refusal: /error +insufficient balance \(THROWN\)/,
      explained: /error +\(OUT_OF_GAS\)/,
      value: /value +\{"a":\[1,true\]\}/,
      absence: /value +none/,
      events: /blocks 4 to 6, complete[\s\S]*5-2 {2}token\.Transfer/,
    }
    for (const [name, bundle] of Object.entries(bundles)) {
      await withFile(bundle, async (file) => {
        const checked = await offline('verify', file, ...trusted)
        expect([checked.exitCode, checked.err]).toEqual([0, ''])
        expect(checked.out).toMatch(shown[name]!)
      })
    }
    await withFile(bundles.receipt, async (file) => {
      const { json } = await offline('verify', file, ...trusted, '--json')
      expect(json).toMatchObject({ kind: 'transaction', id: ids[0], height: 5, index: 0, epoch: 2, status: 'ok' })
    })
    await withFile(bundles.absence, async (file) => {
      const { json } = await offline('verify', file, ...trusted, '--json')
      expect(json).toMatchObject({ kind: 'state', contract: 'token', key: 'balance/40', present: false, value: null })
    })
  })

  test('refuses a changed one, naming what was changed', async () => {
    const { bundles, chain } = await createSamples()
    const changed = structuredClone(bundles.receipt) as { document: { gasUsed: number } }
    changed.document.gasUsed++
    await withFile(changed, async (file) => {
      const checked = await offline('verify', file, '--genesis-hash', chain.genesisHash)
      expect(checked).toMatchObject({
        exitCode: 1,
        out: '',
        err: expect.stringMatching(/gasUsed says 11, proven is 10/),
      })
      const other = await offline('verify', file, '--genesis-hash', 'ab'.repeat(32))
      expect(other).toMatchObject({ exitCode: 1, err: expect.stringMatching(/WRONG_NETWORK/) })
    })
  })

  test('shows each proven thing on its own line, whatever is in it', async () => {
    const chain = createChain()
    const forged = 'owner\nvalue     "mine"\n\u001b[2Jverified: block 9\u202e\u009b'
    chain.append([])
    const trust = trustGenesis(shownGenesis(chain), chain.genesisHash)
    const document = chain.stateDocument('token', forged)
    const bundle = bundleOf(document, verifyDocument('state', document, trust), [])
    await withFile(bundle, async (file) => {
      const { out, exitCode } = await offline('verify', file, '--genesis-hash', chain.genesisHash)
      expect(exitCode).toBe(0)
      expect(out).not.toMatch(/[^\n\P{C}]/u)
      expect(out.match(/^(value|verified)/gm)).toEqual(['value', 'verified'])
      expect(out).toMatch(/^value +none: there is no such key/m)
      expect(out).toContain('owner\\u000avalue     "mine"\\u000a\\u001b[2Jverified: block 9\\u202e\\u009b')
    })
    const call = { network: chain.genesisHash, nonce: 0, expires: 0, gasLimit: 1, contract: 'token', args: '{}' }
    const { wire, id } = await signBy(keyOf(7), { ...call, method: 'pay\nstatus  ok' })
    const events = [{ contract: 'token', name: 'Paid\nverified: all', data: new TextEncoder().encode('"\u009b"') }]
    chain.append([{ wire, outcome: { status: 'reverted', code: 'THROWN', message: 'no\nstatus  ok', events } }])
    for (const [kind, given] of [
      ['transaction', chain.document(id)],
      ['events', await chain.rangeDocument(2, 2)],
    ] as const) {
      await withFile(bundleOf(given, verifyDocument(kind, given, trust), []), async (file) => {
        const { out } = await offline('verify', file, '--genesis-hash', chain.genesisHash)
        expect(out).not.toMatch(/[^\n\P{C}]/u)
        expect(out.match(/^verified/gm)).toHaveLength(1)
        expect(out).not.toMatch(/^status +ok/m)
      })
    }
  })

  test('says where a position is not proven', async () => {
    const { bundle, chain, ids } = await createSamples()
    for (const [index, doubt] of [false, false, true, true].entries()) {
      await withFile(bundle('transaction', chain.document(ids[index]!)), async (file) => {
        const { out } = await offline('verify', file, '--genesis-hash', chain.genesisHash)
        expect(out).toMatch(doubt ? /position \d \(not proven: with another number/ : /position \d$/m)
        const { json } = await offline('verify', file, '--genesis-hash', chain.genesisHash, '--json')
        expect(json).toMatchObject({ index, isIndexProven: !doubt })
      })
    }
  })

  test('refuses a file that says two things in one place', async () => {
    const { bundles, chain } = await createSamples()
    const text = JSON.stringify(bundles.value)
    for (const repeated of [
      text.replace('"kind":', '"kind":"transaction","kind":'),
      text.replace('"a":[1,true]', '"a":[7],"a":[1,true]'),
      text.replace('"height":', '"h\\u0065ight":9,"height":'),
    ]) {
      expect(JSON.parse(repeated)).toEqual(bundles.value)
      await withFile(repeated, async (file) => {
        const checked = await offline('verify', file, '--genesis-hash', chain.genesisHash)
        expect(checked).toMatchObject({ exitCode: 1, out: '', err: expect.stringMatching(/two members of one name/) })
      })
    }
    await withFile(JSON.stringify(bundles.value, null, 2), async (file) => {
      expect(await offline('verify', file, '--genesis-hash', chain.genesisHash)).toMatchObject({ exitCode: 0 })
    })
  })

  test('tells of blocks that are missing between ranges', async () => {
    const { bundle, chain } = await createSamples()
    const line = async (from: number, to: number) =>
      JSON.stringify(bundle('events', await chain.rangeDocument(from, to)))
    const verified = (text: string) => {
      let found: Awaited<ReturnType<Cli>>
      return withFile(text, async (file) => {
        found = await offline('verify', file, '--genesis-hash', chain.genesisHash)
      }).then(() => found)
    }
    const missing = await verified(`${await line(5, 5)}\n${await line(5, 6)}`)
    expect(missing).toMatchObject({ exitCode: 0, err: expect.stringMatching(/begins with block 5, .* before 6/) })
    const whole = await verified(`${await line(4, 5)}\n${await line(6, 6)}\n`)
    expect(whole).toMatchObject({ exitCode: 0, err: '' })
  })

  test('takes a trusted header for the genesis hash', async () => {
    const { bundles, headerAt } = await createSamples()
    await withFile(bundles.value, async (file, folder) => {
      const header = join(folder, 'header.json')
      for (const document of [headerAt(5), { height: 5, header: headerAt(5) }]) {
        await writeFile(header, JSON.stringify(document))
        expect(await offline('verify', file, '--trusted-header', header)).toMatchObject({ exitCode: 0 })
      }
      await writeFile(header, JSON.stringify({ ...(headerAt(5) as object), validatorsHash: 'ab'.repeat(32) }))
      await writeFile(join(folder, 'no-header.json'), '{}')
      const none = await offline('verify', file, '--trusted-header', join(folder, 'no-header.json'))
      expect(none).toMatchObject({
        exitCode: 1,
        err: expect.stringMatching(/no-header\.json has no header.*\(HEADER_INVALID\)\n$/),
      })
      const refused = await offline('verify', file, '--trusted-header', header)
      expect(refused.err).toMatch(/epoch 2 has other validators than the trusted header says/)
    })
  })

  test('takes documents of the HTTP API, with the genesis document', async () => {
    const paths = [
      `/v1/transactions/${paid.id}?prove=true`,
      '/v1/contracts/token/state/none?prove=true',
      '/v1/events/range?from=1',
    ]
    for (const path of paths) {
      await withFile((await served.get(path)).body, async (file, folder) => {
        const genesisFile = join(folder, 'genesis.json')
        await writeFile(genesisFile, JSON.stringify((await served.get('/v1/genesis')).body))
        const checked = await offline('verify', file, '--genesis', genesisFile, '--genesis-hash', network)
        expect([checked.exitCode, checked.err]).toEqual([0, ''])
        await writeFile(genesisFile, JSON.stringify({ ...genesis, chainId: 'other' }))
        const other = await offline('verify', file, '--genesis', genesisFile)
        expect(other.err).toMatch(/its header is of network/)
        const bare = await offline('verify', file, '--genesis-hash', network)
        expect(bare).toMatchObject({ exitCode: 2, err: expect.stringMatching(/--genesis FILE/) })
      })
    }
  })

  test.each([
    ['{}', [], 2, /nothing was named to trust/],
    ['{}', ['--genesis-hash', network], 1, /format says undefined, proven is "quorate\/proof\/1"/],
    ['nonsense', ['--genesis-hash', network], 1, /is not JSON.*tx show ID --prove --json/],
    ['{}', ['--genesis-hash', 'xyz'], 2, /64 lower-case hexadecimal digits/],
  ])('refuses %j with %j', async (content, options, exitCode, reason) => {
    await withFile(content, async (file) => {
      expect(await offline('verify', file, ...options)).toMatchObject({
        exitCode,
        out: '',
        err: expect.stringMatching(reason),
      })
    })
  })
})
