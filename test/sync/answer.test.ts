// What a node gives to those that catch up.
import { describe, expect, it } from 'vitest'
import { FETCH_BLOCKS_MAX, FETCH_BYTES_MAX } from '../../src/limits.ts'
import { answerBlockRequest } from '../../src/sync/answer.ts'
import { blockAnswerCodec, blockRequestCodec } from '../../src/types/fetch.ts'
import { DecodeError, decode, encode } from '../../src/types/schema.ts'
import { chain, LENGTH } from './world.ts'

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
