// Catching up over a fake network in fake time. The chain's certificates are real: three of four validators sign each block.
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { batchDigest, blockHash } from '../src/crypto/digest.ts'
import { FETCH_BLOCKS_MAX, FETCH_BYTES_MAX } from '../src/limits.ts'
import { answerBlockRequest, createSync } from '../src/sync.ts'
import { type Batch, batchCodec, ZERO_HASH } from '../src/types/block.ts'
import { type BlockRequest, blockAnswerCodec, blockRequestCodec, type CertifiedBlock } from '../src/types/fetch.ts'
import { DecodeError, decode, encode } from '../src/types/schema.ts'
import { certificateOf, edgeWith, headerAt } from './network-edge/support.ts'

const LENGTH = 150
/** Whole answers that fit in 32 MiB; what is needed next may be asked of two more peers. */
const OPEN_MAX = 6
const { edge } = edgeWith()

const batchAt = (height: number): Batch => ({
  view: 0,
  proposer: 'cd'.repeat(32),
  time: height,
  txs: [Uint8Array.of(height % 256)],
})
const GENESIS_BLOCK_HASH = blockHash(headerAt(0))

/** A block that a quorum signed, with the header changed as a test wants. */
function blockOn(parentHash: string, height: number, batch: Batch): CertifiedBlock {
  const header = headerAt(height, { parentHash, batchDigest: batchDigest(batch) })
  return { header, certificate: certificateOf(header, [0, 1, 2]), batch: encode(batchCodec, batch) }
}

const NULL_HEIGHT = 10
/** Block 10 is a null block, as a view change leaves them. */
const chain: CertifiedBlock[] = []
for (let height = 1; height <= LENGTH; height++) {
  const parent = height === 1 ? GENESIS_BLOCK_HASH : blockHash(chain.at(-1)!.header)
  chain.push(
    blockOn(
      parent,
      height,
      height === NULL_HEIGHT ? { view: 0, proposer: ZERO_HASH, time: 0, txs: [] } : batchAt(height),
    ),
  )
}
const blocksFrom = ({ from, limit }: BlockRequest) =>
  chain.slice(from - 1, from - 1 + Math.min(limit, FETCH_BLOCKS_MAX))

type Answer = (request: BlockRequest) => Promise<Uint8Array>
const answerOf = (blocks: CertifiedBlock[]) => encode(blockAnswerCodec, blocks)
const honest: Answer = async (request) => answerOf(blocksFrom(request))
/** Changes the answer's block at `index` (the last for -1), or replaces the list. */
const changing =
  (index: number, change: (block: CertifiedBlock) => CertifiedBlock): Answer =>
  async (request) => {
    const blocks = blocksFrom(request)
    const at = index < 0 ? blocks.length - 1 : Math.min(index, blocks.length - 1)
    return answerOf(blocks.map((block, position) => (position === at ? change(block) : block)))
  }
const resigned = (block: CertifiedBlock, header: CertifiedBlock['header']) => ({
  ...block,
  header,
  certificate: certificateOf(header, [0, 1, 2]),
})

/** Answers that no correct node gives. */
const lies: Record<string, Answer> = {
  'heights one too high': async ({ from, limit }) => answerOf(blocksFrom({ from: from + 1, limit })),
  'heights one too low': async ({ from, limit }) =>
    answerOf([...(from > 1 ? chain.slice(from - 2, from - 1) : blocksFrom({ from: 3, limit }))]),
  'a gap': async (request) => answerOf(blocksFrom(request).filter((_, index) => index !== 1)),
  'a block twice': async (request) => answerOf(blocksFrom(request).flatMap((block) => [block, block])),
  'the wrong order': async (request) => answerOf(blocksFrom(request).reverse()),
  'a broken link': changing(1, (block) => resigned(block, { ...block.header, parentHash: ZERO_HASH })),
  'another first parent': changing(0, (block) => resigned(block, { ...block.header, parentHash: ZERO_HASH })),
  'one block of another chain': async ({ from }) => {
    const block = chain[Math.min(from, LENGTH) - 1]!
    return answerOf([resigned(block, { ...block.header, parentHash: ZERO_HASH })])
  },
  'too few signatures': changing(2, (block) => ({
    ...block,
    certificate: { ...block.certificate, signatures: block.certificate.signatures.slice(1) },
  })),
  'no signatures': changing(-1, (block) => ({ ...block, certificate: { ...block.certificate, signatures: [] } })),
  'the certificate of another block': changing(1, (block) => ({ ...block, certificate: chain[140]!.certificate })),
  'a forged signature': changing(0, (block) => {
    const [first, ...rest] = block.certificate.signatures
    return {
      ...block,
      certificate: { ...block.certificate, signatures: [{ ...first!, signature: new Uint8Array(64) }, ...rest] },
    }
  }),
  'a changed header': changing(-1, (block) => ({ ...block, header: { ...block.header, time: 1 } })),
  'another batch': changing(1, (block) => ({ ...block, batch: encode(batchCodec, batchAt(999)) })),
  'a batch that is none': changing(1, (block) => ({ ...block, batch: Uint8Array.of(0xff) })),
  garbage: async () => Uint8Array.of(1, 2, 3),
  'half an answer': async (request) => answerOf(blocksFrom(request)).subarray(0, -10),
  'nothing at all': async () => new Uint8Array(),
}

/** Answers that are of no use and prove nothing. */
const never: Answer = () => new Promise(() => {})
const useless: Record<string, Answer> = {
  'no blocks': async () => answerOf([]),
  'an error': async () => {
    throw new Error('the connection closed')
  },
  'no answer': never,
}

interface Peer {
  claims: number
  answer: Answer
}

/** `executing` is how long the replica takes for each call of apply. */
function world(peers: Record<string, Peer>, start = 0, executing: () => Promise<unknown> = async () => {}) {
  const position = { h: start, lastExec: start }
  const requests: { peer: string; at: number; from: number; limit: number }[] = []
  const blamed: { peer: string; reason: string }[] = []
  const state = { stopped: false, open: 0, openMost: 0, timers: 0 }
  const reports: unknown[][] = []
  let applied: Promise<unknown> = Promise.resolve()

  async function request(peer: string, payload: Uint8Array, { timeoutMs }: { timeoutMs: number; maxBytes: number }) {
    const asked = decode(blockRequestCodec, payload)
    requests.push({ peer, at: Date.now(), ...asked })
    state.openMost = Math.max(state.openMost, ++state.open)
    try {
      const timeout = new Promise<never>((_, reject) => setTimeout(reject, timeoutMs, new Error('no answer in time')))
      const answer = new Promise((resolve) => setTimeout(resolve, 20)).then(() => peers[peer]!.answer(asked))
      return await Promise.race([answer, timeout])
    } finally {
      state.open--
    }
  }

  const sync = createSync({
    position: () => position,
    blockHashAt: async (height) =>
      height === 0
        ? GENESIS_BLOCK_HASH
        : height <= position.lastExec
          ? blockHash(chain[height - 1]!.header)
          : undefined,
    certificateFault: edge.certificateFault,
    request,
    async apply(blocks) {
      const before = applied
      applied = before.then(executing)
      await applied
      for (const block of blocks) {
        // Only the chain's very bytes, each height once and in order.
        const { height } = block.header
        if (height !== position.h + 1) throw new Error(`height ${height} after ${position.h}`)
        expect(block).toEqual(chain[height - 1])
        position.h = position.lastExec = height
      }
    },
    blame: (peer, reason) => blamed.push({ peer, reason }),
    isStopped: () => state.stopped,
    report: (progress, message) => reports.push([message, progress]),
    onError(error) {
      throw error
    },
    now: Date.now,
    after(delayMs, callback) {
      state.timers++
      const timer = setTimeout(() => {
        state.timers--
        callback()
      }, delayMs)
      return () => {
        state.timers--
        clearTimeout(timer)
      }
    },
  })

  return {
    sync,
    position,
    requests,
    blamed,
    reports,
    state,
    /** Each peer says its height once a second. */
    async run(seconds: number, isDone = () => false) {
      for (let second = 0; second < seconds && !isDone(); second++) {
        for (const [peer, { claims }] of Object.entries(peers)) sync.onPeerHeight(peer, claims)
        await vi.advanceTimersByTimeAsync(1_000)
      }
    },
    isDone: () => position.h === LENGTH,
  }
}

const honestPeer: Peer = { claims: LENGTH, answer: honest }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a node that is behind', () => {
  it('reaches the height of its peer in whole answers', async () => {
    const { run, position, requests, blamed, sync } = world({ a: honestPeer })
    await run(2)
    expect(position.h).toBe(LENGTH)
    expect(requests.map(({ from }) => from)).toEqual([1, 65, 129])
    expect(requests.every(({ limit }) => limit <= FETCH_BLOCKS_MAX)).toBe(true)
    expect(blamed).toEqual([])
    expect(sync.target()).toBeUndefined()
  })

  it('goes on from where it is', async () => {
    const { run, position, requests } = world({ a: honestPeer }, 140)
    await run(2)
    expect([position.h, requests.length, requests[0]!.from]).toEqual([LENGTH, 1, 141])
  })

  it('asks nobody while no one is ahead, nor for what arrives live a moment later', async () => {
    const { run, requests, sync, position } = world({ a: { claims: 5, answer: honest } }, 5)
    await run(3)
    sync.onPeerHeight('a', 8)
    await vi.advanceTimersByTimeAsync(250)
    position.h = position.lastExec = 6
    await vi.advanceTimersByTimeAsync(500)
    expect(requests).toEqual([])
  })

  it('says what it is fetching towards', async () => {
    const { sync } = world({ a: honestPeer })
    expect(sync.target()).toBeUndefined()
    sync.onPeerHeight('a', LENGTH)
    const seen = new Set<number | undefined>()
    for (let times = 0; times < 1_300; times++) {
      await vi.advanceTimersByTimeAsync(1)
      seen.add(sync.target())
    }
    expect([...seen]).toEqual([undefined, LENGTH])
    expect(sync.target()).toBeUndefined()
  })

  it('does not believe a claim before its maker has delivered', async () => {
    const { sync } = world({ liar: { claims: LENGTH, answer: async () => encode(blockAnswerCodec, []) } })
    sync.onPeerHeight('liar', LENGTH)
    for (let times = 0; times < 1_000; times++) {
      await vi.advanceTimersByTimeAsync(1)
      expect(sync.target()).toBeUndefined()
    }
  })

  it('asks several peers at once, each range once', async () => {
    const peers = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`peer ${index}`, honestPeer]))
    const { run, state, requests, position } = world(peers)
    await run(3)
    expect(requests.map(({ from }) => from)).toEqual([1, 65, 129])
    expect(new Set(requests.map(({ peer }) => peer)).size).toBe(3)
    expect([state.openMost, position.h]).toEqual([3, LENGTH])
  })

  it('forgets a peer that is gone', async () => {
    const { sync, requests } = world({ a: honestPeer })
    sync.onPeerHeight('a', LENGTH)
    sync.onPeerGone('a')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(requests).toEqual([])
  })

  it('applies nothing once it is stopped from outside', async () => {
    const { run, state, position, requests } = world({ a: honestPeer })
    state.stopped = true
    await run(3)
    expect([position.h, requests.length]).toEqual([0, 0])
  })
})

describe('several peers', () => {
  it('share the work: a late range is asked of another peer and waits no longer than a second', async () => {
    const { run, position, requests, blamed, isDone } = world({
      silent: { claims: LENGTH, answer: never },
      a: honestPeer,
    })
    await run(2)
    expect([position.h, isDone()]).toEqual([LENGTH, true])
    const first = requests.filter(({ from }) => from === 1)
    expect(first.map(({ peer }) => peer)).toEqual(['silent', 'a'])
    expect(first[1]!.at - first[0]!.at).toBe(1_000)
    expect(blamed).toEqual([])
  })

  it('lose no range to a slow one: its late answer counts where nobody else has one', async () => {
    const slow: Answer = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 3_000))
      return honest(request)
    }
    const { run, position } = world({ slow: { claims: LENGTH, answer: slow } })
    await run(10)
    expect(position.h).toBe(LENGTH)
  })

  it('are not waited for together: a range that fails is asked elsewhere while the others stay', async () => {
    const { run, requests, position } = world({
      liar: { claims: LENGTH + 1, answer: lies['a broken link']! },
      a: honestPeer,
      b: honestPeer,
    })
    await run(2)
    expect(position.h).toBe(LENGTH)
    const counts = [1, 65, 129].map((height) => requests.filter(({ from }) => from === height).length)
    expect(counts).toEqual([2, 1, 1])
  })

  it('never give more than fits: whole answers count while they are under way', async () => {
    const { run, state } = world(
      Object.fromEntries(
        Array.from({ length: 20 }, (_, index) => [`peer ${index}`, { claims: 10_000, answer: never }]),
      ),
    )
    await run(4)
    expect(state.openMost).toBe(OPEN_MAX)
  })

  it('are asked only so many blocks ahead of what is executed', async () => {
    const { run, requests, position } = world(
      { a: { claims: 100_000, answer: honest } },
      0,
      () => new Promise(() => {}),
    )
    await run(5)
    expect(position.h).toBe(0)
    expect(Math.max(...requests.map(({ from }) => from))).toBeLessThanOrEqual(10 * FETCH_BLOCKS_MAX)
  })

  it('are asked once more for the tip when executing took long, beyond what they claimed', async () => {
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 200))
    const { sync, position, requests } = world({ a: honestPeer }, 0, wait)
    sync.onPeerHeight('a', 64)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(position.h).toBe(LENGTH)
    expect(requests.map(({ from }) => from)).toEqual([1, 65, 129, 151])
    expect(sync.target()).toBeUndefined()
  })

  it('are told of: a line at the start and one at the end', async () => {
    const { run, reports } = world({ a: honestPeer })
    await run(2)
    expect(reports).toEqual([
      ['catching up: fetching blocks from peers', { from: 0, height: 0, to: LENGTH, blocksPerSecond: 0 }],
      ['caught up', { from: 0, height: LENGTH, to: LENGTH, blocksPerSecond: expect.any(Number) }],
    ])
    const near = world({ a: honestPeer }, LENGTH - 20)
    await near.run(2)
    expect([near.position.h, near.reports]).toEqual([LENGTH, []])
  })
})

describe('a lying peer', () => {
  it.each(Object.keys(lies))('that answers with %s is blamed and stops nobody', async (name) => {
    const { run, position, blamed, isDone } = world(
      { liar: { claims: LENGTH + 1, answer: lies[name]! }, honest: honestPeer },
      3,
    )
    await run(30, isDone)
    expect(position.h).toBe(LENGTH)
    expect(new Set(blamed.map(({ peer }) => peer))).toEqual(new Set(['liar']))
  })

  it.each(Object.keys(useless))('that answers with %s is not blamed and stops nobody', async (name) => {
    const { run, position, blamed, isDone } = world({
      liar: { claims: LENGTH + 1, answer: useless[name]! },
      honest: honestPeer,
    })
    await run(60, isDone)
    expect(position.h).toBe(LENGTH)
    expect(blamed).toEqual([])
  })

  it.each([...Object.entries(lies), ...Object.entries(useless)])(
    'alone gets nothing applied: %s',
    async (_, answer) => {
      const { run, position, requests } = world({ liar: { claims: Number.MAX_SAFE_INTEGER, answer } }, 3)
      await run(20)
      expect(position.h).toBe(3)
      expect(requests.length).toBeLessThanOrEqual(11)
    },
  )

  it('among several does not keep the honest one from being asked, however slow they are', async () => {
    const slow: Peer = { claims: Number.MAX_SAFE_INTEGER, answer: never }
    const { run, position, isDone, requests } = world({ a: slow, b: slow, c: slow, honest: honestPeer })
    await run(120, isDone)
    expect(requests.map(({ peer }) => peer)).toContain('honest')
    expect(position.h).toBe(LENGTH)
  })

  it('cannot fill a null block: the null digest stands for the null batch alone', async () => {
    const filled = changing(-1, (block) => block)
    const answer: Answer = async (request) => {
      const blocks = decode(blockAnswerCodec, await filled(request))
      const stuffed: Batch = { view: 0, proposer: ZERO_HASH, time: 7, txs: [Uint8Array.of(1)] }
      return answerOf(
        blocks.map((block) =>
          block.header.height === NULL_HEIGHT ? { ...block, batch: encode(batchCodec, stuffed) } : block,
        ),
      )
    }
    const applied = world({ liar: { claims: LENGTH + 1, answer }, honest: honestPeer })
    await applied.run(10, applied.isDone)
    expect(applied.blamed.map(({ peer }) => peer)).toContain('liar')
    expect(applied.position.h).toBe(LENGTH)
  })

  it('in any company of quick ones never stops an honest one', async () => {
    const answers = [...Object.values(lies), useless['no blocks']!, useless['an error']!]
    const peers = fc.array(
      fc.record({ kind: fc.nat({ max: answers.length - 1 }), claims: fc.integer({ min: 0, max: 2 * LENGTH }) }),
      { maxLength: 6 },
    )
    await fc.assert(
      fc.asyncProperty(peers, fc.integer({ min: 0, max: LENGTH - 1 }), async (liars, start) => {
        const named = liars.map(
          ({ kind, claims }, index) => [`liar ${index}`, { claims, answer: answers[kind]! }] as const,
        )
        const { run, position, blamed, state, isDone } = world(
          { ...Object.fromEntries(named), honest: honestPeer },
          start,
        )
        await run(60, isDone)
        expect(position.h).toBe(LENGTH)
        expect(blamed.some(({ peer }) => peer === 'honest')).toBe(false)
        expect(state.openMost).toBeLessThanOrEqual(OPEN_MAX)
      }),
      { numRuns: 15 },
    )
  })
})

describe('after stop', () => {
  it('no timer is left and nothing is asked', async () => {
    const { sync, requests, state } = world({ a: honestPeer })
    sync.onPeerHeight('a', LENGTH)
    sync.stop()
    expect(state.timers).toBe(0)
    sync.onPeerHeight('a', LENGTH)
    expect(state.timers).toBe(0)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(requests).toEqual([])
  })

  it('no peer starts it again', async () => {
    const { sync, requests, state } = world({ a: honestPeer })
    sync.stop()
    sync.onPeerHeight('a', LENGTH)
    expect(state.timers).toBe(0)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(requests).toEqual([])
  })

  it('the answer that was under way is not applied and no further one is asked for', async () => {
    const { sync, requests, position } = world({ a: honestPeer })
    sync.onPeerHeight('a', LENGTH)
    await vi.advanceTimersByTimeAsync(310)
    sync.stop()
    await vi.advanceTimersByTimeAsync(2_000)
    expect([requests.length, position.h]).toEqual([1, 0])
  })
})

describe('answering', () => {
  const source = (certified: number, batchBytes?: number) => ({
    certifiedHeight: () => certified,
    header: async (height: number) => chain[height - 1]?.header,
    certificate: async (height: number) => chain[height - 1]?.certificate,
    async batch(height: number) {
      const block = chain[height - 1]
      return block === undefined || batchBytes === undefined ? block?.batch : new Uint8Array(batchBytes)
    },
  })
  const ask = async (from: number, limit: number, ledger: Parameters<typeof answerBlockRequest>[0] = source(LENGTH)) =>
    decode(blockAnswerCodec, await answerBlockRequest(ledger, encode(blockRequestCodec, { from, limit })))
  const heights = async (...args: Parameters<typeof ask>) => (await ask(...args)).map(({ header }) => header.height)

  it('gives consecutive blocks, as many as asked', async () => {
    expect(await heights(5, 3)).toEqual([5, 6, 7])
    expect(await ask(5, 1)).toEqual([chain[4]])
    expect(await heights(5, 0)).toEqual([])
  })

  it('gives at most its own bound of blocks and stops at the certified height', async () => {
    expect(await heights(1, 256)).toHaveLength(FETCH_BLOCKS_MAX)
    expect(await heights(LENGTH - 1, 64)).toEqual([LENGTH - 1, LENGTH])
    expect(await heights(5, 64, source(6))).toEqual([5, 6])
    expect(await heights(7, 64, source(6))).toEqual([])
    expect(await heights(Number.MAX_SAFE_INTEGER, 64)).toEqual([])
  })

  it('gives at most its bound of bytes, but always one block', async () => {
    const half = FETCH_BYTES_MAX / 2
    expect(await heights(1, 64, source(LENGTH, half))).toEqual([1, 2])
    expect(await heights(1, 64, source(LENGTH, FETCH_BYTES_MAX))).toEqual([1])
  })

  it('always fits in what the asking side takes', async () => {
    for (const batchBytes of [FETCH_BYTES_MAX - 1, FETCH_BYTES_MAX, FETCH_BYTES_MAX / 2 - 1]) {
      const request = encode(blockRequestCodec, { from: 1, limit: 64 })
      const answer = await answerBlockRequest(source(LENGTH, batchBytes), request)
      expect(answer.length).toBeLessThanOrEqual(2 * FETCH_BYTES_MAX)
    }
  })

  it('ends where a certificate is missing, and has none for the genesis block', async () => {
    const ledger = source(LENGTH)
    for (const part of ['header', 'certificate', 'batch'] as const) {
      const gap = { ...ledger, [part]: async (height: number) => (height === 7 ? undefined : ledger[part](height)) }
      expect(await heights(5, 64, gap as typeof ledger)).toEqual([5, 6])
    }
    expect(await heights(0, 64)).toEqual([])
  })

  it('throws a DecodeError on a malformed request', async () => {
    await expect(answerBlockRequest(source(LENGTH), Uint8Array.of(1))).rejects.toThrow(DecodeError)
  })
})
