import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blockHash, genesisHash } from '../../src/crypto/digest.ts'
import { verifyMerklePath } from '../../src/crypto/merkle.ts'
import { verify } from '../../src/crypto/signer.ts'
import { type Header, receiptCodec } from '../../src/types/block.ts'
import { fromHex } from '../../src/types/hex.ts'
import { signedBytes } from '../../src/types/message.ts'
import { decode } from '../../src/types/schema.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'
import { addressOfName, genesis, network, problemOf, type Served, serve, signTransaction } from './support.ts'

let served: Served
const get = (path: string) => served.get(path)
const first = ['alice', 'bob', 'carol'].map((name) => signTransaction(name, 0))
const second = [signTransaction('alice', 1, { contract: 'notes' }), signTransaction('bob', 1, { method: 'fail' })]

beforeEach(async () => {
  served = await serve({ limits: { heightWaitMs: 60 } })
  served.test.addBlock(first.map(({ wire }) => wire))
  served.test.addBlock(second.map(({ wire }) => wire))
})
afterEach(() => served.api.close())

/** The header whose JSON this is. */
const headerOf = (json: Record<string, unknown>): Header =>
  ({ ...json, time: Date.parse(json.time as string), proposers: fromHex(json.proposers as string) }) as Header

describe('GET /v1/transactions/{id}', () => {
  it('answers transaction and receipt', async () => {
    const { body } = await get(`/v1/transactions/${second[1]!.id}`)
    expect(body).toMatchObject({ id: second[1]!.id, height: 2, index: 1, sender: addressOfName('bob'), nonce: 1 })
    expect(body).toMatchObject({
      status: 'reverted',
      result: null,
      error: { code: 'THROWN', message: 'too poor' },
      events: [],
    })
    expect(body.proof).toBeUndefined()
  })

  it('proves it: every path leads to the header, and the header to a quorum’s signatures', async () => {
    const { body } = await get(`/v1/transactions/${first[2]!.id}?prove=true`)
    const { header, certificate, receipt, receiptPath, transaction, transactionPath, index, count } = body.proof
    const rebuilt = headerOf(header)
    expect(blockHash(rebuilt)).toBe(certificate.blockHash)
    const { genesisHash: hash, epoch, validatorsHash, height } = rebuilt
    const bytes = signedBytes('exec', {
      genesisHash: hash,
      epoch,
      validatorsHash,
      height,
      blockHash: certificate.blockHash,
    })
    expect(certificate.signatures).toHaveLength(3)
    for (const { signer, signature } of certificate.signatures) {
      expect(verify(fromHex(genesis.validators[signer]!.key), bytes, fromHex(signature))).toBe(true)
    }
    const leaf = Buffer.from(receipt, 'base64')
    const claim = { index, size: count }
    const isReceipt = { ...claim, leaf, path: receiptPath.map(fromHex), root: fromHex(header.receiptsRoot) }
    expect(verifyMerklePath(isReceipt)).toBe(true)
    const isId = { ...claim, leaf: fromHex(body.id), path: transactionPath.map(fromHex), root: fromHex(header.txRoot) }
    expect(verifyMerklePath(isId)).toBe(true)
    expect(decode(receiptCodec, leaf)).toMatchObject({ txId: body.id, status: 'ok', gasUsed: 77 })
    expect(decodeTransaction(Buffer.from(transaction, 'base64'))).toMatchObject({ nonce: 0, method: 'transfer' })
    expect([index, count]).toEqual([2, 3])
  })

  it('prefers the executed receipt, and answers a skipped one where there is no other', async () => {
    const gap = signTransaction('dave', 1)
    served.test.addBlock([gap.wire])
    expect((await get(`/v1/transactions/${gap.id}`)).body).toMatchObject({
      status: 'skipped',
      error: { code: 'NONCE_GAP' },
    })
    served.test.addBlock([signTransaction('dave', 0).wire, gap.wire])
    expect((await get(`/v1/transactions/${gap.id}`)).body).toMatchObject({ status: 'ok', height: 4 })
  })

  it('knows nothing that is not certified', async () => {
    const { wire, id } = signTransaction('alice', 2)
    served.test.addBlock([wire], { certify: false })
    const answer = await get(`/v1/transactions/${id}`)
    expect(problemOf(answer)).toEqual({ status: 404, code: 'UNKNOWN_TRANSACTION' })
    expect(answer.body).toMatchObject({ id, certifiedHeight: 2 })
    expect((await get('/v1/transactions')).body.transactions.map((tx: { id: string }) => tx.id)).not.toContain(id)
    for (const bad of [id.slice(1), id.toUpperCase(), 'x']) {
      expect(problemOf(await get(`/v1/transactions/${bad}`)).code).toBe('BAD_PARAMETER')
    }
  })
})

describe('GET /v1/transactions', () => {
  const idsOf = (answer: { body: { transactions: { id: string }[] } }) => answer.body.transactions.map(({ id }) => id)

  it('lists newest first, by sender, contract or both', async () => {
    const all = [...first, ...second].map(({ id }) => id).reverse()
    expect(idsOf(await get('/v1/transactions'))).toEqual(all)
    expect(idsOf(await get(`/v1/transactions?sender=${addressOfName('alice')}`))).toEqual([second[0]!.id, first[0]!.id])
    expect(idsOf(await get('/v1/transactions?contract=notes'))).toEqual([second[0]!.id])
    const both = `sender=${addressOfName('alice')}&contract=token`
    expect(idsOf(await get(`/v1/transactions?${both}`))).toEqual([first[0]!.id])
    expect(idsOf(await get('/v1/transactions?from=1'))).toEqual(all.slice(2))
  })

  it('pages inside a block, losing and repeating nothing', async () => {
    const seen: string[] = []
    let from = ''
    for (let page = 0; page < 9; page++) {
      const answer = await get(`/v1/transactions?limit=2${from}`)
      seen.push(...idsOf(answer))
      if (answer.body.next === null) break
      from = `&from=${answer.body.next}`
    }
    expect(seen).toEqual([...first, ...second].map(({ id }) => id).reverse())
  })

  it('ends a page early when it has grown large', async () => {
    await served.api.close()
    served = await serve({ limits: { pageBytes: 10 } })
    served.test.addBlock(first.map(({ wire }) => wire))
    const { body } = await get('/v1/transactions')
    expect([body.transactions.length, body.next]).toEqual([1, '1-1'])
    expect((await get('/v1/blocks?from=0')).body).toMatchObject({ blocks: [{ height: 0 }], next: 1 })
    const state = (await get('/v1/contracts/token/state')).body
    expect(state).toMatchObject({ entries: [{ key: 'balance/alice' }], next: 'balance/alice' })
  })

  it('refuses addresses with a typing error, and other bad parameters', async () => {
    const typo = addressOfName('alice').replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'))
    const bad = [
      `sender=${typo}`,
      'contract=NO',
      'from=x',
      'from=1-',
      'from=-1',
      'limit=101',
      'limit=1.5',
      'limit=01',
      'x=1',
    ]
    for (const query of bad) expect(problemOf(await get(`/v1/transactions?${query}`)).code).toBe('BAD_PARAMETER')
  })
})

describe('GET /v1/blocks', () => {
  it('answers one block by height, and the latest certified', async () => {
    served.test.addBlock([], { certify: false })
    const { body } = await get('/v1/blocks/latest')
    expect(body.height).toBe(2)
    expect(body.hash).toBe(blockHash(headerOf(body.header)))
    expect(body.transactions).toEqual(second.map(({ id }) => id))
    expect(body.certificate.blockHash).toBe(body.hash)
    expect((await get('/v1/blocks/2')).body).toEqual(body)
    expect((await get('/v1/blocks/0')).body).toMatchObject({ height: 0, transactions: [], certificate: null })
    expect(problemOf(await get('/v1/blocks/3'))).toEqual({ status: 404, code: 'UNKNOWN_BLOCK' })
    for (const bad of ['first', '-1', '1.0', '01', '99999999999999999']) {
      expect(problemOf(await get(`/v1/blocks/${bad}`)).code).toBe('BAD_PARAMETER')
    }
  })

  it('lists by rising height, from where asked or the latest page', async () => {
    const heights = async (query: string) => {
      const { body } = await get(`/v1/blocks${query}`)
      return [body.blocks.map(({ height }: { height: number }) => height), body.next]
    }
    expect(await heights('')).toEqual([[0, 1, 2], null])
    expect(await heights('?limit=2')).toEqual([[1, 2], null])
    expect(await heights('?from=0&limit=2')).toEqual([[0, 1], 2])
    expect(await heights('?from=7')).toEqual([[], null])
  })

  it('says 410 with the oldest height for what is pruned', async () => {
    served.test.knobs.oldestBlock = 2
    const listed = ['/v1/blocks?from=1', '/v1/transactions?from=1', '/v1/transactions?from=1-0', '/v1/events?from=1']
    for (const path of ['/v1/blocks/1', `/v1/transactions/${first[0]!.id}`, ...listed]) {
      const answer = await get(path)
      expect(problemOf(answer)).toEqual({ status: 410, code: 'PRUNED' })
      expect(answer.body.oldestHeight).toBe(2)
    }
    expect((await get('/v1/blocks')).body.blocks).toHaveLength(1)
    const heights = (await get('/v1/transactions')).body.transactions.map(({ height }: { height: number }) => height)
    expect([heights.length > 0, heights.every((height: number) => height === 2)]).toEqual([true, true])
    const unknown = await get(`/v1/transactions/${'0'.repeat(64)}`)
    expect([problemOf(unknown), unknown.body.oldestHeight]).toEqual([{ status: 404, code: 'UNKNOWN_TRANSACTION' }, 2])
  })
})

describe('accounts, contracts, views', () => {
  it('answers an account with nonces and roles', async () => {
    const address = addressOfName('alice')
    await served.post('/v1/transactions', { tx: signTransaction('alice', 2).base64 })
    const roles = ['deployer', 'deployer/senior', 'minter']
    expect((await get(`/v1/accounts/${address}`)).body).toEqual({ address, nonce: 2, pendingNonce: 2, roles })
    const stranger = addressOfName('stranger')
    expect((await get(`/v1/accounts/${stranger}`)).body).toEqual({
      address: stranger,
      nonce: 0,
      pendingNonce: 0,
      roles: [],
    })
    expect(problemOf(await get('/v1/accounts/qr1nobody')).code).toBe('BAD_PARAMETER')
  })

  it('lists contracts, pages them, shows one and its code', async () => {
    const { body } = await get('/v1/contracts')
    expect(body.contracts.map(({ name }: { name: string }) => name)).toEqual(['notes', 'token'])
    expect((await get('/v1/contracts?limit=1')).body.next).toBe('notes')
    expect((await get('/v1/contracts?after=notes')).body).toMatchObject({ contracts: [{ name: 'token' }], next: null })
    const one = (await get('/v1/contracts/token')).body
    expect(one).toMatchObject({ version: 1, owner: addressOfName('alice'), calls: ['transfer'], views: ['balanceOf'] })
    expect(one).toMatchObject({ frozen: false, migrate: false })
    const version = { version: 1, codeHash: one.codeHash, height: 0, sender: addressOfName('alice') }
    expect(one.history).toEqual([version])
    const { code, codeHash } = (await get('/v1/contracts/token/code')).body
    expect([code, codeHash]).toEqual(['export const token = "🪙"', one.codeHash])
    for (const path of [
      '/v1/contracts/nothing',
      '/v1/contracts/nothing/code',
      '/v1/contracts/nothing/state',
      '/v1/contracts/nothing/state/a',
    ]) {
      expect(problemOf(await get(path))).toEqual({ status: 404, code: 'UNKNOWN_CONTRACT' })
    }
    expect(problemOf(await get('/v1/contracts/No')).code).toBe('BAD_PARAMETER')
  })

  it('shows the last hundred versions of a contract that has more', async () => {
    served.test.addUpgrades('notes', 102)
    const { version, history } = (await get('/v1/contracts/notes')).body
    const versions = history.map((entry: { version: number }) => entry.version)
    expect([version, versions.length, versions[0], versions.at(-1)]).toEqual([103, 100, 4, 103])
  })

  it('runs views, and hands the arguments on as they came', async () => {
    const view = (method: string, body: unknown, init?: RequestInit) =>
      served.post(`/v1/contracts/token/views/${method}`, body, init)
    expect((await view('echo', '{"a": [1, null]}')).body).toEqual({ result: { a: [1, null] }, height: 2, gasUsed: 3 })
    expect((await view('echo', '', { headers: {}, body: undefined })).body.result).toEqual({})
    expect((await view('nothing', {})).body.result).toBeNull()
    const thrown = await view('fails', {})
    expect(problemOf(thrown)).toEqual({ status: 422, code: 'THROWN' })
    expect(thrown.body.detail).toBe('not today')
    const strict = await view('strict', {})
    expect([problemOf(strict), strict.body.detail]).toEqual([
      { status: 400, code: 'BAD_ARGUMENTS' },
      'explained BAD_ARGUMENTS',
    ])
    expect(problemOf(await view('crowded', {}))).toEqual({ status: 429, code: 'TOO_BUSY' })
    expect(problemOf(await view('other', {}))).toEqual({ status: 404, code: 'UNKNOWN_METHOD' })
    expect(problemOf(await served.post('/v1/contracts/nothing/views/echo', {})).code).toBe('UNKNOWN_CONTRACT')
    expect(problemOf(await view('echo', '{"a":'))).toEqual({ status: 400, code: 'MALFORMED' })
    const latin = await view('echo', '', { body: Buffer.from([0x22, 0xe9, 0x22]) })
    expect(problemOf(latin)).toEqual({ status: 400, code: 'MALFORMED' })
    expect(problemOf(await view('echo', `"${'a'.repeat(300_000)}"`)).code).toBe('TOO_LARGE')
  })

  it('writes out nothing that is nested too deeply', async () => {
    const deep = '['.repeat(5000) + ']'.repeat(5000)
    expect((await served.post('/v1/contracts/token/views/echo', deep)).body.result).toBe(deep)
    const { wire, id } = signTransaction('erin', 0, { json: deep })
    served.test.addBlock([wire])
    expect((await get(`/v1/transactions/${id}`)).body.args).toBe(deep)
  })
})

describe('state', () => {
  it('answers values by percent-encoded key, at the certified or an earlier height', async () => {
    const key = 'ключ/🪙 ?#%'
    const { body } = await get(`/v1/contracts/token/state/${encodeURIComponent(key)}`)
    expect(body).toEqual({ key, value: { deep: [1, null] }, height: 2 })
    const nonce = `/v1/contracts/system/state/${encodeURIComponent(`nonce/${decodeTransaction(first[0]!.wire).sender}`)}`
    expect((await get(nonce)).body).toMatchObject({ value: 2, height: 2 })
    expect((await get(`${nonce}?height=1`)).body).toMatchObject({ value: 1, height: 1 })
    const absent = await get(`${nonce}?height=0`)
    expect([problemOf(absent), absent.body.height]).toEqual([{ status: 404, code: 'UNKNOWN_KEY' }, 0])
    expect(problemOf(await get(`${nonce}?height=3`))).toEqual({ status: 404, code: 'UNKNOWN_HEIGHT' })
    served.test.knobs.oldestState = 2
    const pruned = await get(`${nonce}?height=1`)
    expect([problemOf(pruned), pruned.body.oldestHeight]).toEqual([{ status: 410, code: 'PRUNED' }, 2])
  })

  it('takes keys of 256 bytes, however they are encoded, and no longer ones', async () => {
    const longest = 'é'.repeat(128)
    served.test.node.ledger.stateAt = () => ({
      get: async (key) => (key === `token\0${longest}` ? '"found"' : undefined),
      scan: async () => [],
    })
    expect((await get(`/v1/contracts/token/state/${encodeURIComponent(longest)}`)).body.value).toBe('found')
    for (const long of ['', 'a'.repeat(257), encodeURIComponent('é'.repeat(129)), 'a'.repeat(769)]) {
      expect(problemOf(await get(`/v1/contracts/token/state/${long}`))).toEqual({ status: 400, code: 'BAD_PARAMETER' })
    }
    expect(problemOf(await get('/v1/contracts/token/state/%ff')).code).toBe('BAD_PARAMETER')
  })

  it('scans by prefix, in pages', async () => {
    const { body } = await get('/v1/contracts/token/state?prefix=balance/')
    const entries = [
      { key: 'balance/alice', value: '100' },
      { key: 'balance/bob', value: '7' },
    ]
    expect(body).toEqual({ entries, height: 2, next: null })
    expect((await get('/v1/contracts/token/state?limit=2')).body.next).toBe('balance/bob')
    const rest = (await get('/v1/contracts/token/state?after=balance/bob')).body.entries
    expect(rest.map(({ key }: { key: string }) => key)).toEqual(['ключ/🪙 ?#%'])
    // Another contract's keys are never in it, whatever the prefix.
    expect((await get('/v1/contracts/notes/state')).body.entries).toEqual([{ key: 'a', value: 1 }])
  })

  it('proves values and absence where the node can, and says so where it cannot', async () => {
    const path = '/v1/contracts/token/state/balance%2Falice?prove=true'
    expect(problemOf(await get(path))).toEqual({ status: 501, code: 'NOT_SUPPORTED' })
    const sibling = 'ab'.repeat(32)
    const asked: [number, string][] = []
    served.test.node.ledger.proveState = async (height, key) => {
      asked.push([height, key])
      return { siblings: [sibling] }
    }
    const { proof } = (await get(path)).body
    expect(proof).toMatchObject({
      key: 'token\0balance/alice',
      value: '"100"',
      siblings: [sibling],
      header: { height: 2 },
    })
    expect(proof.certificate.signatures).toHaveLength(3)
    const absent = await get('/v1/contracts/token/state/none?prove=true')
    expect([problemOf(absent).code, absent.body.proof.value]).toEqual(['UNKNOWN_KEY', null])
    expect(asked).toEqual([
      [2, 'token\0balance/alice'],
      [2, 'token\0none'],
    ])
  })
})

describe('validators, peers, genesis', () => {
  it('answers them', async () => {
    const { body } = await get('/v1/validators')
    expect(body).toMatchObject({ height: 2, epoch: 0, quorum: 3 })
    expect(body.validators[0]).toMatchObject({
      name: 'north',
      key: genesis.validators[0]!.key,
      address: addressOfName('north'),
    })
    expect((await get('/v1/validators?height=1')).body.height).toBe(1)
    expect(problemOf(await get('/v1/validators?height=9')).code).toBe('UNKNOWN_HEIGHT')
    expect((await get('/v1/peers')).body).toEqual({ peers: [] })
  })

  it('gives the genesis document whole: its hash can be made again', async () => {
    const { body } = await get('/v1/genesis')
    expect(body.genesisHash).toBe(network)
    expect(genesisHash({ ...body.genesis, time: Date.parse(body.genesis.time) })).toBe(network)
    expect(Object.keys(body.genesis.validators[0])).toEqual(['name', 'key', 'log'])
  })
})

describe('minHeight and consistency', () => {
  const reads = [
    '/v1/status',
    '/v1/validators',
    '/v1/peers',
    '/v1/genesis',
    '/v1/transactions',
    `/v1/transactions/${first[0]!.id}`,
    '/v1/blocks',
    '/v1/blocks/latest',
    `/v1/accounts/${addressOfName('alice')}`,
    '/v1/contracts',
    '/v1/contracts/token',
    '/v1/contracts/token/code',
    '/v1/contracts/token/state',
    '/v1/contracts/token/state/balance%2Fbob',
    '/v1/events',
  ]

  it('every read waits for the height asked for, and no longer than the limit', async () => {
    const answers = await Promise.all(reads.map((path) => get(`${path}?minHeight=3`)))
    for (const answer of answers) {
      expect(problemOf(answer)).toEqual({ status: 504, code: 'TIMEOUT' })
      expect(answer.body.certifiedHeight).toBe(2)
    }
    const view = await served.post('/v1/contracts/token/views/echo?minHeight=3', {})
    expect(problemOf(view).code).toBe('TIMEOUT')
    const waiting = get('/v1/blocks/latest?minHeight=3')
    await sleep(20)
    served.test.addBlock([])
    expect((await waiting).body.height).toBe(3)
  })

  it('reads linearizably where the node can ask a quorum', async () => {
    const path = '/v1/blocks/latest?consistency=linearizable'
    expect(problemOf(await get(path))).toEqual({ status: 501, code: 'NOT_SUPPORTED' })
    served.test.node.linearizableHeight = async () => 3
    const waiting = get(path)
    await sleep(20)
    served.test.addBlock([])
    expect((await waiting).body.height).toBe(3)
    served.test.node.linearizableHeight = async () => undefined
    expect(problemOf(await get(path)).code).toBe('TIMEOUT')
    expect(problemOf(await get('/v1/status?consistency=loose')).code).toBe('BAD_PARAMETER')
  })
})
