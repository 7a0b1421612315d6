import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as keys from '../../src/ledger/keys.ts'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { pruneLedger } from '../../src/ledger/pruning.ts'
import { openStore } from '../../src/ledger/store.ts'
import type { Header } from '../../src/types/block.ts'
import { batchOf, createChain, GENESIS, name, type Sent } from './chain.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-pruning-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const [alice, bob] = [name(0xa11ce), name(0xb0b)]
const LATE = name(0x1a7e)

/** Three transactions a block, and one that is skipped in every fourth block. */
function sentAt(height: number): Sent[] {
  const sent: Sent[] = [0, 1, 2].map((index) => ({
    id: name(height * 10 + index),
    sender: index === 0 ? alice : bob,
    nonce: height * 10 + index,
    contract: index === 2 ? 'names' : 'token',
  }))
  if (height % 4 === 0) sent.push({ id: LATE, sender: alice, nonce: 999, contract: 'token', status: 'skipped' })
  return sent
}

type Chain = ReturnType<typeof createChain>

async function grow(ledger: Ledger, chain: Chain, change: Partial<Header> = {}): Promise<void> {
  const height = chain.hashes.length
  const sent = height === 0 ? [] : sentAt(height)
  const block = { ...chain.build([['token\0a', String(height)]], sent, change), batch: batchOf(sent) }
  await ledger.commitBlock(block)
  chain.hashes.push(block.blockHash)
  if (height > 0) await ledger.putCertificates([chain.certificate(height)])
}

const open = (keepBlocks = 0, historyBlocks = 3) =>
  openLedger({ directory, genesisHash: GENESIS, tree: true, keepBlocks, historyBlocks })

/** Entries of a kind. */
async function entries(): Promise<Record<string, number>> {
  const store = await openStore(directory)
  const counts: Record<string, number> = {}
  const cursor = store.cursor({ gte: Buffer.of(0), lt: Buffer.of(0xff) })
  for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
    const kind = keys.kindOf(entry[0])
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  await cursor.close()
  await store.close()
  return counts
}

/** What is left of a ledger with this head and these whole blocks must be exactly what their transactions need. */
async function expectExactly(head: number, oldestBlock: number, boundaries: number[]): Promise<void> {
  const blocks = head - oldestBlock + 1
  const lasting = boundaries.filter((height) => height < oldestBlock - 1).length
  expect(await entries()).toMatchObject({
    header: blocks + 1 + lasting,
    certificate: blocks + 1 + boundaries.filter((height) => height > 0 && height < oldestBlock - 1).length,
    batch: blocks,
    receipts: blocks,
    executed: 3 * blocks,
    nonce: 3 * blocks,
    bySender: 3 * blocks,
    byContract: 3 * blocks,
    bySenderAndContract: 3 * blocks,
    skipped: 1,
  })
}

describe('live pruning', () => {
  it('keeps the last blocks with all that is theirs, and nothing else but what crosses epochs', async () => {
    const ledger = await open(6)
    const chain = createChain(ledger)
    for (let height = 0; height <= 20; height++) await grow(ledger, chain, height === 5 ? { epochEnd: 5 } : {})
    expect([ledger.oldestHeight(), ledger.oldestBlock()]).toEqual([14, 15])
    expect(await ledger.check()).toEqual([])
    await expect(ledger.block(14)).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 15 })
    expect((await ledger.header(14))!.height).toBe(14)
    await expect(ledger.header(13)).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 14 })
    expect((await ledger.block(15))!.receipts).toHaveLength(3)
    expect([(await ledger.header(0))!.height, (await ledger.header(5))!.height]).toEqual([0, 5])
    expect((await ledger.certificate(5))!.height).toBe(5)
    expect(await ledger.findTransaction(name(140))).toBeUndefined()
    expect(await ledger.findTransaction(name(150))).toEqual({ height: 15, index: 0, executed: true })
    const listed = await ledger.transactionsBy({ sender: alice, limit: 100 })
    expect(listed.map(({ height }) => height)).toEqual([20, 19, 18, 17, 16, 15])
    expect(await ledger.findTransaction(LATE)).toMatchObject({ height: 20, executed: false })
    expect(await ledger.stateAt(17).get('token\0a')).toBe('17')
    await ledger.close()
    await expectExactly(20, 15, [0, 5])
  })

  it('removes a few blocks with each block, down to a shorter setting', async () => {
    const long = await open()
    const chain = createChain(long)
    for (let height = 0; height <= 12; height++) await grow(long, chain)
    await long.close()
    const short = await open(4)
    const rest = createChain(short)
    rest.hashes.push(...chain.hashes)
    const oldest: number[] = []
    for (let n = 0; n < 10; n++) {
      await grow(short, rest)
      oldest.push(short.oldestBlock())
      expect(await short.check()).toEqual([])
    }
    expect(oldest).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 19])
    await short.close()
    await expectExactly(22, 19, [0])
  })

  it('keeps where a transaction is skipped by the very block with which an earlier such block goes', async () => {
    const ledger = await open(4)
    const chain = createChain(ledger)
    for (let height = 0; height <= 20; height++) {
      await grow(ledger, chain)
      const last = height - (height % 4)
      if (height >= 4) expect(await ledger.findTransaction(LATE)).toMatchObject({ height: last, executed: false })
    }
    await ledger.close()
    await expectExactly(20, 17, [0])
  })

  it('keeps what is not certified', async () => {
    const ledger = await open(2)
    const chain = createChain(ledger)
    for (let height = 0; height <= 3; height++) await grow(ledger, chain)
    for (let height = 4; height <= 9; height++) await chain.commit([])
    expect([ledger.certifiedHeight(), ledger.oldestHeight()]).toEqual([3, 3])
    expect(await ledger.check()).toEqual([])
    await ledger.close()
  })
})

describe('pruning a stopped ledger', () => {
  async function filled(): Promise<Chain> {
    const ledger = await open()
    const chain = createChain(ledger)
    for (let height = 0; height <= 40; height++) await grow(ledger, chain)
    await ledger.close()
    return chain
  }
  const prune = (before: number, keepMin = 3) => pruneLedger({ directory, genesisHash: GENESIS, before, keepMin })

  it('removes what lies below a height, once and again', async () => {
    const chain = await filled()
    expect(await prune(20)).toMatchObject({ from: 0, oldestBlock: 20 })
    await expectExactly(40, 20, [0])
    expect(await prune(10)).toMatchObject({ from: 20, oldestBlock: 20 })
    expect(await prune(38)).toMatchObject({ from: 20, oldestBlock: 38 })
    await expectExactly(40, 38, [0])
    const ledger = await open()
    expect(await ledger.check()).toEqual([])
    const rest = createChain(ledger)
    rest.hashes.push(...chain.hashes)
    await grow(ledger, rest)
    expect(ledger.certifiedHeight()).toBe(41)
    await ledger.close()
  })

  it('does not keep a divergence from being looked for whose block is long gone', async () => {
    const chain = await filled()
    const ledger = await open()
    const certificate = { ...chain.certificate(7), blockHash: name(0xbad) }
    await ledger.putDivergence({ certificate, ours: chain.hashes[7]!, difference: null })
    expect((await ledger.divergence())?.ours).toBe(chain.hashes[7])
    await ledger.close()
    await prune(20)
    const pruned = await open()
    expect(await pruned.divergence()).toBeUndefined()
    await pruned.close()
  })

  it('leaves block 0 whole where nothing else is to go', async () => {
    await filled()
    expect(await prune(1)).toMatchObject({ from: 0, oldestBlock: 0 })
    expect(await prune(2)).toMatchObject({ from: 0, oldestBlock: 2 })
  })

  it('refuses to remove what must stay', async () => {
    await filled()
    await expect(prune(39)).rejects.toMatchObject({
      code: 'PRUNING_REFUSED',
      message: expect.stringContaining('the last 3 must stay'),
    })
    expect((await entries()).batch).toBe(41)
  })
})
