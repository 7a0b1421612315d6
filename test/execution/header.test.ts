import { describe, expect, it } from 'vitest'
import { batchDigest, blockHash, receiptsRoot, transactionsRoot } from '../../src/crypto/digest.ts'
import { blockTime, buildHeader } from '../../src/execution/header.ts'
import { type Batch, type Header, NULL_BATCH, ZERO_HASH } from '../../src/types/block.ts'
import { alice, Chain, createTestRuntime, place, transaction } from './support.ts'

const PROPOSER = '11'.repeat(32)
const batch = (time: number, txs: Uint8Array[] = []): Batch => ({ view: 3, proposer: PROPOSER, time, txs })
const epochFields = {
  epoch: 2,
  validatorsHash: '22'.repeat(32),
  nextValidatorsHash: '33'.repeat(32),
  epochEnd: 40,
  proposers: Uint8Array.of(1),
}
const parent: Header = {
  ...epochFields,
  genesisHash: 'ab'.repeat(32),
  height: 9,
  parentHash: ZERO_HASH,
  batchDigest: ZERO_HASH,
  txRoot: ZERO_HASH,
  receiptsRoot: ZERO_HASH,
  stateRoot: ZERO_HASH,
  time: 5_000,
  proposer: ZERO_HASH,
}

describe('the time of a block', () => {
  it.each([
    [5_000, batch(7_000), 7_000],
    [5_000, batch(5_001), 5_001],
    [5_000, batch(5_000), 5_001],
    [5_000, batch(1), 5_001],
    [5_000, NULL_BATCH, 5_001],
    [5_000, { ...NULL_BATCH, time: 9_000 }, 5_001],
  ])('after %i', (parentTime, given, expected) => {
    expect(blockTime(parentTime, given)).toBe(expected)
  })
})

describe('a header', () => {
  const chain = new Chain(createTestRuntime())
  place(chain.store, 'one')
  const txs = [0, 1].map((nonce) => transaction(alice, { nonce, contract: 'one', method: 'nothing' }))
  const { receipts } = chain.block(...txs)
  const given = batch(
    8_000,
    txs.map(({ wire }) => wire),
  )

  it('binds the batch, the receipts, the state and the parent', () => {
    const header = buildHeader({ ...epochFields, parent, batch: given, receipts, stateRoot: '44'.repeat(32) })
    expect(header).toEqual({
      ...epochFields,
      genesisHash: parent.genesisHash,
      height: 10,
      parentHash: blockHash(parent),
      batchDigest: batchDigest(given),
      txRoot: transactionsRoot(receipts.map(({ txId }) => txId)),
      receiptsRoot: receiptsRoot(receipts),
      stateRoot: '44'.repeat(32),
      time: 8_000,
      proposer: PROPOSER,
    })
  })

  it('of a null batch has digest and proposer of zeros', () => {
    const header = buildHeader({ ...epochFields, parent, batch: NULL_BATCH, receipts: [], stateRoot: ZERO_HASH })
    expect(header).toMatchObject({ batchDigest: ZERO_HASH, proposer: ZERO_HASH, time: 5_001 })
  })

  it('takes the hashes its caller knows', () => {
    const known = { batchDigest: '55'.repeat(32), parentHash: '66'.repeat(32) }
    expect(
      buildHeader({ ...epochFields, ...known, parent, batch: given, receipts, stateRoot: ZERO_HASH }),
    ).toMatchObject(known)
  })
})
