import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import type { Transport } from '../../src/network/transport.ts'
import { connectRaw, stopRaw } from './raw.ts'
import { sleep, startNetwork, startNode, stopAll, until } from './support.ts'

const MIB = 1024 * 1024

afterEach(async () => {
  await stopRaw()
  await stopAll()
})

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'answered',
    (error) => error.code,
  )

async function pair(): Promise<[Transport, Transport]> {
  const [first, second] = await startNetwork(['a', 'b'])
  return [first!, second!]
}

describe('requests', () => {
  it('are answered, from empty to the largest', async () => {
    const [asker, answerer] = await pair()
    answerer.onRequest = async (peer, payload) => {
      expect(peer.id).toBe(asker.id)
      return payload.length === 3 ? new Uint8Array(0) : Buffer.concat(Array.from({ length: 16 }, () => payload))
    }
    expect(await asker.request(answerer.id, new Uint8Array(3), { timeoutMs: 2000 })).toHaveLength(0)
    expect(await asker.request(answerer.id, new Uint8Array(0), { timeoutMs: 2000 })).toHaveLength(0)
    const payload = randomBytes(MIB)
    const answer = await asker.request(answerer.id, payload, { timeoutMs: 5000 })
    expect(answer).toHaveLength(16 * MIB)
    expect(Buffer.from(answer.subarray(15 * MIB)).equals(payload)).toBe(true)
  })

  it('leave no stream behind, many in a row and many at once', async () => {
    const [asker, answerer] = await pair()
    answerer.onRequest = async (_, payload) => payload
    for (let round = 0; round < 100; round++) {
      const payload = Uint8Array.of(round)
      expect([...(await asker.request(answerer.id, payload, { timeoutMs: 2000 }))]).toEqual([round])
    }
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => asker.request(answerer.id, Uint8Array.of(index), { timeoutMs: 2000 })),
    )
    expect(answers.map((answer) => answer[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('fail with a code of their own for each cause', async () => {
    const [asker, answerer] = await pair()
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    answerer.onRequest = async (_, payload) => {
      if (payload[0] === 1) throw new Error('cannot')
      if (payload[0] === 2) await released
      return new Uint8Array(payload[0] === 3 ? 17 * MIB : 1000)
    }
    const ask = (kind: number, options = {}) =>
      codeOf(asker.request(answerer.id, Uint8Array.of(kind), { timeoutMs: 3000, ...options }))
    expect(await ask(0)).toBe('answered')
    expect(await ask(0, { maxBytes: 999 })).toBe('TOO_LARGE')
    expect(await ask(1)).toBe('FAILED')
    expect(await ask(3)).toBe('FAILED')
    const startedAt = Date.now()
    expect(await ask(2, { timeoutMs: 300 })).toBe('TIMEOUT')
    expect(Date.now() - startedAt).toBeLessThan(1500)
    expect(await ask(2, { signal: AbortSignal.timeout(100) })).toBe('ABORTED')
    expect(await ask(2, { signal: AbortSignal.abort() })).toBe('ABORTED')
    expect(await codeOf(asker.request(answerer.id, new Uint8Array(MIB + 1), { timeoutMs: 1000 }))).toBe('TOO_LARGE')
    expect(await codeOf(asker.request('12D3KooWnobody', new Uint8Array(1), { timeoutMs: 1000 }))).toBe('NOT_CONNECTED')
    release()
    expect(await ask(0)).toBe('answered')
  })

  it('are bounded on both sides', async () => {
    const [asker, answerer] = await pair()
    let running = 0
    let most = 0
    answerer.onRequest = async () => {
      most = Math.max(most, ++running)
      await sleep(300)
      running--
      return new Uint8Array(1)
    }
    const codes = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(asker.request(answerer.id, new Uint8Array(1), { timeoutMs: 3000 }))),
    )
    expect(most).toBe(8)
    expect(codes.filter((code) => code === 'answered')).toHaveLength(8)
    expect(codes.filter((code) => code === 'BUSY')).toHaveLength(12)
  })

  it('about snapshots have room of their own: a flood of them keeps nobody from blocks', async () => {
    const [asker, answerer] = await pair()
    let running = 0
    let most = 0
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    answerer.onRequest = async (_, payload, kind) => {
      if (kind === 'blocks') return payload
      most = Math.max(most, ++running)
      await released
      return new Uint8Array(2)
    }
    const flood = Array.from({ length: 16 }, () =>
      asker.request(answerer.id, new Uint8Array(1), { timeoutMs: 10_000, kind: 'snapshots' }),
    )
    const codes = Promise.all(flood.map(codeOf))
    await until('as many are served as may be', () => running === 4)
    const blocks = Array.from({ length: 8 }, () => asker.request(answerer.id, Uint8Array.of(7), { timeoutMs: 5_000 }))
    expect((await Promise.all(blocks)).map(([byte]) => byte)).toEqual(Array(8).fill(7))
    release()
    expect((await codes).filter((code) => code === 'answered')).toHaveLength(4)
    expect(most).toBe(4)
  })

  it('are not sent beyond what one peer may be asked at a time', async () => {
    const node = await startNode({ name: 'a' })
    const raw = await connectRaw(node)
    await until('the raw peer is known', () => node.peers().length === 1)
    const codes = await Promise.all(
      Array.from({ length: 20 }, () => codeOf(node.request(raw.id, new Uint8Array(1), { timeoutMs: 300 }))),
    )
    expect(codes.filter((code) => code === 'TIMEOUT')).toHaveLength(16)
    expect(codes.filter((code) => code === 'BUSY')).toHaveLength(4)
  })

  it('end when the peer goes away, or answers nonsense', async () => {
    const node = await startNode({ name: 'a' })
    const raw = await connectRaw(node, {
      onStream(_, stream) {
        stream.addEventListener('message', (event) => {
          const kind = event.data.subarray()[5]
          if (kind === 1) stream.send(Uint8Array.of(0, 0, 0, 1, 77))
          if (kind === 2) stream.abort(new Error('no'))
          if (kind === 3) void raw.connection.close()
          if (kind === 4) stream.send(new Uint8Array(4))
        })
      },
    })
    await until('the raw peer is known', () => node.peers().length === 1)
    const ask = (kind: number) => codeOf(node.request(raw.id, Uint8Array.of(kind), { timeoutMs: 2000 }))
    expect(await ask(1)).toBe('MALFORMED')
    expect(await ask(2)).toBe('CLOSED')
    expect(await ask(4)).toBe('TOO_LARGE')
    expect(await ask(3)).toBe('CLOSED')
  })
})
