import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { createApi } from '../../src/api/server.ts'
import { createTestNode, problemOf, type Served, serve, signTransaction } from './support.ts'

let served: Served
afterEach(() => served.api.close())
async function start(options = {}): Promise<Served> {
  served = await serve(options)
  return served
}

describe('health', () => {
  it('answers health, readiness with its cause, and metrics', async () => {
    const { get, test } = await start()
    expect((await get('/health')).body).toEqual({ status: 'ok' })
    expect((await get('/ready')).body).toEqual({ ready: true })
    for (const cause of ['SYNCING', 'NO_QUORUM', 'STALLED', 'DIVERGED', 'DISK'] as const) {
      const why = { cause, missing: ['south'], diverged: [], phase: 'prepare', view: 3, height: 9, difference: null }
      test.knobs.ready = { ready: false, message: 'south is not heard from', ...why }
      const answer = await get('/ready')
      expect(problemOf(answer)).toEqual({ status: 503, code: cause })
      expect(answer.body).toMatchObject({ ready: false, ...why, detail: 'south is not heard from' })
    }
    const metrics = await get('/metrics')
    expect(metrics.headers.get('content-type')).toContain('text/plain')
    expect(metrics.body).toContain('quorate_height 1')
  })
})

describe('routes and methods', () => {
  it('answers 404 for unknown routes and 405 with Allow for wrong methods', async () => {
    const { get } = await start()
    for (const path of ['/v2', '/v1', '/v1/status/', '/v1/transactions/a/b']) {
      expect(problemOf(await get(path))).toEqual({ status: 404, code: 'NOT_FOUND' })
    }
    const wrong: [string, string, string][] = [
      ['DELETE', '/v1/status', 'GET, HEAD, OPTIONS'],
      ['PUT', '/v1/transactions', 'GET, HEAD, OPTIONS, POST'],
      ['GET', '/v1/simulate', 'OPTIONS, POST'],
      ['HEAD', '/v1/events', 'GET, OPTIONS'],
      ['PATCH', '/health', 'GET, HEAD, OPTIONS'],
    ]
    for (const [method, path, allow] of wrong) {
      const answer = await get(path, { method })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow])
      if (method !== 'HEAD') expect(problemOf(answer).code).toBe('METHOD_NOT_ALLOWED')
    }
    // Also before a body that nobody would take is looked at.
    expect(problemOf(await get('/v1/status', { method: 'POST', body: '{' })).status).toBe(405)
    expect((await get('/v1/status', { method: 'HEAD' })).status).toBe(200)
  })

  it('serves pages it is given beside the API', async () => {
    const body = Buffer.from('<p>hello')
    const { get } = await start({ pages: [{ path: '/', contentType: 'text/html; charset=utf-8', body }] })
    const page = await get('/')
    expect([page.body, page.headers.get('content-type')]).toEqual(['<p>hello', 'text/html; charset=utf-8'])
    expect((await get('/', { method: 'POST' })).status).toBe(405)
  })
})

describe('other origins', () => {
  const origin = { origin: 'https://elsewhere.example' }

  it('may read, run views and learn why they were refused, and may not submit', async () => {
    const { get, post } = await start()
    for (const path of ['/v1/status', '/v1/blocks/99', '/health', '/nowhere']) {
      expect((await get(path, { headers: origin })).headers.get('access-control-allow-origin')).toBe('*')
    }
    const json = { 'content-type': 'application/json', ...origin }
    const view = await post('/v1/contracts/token/views/echo', {}, { headers: json })
    expect(view.headers.get('access-control-allow-origin')).toBe('*')
    for (const path of ['/v1/transactions', '/v1/simulate']) {
      const answer = await post(path, { tx: 'A' }, { headers: json })
      expect(answer.headers.get('access-control-allow-origin')).toBeNull()
      const preflight = await get(path, { method: 'OPTIONS', headers: origin })
      expect(preflight.headers.get('access-control-allow-methods') ?? '').not.toContain('POST')
    }
    const plain = await post('/v1/transactions', '{"tx":"A"}', { headers: { 'content-type': 'text/plain', ...origin } })
    expect(problemOf(plain).status).toBe(415)
    const preflight = await get('/v1/contracts/token/views/echo', { method: 'OPTIONS', headers: origin })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([204, 'POST'])
  })
})

interface Operation {
  parameters?: { name: string; in: string; required?: boolean }[]
  responses?: Record<string, { content?: Record<string, unknown>; description?: string }>
}

describe('/openapi.json', () => {
  it('describes every route, each parameter of its path, and the answers', async () => {
    const { get } = await start()
    const { body } = await get('/openapi.json')
    expect(body.openapi).toMatch(/^3\.1/)
    const operations = Object.entries(body.paths as Record<string, Record<string, Operation>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, path, operation })),
    )
    expect(operations.map(({ name }) => name).sort()).toEqual([
      'get /health',
      'get /metrics',
      'get /ready',
      'get /v1/accounts/{address}',
      'get /v1/backups',
      'get /v1/blocks',
      'get /v1/blocks/{height}',
      'get /v1/contracts',
      'get /v1/contracts/{name}',
      'get /v1/contracts/{name}/code',
      'get /v1/contracts/{name}/state',
      'get /v1/contracts/{name}/state/{key}',
      'get /v1/epochs',
      'get /v1/events',
      'get /v1/events/range',
      'get /v1/evidence',
      'get /v1/genesis',
      'get /v1/peers',
      'get /v1/status',
      'get /v1/transactions',
      'get /v1/transactions/{id}',
      'get /v1/transactions/{id}/replay',
      'get /v1/validators',
      'post /v1/backups',
      'post /v1/contracts/{name}/rehearsals',
      'post /v1/contracts/{name}/views/{method}',
      'post /v1/simulate',
      'post /v1/transactions',
    ])
    for (const { path, operation } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(inPath.map(({ name }) => name).sort()).toEqual(named.sort())
      expect(inPath.every(({ required }) => required === true)).toBe(true)
      const responses = Object.entries(operation.responses!)
      expect(responses.some(([status]) => status.startsWith('2'))).toBe(true)
      for (const [status, { description, content }] of responses) {
        expect(status).toMatch(/^[2-5]\d\d$/)
        expect(typeof description).toBe('string')
        if (Number(status) >= 400) expect(Object.keys(content!)).toEqual(['application/problem+json'])
      }
    }
    expect(JSON.stringify(body)).not.toContain('"$ref"')
    const page = await get('/docs')
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  })

  it('says what the answers are: each has the properties its schema requires', async () => {
    const { get, test } = await start()
    const { wire, id } = signTransaction('alice', 0)
    test.addBlock([wire])
    const { paths } = (await get('/openapi.json')).body
    const asked: [string, string][] = [
      ['/v1/status', '/v1/status'],
      ['/v1/validators', '/v1/validators'],
      ['/v1/transactions/{id}', `/v1/transactions/${id}`],
      ['/v1/blocks/{height}', '/v1/blocks/1'],
      ['/v1/contracts/{name}', '/v1/contracts/token'],
      ['/v1/contracts/{name}/state', '/v1/contracts/token/state'],
    ]
    for (const [path, url] of asked) {
      const { schema } = paths[path].get.responses['200'].content['application/json']
      const { body } = await get(url)
      expect(schema.required.length).toBeGreaterThan(1)
      for (const name of schema.required) expect(body).toHaveProperty(name)
      for (const name of Object.keys(body)) expect(schema.properties).toHaveProperty(name)
    }
  })
})

describe('the server', () => {
  it('bounds the reads it answers at a time, and gives the places back', async () => {
    const { get, test } = await start({ limits: { readsMax: 1 } })
    const { block } = test.node.ledger
    let goOn = () => {}
    test.node.ledger.block = async (height) => {
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      return block(height)
    }
    const held = get('/v1/blocks/0')
    await sleep(30)
    expect(problemOf(await get('/v1/blocks/0'))).toEqual({ status: 429, code: 'TOO_BUSY' })
    expect((await get('/health')).status).toBe(200)
    goOn()
    expect((await held).status).toBe(200)
    expect((await get('/v1/contracts')).status).toBe(200)
  })

  it('answers what is not HTTP, or too much of it, as a problem document', async () => {
    const { url } = await start()
    const ask = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
        let answer = ''
        socket.setEncoding('utf8')
        socket.on('data', (data) => {
          answer += data
        })
        socket.on('close', () => resolve(answer))
        socket.on('error', reject)
      })
    const nonsense = await ask('nonsense\r\n\r\n')
    expect(nonsense).toMatch(/^HTTP\/1.1 400 .*application\/problem\+json.*MALFORMED/s)
    const overflow = await ask(`GET / HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(70_000)}\r\n\r\n`)
    expect(overflow).toMatch(/^HTTP\/1.1 431 .*HEADERS_TOO_LARGE/s)
  })

  it('tells nobody but the log about a bug', async () => {
    const { get, test } = await start()
    test.node.status = () => {
      throw new TypeError('secret of the house')
    }
    const answer = await get('/v1/status')
    expect(problemOf(answer)).toEqual({ status: 500, code: 'INTERNAL' })
    expect(JSON.stringify(answer.body)).not.toContain('secret')
  })

  it('closes while requests wait and streams are open', async () => {
    const { post, url, api, test } = await start()
    const waiting = post('/v1/transactions?wait=certified', { tx: signTransaction('alice', 0).base64 }).catch(
      () => 'broken off',
    )
    const stream = await fetch(`${url}/v1/events`)
    await sleep(30)
    const begun = Date.now()
    await api.close()
    expect(Date.now() - begun).toBeLessThan(1000)
    await waiting
    await stream.text().catch(() => 'broken off')
    expect(test.listeners.size).toBe(0)
  })

  it('says so when it cannot listen', async () => {
    const { url } = await start()
    const { node, listeners } = createTestNode()
    const second = createApi({ node, host: '127.0.0.1', port: Number(new URL(url).port) })
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(listeners.size).toBe(0)
  })
})
