// The SDK against nodes that fail, lie and lose answers: what was sent once runs once, and only what is proven is believed.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ClientError, type ConnectOptions, connect, keyFromSeed, signTransaction } from '../../src/client/index.ts'
import { verify } from '../../src/crypto/signer.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'
import { type Chain, createChain, keyOf } from './chain.ts'
import { type FakeNode, problem, startFakeNode } from './fake-node.ts'

let chain: Chain
let first: FakeNode
let second: FakeNode

beforeEach(async () => {
  chain = createChain()
  first = await startFakeNode(chain)
  second = await startFakeNode(chain)
})
afterEach(async () => {
  await Promise.all([first.close(), second.close()])
})

const open = (options: Partial<ConnectOptions> = {}) =>
  connect({ endpoints: [first.url, second.url], genesisHash: chain.genesisHash, verify, ...options })
const isSubmission = ({ method, path }: { method: string; path: string }) =>
  method === 'POST' && path.startsWith('/v1/transactions')
const submitted = (node: FakeNode) => node.requests.filter(isSubmission).map(({ body }) => body)
const call = { to: 'x', amount: '5' }

/** Signs and runs a transaction of the key behind the client's back. */
async function runOther(key: ReturnType<typeof keyOf>, nonce: number): Promise<string> {
  const fields = {
    network: chain.genesisHash,
    nonce,
    expires: 0,
    gasLimit: 1,
    contract: 'token',
    method: 'other',
    args: '{}',
  }
  const { wire } = await signTransaction(key, fields)
  return chain.append([{ wire }]).receipts[0]!.txId
}

describe('send', () => {
  test('gives a proven receipt; gas, nonce and expiry are chosen', async () => {
    const client = await open()
    const receipt = await client.send(keyOf(5), 'token', 'transfer', call)
    expect(receipt).toMatchObject({
      status: 'ok',
      sender: keyOf(5).address,
      nonce: 0,
      contract: 'token',
      args: call,
      expires: 1000,
    })
    expect(receipt.gasLimit).toBeGreaterThanOrEqual(151)
    expect(client.minHeight).toBe(1)
    expect((await client.send(keyFromSeed(new Uint8Array(32).fill(5)), 'token', 'transfer', call)).nonce).toBe(1)
  })

  test('signs no dry run: a node cannot make a transaction of it', async () => {
    await (await open({ endpoints: [first.url] })).send(keyOf(5), 'token', 'transfer', call)
    const { body } = first.requests.find(({ path }) => path === '/v1/simulate')!
    const { unsigned, signature } = decodeTransaction(new Uint8Array(Buffer.from(JSON.parse(body).tx, 'base64')))
    expect(verify(keyOf(5).publicKey, unsigned, signature)).toBe(false)
  })

  test('is a receipt also when the contract refused', async () => {
    first.outcome = { status: 'reverted', code: 'THROWN', message: 'no' }
    const receipt = await (await open({ endpoints: [first.url] })).send(keyOf(5), 'token', 'transfer', call)
    expect(receipt).toMatchObject({ status: 'reverted', error: { code: 'THROWN', message: 'no' } })
  })

  test('goes to another node where one is gone', async () => {
    const client = await open()
    await first.close()
    expect((await client.send(keyOf(5), 'token', 'transfer', call)).status).toBe('ok')
  })

  test('sends the same bytes again after a lost answer, and they run once', async () => {
    for (const node of [first, second]) {
      node.misdeed = (request) => {
        if (!isSubmission(request)) return undefined
        node.misdeed = undefined
        // Taken and run, but the answer never arrives.
        void fetch(node.url + request.path, { method: 'POST', body: request.body })
        return 'hang up'
      }
    }
    const receipt = await (await open()).send(keyOf(5), 'token', 'transfer', call)
    expect(receipt.status).toBe('ok')
    expect(new Set([...submitted(first), ...submitted(second)]).size).toBe(1)
    expect(chain.height()).toBe(1)
  })

  test('several at once get nonces of their own', async () => {
    const client = await open()
    const receipts = await Promise.all([1, 2, 3].map(() => client.send(keyOf(5), 'token', 'transfer', call)))
    expect(receipts.map(({ nonce }) => nonce).sort()).toEqual([0, 1, 2])
  })

  test('the same call made twice at once is two transactions', async () => {
    const { sender } = (await open()).parts
    const same = { contract: 'token', method: 'transfer', args: '{}' }
    const fields = await Promise.all(Array.from({ length: 8 }, () => sender.prepare(keyOf(5), same)))
    expect(new Set(fields.map(({ gasLimit }) => gasLimit)).size).toBeGreaterThan(1)
    const gasGiven = await Promise.all(
      Array.from({ length: 8 }, () => sender.prepare(keyOf(5), same, { gasLimit: 500 })),
    )
    expect(new Set(gasGiven.map(({ expires }) => expires)).size).toBeGreaterThan(1)
  })
})

describe('a nonce that another transaction has', () => {
  test('is left to it once that is proven, and the call is signed anew', async () => {
    let otherId = ''
    const client = await open({ endpoints: [first.url] })
    const ids: string[] = []
    const onSigned = async ({ id }: { id: string }) => {
      ids.push(id)
    }
    first.misdeed = (request) => {
      if (!isSubmission(request)) return undefined
      first.misdeed = undefined
      // Runs before this submission is looked at.
      void runOther(keyOf(5), 0).then((id) => {
        otherId = id
      })
      return problem('NONCE_TAKEN')
    }
    const receipt = await client.send(keyOf(5), 'token', 'transfer', call, { onSigned })
    expect(receipt).toMatchObject({ status: 'ok', nonce: 1, id: ids[1] })
    expect(ids).toHaveLength(2)
    expect(chain.has(otherId)).toBe(true)
    expect(chain.has(ids[0]!)).toBe(false)
  })

  test.each(['NONCE_USED', 'NONCE_TAKEN'])(
    'is not believed lost on a node’s word: %s without proof signs nothing anew',
    async (code) => {
      const client = await open()
      for (const node of [first, second])
        node.misdeed = (request) => (isSubmission(request) ? problem(code) : undefined)
      const sent = client.send(keyOf(5), 'token', 'transfer', call, { timeoutMs: 600 })
      await expect(sent).rejects.toMatchObject({ code: 'TIMEOUT', id: expect.stringMatching(/^[0-9a-f]{64}$/) })
      expect(new Set([...submitted(first), ...submitted(second)]).size).toBe(1)
    },
  )

  test('is an error where the caller chose it, or signed elsewhere', async () => {
    const otherId = await runOther(keyOf(5), 0)
    const client = await open()
    const sent = client.send(keyOf(5), 'token', 'transfer', call, { nonce: 0 })
    await expect(sent).rejects.toMatchObject({ code: 'NONCE_USED', message: expect.stringContaining(otherId) })
    const fields = {
      network: chain.genesisHash,
      nonce: 0,
      expires: 0,
      gasLimit: 5,
      contract: 'token',
      method: 'm',
      args: '{}',
    }
    const { wire } = await signTransaction(keyOf(5), fields)
    await expect(client.submit(wire)).rejects.toMatchObject({ code: 'NONCE_USED' })
  })
})

describe('what a node says', () => {
  const lie = (node: FakeNode) => {
    node.misdeed = ({ method, path }) => {
      const id = /^\/v1\/transactions\/([0-9a-f]{64})/.exec(path)?.[1]
      if (method !== 'GET' || id === undefined || !chain.has(id)) return undefined
      return { status: 200, document: { ...chain.document(id), status: 'reverted' } }
    }
  }

  test('is not believed where its proof does not hold: another node is asked', async () => {
    lie(first)
    expect((await (await open()).send(keyOf(5), 'token', 'transfer', call)).status).toBe('ok')
  })

  test('ends in an error that says so where every node lies', async () => {
    lie(first)
    lie(second)
    const sent = (await open()).send(keyOf(5), 'token', 'transfer', call, { timeoutMs: 500 })
    await expect(sent).rejects.toMatchObject({ code: 'TIMEOUT', cause: { code: 'BAD_PROOF' } })
  })

  test('is final where every node refuses the bytes for what they are', async () => {
    const client = await open()
    const refuse = (request: { method: string; path: string }) =>
      isSubmission(request) ? problem('GAS_LIMIT', 'too much gas') : undefined
    first.misdeed = refuse
    const receipt = await client.send(keyOf(5), 'token', 'transfer', call)
    expect(receipt.status).toBe('ok')
    second.misdeed = refuse
    const startedAt = Date.now()
    const error = await client.send(keyOf(5), 'token', 'transfer', call).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ClientError)
    expect(error).toMatchObject({
      code: 'GAS_LIMIT',
      status: 400,
      message: 'too much gas',
      cause: { code: 'GAS_LIMIT' },
    })
    expect(Date.now() - startedAt).toBeLessThan(5_000)
  })

  test('has to be of the network that was asked for', async () => {
    await expect(open({ genesisHash: 'ab'.repeat(32) })).rejects.toMatchObject({ code: 'WRONG_NETWORK' })
  })

  test('may be no Quorate at all', async () => {
    first.misdeed = () => ({ status: 404, document: 'nothing here' })
    await expect(open({ endpoints: [first.url] })).rejects.toMatchObject({ code: 'BAD_ANSWER', status: 404 })
    await first.close()
    await expect(open({ endpoints: [first.url] })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

describe('reads', () => {
  test('never go back behind what was seen', async () => {
    const client = await open({ endpoints: [first.url] })
    await client.send(keyOf(5), 'token', 'transfer', call)
    expect(await client.view('token', 'balanceOf', { account: 'x' })).toBe('5')
    expect(await client.get('token', 'a/b')).toBeUndefined()
    const paths = first.requests.slice(-2).map(({ path }) => path)
    expect(paths).toEqual([
      '/v1/contracts/token/views/balanceOf?minHeight=1',
      '/v1/contracts/token/state/a%2Fb?prove=true&minHeight=1',
    ])
  })

  test('of values are proven, and so is that there is none', async () => {
    chain.state.set('token\0k', '{"n":[1,null]}')
    chain.append([])
    const client = await open({ endpoints: [first.url] })
    expect(await client.get('token', 'k')).toEqual({ n: [1, null] })
    expect(client.minHeight).toBe(1)
    expect(await client.get('token', 'other')).toBeUndefined()
  })

  test.each([
    ['another value', { status: 200, document: { key: 'k', value: 'mine', height: 1 } }],
    ['no value', problem('UNKNOWN_KEY')],
    ['a value of another key', undefined],
  ])('are not believed where a node says %s: it is set aside and another asked', async (what, answer) => {
    chain.state.set('token\0k', '"true"')
    chain.state.set('token\0other', '"false"')
    chain.append([])
    const client = await open()
    first.misdeed = ({ path }) => {
      if (!path.startsWith('/v1/contracts/')) return undefined
      return answer ?? { status: 200, document: { ...chain.stateDocument('token', 'other'), key: 'k' } }
    }
    for (let asked = 0; asked < 3; asked++) expect(await client.get('token', 'k')).toBe('true')
    expect(first.requests.filter(({ path }) => path.startsWith('/v1/contracts/'))).toHaveLength(1)
    second.misdeed = first.misdeed
    const reason = what === 'a value of another key' ? /asked for was/ : /its proof is missing/
    const error = await client.get('token', 'k').catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'BAD_PROOF', message: expect.stringMatching(reason) })
  })

  test('of values are not of the past', async () => {
    chain.append([])
    const old = chain.stateDocument('token', 'k')
    chain.append([])
    const client = await open({ minHeight: 2 })
    first.misdeed = ({ path }) => (path.startsWith('/v1/contracts/') ? { status: 404, document: old } : undefined)
    expect(await client.get('token', 'k')).toBeUndefined()
    expect(await client.get('token', 'k')).toBeUndefined()
    second.misdeed = first.misdeed
    await expect(client.get('token', 'k')).rejects.toMatchObject({
      code: 'BAD_PROOF',
      message: expect.stringMatching(/height 1, asked for was 2/),
    })
  })

  test('follow the validators from epoch to epoch, and are refused where nothing leads there', async () => {
    const client = await open()
    chain.endEpoch([1, 2, 3, 4])
    chain.endEpoch([4, 5, 6, 7])
    chain.state.set('token\0k', '1')
    chain.append([])
    first.misdeed = ({ path }) =>
      path.startsWith('/v1/epochs')
        ? { status: 200, document: { epochs: chain.links().slice(1), next: null } }
        : undefined
    expect(await client.get('token', 'k')).toBe(1)
    expect(client.trust).toMatchObject({ epoch: 2, start: 2 })
    expect(await client.bundle({ contract: 'token', key: 'k' })).toMatchObject({
      epochs: [{ header: { epoch: 0 } }, { header: { epoch: 1 } }],
    })
    const other = await open()
    for (const node of [first, second])
      node.misdeed = ({ path }) =>
        path.startsWith('/v1/epochs') ? { status: 200, document: { epochs: [], next: null } } : undefined
    await expect(other.get('token', 'k')).rejects.toMatchObject({
      code: 'BAD_PROOF',
      message: expect.stringMatching(/of epoch 2 and another validator set/),
    })
  })

  test('are not of a block after the last of its epoch, whoever has got hold of that epoch’s keys', async () => {
    const client = await open()
    chain.endEpoch([1, 2, 3, 4])
    chain.append([])
    expect(await client.get('token', 'k')).toBeUndefined()
    const stolen = createChain()
    stolen.state.set('token\0k', '"mine"')
    for (let height = 1; height <= 5; height++) stolen.append([])
    for (const node of [first, second]) {
      node.misdeed = ({ path }) =>
        path.startsWith('/v1/contracts/') ? { status: 200, document: stolen.stateDocument('token', 'k') } : undefined
    }
    await expect(client.get('token', 'k')).rejects.toMatchObject({
      code: 'BAD_PROOF',
      message: expect.stringMatching(/has height 5, epoch 0 ends with 1/),
    })
  })

  test.each([[null], [[]], [7], ['text'], [{}]])('are refused as no answer where a node says %j', async (document) => {
    const client = await open({ endpoints: [first.url] })
    first.misdeed = () => ({ status: 200, document })
    const asked = [
      () => open({ endpoints: [first.url] }),
      () => client.send(keyOf(5), 'token', 'transfer', call),
      () => client.get('token', 'k'),
      () => client.transaction('ab'.repeat(32)),
      () => client.events().next(),
      () => client.bundle({ from: 1 }),
    ]
    for (const ask of asked) {
      const error = await ask().catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(ClientError)
      expect(error).toMatchObject({ code: expect.stringMatching(/^BAD_(ANSWER|PROOF)$/) })
    }
  })

  test('of transactions have nothing in them that nothing proves', async () => {
    const client = await open()
    const { id } = await client.send(keyOf(5), 'token', 'transfer', call)
    const document = chain.document(id)
    const padded = { ...document, note: 'paid twice', proof: { ...document.proof, note: 1 } }
    for (const node of [first, second])
      node.misdeed = ({ path }) =>
        path.startsWith('/v1/transactions/') ? { status: 200, document: padded } : undefined
    expect(await client.transaction(id)).toEqual(JSON.parse(JSON.stringify(document)))
  })

  test('that would be proven are not ended by what one node says', async () => {
    const client = await open()
    const { id } = await client.send(keyOf(5), 'token', 'transfer', call)
    chain.state.set('token\0k', '1')
    chain.append([])
    first.misdeed = ({ path }) =>
      problem(path.startsWith('/v1/transactions') ? 'UNKNOWN_TRANSACTION' : 'UNKNOWN_CONTRACT')
    for (let asked = 0; asked < 2; asked++) {
      expect(await client.transaction(id)).toMatchObject({ id, status: 'ok' })
      expect(await client.get('token', 'k')).toBe(1)
    }
    second.misdeed = first.misdeed
    await expect(client.transaction(id)).rejects.toMatchObject({ code: 'UNKNOWN_TRANSACTION' })
    second.misdeed = () => 'hang up'
    await expect(client.get('token', 'k')).rejects.toMatchObject({ code: 'UNKNOWN_CONTRACT' })
  })

  test('give refusals as they are', async () => {
    const client = await open({ endpoints: [first.url] })
    first.misdeed = () => problem('UNKNOWN_CONTRACT')
    await expect(client.get('token', 'k')).rejects.toMatchObject({ code: 'UNKNOWN_CONTRACT' })
    await expect(client.transaction('ab'.repeat(32))).rejects.toMatchObject({ code: 'UNKNOWN_CONTRACT' })
  })

  test('ask the next node where one is overloaded or behind', async () => {
    const client = await open()
    first.misdeed = () => problem('TIMEOUT')
    second.misdeed = undefined
    for (let asked = 0; asked < 3; asked++) expect(await client.view('token', 'balanceOf')).toBe('5')
  })
})
