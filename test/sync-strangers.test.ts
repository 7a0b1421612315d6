// Strangers that claim a great height: they cost nothing to make, and must not keep a node from its honest peers.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { batchDigest, blockHash } from '../src/crypto/digest.ts'
import { createSync } from '../src/sync.ts'
import { type Batch, batchCodec } from '../src/types/block.ts'
import { blockAnswerCodec, blockRequestCodec, type CertifiedBlock } from '../src/types/fetch.ts'
import { decode, encode } from '../src/types/schema.ts'
import { certificateOf, edgeWith, headerAt } from './network-edge/support.ts'

const { edge } = edgeWith()
const GENESIS_BLOCK_HASH = blockHash(headerAt(0))
const chain: CertifiedBlock[] = []
for (let height = 1; height <= 100; height++) {
  const batch: Batch = { view: 0, proposer: 'cd'.repeat(32), time: height, txs: [Uint8Array.of(height)] }
  const parentHash = height === 1 ? GENESIS_BLOCK_HASH : blockHash(chain.at(-1)!.header)
  const header = headerAt(height, { parentHash, batchDigest: batchDigest(batch) })
  chain.push({ header, certificate: certificateOf(header, [0, 1, 2]), batch: encode(batchCodec, batch) })
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** More than are asked at a time. */
const LIARS = Array.from({ length: 30 }, (_, index) => `liar ${index}`)

function world() {
  const position = { h: 0, lastExec: 0 }
  const sync = createSync({
    position: () => position,
    blockHashAt: async (height) => (height === 0 ? GENESIS_BLOCK_HASH : blockHash(chain[height - 1]!.header)),
    certificateFault: edge.certificateFault,
    async request(peer, payload, { timeoutMs }) {
      if (!peer.startsWith('honest'))
        return new Promise((_, reject) => setTimeout(reject, timeoutMs, new Error('no answer in time')))
      await new Promise((resolve) => setTimeout(resolve, 20))
      const { from, limit } = decode(blockRequestCodec, payload)
      return encode(blockAnswerCodec, chain.slice(from - 1, from - 1 + Math.min(limit, 10)))
    },
    async apply(blocks) {
      position.h = position.lastExec = blocks.at(-1)?.header.height ?? position.h
    },
    blame: () => {},
    isStopped: () => false,
    onError(error) {
      throw error
    },
    now: Date.now,
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs)
      return () => clearTimeout(timer)
    },
  })
  return { sync, position }
}

it('strangers that connect anew after each failure do not keep a node behind its validators', async () => {
  const { sync, position } = world()
  for (let second = 0; second < 20; second++) {
    sync.onPeerHeight('honest validator', 100, true)
    for (const liar of LIARS) {
      // It reconnects: a fresh start, or a fresh peer id, which is free.
      if (second % 2 === 0) sync.onPeerGone(liar)
      sync.onPeerHeight(liar, Number.MAX_SAFE_INTEGER)
    }
    await vi.advanceTimersByTimeAsync(1_000)
  }
  expect(position.h).toBe(100)
})

it('a claim that nothing proves is no height this node says it fetches towards', async () => {
  const { sync } = world()
  sync.onPeerHeight('liar', Number.MAX_SAFE_INTEGER)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(sync.target()).toBeUndefined()
})
