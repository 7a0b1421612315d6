import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { addressOfName, problemOf, type Served, serve, signTransaction } from './support.ts'

let served: Served
afterEach(() => served.api.close())

async function start(options = {}): Promise<Served> {
  served = await serve(options)
  return served
}

describe('POST /v1/transactions', () => {
  it('takes one, answers 202 with its id, and again for the same bytes', async () => {
    const { post, test } = await start()
    const { base64, id } = signTransaction('alice', 0)
    for (let i = 0; i < 2; i++) {
      const answer = await post('/v1/transactions', { tx: base64 })
      expect([answer.status, answer.body]).toEqual([202, { id }])
    }
    expect([...test.pending.keys()]).toEqual([id])
    expect(test.knobs.clients[0]).toBe('127.0.0.1')
  })

  it('answers a transaction that has run as it did before: 202, or the receipt', async () => {
    const { post, test } = await start()
    const { base64, id, wire } = signTransaction('alice', 0)
    test.addBlock([wire])
    expect((await post('/v1/transactions', { tx: base64 })).body).toEqual({ id })
    const again = await post('/v1/transactions?wait=certified', { tx: base64 })
    expect([again.status, again.body.status, again.body.height]).toEqual([200, 'ok', 1])
  })

  it('waits until it is executed, or certified', async () => {
    const { post, test } = await start()
    const { base64, id, wire } = signTransaction('alice', 0)
    const executed = post('/v1/transactions?wait=executed', { tx: base64 })
    let isCertified = false
    const certified = post('/v1/transactions?wait=certified', { tx: base64 }).then((answer) => {
      isCertified = true
      return answer
    })
    await sleep(30)
    test.addBlock([wire], { certify: false })
    expect((await executed).body).toMatchObject({ id, status: 'ok', height: 1, index: 0 })
    await sleep(30)
    expect(isCertified).toBe(false)
    test.certify(1)
    expect((await certified).body).toEqual({
      id,
      height: 1,
      index: 0,
      sender: addressOfName('alice'),
      nonce: 0,
      expires: 0,
      gasLimit: 1_000_000,
      contract: 'token',
      method: 'transfer',
      args: { to: 'bob', amount: '5' },
      status: 'ok',
      gasUsed: 77,
      result: { left: '95' },
      error: null,
      events: [
        { contract: 'token', name: 'Transfer', data: { amount: '5' } },
        { contract: 'notes', name: 'Noted', data: '0' },
      ],
    })
  })

  it('answers the receipt of a skipped transaction', async () => {
    const { post, test } = await start()
    const late = signTransaction('alice', 0, { expires: 1 })
    test.addBlock([])
    test.addBlock([late.wire])
    const answer = await post('/v1/transactions?wait=certified', { tx: late.base64 })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      id: late.id,
      status: 'skipped',
      error: { code: 'EXPIRED', message: 'explained EXPIRED' },
    })
  })

  it('keeps to a refusal when a block only skipped the transaction for a gap, which may close', async () => {
    const { post, test } = await start()
    const early = signTransaction('alice', 1)
    test.addBlock([early.wire])
    test.knobs.refusal = { code: 'MEMPOOL_FULL', message: 'full' }
    const answer = await post('/v1/transactions', { tx: early.base64 })
    expect([problemOf(answer).code, answer.body.id]).toEqual(['MEMPOOL_FULL', early.id])
  })

  it('never answers a receipt as certified that is not, whatever it is told', async () => {
    const { post, test } = await start()
    const { base64, wire } = signTransaction('alice', 0)
    test.addBlock([wire], { certify: false })
    test.node.awaitTransaction = async () => true
    expect(problemOf(await post('/v1/transactions?wait=certified', { tx: base64 })).code).toBe('TIMEOUT')
    expect((await post('/v1/transactions?wait=executed', { tx: base64 })).status).toBe(200)
  })

  it('says TIMEOUT with the id, and that it was overtaken when that is settled', async () => {
    const { post, test } = await start()
    const { base64, id } = signTransaction('alice', 0)
    const timeout = await post('/v1/transactions?wait=certified&timeout=50', { tx: base64 })
    expect(problemOf(timeout)).toEqual({ status: 504, code: 'TIMEOUT' })
    expect(timeout.body.id).toBe(id)
    const waiting = post('/v1/transactions?wait=certified&timeout=300', { tx: base64 })
    await sleep(20)
    test.addBlock([signTransaction('alice', 0, { method: 'silent' }).wire])
    const overtaken = await waiting
    expect(problemOf(overtaken)).toEqual({ status: 409, code: 'NONCE_USED' })
    expect(overtaken.body.id).toBe(id)
  })

  it('refuses with the status of each code, and the id wherever the bytes hold one', async () => {
    const { post, test } = await start()
    const { base64, id } = signTransaction('alice', 0)
    const statuses = {
      BAD_SIGNATURE: 400,
      WRONG_NETWORK: 400,
      EXPIRED: 400,
      GAS_LIMIT: 400,
      NOT_ALLOWED: 403,
      NONCE_USED: 409,
      NONCE_TAKEN: 409,
      NONCE_TOO_FAR: 409,
      TOO_LARGE: 413,
      MEMPOOL_FULL: 429,
      NOBODY_KNOWS: 500,
    }
    for (const [code, status] of Object.entries(statuses)) {
      test.knobs.refusal = { code, message: 'because' }
      const answer = await post('/v1/transactions', { tx: base64 })
      expect(problemOf(answer)).toEqual({ status, code: status === 500 ? 'INTERNAL' : code })
      expect(answer.body.id).toBe(id)
      expect(answer.headers.get('retry-after')).toBe(status === 429 ? '1' : null)
    }
  })

  it('refuses what is not strict base64 or not canonical bytes', async () => {
    const { post } = await start()
    const { base64, wire } = signTransaction('alice', 0)
    const urlSafe = Buffer.from([0xfb, 0xff, 0xfe]).toString('base64url')
    const bad = ['', '!', `${base64}\n`, ` ${base64}`, 'QQ', 'QR==', urlSafe, Buffer.from('no CBOR').toString('base64')]
    bad.push(Buffer.from([...wire, 0]).toString('base64'))
    for (const tx of bad)
      expect(problemOf(await post('/v1/transactions', { tx }))).toEqual({ status: 400, code: 'MALFORMED' })
  })

  it('answers a batch in order, each for itself', async () => {
    const { post, test } = await start()
    const [first, second] = [signTransaction('alice', 0), signTransaction('alice', 1)]
    const broken = signTransaction('bob', 0)
    broken.wire[broken.wire.length - 1]! ^= 1
    const txs = [first.base64, '?', second.base64, Buffer.from(broken.wire).toString('base64')]
    const { status, body } = await post('/v1/transactions', { txs })
    expect(status).toBe(202)
    expect(body.results).toMatchObject([
      { id: first.id },
      { code: 'MALFORMED', status: 400 },
      { id: second.id },
      { code: 'BAD_SIGNATURE', id: broken.id },
    ])
    const waiting = post('/v1/transactions?wait=certified', { txs: [second.base64, first.base64] })
    await sleep(20)
    test.addBlock([first.wire, second.wire])
    expect((await waiting).body.results).toMatchObject([
      { id: second.id, index: 1 },
      { id: first.id, index: 0 },
    ])
  })

  it('refuses bodies of another shape, type or size', async () => {
    const { post, url } = await start({ limits: { bodyBytesMax: 2000 } })
    const { base64 } = signTransaction('alice', 0)
    const bad = [
      '',
      '{',
      '[]',
      'null',
      '{}',
      { tx: 5 },
      { tx: base64, txs: [base64] },
      { txs: [] },
      { tx: base64, more: 1 },
    ]
    for (const body of bad)
      expect(problemOf(await post('/v1/transactions', body))).toEqual({ status: 400, code: 'MALFORMED' })
    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    expect(problemOf(await post('/v1/transactions', 'tx=1', form)).code).toBe('UNSUPPORTED_MEDIA_TYPE')
    expect(problemOf(await post('/v1/transactions', { tx: 'A'.repeat(3000) }))).toEqual({
      status: 413,
      code: 'TOO_LARGE',
    })
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(`{"tx":"${'A'.repeat(3000)}"}`))
        controller.close()
      },
    })
    const streamed = await fetch(`${url}/v1/transactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: chunked,
      duplex: 'half',
    } as RequestInit)
    expect([streamed.status, ((await streamed.json()) as { code: string }).code]).toEqual([413, 'TOO_LARGE'])
  })

  it('refuses more transactions than a request may have, and parameters out of range', async () => {
    const { post } = await start()
    const { base64 } = signTransaction('alice', 0)
    const many = await post('/v1/transactions', { txs: Array(1001).fill('A') })
    expect(problemOf(many)).toEqual({ status: 413, code: 'TOO_LARGE' })
    for (const query of [
      'wait=soon',
      'timeout=0',
      'timeout=1e3',
      'timeout=999999999',
      'wat=none',
      'wait=none&wait=none',
    ]) {
      const answer = await post(`/v1/transactions?${query}`, { tx: base64 })
      expect(problemOf(answer)).toEqual({ status: 400, code: 'BAD_PARAMETER' })
    }
  })

  it('bounds waiting requests and bodies, and gives the places back', async () => {
    const { post, test } = await start({ limits: { waitsMax: 1, bodyBytesInFlightMax: 1500, bodyBytesMax: 1400 } })
    const { base64, wire } = signTransaction('alice', 0)
    const waiting = post('/v1/transactions?wait=certified', { tx: base64 })
    await sleep(30)
    const refused = await post('/v1/transactions?wait=certified', { tx: base64 })
    expect(problemOf(refused)).toEqual({ status: 429, code: 'TOO_BUSY' })
    expect(refused.headers.get('retry-after')).toBe('1')
    // What waits has given its body back.
    expect(problemOf(await post('/v1/transactions', { tx: 'A'.repeat(1300) })).code).toBe('MALFORMED')
    test.addBlock([wire])
    expect((await waiting).status).toBe(200)
    expect((await post('/v1/transactions?wait=certified', { tx: base64 })).status).toBe(200)
  })

  it('frees a place when its client leaves', async () => {
    const { post } = await start({ limits: { waitsMax: 1 } })
    const { base64 } = signTransaction('alice', 0)
    const controller = new AbortController()
    const left = post('/v1/transactions?wait=certified', { tx: base64 }, { signal: controller.signal })
    await sleep(30)
    controller.abort()
    await expect(left).rejects.toThrow()
    await sleep(30)
    expect(problemOf(await post('/v1/transactions?wait=certified&timeout=20', { tx: base64 })).code).toBe('TIMEOUT')
  })
})

describe('POST /v1/simulate', () => {
  it('answers the receipt it would get, and changes nothing', async () => {
    const { post, test } = await start()
    const { base64, id } = signTransaction('alice', 0, { method: 'fail', json: 'not json' })
    const { status, body } = await post('/v1/simulate', { tx: base64 })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      id,
      height: 1,
      status: 'reverted',
      error: { code: 'THROWN', message: 'too poor' },
      args: 'not json',
    })
    expect(test.pending.size).toBe(0)
    const batch = await post('/v1/simulate', { txs: [base64, 'A'] })
    expect(batch.body.results).toMatchObject([{ id }, { code: 'MALFORMED' }])
  })

  it('refuses what submitting would refuse, too many at once, and too many together', async () => {
    const { post, test } = await start({ limits: { runsMax: 1, simulationsPerRequestMax: 2 } })
    const { base64, id } = signTransaction('alice', 0, { network: '0'.repeat(64) })
    const refused = await post('/v1/simulate', { tx: base64 })
    expect([problemOf(refused).code, refused.body.id]).toEqual(['WRONG_NETWORK', id])
    expect(problemOf(await post('/v1/simulate', { txs: ['A', 'A', 'A'] })).code).toBe('TOO_LARGE')
    test.knobs.holdRuns = true
    const held = post('/v1/simulate', { tx: base64 })
    await sleep(30)
    expect(problemOf(await post('/v1/simulate', { tx: base64 }))).toEqual({ status: 429, code: 'TOO_BUSY' })
    test.knobs.holdRuns = false
    test.knobs.runs[0]!()
    await held
    test.knobs.holdRuns = true
    test.knobs.runs = []
    const pair = post('/v1/simulate', { txs: [base64, base64] })
    await sleep(50)
    // One request runs one at a time.
    expect(test.knobs.runs).toHaveLength(1)
    test.knobs.holdRuns = false
    test.knobs.runs[0]!()
    expect((await pair).body.results).toHaveLength(2)
    expect(problemOf(await post('/v1/simulate', { tx: base64 })).code).toBe('WRONG_NETWORK')
  })
})
