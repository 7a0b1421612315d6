// Following the ledger over nodes that stop, stand still, leave things out and invent them: everything comes once and in order, and what
// is proven is all there is.
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Api, createApi } from '../../src/api/server.ts'
import { type ClientError, connect, type EventsOptions, type LedgerItem } from '../../src/client/index.ts'
import { verify } from '../../src/crypto/signer.ts'
import { createTestNode, network, signTransaction, type TestNode } from '../api/support.ts'

let node: TestNode
const closers: (() => Promise<unknown>)[] = []
let nonce = 0
beforeEach(() => {
  node = createTestNode()
  nonce = 0
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Nodes with the same ledger. */
async function serve(): Promise<Api> {
  const api = await createApi({ node: node.node, host: '127.0.0.1', port: 0, limits: { heightWaitMs: 50 } })
  closers.push(api.close)
  return api
}

const addBlock = () => node.addBlock([signTransaction('alice', nonce++).wire])

/** A node that answers what a test says, and passes on to a real one what it says nothing of. */
async function serveLiar(
  real: Api,
  lie: (path: string, response: ServerResponse) => boolean | Promise<boolean>,
): Promise<string> {
  const server: Server = createServer(async (request, response) => {
    if (await lie(request.url!, response)) return
    const answer = await fetch(real.url + request.url)
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type')! })
    for await (const chunk of answer.body!) if (!response.write(chunk)) break
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const open = (...endpoints: string[]) => connect({ endpoints, genesisHash: network, verify, timeoutMs: 2_000 })

/** The next `count` items. */
async function take(items: AsyncGenerator<LedgerItem, void>, count: number): Promise<LedgerItem[]> {
  const found: LedgerItem[] = []
  for await (const item of items) {
    found.push(item)
    if (found.length === count) break
  }
  return found
}
const all = (items: AsyncGenerator<LedgerItem, void>) => take(items, Number.POSITIVE_INFINITY)
const placesOf = (items: LedgerItem[]) => items.map(({ height, position }) => `${height}-${position}`)
const nameOf = (item: LedgerItem) => (item.type === 'event' ? item.name : item.type)
/** Each block here has a transaction with two events. */
const wholePlaces = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index).flatMap((height) =>
    [0, 1, 2, 3].map((position) => `${height}-${position}`),
  )

describe.each([
  ['proven', true],
  ['from a stream', false],
])('events, %s,', (_, prove) => {
  test('come from a height to another', async () => {
    const api = await serve()
    for (let count = 0; count < 4; count++) addBlock()
    const items = await all((await open(api.url)).events({ from: 2, to: 3, prove }))
    expect(placesOf(items)).toEqual(wholePlaces(2, 3))
    expect(items.slice(0, 4).map(nameOf)).toEqual(['block', 'transaction', 'Transfer', 'Noted'])
    expect(items[2]).toMatchObject({ contract: 'token', name: 'Transfer', data: { amount: '5' }, index: 0 })
  })

  test('can be those of one contract, or of one name', async () => {
    const api = await serve()
    for (let count = 0; count < 3; count++) addBlock()
    const client = await open(api.url)
    const events = async (filter: EventsOptions) => {
      const items = await all(client.events({ from: 1, to: 3, prove, ...filter }))
      return [...new Set(items.map(nameOf))]
    }
    expect(await events({ contract: 'notes' })).toEqual(['Noted'])
    expect(await events({ contract: 'token', name: 'Transfer' })).toEqual(['Transfer'])
    expect(await events({ name: 'Transfer' })).toEqual(['Transfer'])
    // What a transaction calls is not in its receipt.
    expect(await events({ contract: 'token' })).toEqual(prove ? ['Transfer'] : ['transaction', 'Transfer'])
  })

  test('come as they happen, from the next height on unless told', async () => {
    const api = await serve()
    addBlock()
    const client = await open(api.url)
    const items = client.events({ prove })
    const first = items.next()
    // Long enough for the question to be under way; what it brings does not depend on it.
    await new Promise((resolve) => setTimeout(resolve, 30))
    for (let count = 0; count < 2; count++) addBlock()
    const found = [(await first).value as LedgerItem, ...(await take(items, 7))]
    expect(placesOf(found)).toEqual(wholePlaces(2, 3))
    expect(client.minHeight).toBe(3)
  })

  test('go on at another node when one stops, and at the same one when it is back', async () => {
    const [first, second] = [await serve(), await serve()]
    addBlock()
    const client = await open(first.url, second.url)
    const problems: ClientError[] = []
    const items = client.events({ from: 1, prove, onProblem: (problem) => problems.push(problem) })
    const found = await takeOpen(items, 3)
    await first.close()
    addBlock()
    found.push(...(await takeOpen(items, 4)))
    await second.close()
    const port = Number(new URL(first.url).port)
    const again = await createApi({ node: node.node, host: '127.0.0.1', port, limits: { heightWaitMs: 50 } })
    closers.push(again.close)
    addBlock()
    found.push(...(await takeOpen(items, 5)))
    await items.return()
    expect(placesOf(found)).toEqual(wholePlaces(1, 3))
  })

  test('end with the reason of a signal', async () => {
    const api = await serve()
    const aborting = new AbortController()
    const waiting = all((await open(api.url)).events({ prove, signal: aborting.signal }))
    setTimeout(() => aborting.abort(new Error('enough')), 30)
    await expect(waiting).rejects.toThrow('enough')
  })

  test('are refused where no node has them any more', async () => {
    const api = await serve()
    for (let count = 0; count < 3; count++) addBlock()
    node.knobs.oldestBlock = 2
    await expect(all((await open(api.url)).events({ from: 1, to: 3, prove }))).rejects.toMatchObject({ code: 'PRUNED' })
  })
})

/** As `take`, without ending the iteration. */
async function takeOpen(items: AsyncGenerator<LedgerItem, void>, count: number): Promise<LedgerItem[]> {
  const found: LedgerItem[] = []
  while (found.length < count) {
    const { value, done } = await items.next()
    if (done) break
    found.push(value)
  }
  return found
}

describe('proven events', () => {
  test('are all there is: a node that leaves one out, adds one or changes one is left', async () => {
    const real = await serve()
    for (let count = 0; count < 3; count++) addBlock()
    const lies: ((document: { blocks: { receipts: string[] }[] }) => void)[] = [
      ({ blocks }) => void blocks[1]!.receipts.pop(),
      ({ blocks }) => void blocks[0]!.receipts.push(blocks[1]!.receipts[0]!),
      ({ blocks }) => void blocks[0]!.receipts.splice(0, 1, blocks[1]!.receipts[0]!),
      ({ blocks }) => void blocks.splice(1, 1),
    ]
    for (const lie of lies) {
      let isAsked = false
      const liar = await serveLiar(real, async (path, response) => {
        if (!path.startsWith('/v1/events/range')) return false
        isAsked = true
        const document = await (await fetch(real.url + path)).json()
        lie(document as never)
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
        return true
      })
      const problems: ClientError[] = []
      // The first look takes the first turn, so the liar, listed second, is asked first for events.
      const client = await open(real.url, liar)
      const items = await all(client.events({ from: 1, to: 3, onProblem: (problem) => problems.push(problem) }))
      expect(placesOf(items)).toEqual(wholePlaces(1, 3))
      expect([isAsked, problems.map(({ code }) => code)]).toEqual([true, ['BAD_PROOF']])
    }
  })

  test('wait at another node where one stands still', async () => {
    const real = await serve()
    addBlock()
    const behind = await serveLiar(real, (path, response) => {
      if (!path.startsWith('/v1/events/range')) return false
      const problem = { code: 'TIMEOUT', detail: 'not here yet', status: 504 }
      response.writeHead(504, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
      return true
    })
    const client = await open(real.url, behind)
    expect(placesOf(await all(client.events({ from: 1, to: 1 })))).toEqual(wholePlaces(1, 1))
  })
})

describe('a stream', () => {
  const writeStream = (response: ServerResponse, text: string) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(text)
  }

  test('is read however it is cut, with any line ends', async () => {
    const real = await serve()
    const chunks = [
      'id: 1-0\r\nevent: blo',
      'ck\r\ndata: {"type":"block"}\r\n\r',
      '\n: alive\r\nid: 1-',
      '3\r\n\r\nid:1-4\ndata: {"type":\ndata: "event"}\n\n',
    ]
    const url = await serveLiar(real, async (path, response) => {
      if (!path.startsWith('/v1/events')) return false
      writeStream(response, '')
      for (const chunk of chunks) {
        response.write(chunk)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      return true
    })
    const items = await take((await open(url)).events({ from: 1, prove: false }), 2)
    expect(items).toEqual([
      { type: 'block', height: 1, position: 0 },
      { type: 'event', height: 1, position: 4 },
    ])
  })

  test('that sends what was sent, nonsense or an endless event is not followed', async () => {
    const real = await serve()
    addBlock()
    let turn = 0
    const texts = [
      'id: 1-1\ndata: {"type":"transaction"}\n\nid: 1-1\ndata: {}\n\nid: 1-0\ndata: {}\n\nid: 1-2\ndata: nonsense\n\n',
      `data: ${'x'.repeat(1 << 21)}`,
    ]
    const url = await serveLiar(real, (path, response) => {
      if (!path.startsWith('/v1/events') || turn >= texts.length) return false
      writeStream(response, texts[turn++]!)
      return true
    })
    const problems: string[] = []
    const client = await open(url)
    const items = client.events({ from: 1, to: 1, prove: false, onProblem: ({ message }) => problems.push(message) })
    expect(placesOf(await all(items))).toEqual(['1-1', '1-2', '1-3'])
    expect(problems).toEqual([expect.stringMatching(/not JSON/), expect.stringMatching(/more than \d+ characters/)])
  })
})
