// Transactions from the command line, against a node that answers as the API does.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { resolveArguments } from '../../src/cli/arguments.ts'
import { createContext } from '../../src/cli/context.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'
import { type Chain, createChain } from '../client/chain.ts'
import { type FakeNode, problem, startFakeNode } from '../client/fake-node.ts'
import { createCli, withFolder } from './support.ts'

let chain: Chain
let node: FakeNode
beforeEach(async () => {
  chain = createChain()
  node = await startFakeNode(chain)
})
afterEach(() => node.close())

/** A folder with the keys alice and bob, and a command line that uses them and the node. */
function withKeys(use: (cli: ReturnType<typeof createCli>, folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const cli = createCli({ QUORATE_KEYSTORE: join(folder, 'keystore'), QUORATE_NODE: node.url })
    for (const name of ['alice', 'bob']) await cli('keys', 'create', name, '--unencrypted')
    await use(cli, folder)
  })
}

test('tx send prints the verified receipt, as text or as one document', () =>
  withKeys(async (cli) => {
    const bob = (await cli('keys', 'show', 'bob', '--json')).json
    const sent = await cli('tx', 'send', 'token', 'transfer', '{"to":"@bob","amount":"5"}', '--from', 'alice', '--json')
    expect(sent.exitCode).toBe(0)
    expect(sent.json).toMatchObject({
      status: 'ok',
      method: 'transfer',
      args: { to: bob.address, amount: '5' },
      nonce: 0,
      height: 1,
    })
    expect(sent.json).not.toHaveProperty('proof')
    const text = await cli('tx', 'send', 'token', 'transfer', '{}', '--from', 'alice')
    expect(text.out).toMatch(/^status +ok\nid +[0-9a-f]{64}\n/)
    expect(text.err).toMatch(/^sent [0-9a-f]{64}, waiting/)
  }))

test('tx send exits with 1 when the receipt is not ok, and shows why', () =>
  withKeys(async (cli) => {
    node.outcome = { status: 'reverted', code: 'THROWN', message: 'insufficient balance' }
    const sent = await cli('tx', 'send', 'token', 'transfer', '{}', '--from', 'alice')
    expect(sent.exitCode).toBe(1)
    expect(sent.out).toMatch(/status +reverted[\s\S]*insufficient balance \(THROWN\)/)
  }))

test('tx send takes gas, expiry and nonce as given; --dry-run and --no-wait do what they say', () =>
  withKeys(async (cli) => {
    const argv = ['tx', 'send', 'token', 'transfer', '{}', '--from', 'alice', '--json']
    const dry = await cli(...argv, '--dry-run')
    expect(dry).toMatchObject({ exitCode: 0, json: { status: 'ok', gasUsed: 100 } })
    expect(chain.height()).toBe(0)
    const sent = await cli(...argv, '--gas', '777', '--expires', '55', '--nonce', '0')
    expect(sent.json).toMatchObject({ gasLimit: 777, expires: 55, nonce: 0 })
    const handed = await cli(...argv, '--no-wait')
    expect(handed.json).toEqual({ id: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(chain.has(handed.json.id)).toBe(true)
  }))

test('a lying node is an error, not a receipt', () =>
  withKeys(async (cli) => {
    node.misdeed = ({ method, path }) => {
      const id = /^\/v1\/transactions\/([0-9a-f]{64})/.exec(path)?.[1]
      if (method !== 'GET' || id === undefined || !chain.has(id)) return undefined
      return { status: 200, document: { ...chain.document(id), gasUsed: 1 } }
    }
    const sent = await cli('tx', 'send', 'token', 'transfer', '{}', '--from', 'alice', '--timeout', '300')
    expect(sent).toMatchObject({ exitCode: 1, out: '' })
    expect(sent.err).toMatch(/gasUsed says 1, proven is 10/)
    const hash = 'ab'.repeat(32)
    const other = await cli('tx', 'send', 'token', 'transfer', '{}', '--from', 'alice', '--genesis-hash', hash)
    expect(other.err).toMatch(/WRONG_NETWORK/)
  }))

test('tx sign asks no node when told everything; tx submit needs no key', () =>
  withKeys(async (cli, folder) => {
    const all = ['--genesis-hash', chain.genesisHash, '--nonce', '0', '--gas', '500', '--expires', '9']
    const offline = await cli(
      'tx',
      'sign',
      'token',
      'transfer',
      '{"to":"@bob"}',
      '--from',
      'alice',
      '--node',
      'http://127.0.0.1:1',
      ...all,
    )
    expect(offline.exitCode).toBe(0)
    expect(node.requests).toEqual([])
    const transaction = decodeTransaction(new Uint8Array(Buffer.from(offline.out.trim(), 'base64')))
    expect(transaction).toMatchObject({
      network: chain.genesisHash,
      nonce: 0,
      gasLimit: 500,
      expires: 9,
      method: 'transfer',
    })

    const file = join(folder, 'signed.txt')
    await writeFile(file, offline.out)
    const keyless = createCli({ QUORATE_KEYSTORE: join(folder, 'none'), QUORATE_NODE: node.url }, offline.out)
    const submitted = await keyless('tx', 'submit', file, '--json')
    expect(submitted).toMatchObject({ exitCode: 0, json: { status: 'ok', gasLimit: 500 } })
    for (const given of ['-', offline.out.trim()]) {
      expect((await keyless('tx', 'submit', given, '--json')).json.id).toBe(submitted.json.id)
    }
    expect(chain.height()).toBe(1)
    const signed = await cli('tx', 'sign', 'token', 'transfer', '--from', 'alice', '--json')
    await writeFile(file, signed.out)
    expect((await keyless('tx', 'submit', file, '--no-wait')).out).toBe(`${signed.json.id}\n`)
    expect(await keyless('tx', 'submit', 'nonsense!')).toMatchObject({
      exitCode: 1,
      err: expect.stringMatching(/MALFORMED/),
    })
  }))

test('tx show --prove verifies; without it the node is taken at its word', () =>
  withKeys(async (cli) => {
    const { id } = (await cli('tx', 'send', 'token', 'transfer', '{}', '--from', 'alice', '--json')).json
    expect((await cli('tx', 'show', id, '--prove')).out).toMatch(
      /verified: block 1 .* signed by 3 of 4 validators: node-0, /,
    )
    expect((await cli('tx', 'show', id, '--prove', '--json')).json).toMatchObject({
      kind: 'transaction',
      document: { id },
    })
    node.misdeed = ({ path }) =>
      path.startsWith(`/v1/transactions/${id}`)
        ? { status: 200, document: { ...chain.document(id), nonce: 9 } }
        : undefined
    expect((await cli('tx', 'show', id, '--prove')).err).toMatch(/nonce says 9, proven is 0.*BAD_PROOF/)
    node.misdeed = () => problem('UNKNOWN_TRANSACTION', 'no block has it')
    expect(await cli('tx', 'show', id)).toMatchObject({
      exitCode: 1,
      err: 'quorate: no block has it (UNKNOWN_TRANSACTION)\n',
    })
  }))

test('what one command saw, the next never reads behind', () =>
  withKeys(async (cli) => {
    await cli('tx', 'send', 'token', 'transfer', '{}', '--from', 'alice')
    await cli('view', 'token', 'balanceOf', '{}')
    expect(node.requests.at(-1)!.path).toBe('/v1/contracts/token/views/balanceOf?minHeight=1')
    await cli('state', 'get', 'token', 'owner')
    expect(node.requests.at(-1)!.path).toBe('/v1/contracts/token/state/owner?minHeight=1')
  }))

test('arguments stay as typed, but for references to keys', () =>
  withKeys(async (cli, folder) => {
    const { address } = (await cli('keys', 'show', 'bob', '--json')).json
    const io = { out() {}, err() {}, env: {}, readInput: async () => '' }
    const context = createContext(io, { keystore: join(folder, 'keystore') })
    const resolve = (text: string | undefined) => resolveArguments(context, text)
    expect(await resolve(undefined)).toBe('{}')
    expect(await resolve('{"n": 12345678901234567890.10, "to":"@bob","@bob":1}')).toBe(
      `{"n": 12345678901234567890.10, "to":"${address}","${address}":1}`,
    )
    for (const literal of ['"mail @bob"', '"x\\"@bob"', '"@Bob"', '["@"]']) expect(await resolve(literal)).toBe(literal)
    expect(await resolve('{"a":"q\\"","b":"@bob"}')).toBe(`{"a":"q\\"","b":"${address}"}`)
    expect(await resolve('"@@bob"')).toBe('"@bob"')
    await expect(resolve('"@nobody"')).rejects.toMatchObject({ code: 'KEY_UNKNOWN' })
  }))
