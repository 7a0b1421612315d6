// Nodes that made their own blocks of the same batches, each with the real answering side, and one that asks them.
import { blockHash } from '../../src/crypto/digest.ts'
import { hashLeaf, merkleRootOfHashes } from '../../src/crypto/merkle.ts'
import { createEffectsAnswering, type EffectsSource, effectsOf } from '../../src/divergence/answer.ts'
import type { FindPorts } from '../../src/divergence/find.ts'
import { writesDigest } from '../../src/execution/writes.ts'
import { type Header, type Receipt, receiptCodec, ZERO_HASH } from '../../src/types/block.ts'
import { toHex } from '../../src/types/hex.ts'
import { encode } from '../../src/types/schema.ts'

export interface Effect {
  receipt?: Partial<Receipt>
  writes: [key: string, value: string | null][]
  /** What running it again writes, where that is something else. */
  again?: [key: string, value: string | null][]
}
export type Blocks = readonly (readonly Effect[])[]

export const nameOf = (height: number, index: number): string => `${height}${index}`.padStart(64, '0')

function receiptOf(height: number, index: number, change: Partial<Receipt> = {}): Receipt {
  const result = new TextEncoder().encode('1')
  const place = { txId: nameOf(height, index), sender: ZERO_HASH, nonce: index }
  return { ...place, status: 'ok', code: '', message: '', gasUsed: 5, result, events: [], ...change }
}

export interface World extends EffectsSource {
  hashes: string[]
  /** Forgets the write digests of every block. */
  forget(): void
}

/** Block 1 on; the state root stands for all that was written so far. */
export function createNode(blocks: Blocks, change: Partial<Header> = {}): World {
  const headers: Header[] = []
  const hashes = [ZERO_HASH]
  let kept = true
  for (const [offset, effects] of blocks.entries()) {
    const height = offset + 1
    const receipts = effects.map(({ receipt }, index) => encode(receiptCodec, receiptOf(height, index, receipt)))
    const state = JSON.stringify(blocks.slice(0, height).map((block) => block.map(({ writes }) => writes)))
    const header: Header = {
      genesisHash: ZERO_HASH,
      epoch: 0,
      height,
      parentHash: hashes.at(-1)!,
      batchDigest: ZERO_HASH,
      txRoot: ZERO_HASH,
      receiptsRoot: toHex(merkleRootOfHashes(receipts.map(hashLeaf))),
      stateRoot: toHex(writesDigest([['state', state]])),
      time: height,
      proposer: ZERO_HASH,
      validatorsHash: ZERO_HASH,
      nextValidatorsHash: ZERO_HASH,
      epochEnd: 0,
      proposers: new Uint8Array(),
      ...change,
    }
    headers.push(header)
    hashes.push(blockHash(header))
  }
  return {
    hashes,
    forget: () => {
      kept = false
    },
    header: async (height) => headers[height - 1],
    receipts: async (height) => blocks[height - 1]?.map(({ receipt }, index) => receiptOf(height, index, receipt)),
    async writeDigests(height) {
      const digests = blocks[height - 1]?.map(({ writes }) => writesDigest(writes))
      return digests && kept ? Buffer.concat(digests) : undefined
    },
    async writes(height, index) {
      const effect = blocks[height - 1]?.[index]
      return effect && (effect.again ?? effect.writes)
    },
  }
}

export type Handler = (payload: Uint8Array) => Promise<Uint8Array>

/** An honest peer's handler. */
export function answersOf(node: EffectsSource): Handler {
  let now = 0
  const answering = createEffectsAnswering(node, () => {
    now += 1_000
    return now
  })
  return (payload) => answering.answer('asker', payload)
}

/** How `own` finds things out among peers. */
export function asking(own: World, peers: Record<string, Handler>): FindPorts {
  return {
    effects: (height) => effectsOf(own, height),
    receipt: async (height, index) => (await own.receipts(height))?.[index],
    transaction: async (height, index) => ({ id: nameOf(height, index), contract: 'token', method: `method-${index}` }),
    writes: own.writes,
    peers: () => Object.keys(peers).map((name) => ({ id: name, name })),
    request: (peer, payload) => peers[peer]!(payload),
    pause: async () => {},
  }
}
