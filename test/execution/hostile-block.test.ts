// A block within every limit, made by a client who may deploy a contract, and one that a lying primary filled: what it can make every
// node keep is paid for by the byte, and nothing in it stops the executor.
import { describe, expect, it } from 'vitest'
import { TRANSACTION_GAS } from '../../src/execution/cost.ts'
import { price } from '../../src/execution/sandbox/gas.ts'
import { EVENT_BYTES_MAX, RESULT_BYTES_MAX, VALUE_BYTES_MAX } from '../../src/execution/sandbox/limits.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { receiptCodec } from '../../src/types/block.ts'
import { encode } from '../../src/types/schema.ts'
import type { Transaction } from '../../src/types/transaction.ts'
import { alice, bundle, Chain, createTestRuntime, place, type TransactionFields, transaction } from './support.ts'

const runtime = createTestRuntime()

const SPAM = bundle(`{
  init() {},
  calls: {
    fill(ctx, { size, count }) { const value = 'x'.repeat(size); for (let i = 0; i < count; i++) ctx.state.set('k' + i, value) },
    emit(ctx, { size, count }) { const data = 'x'.repeat(size); for (let i = 0; i < count; i++) ctx.emit('E', data) },
    give(ctx, { size }) { return 'x'.repeat(size) },
    throwAt(ctx, { size }) { throw new Error('x'.repeat(size)) },
    wide(ctx, { size }) { return '\\u00e9'.repeat(size) },
  },
  views: {},
}`)

const ODD = bundle(`{
  init() {},
  calls: {
    thrown() { throw new Error('a' + String.fromCharCode(0xd800)) },
    thrownObject() { throw { toString() { return String.fromCharCode(0xdfff) } } },
    thrownLong() { throw new Error(String.fromCharCode(0xd83d).repeat(2000)) },
    event(ctx) { ctx.emit('E' + String.fromCharCode(0xd800), 1) },
    eventData(ctx) { ctx.emit('E', String.fromCharCode(0xd800)) },
    key(ctx) { ctx.state.set(String.fromCharCode(0xd800), 1) },
    value(ctx) { ctx.state.set('v', String.fromCharCode(0xd800)) },
    result() { return String.fromCharCode(0xd800) },
    zero(ctx) { ctx.state.set('a' + String.fromCharCode(0), 1) },
    callee(ctx) { ctx.call('a' + String.fromCharCode(0xd800), String.fromCharCode(0xd800), {}) },
    system(ctx) { ctx.call('system', 'deploy', { name: 'x'.repeat(100), code: String.fromCharCode(0xd800), init: {} }) },
  },
  views: {},
}`)

function chainWith(): Chain {
  const chain = new Chain(runtime)
  place(chain.store, 'spam', SPAM)
  place(chain.store, 'odd', ODD)
  return chain
}
const sizeOf = (texts: (string | null)[]) => texts.reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0)

/** What one call leaves behind for ever: state of its own and its receipt, and what it burnt for them. */
function costOf(method: string, args: object, gasLimit = 300_000_000) {
  const { writes, receipts } = chainWith().block(
    transaction(alice, { nonce: 0, contract: 'spam', method, args, gasLimit }),
  )
  const own = [...writes].filter(([key]) => key.startsWith('spam\0'))
  const receipt = receipts[0]!
  return {
    status: receipt.status,
    gasUsed: receipt.gasUsed,
    stateBytes: sizeOf(own.flat()),
    receiptBytes: encode(receiptCodec, receipt).length,
  }
}
/** The parts of a receipt that a call does not choose: ids, names of codes, CBOR heads. */
const RECEIPT_FIXED_BYTES = 256

describe('what a transaction makes every node keep is paid for by the byte', () => {
  const gasOf = (bytes: number) => price.writtenByte * bytes
  it.each([
    ['fill', { size: VALUE_BYTES_MAX - 2, count: 10 }],
    ['fill', { size: 100, count: 1_000 }],
    ['fill', { size: 0, count: 1_500 }],
    ['emit', { size: EVENT_BYTES_MAX - 2, count: 7 }],
    ['emit', { size: 10, count: 250 }],
    ['give', { size: RESULT_BYTES_MAX - 2 }],
    ['wide', { size: (RESULT_BYTES_MAX - 2) / 2 }],
  ])('%s %j', (method, args) => {
    const { status, gasUsed, stateBytes, receiptBytes } = costOf(method, args)
    expect(status).toBe('ok')
    // The key prefix is the contract's name, which the host adds.
    const named = method === 'fill' ? (args as { count: number }).count * 'spam\0'.length : 0
    expect(gasUsed).toBeGreaterThanOrEqual(gasOf(stateBytes - named))
    expect(gasUsed).toBeGreaterThanOrEqual(gasOf(receiptBytes - RECEIPT_FIXED_BYTES))
    expect(stateBytes + receiptBytes).toBeGreaterThan(3_000)
  })

  it('also where it is reverted: nothing stays but a short message, which the start of a transaction pays for', () => {
    for (const size of [10, 1_000, 100_000]) {
      const { status, gasUsed, stateBytes, receiptBytes } = costOf('throwAt', { size })
      expect([status, stateBytes]).toEqual(['reverted', 0])
      expect(receiptBytes).toBeLessThanOrEqual(1_024 + RECEIPT_FIXED_BYTES)
      expect(gasUsed).toBeGreaterThanOrEqual(TRANSACTION_GAS)
    }
    const { status, gasUsed, stateBytes } = costOf('fill', { size: VALUE_BYTES_MAX - 2, count: 15 }, 90_000_000)
    expect({ status, gasUsed, stateBytes }).toEqual({ status: 'reverted', gasUsed: 90_000_000, stateBytes: 0 })
  })

  it('so that no block of all the gas there is writes more than a node can hold', () => {
    const { blockGasMax, blockTransactionsMax } = PARAMETER_DEFAULTS
    expect(blockGasMax / price.writtenByte).toBeLessThanOrEqual(64 * 1024 * 1024)
    expect(blockTransactionsMax * TRANSACTION_GAS).toBeLessThanOrEqual(blockGasMax)
  })
})

it('whatever a lying primary proposes, and whatever a contract throws, has a receipt, the same each time', () => {
  const text = (value: string) => new TextEncoder().encode(value)
  const odd: (Partial<TransactionFields> & { contract: string; method: string })[] = [
    ...[
      'thrown',
      'thrownObject',
      'thrownLong',
      'event',
      'eventData',
      'key',
      'value',
      'result',
      'zero',
      'callee',
      'system',
      '__proto__',
      'constructor',
    ].map((method) => ({ contract: 'odd', method })),
    { contract: '', method: '' },
    { contract: 'a\0b', method: 'x\0' },
    { contract: '\u{1F600}'.repeat(10), method: '\u{1F600}'.repeat(16) },
    { contract: 'system', method: '__proto__' },
    { contract: 'system', method: 'constructor' },
    { contract: '__proto__', method: 'x' },
    { contract: 'odd', method: 'thrown', rawArgs: Uint8Array.of(0xff, 0xfe) },
    { contract: 'odd', method: 'thrown', rawArgs: text('['.repeat(200_000)) },
    { contract: 'system', method: 'deploy', rawArgs: text('['.repeat(200_000)), gasLimit: 100_000_000 },
    { contract: 'odd', method: 'thrown', gasLimit: 0 },
    { contract: 'odd', method: 'thrown', nonce: Number.MAX_SAFE_INTEGER },
    { contract: 'odd', method: 'thrown', expires: 1 },
  ]
  const block = odd.map(
    (fields, index): Transaction => transaction(alice, { nonce: index, gasLimit: 20_000_000, ...fields }),
  )
  const { receipts } = chainWith().block(...block)
  expect(receipts).toHaveLength(odd.length)
  for (const [index, receipt] of receipts.entries()) {
    const { contract, method } = odd[index]!
    // Data becomes JSON, which writes a lone surrogate as an escape; names and keys are taken as they are, U+0000 too.
    const isOk = ['eventData', 'value', 'result', 'zero'].includes(method)
    expect([contract, method, receipt.status === 'ok']).toEqual([contract, method, isOk])
    expect(receipt.code).toMatch(isOk ? /^$/ : /^[A-Z_]+$/)
  }
  const encoded = (list: typeof receipts) =>
    list.map((receipt) => Buffer.from(encode(receiptCodec, receipt)).toString('hex'))
  expect(encoded(chainWith().block(...block).receipts)).toEqual(encoded(receipts))
})
