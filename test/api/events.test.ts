import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { problemOf, type Served, serve, signTransaction } from './support.ts'

interface StreamEvent {
  id: string
  type: string
  data: Record<string, unknown>
}

let served: Served
const open: AbortController[] = []
afterEach(async () => {
  for (const controller of open.splice(0)) controller.abort()
  await served.api.close()
})
async function start(options = {}): Promise<Served> {
  served = await serve(options)
  return served
}

/** A client as the standard describes it: an id without data moves the last id on and is no event. */
async function follow(query = '', headers: Record<string, string> = {}) {
  const controller = new AbortController()
  open.push(controller)
  const response = await fetch(`${served.url}/v1/events${query}`, { headers, signal: controller.signal })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  const events: StreamEvent[] = []
  const stream = { events, lastId: '', comments: 0, stop: () => controller.abort(), until }
  void read()
  return stream

  async function read(): Promise<void> {
    let text = ''
    try {
      for await (const bytes of response.body!.pipeThrough(new TextDecoderStream())) {
        text += bytes
        const blocks = text.split('\n\n')
        text = blocks.pop()!
        blocks.forEach(dispatch)
      }
    } catch {
      // Stopped.
    }
  }

  function dispatch(block: string): void {
    const lines = block.split('\n')
    const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
    stream.lastId = field('id') ?? stream.lastId
    if (lines.some((line) => line.startsWith(':'))) stream.comments++
    const data = field('data')
    if (data !== undefined) events.push({ id: stream.lastId, type: field('event')!, data: JSON.parse(data) })
  }

  async function until(count: number): Promise<StreamEvent[]> {
    for (let i = 0; i < 200 && events.length < count; i++) await sleep(5)
    // A little longer, to see what should not come.
    await sleep(20)
    return events
  }
}

const idsOf = (events: StreamEvent[]) => events.map(({ id, type }) => `${id} ${type}`)

/** Three blocks: two transactions of two events each; one that reverts and one to another contract; none. */
function fill({ test }: Served): void {
  test.addBlock([signTransaction('alice', 0).wire, signTransaction('bob', 0).wire])
  test.addBlock([
    signTransaction('alice', 1, { method: 'fail' }).wire,
    signTransaction('bob', 1, { contract: 'notes' }).wire,
  ])
  test.addBlock([])
}
const ALL = [
  '0-0 block',
  '1-0 block',
  '1-1 transaction',
  '1-2 event',
  '1-3 event',
  '1-4 transaction',
  '1-5 event',
  '1-6 event',
  '2-0 block',
  '2-1 transaction',
  '2-2 transaction',
  '2-3 event',
  '2-4 event',
  '3-0 block',
]

describe('GET /v1/events', () => {
  it('replays from a height and goes on live, in one sequence', async () => {
    fill(await start())
    const stream = await follow('?from=0')
    const events = await stream.until(ALL.length)
    expect(idsOf(events)).toEqual(ALL)
    served.test.addBlock([signTransaction('carol', 0).wire])
    await stream.until(ALL.length + 4)
    expect(idsOf(events)).toEqual([...ALL, '4-0 block', '4-1 transaction', '4-2 event', '4-3 event'])
    expect(events[1]!.data).toMatchObject({
      type: 'block',
      height: 1,
      hash: served.test.blocks[1]!.blockHash,
      transactions: 2,
    })
    expect(events[9]!.data).toMatchObject({ type: 'transaction', status: 'reverted', error: { code: 'THROWN' } })
    expect(events[3]!.data).toMatchObject({ contract: 'token', name: 'Transfer', data: { amount: '5' } })
    expect(events[3]!.data.id).toBe(events[2]!.data.id)
  })

  it('keeps positions under filters', async () => {
    fill(await start())
    const filtered = async (query: string, count: number) =>
      idsOf(await (await follow(`?from=0&${query}`)).until(count))
    const token = ALL.filter((id) => ['1-1', '1-2', '1-4', '1-5', '2-1'].includes(id.split(' ')[0]!))
    expect(await filtered('contract=token', 5)).toEqual(token)
    expect(await filtered('name=Transfer', 3)).toEqual(['1-2 event', '1-5 event', '2-3 event'])
    expect(await filtered('contract=notes&name=Transfer', 1)).toEqual(['2-3 event'])
    expect(await filtered('contract=notes', 6)).toEqual([
      '1-3 event',
      '1-6 event',
      '2-2 transaction',
      '2-3 event',
      '2-4 event',
    ])
  })

  it('resumes after any event, with nothing lost or repeated', async () => {
    fill(await start())
    for (const [index, entry] of ALL.entries()) {
      const stream = await follow('?from=0', { 'last-event-id': entry.split(' ')[0]! })
      expect(idsOf(await stream.until(ALL.length - index - 1))).toEqual(ALL.slice(index + 1))
      stream.stop()
    }
  })

  it('loses and repeats nothing over reconnects while blocks arrive, filters or not', async () => {
    const { test } = await start({ limits: { heartbeatMs: 10 } })
    const last = 40
    const producing = (async () => {
      for (let nonce = 0; nonce < last; nonce++) {
        const method = nonce % 3 === 0 ? 'silent' : 'transfer'
        test.addBlock([signTransaction('alice', nonce, { method }).wire], { certify: nonce % 2 === 1 })
        await sleep(4)
      }
      test.certify(last)
    })()
    const collect = async (filter: string, done: (events: StreamEvent[]) => boolean) => {
      const seen: StreamEvent[] = []
      let lastId = ''
      for (let round = 0; round < 60 && !done(seen); round++) {
        const stream = await follow(`?from=1${filter}`, lastId === '' ? {} : { 'last-event-id': lastId })
        await sleep(15)
        stream.stop()
        seen.push(...stream.events)
        lastId = stream.lastId || lastId
      }
      return seen
    }
    const [all, notes] = await Promise.all([
      collect('', (seen) => seen.filter(({ type }) => type === 'transaction').length >= last),
      collect('&name=Noted', (seen) => seen.at(-1)?.id.startsWith('39-') === true),
    ])
    await producing
    expect(all.filter(({ type }) => type === 'block').map(({ data }) => data.height)).toEqual(heights(1, last))
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    const loud = heights(1, last).filter((height) => (height - 1) % 3 !== 0)
    expect(notes.map(({ id }) => id)).toEqual(loud.map((height) => `${height}-3`))
  })

  it('sends only what is certified, and waits for a height that is ahead', async () => {
    const { test } = await start()
    const stream = await follow('?from=2')
    test.addBlock([], { certify: false })
    test.addBlock([], { certify: false })
    expect(await stream.until(0)).toEqual([])
    test.certify(1)
    expect(await stream.until(0)).toEqual([])
    test.certify(2)
    expect(idsOf(await stream.until(1))).toEqual(['2-0 block'])
  })

  it('without a place begins after the latest, and gives an id to resume from at once', async () => {
    const { test } = await start()
    fill(served)
    const stream = await follow()
    expect(await stream.until(0)).toEqual([])
    expect(stream.lastId).toBe('3-0')
    stream.stop()
    test.addBlock([])
    const resumed = await follow('', { 'last-event-id': stream.lastId })
    expect(idsOf(await resumed.until(1))).toEqual(['4-0 block'])
  })

  it('moves the last id on while a filter lets nothing through, and says that it lives', async () => {
    const { test } = await start({ limits: { heartbeatMs: 10 } })
    const stream = await follow('?from=0&name=Nothing')
    fill(served)
    await sleep(60)
    expect(stream.events).toEqual([])
    expect(stream.lastId).toBe('3-0')
    expect(stream.comments).toBeGreaterThan(2)
    expect(test.knobs.blockReads).toBeLessThanOrEqual(4)
  })

  it('refuses places that are none, and more streams than it may have', async () => {
    const { get } = await start({ limits: { streamsMax: 1 } })
    for (const lastId of ['x', '1', '1-', '-1', '1-2-3']) {
      expect(problemOf(await get('/v1/events', { headers: { 'last-event-id': lastId } })).code).toBe('BAD_PARAMETER')
    }
    for (const query of ['from=x', 'contract=NO', 'name=', 'filter=1']) {
      expect(problemOf(await get(`/v1/events?${query}`)).code).toBe('BAD_PARAMETER')
    }
    const stream = await follow()
    expect(problemOf(await get('/v1/events'))).toEqual({ status: 429, code: 'TOO_BUSY' })
    stream.stop()
    await sleep(30)
    expect((await follow()).events).toEqual([])
  })
})

const heights = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

describe('a slow reader', () => {
  /** Opens a stream on a bare socket and reads nothing of it. */
  const openUnread = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect(Number(new URL(served.url).port), '127.0.0.1', () => {
        socket.write('GET /v1/events?from=1 HTTP/1.1\r\nhost: a\r\n\r\n')
        socket.pause()
        resolve(socket)
      })
      socket.on('error', reject)
    })

  /** So many heights, each with a block of a thousand transactions: about half a megabyte of events. */
  function fillLarge(heightMax: number): { reads: number } {
    const wires = Array.from({ length: 1000 }, (_, nonce) => signTransaction('alice', nonce, { method: 'silent' }).wire)
    const block = served.test.addBlock(wires)
    const count = { reads: 0 }
    const { ledger } = served.test.node
    ledger.certifiedHeight = () => heightMax
    ledger.block = async (height) => {
      count.reads++
      return { ...block, header: { ...block.header, height } }
    }
    return count
  }

  it('is waited for: the node reads no further and keeps one chunk of it, however much there is', async () => {
    await start({ limits: { streamStallMs: 60_000 } })
    const count = fillLarge(40)
    const socket = await openUnread()
    await sleep(400)
    const { reads } = count
    // The kernel's buffers hold a few megabytes; forty blocks are some twenty.
    expect(reads).toBeLessThan(30)
    await sleep(100)
    expect(count.reads).toBe(reads)
    let received = 0
    socket.on('data', (bytes: Buffer) => {
      received += bytes.length
    })
    socket.resume()
    for (let i = 0; i < 400 && count.reads < 40; i++) await sleep(10)
    await sleep(50)
    expect(count.reads).toBe(40)
    expect(received).toBeGreaterThan(10_000_000)
    socket.destroy()
  })

  it('is disconnected when it takes nothing for too long, and its place is free again', async () => {
    await start({ limits: { streamStallMs: 100, streamsMax: 1 } })
    const count = fillLarge(40)
    const socket = await openUnread()
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    // Disconnected after a tenth of a second, or whenever a busy machine gets to it.
    let isFree = false
    for (let i = 0; i < 400 && !isFree; i++) {
      const controller = new AbortController()
      isFree = (await fetch(`${served.url}/v1/events?from=99`, { signal: controller.signal })).ok
      controller.abort()
      if (!isFree) await sleep(25)
    }
    expect(isFree).toBe(true)
    socket.on('data', () => undefined)
    socket.resume()
    await closed
    expect(count.reads).toBeLessThan(40)
  })
})
