import { mkdtempSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blockHash } from '../../src/crypto/digest.ts'
import { openLedgerBuilder } from '../../src/ledger/builder.ts'
import * as keys from '../../src/ledger/keys.ts'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { answerBlockRequest } from '../../src/sync/answer.ts'
import { blockAnswerCodec, blockRequestCodec } from '../../src/types/fetch.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { createChain, GENESIS, name } from './chain.ts'

const BASE = 5
let folder: string
let full: Ledger
let chain: ReturnType<typeof createChain>
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-base-'))
  full = await openLedger({ directory: join(folder, 'full'), genesisHash: GENESIS, tree: true })
  chain = createChain(full)
  for (let height = 0; height <= BASE; height++) {
    await chain.commit([
      ['token\0a', String(height)],
      [`token\0${height}`, `"é ${height}"`],
    ])
  }
})
afterEach(async () => {
  await full.close()
  await rm(folder, { recursive: true, force: true })
})

const directory = () => join(folder, 'short')
const open = () => openLedger({ directory: directory(), genesisHash: GENESIS, tree: true })
const state = () => full.stateAt(BASE).scan('', undefined, 1_000)
const baseOf = async (height = BASE) => ({
  header: (await full.header(height))!,
  certificate: chain.certificate(height),
})

async function build(): Promise<Ledger> {
  const builder = await openLedgerBuilder(directory(), GENESIS)
  const entries = await state()
  await builder.putState(entries.slice(0, 3))
  await builder.putState(entries.slice(3))
  await builder.finish(await baseOf(), [await baseOf(2)])
  return open()
}

describe('a ledger that begins at a state', () => {
  it('has that state, that header and certificate, and says so', async () => {
    const ledger = await build()
    try {
      expect(ledger.head()).toEqual({ height: BASE, blockHash: chain.hashes[BASE] })
      expect([ledger.certifiedHeight(), ledger.oldestHeight(), ledger.oldestBlock()]).toEqual([BASE, BASE, BASE + 1])
      expect(await ledger.header(BASE)).toEqual(await full.header(BASE))
      expect(await ledger.certificate(BASE)).toEqual(chain.certificate(BASE))
      expect(await ledger.stateAt(BASE).scan('', undefined, 1_000)).toEqual(await state())
      expect(ledger.rootAfter(new Map())).toBe((await full.header(BASE))!.stateRoot)
      expect(await ledger.check()).toEqual([])
    } finally {
      await ledger.close()
    }
  })

  it('goes on from there as the whole one does, also after a restart', async () => {
    await (await build()).close()
    const ledger = await open()
    try {
      for (let height = BASE + 1; height <= BASE + 4; height++) {
        const block = await chain.commit([
          ['token\0a', String(height)],
          ['token\0' + '1', null],
        ])
        await ledger.commitBlock(block)
        await ledger.putCertificates([chain.certificate(height)])
      }
      expect(ledger.certifiedHeight()).toBe(BASE + 4)
      expect(await ledger.block(BASE + 1)).toMatchObject({ blockHash: chain.hashes[BASE + 1] })
      expect(await ledger.stateAt(BASE).get('token\0a')).toBe(String(BASE))
      expect(await ledger.check()).toEqual([])
    } finally {
      await ledger.close()
    }
  })

  it('tells what is pruned from what does not exist yet', async () => {
    const ledger = await build()
    const gone = (oldestHeight: number) => ({ code: 'PRUNED', oldestHeight })
    try {
      for (const height of [0, 1, BASE - 1]) {
        await expect(ledger.header(height)).rejects.toMatchObject(gone(BASE))
        await expect(ledger.blockHash(height)).rejects.toMatchObject(gone(BASE))
        await expect(ledger.certificate(height)).rejects.toMatchObject(gone(BASE))
        await expect(ledger.block(height)).rejects.toMatchObject(gone(BASE))
        await expect(ledger.stateAt(height).get('token\0a')).rejects.toMatchObject(gone(BASE))
      }
      for (const height of [1, BASE]) {
        await expect(ledger.batch(height)).rejects.toMatchObject(gone(BASE + 1))
        await expect(ledger.receipts(height)).rejects.toMatchObject(gone(BASE + 1))
        await expect(ledger.block(height === BASE ? BASE : 1)).rejects.toMatchObject({ code: 'PRUNED' })
      }
      expect(await ledger.block(BASE + 1)).toBeUndefined()
      expect(await ledger.batch(BASE + 1)).toBeUndefined()
      // The last header of an epoch stays.
      expect(await ledger.header(2)).toEqual(await full.header(2))
      expect(await ledger.certificate(2)).toEqual(chain.certificate(2))
      await ledger.putCertificates([{ ...chain.certificate(1) }])
      expect(ledger.certifiedHeight()).toBe(BASE)
    } finally {
      await ledger.close()
    }
  })

  it('answers a peer that asks for pruned blocks with none', async () => {
    const ledger = await build()
    const ask = async (from: number) =>
      decode(blockAnswerCodec, await answerBlockRequest(ledger, encode(blockRequestCodec, { from, limit: 10 })))
    try {
      await ledger.commitBlock(await chain.commit([]))
      await ledger.putCertificates([chain.certificate(BASE + 1)])
      expect(await ask(1)).toEqual([])
      expect(await ask(BASE)).toEqual([])
      expect(await ask(BASE + 1)).toHaveLength(1)
    } finally {
      await ledger.close()
    }
  })

  it.each([
    ['the base header', keys.heightKey('header', BASE), `header at heights ${BASE}`],
    ['the base certificate', keys.heightKey('certificate', BASE), `certificate at heights ${BASE}`],
    ['a state value', keys.stateKey('token\0' + '3'), 'the state'],
    ['the base height', keys.oldestKey, 'header at heights 0'],
  ])('reports %s that is gone', async (_, key, thing) => {
    await (await build()).close()
    const level = new ClassicLevel<Buffer, Buffer>(directory(), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await level.del(key)
    await level.close()
    const ledger = await open()
    expect(await ledger.check()).toContainEqual(expect.objectContaining({ thing: expect.stringContaining(thing) }))
    await ledger.close()
  })
})

describe('building one', () => {
  it('keeps blocks below the head that are put beside the state, and only such as belong there', async () => {
    const kept = async (height: number) => {
      const block = (await full.block(height))!
      return { ...block, transactions: [], certificate: height === 0 ? null : chain.certificate(height) }
    }
    const builder = await openLedgerBuilder(directory(), GENESIS)
    await builder.putState(await state())
    await builder.putBlocks([await kept(3)])
    await expect(builder.putBlocks([await kept(5)])).rejects.toThrow('does not follow block 3')
    await expect(builder.putBlocks([{ ...(await kept(4)), certificate: null }])).rejects.toThrow('no certificate')
    await expect(builder.finish(await baseOf(), [await baseOf(2)])).rejects.toThrow('the head is block 5')
    await builder.putBlocks([await kept(4), await kept(5)])
    await expect(builder.finish(await baseOf())).rejects.toThrow('The header of block 2')
    await builder.finish(await baseOf(), [await baseOf(2)])
    const ledger = await open()
    expect([ledger.head()?.height, ledger.oldestHeight(), ledger.oldestBlock()]).toEqual([BASE, 2, 3])
    expect(await ledger.block(3)).toEqual({ ...(await full.block(3)), certificate: chain.certificate(3) })
    await expect(ledger.stateAt(4).get('token\0a')).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: BASE })
    expect(await ledger.check()).toEqual([])
    await ledger.close()
  })

  it('refuses a folder that holds anything', async () => {
    await (await build()).close()
    await expect(openLedgerBuilder(directory(), GENESIS)).rejects.toMatchObject({ code: 'LEDGER_OCCUPIED' })
    await rm(directory(), { recursive: true })
    await (await openLedgerBuilder(directory(), GENESIS)).abandon()
    await rm(directory(), { recursive: true })
    await writeFile(directory(), '')
    await expect(openLedgerBuilder(directory(), GENESIS)).rejects.toThrow()
  })

  it('refuses a state that is not the one of the header, and other wrong parts', async () => {
    const builder = await openLedgerBuilder(directory(), GENESIS)
    await builder.putState((await state()).slice(1))
    const base = await baseOf()
    await expect(builder.finish(base)).rejects.toThrow(`its header says ${base.header.stateRoot}`)
    await builder.putState((await state()).slice(0, 1))
    await expect(builder.finish({ ...base, certificate: chain.certificate(4) })).rejects.toThrow('another block')
    await expect(builder.finish(base, [await baseOf(BASE)])).rejects.toThrow('not below')
    const header = { ...base.header, genesisHash: name(3) }
    const certificate = { ...base.certificate, blockHash: blockHash(header) }
    await expect(builder.finish({ header, certificate })).rejects.toThrow('another network')
    await builder.finish(base)
    await (await open()).close()
  })

  it('leaves nothing that opens as a ledger when it is interrupted', async () => {
    const builder = await openLedgerBuilder(directory(), GENESIS)
    await builder.putState(await state())
    await builder.abandon()
    await expect(open()).rejects.toMatchObject({
      code: 'LEDGER_DAMAGED',
      message: expect.stringContaining('half built'),
    })
  })
})
