// Each rule of a batch's stateless validity at its bound and one beyond it.
import { describe, expect, it } from 'vitest'
import { wireHash } from '../../src/crypto/digest.ts'
import { createKeyPair, verify } from '../../src/crypto/signer.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { type BatchRules, checkBatch } from '../../src/network/batch.ts'
import type { Batch } from '../../src/types/block.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import { encode } from '../../src/types/schema.ts'
import { encodeTransaction, type UnsignedTransaction, unsignedTransactionCodec } from '../../src/types/transaction.ts'

const NETWORK = 'ab'.repeat(32)
const pair = createKeyPair(new Uint8Array(32).fill(7))

function wireOf(fields: Partial<UnsignedTransaction> = {}): Uint8Array {
  const unsigned = encode(unsignedTransactionCodec, {
    network: NETWORK,
    sender: toHex(pair.publicKey),
    nonce: 0,
    expires: 0,
    gasLimit: 1_000,
    contract: 'token',
    method: 'transfer',
    args: new Uint8Array(),
    ...fields,
  })
  return encodeTransaction(unsigned, pair.sign(unsigned))
}
const wires = [0, 1, 2].map((nonce) => wireOf({ nonce }))
const bytes = wires.reduce((sum, wire) => sum + wire.length, 0)
const batchOf = (...txs: Uint8Array[]): Batch => ({ view: 0, proposer: 'cd'.repeat(32), time: 1, txs })

const rulesWith = (parameters: Partial<Parameters> = {}, changes: Partial<BatchRules> = {}): BatchRules => ({
  genesisHash: NETWORK,
  parameters: { ...PARAMETER_DEFAULTS, ...parameters },
  intrinsicGas: (wireBytes) => wireBytes,
  isVerified: () => false,
  ...changes,
})
const reasonOf = (batch: Batch, rules: BatchRules) => {
  const verdict = checkBatch(batch, rules)
  return verdict.ok ? undefined : verdict.reason
}

describe('a batch', () => {
  it('within every bound is taken, and leaves its signatures to be verified', () => {
    const verdict = checkBatch(batchOf(...wires), rulesWith())
    if (!verdict.ok) throw new Error(verdict.reason)
    expect(verdict.unverified).toHaveLength(3)
    for (const { publicKey, message, signature } of verdict.unverified)
      expect(verify(publicKey, message, signature)).toBe(true)
  })

  it('without transactions is taken', () =>
    expect(checkBatch(batchOf(), rulesWith())).toEqual({ ok: true, unverified: [] }))

  it.each([
    ['transactions', { blockTransactionsMax: 3 }, { blockTransactionsMax: 2 }, '3 transactions, at most 2'],
    ['bytes', { blockBytesMax: bytes }, { blockBytesMax: bytes - 1 }, `${bytes} bytes, at most ${bytes - 1}`],
    ['gas', { blockGasMax: 3_000 }, { blockGasMax: 2_999 }, 'gas limits of 3000, at most 2999'],
    ['transaction gas', { transactionGasMax: 1_000 }, { transactionGasMax: 999 }, 'above the transaction maximum'],
  ])('keeps to its bound of %s', (_, atBound, beyond, reason) => {
    expect(reasonOf(batchOf(...wires), rulesWith(atBound))).toBeUndefined()
    expect(reasonOf(batchOf(...wires), rulesWith(beyond))).toMatch(reason)
  })

  it('gives each transaction at least its base cost', () => {
    const { length } = wireOf({ gasLimit: 255 })
    const just = wireOf({ gasLimit: length })
    expect(reasonOf(batchOf(just), rulesWith())).toBeUndefined()
    expect(reasonOf(batchOf(wireOf({ gasLimit: length - 1 })), rulesWith())).toMatch('below the base cost')
  })

  it('has transactions of its own network only', () => {
    const foreign = wireOf({ network: 'ef'.repeat(32), nonce: 9 })
    expect(reasonOf(batchOf(...wires, foreign), rulesWith())).toMatch('another network')
  })

  it.each([
    ['a byte too many', Uint8Array.of(...wires[0]!, 0)],
    ['a byte too few', wires[0]!.subarray(0, -1)],
    ['no transaction at all', Uint8Array.of(1)],
    ['an inner format that is not one', encodeTransaction(Uint8Array.of(0x80), new Uint8Array(64))],
  ])('with %s is refused', (_, wire) => expect(reasonOf(batchOf(wire), rulesWith())).toMatch('malformed'))

  it('has each transaction once, whatever signature it comes with', () => {
    expect(reasonOf(batchOf(wires[0]!, wires[0]!), rulesWith())).toMatch('twice')
    const unsigned = wires[0]!.slice()
    unsigned[unsigned.length - 1]! ^= 1
    expect(reasonOf(batchOf(wires[0]!, unsigned), rulesWith())).toMatch('twice')
  })

  it('is not checked for what execution decides: nonces, expiry', () => {
    expect(reasonOf(batchOf(wireOf({ nonce: 900 }), wireOf({ nonce: 1, expires: 1 })), rulesWith())).toBeUndefined()
  })

  it('spares only the exact bytes that were verified before', () => {
    const known = wireHash(wires[1]!)
    const rules = rulesWith({}, { isVerified: (hash) => hash === known })
    const verdict = checkBatch(batchOf(...wires), rules)
    expect(verdict).toMatchObject({ ok: true })
    if (verdict.ok) expect(verdict.unverified).toHaveLength(2)
    const resigned = wires[1]!.slice()
    resigned[resigned.length - 1]! ^= 1
    const other = checkBatch(batchOf(resigned), rules)
    if (other.ok)
      expect(other.unverified.map((item) => verify(item.publicKey, item.message, item.signature))).toEqual([false])
    expect(other.ok).toBe(true)
  })

  it('of gas limits near 2^53 is refused, not counted wrongly', () => {
    const huge = [0, 1, 2].map((nonce) => wireOf({ nonce, gasLimit: Number.MAX_SAFE_INTEGER }))
    const rules = rulesWith({ transactionGasMax: Number.MAX_SAFE_INTEGER, blockGasMax: Number.MAX_SAFE_INTEGER })
    expect(reasonOf(batchOf(...huge), rules)).toMatch('gas limits of')
  })
})
