// What any ledger must do, whatever it stores its blocks in.
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { ZERO_HASH } from '../../src/types/block.ts'
import { createChain, name, type Sent, type Writes } from './chain.ts'
import { naiveRoot } from './naive-tree.ts'

/** One place where a ledger lives on while handles to it come and go. */
export interface Backend {
  open(options?: { tree?: boolean; historyBlocks?: number }): Promise<Ledger>
  /** Forgets everything; called after the handles are closed. */
  remove(): Promise<void>
}

const alice = name(0xa11ce)
const bob = name(0xb0b)
const sent = (id: number, sender: string, nonce: number, contract = 'token', status: Sent['status'] = 'ok'): Sent => {
  return { id: name(id), sender, nonce, contract, status }
}

export function ledgerSuite(title: string, makeBackend: () => Backend): void {
  describe(title, () => {
    let backend: Backend
    let ledger: Ledger
    beforeEach(async () => {
      backend = makeBackend()
      ledger = await backend.open()
    })
    afterEach(async () => {
      await ledger.close()
      await backend.remove()
    })
    const reopen = async (options?: { historyBlocks?: number }) => {
      await ledger.close()
      ledger = await backend.open(options)
    }

    it('is empty at first', async () => {
      expect(ledger.head()).toBeUndefined()
      expect(ledger.certifiedHeight()).toBe(0)
      expect(ledger.getState('token\0a')).toBeUndefined()
      expect(ledger.rootAfter(new Map())).toBe(ZERO_HASH)
      expect(await ledger.block(0)).toBeUndefined()
      await expect(ledger.stateAt(0).get('token\0a')).rejects.toMatchObject({ code: 'ABOVE_HEAD' })
      expect(await ledger.check()).toEqual([])
    })

    it('gives back what was committed, also after a restart', async () => {
      const chain = createChain(ledger)
      await chain.commit([['token\0a', '1']])
      const block = await chain.commit([['token\0b', '"ü"']], [sent(1, alice, 0), sent(2, bob, 4, 'names', 'reverted')])
      await ledger.putCertificates([chain.certificate(1)])
      for (const restart of [false, true]) {
        if (restart) await reopen()
        expect(ledger.head()).toEqual({ height: 1, blockHash: block.blockHash })
        expect(await ledger.header(1)).toEqual(block.header)
        expect(await ledger.receipts(1)).toEqual(block.receipts)
        expect(Buffer.from((await ledger.batch(1))!)).toEqual(Buffer.from(block.batch))
        expect(await ledger.certificate(1)).toEqual(chain.certificate(1))
        expect(await ledger.block(1)).toMatchObject({ header: block.header, blockHash: block.blockHash })
        expect(ledger.getState('token\0a')).toBe('1')
        expect(ledger.getState('token\0b')).toBe('"ü"')
        expect(ledger.rootAfter(new Map())).toBe(naiveRoot(chain.states[1]!))
        expect(await ledger.header(2)).toBeUndefined()
        expect(await ledger.check()).toEqual([])
      }
      await chain.commit([]).catch(() => undefined)
    })

    it('refuses a block that does not follow, and is unchanged by it', async () => {
      const chain = createChain(ledger)
      await chain.commit([['token\0a', '1']])
      const writes: Writes = [['token\0a', '2']]
      const wrong = [
        chain.build(writes, [], { height: 2 }),
        chain.build(writes, [], { parentHash: name(5) }),
        chain.build(writes, [], { stateRoot: name(6) }),
        chain.build(writes, [], { genesisHash: name(7) }),
        { ...chain.build(writes), blockHash: name(8) },
        { ...chain.build(writes, [sent(1, alice, 0)]), receipts: [] },
      ]
      for (const block of wrong) await expect(ledger.commitBlock(block)).rejects.toThrow()
      expect(ledger.head()!.height).toBe(0)
      expect(ledger.getState('token\0a')).toBe('1')
      const block = await chain.commit(writes)
      expect(block.header.stateRoot).toBe(naiveRoot(chain.states[1]!))
    })

    it('computes the root again when the writes changed after they were asked about', async () => {
      const chain = createChain(ledger)
      const writes = new Map<string, string | null>([['token\0a', '1']])
      const block = { ...chain.build([...writes]), writes }
      writes.set('token\0a', '2')
      await expect(ledger.commitBlock(block)).rejects.toThrow('state root')
      await chain.commit([['token\0a', '3']])
      expect(ledger.rootAfter(new Map())).toBe(naiveRoot(chain.states[0]!))
    })

    it('refuses keys that would not come back as they went in', async () => {
      expect(() => ledger.rootAfter(new Map([['token\0\ud800', '1']]))).toThrow('lone surrogate')
    })

    it('certifies the highest height below which nothing is missing', async () => {
      const chain = createChain(ledger)
      for (let height = 0; height <= 5; height++) await chain.commit([])
      await ledger.putCertificates([chain.certificate(2), chain.certificate(3)])
      expect(ledger.certifiedHeight()).toBe(0)
      await Promise.all([
        ledger.putCertificates([chain.certificate(1)]),
        ledger.putCertificates([chain.certificate(5)]),
      ])
      expect(ledger.certifiedHeight()).toBe(3)
      await ledger.putCertificates([chain.certificate(4)])
      expect(ledger.certifiedHeight()).toBe(5)
      await reopen()
      expect(ledger.certifiedHeight()).toBe(5)
      await expect(ledger.putCertificates([{ ...chain.certificate(5), height: 6 }])).rejects.toThrow('no such block')
      await expect(ledger.putCertificates([{ ...chain.certificate(5), blockHash: name(1) }])).rejects.toThrow('is')
    })

    it('certifies through certificates that are put all at once', async () => {
      const chain = createChain(ledger)
      for (let height = 0; height <= 12; height++) await chain.commit([])
      const heights = [3, 1, 2, 6, 5, 4, 12, 11, 10, 9, 8, 7]
      await Promise.all(heights.map((height) => ledger.putCertificates([chain.certificate(height)])))
      expect(ledger.certifiedHeight()).toBe(12)
    })

    it('keeps write digests of blocks that were executed here', async () => {
      const chain = createChain(ledger)
      await chain.commit([])
      const digests = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
      const block = chain.build([], [sent(1, alice, 0), sent(2, alice, 1)])
      await ledger.commitBlock({ ...block, writeDigests: digests })
      expect(await ledger.writeDigests(1)).toEqual(new Uint8Array([...digests[0]!, ...digests[1]!]))
      expect(await ledger.writeDigests(0)).toBeUndefined()
    })

    it('keeps that a quorum contradicts a block, as long as that block is there', async () => {
      const chain = createChain(ledger)
      for (let height = 0; height <= 2; height++) await chain.commit([])
      expect(await ledger.divergence()).toBeUndefined()
      const divergence = { certificate: { ...chain.certificate(2), blockHash: name(7) }, difference: null }
      await ledger.putDivergence({ ...divergence, ours: chain.certificate(2).blockHash })
      await reopen()
      expect(await ledger.divergence()).toEqual({ ...divergence, ours: chain.certificate(2).blockHash })
      await ledger.putDivergence({ ...divergence, ours: name(8) })
      expect(await ledger.divergence()).toBeUndefined()
    })

    it('finds the executed place of a transaction rather than where it was skipped', async () => {
      const chain = createChain(ledger)
      await chain.commit([])
      await chain.commit([], [sent(1, alice, 1, 'token', 'skipped')])
      expect(await ledger.findTransaction(name(1))).toEqual({ height: 1, index: 0, executed: false })
      expect(await ledger.executedBy(alice, 1)).toBeUndefined()
      await chain.commit([], [sent(2, alice, 0), sent(1, alice, 1)])
      await chain.commit([], [sent(1, alice, 1, 'token', 'skipped')])
      expect(await ledger.findTransaction(name(1))).toEqual({ height: 2, index: 1, executed: true })
      expect(await ledger.executedBy(alice, 1)).toBe(name(1))
      expect(await ledger.findTransaction(name(9))).toBeUndefined()
    })

    it('lists transactions newest first, page by page, whatever the filter', async () => {
      const chain = createChain(ledger)
      const all: (Sent & { height: number; index: number })[] = []
      await chain.commit([])
      for (let height = 1; height <= 12; height++) {
        const block = Array.from({ length: height % 4 }, (_, index): Sent => {
          const n = height * 10 + index
          const status = n % 5 === 0 ? 'skipped' : n % 3 === 0 ? 'reverted' : 'ok'
          return sent(n, n % 2 === 0 ? alice : bob, n, n % 7 < 4 ? 'token' : 'token-2', status)
        })
        await chain.commit([], block)
        all.push(...block.map((one, index) => ({ ...one, height, index })))
      }
      const filters = [{}, { sender: alice }, { contract: 'token' }, { sender: bob, contract: 'token-2' }]
      for (const filter of filters) {
        const expected = all
          .filter(({ status }) => status !== 'skipped')
          .filter((one) => Object.entries(filter).every(([field, value]) => one[field as 'sender'] === value))
          .map(({ id, height, index }) => ({ id, height, index }))
          .reverse()
        expect(expected.length).toBeGreaterThan(1)
        expect(await ledger.transactionsBy({ ...filter, limit: 100 })).toEqual(expected)
        const below = expected.filter(({ height }) => height < 7)
        expect(await ledger.transactionsBy({ ...filter, beforeHeight: 7, limit: 100 })).toEqual(below)
        for (const limit of [1, 2, 5]) {
          const paged = await ledger.transactionsBy({ ...filter, limit })
          while (paged.length < expected.length) {
            const { height: beforeHeight, index: beforeIndex } = paged.at(-1)!
            const page = await ledger.transactionsBy({ ...filter, beforeHeight, beforeIndex, limit })
            if (page.length === 0) break
            paged.push(...page)
          }
          expect(paged).toEqual(expected)
        }
      }
      expect(await ledger.transactionsBy({ sender: name(77), limit: 10 })).toEqual([])
      expect(await ledger.transactionsBy({ contract: 'x'.repeat(300), limit: 10 })).toEqual([])
    })

    it('reads each height exactly as it was, against a model', async () => {
      // Prefixes of one another, NUL, the bytes the escaping uses, and characters whose UTF-16 order is not their byte order.
      const part = fc.constantFrom(
        '',
        'a',
        'aa',
        '\0',
        '\x01',
        '\u00ff',
        'a\0',
        'a\0\x01',
        'a\x01',
        '\uffff',
        '\u{10000}',
        '\u{1f600}z',
      )
      const key = fc.tuple(fc.constantFrom('t', 't2'), part, part).map(([contract, a, b]) => `${contract}\0${a}${b}`)
      const write = fc.tuple(key, fc.option(fc.constantFrom('1', '2', '"é"'), { nil: null }))
      const blocks = fc.array(fc.array(write, { maxLength: 12 }), { minLength: 1, maxLength: 8 })
      const query = fc.record({
        height: fc.nat(7),
        prefix: fc.oneof(key, fc.constantFrom('', 't', 't\0', 't2\0', 't\0a', 't\0\0')),
        after: fc.option(key, { nil: undefined }),
        limit: fc.integer({ min: 0, max: 6 }),
      })
      await fc.assert(
        fc.asyncProperty(blocks, fc.array(query, { minLength: 5, maxLength: 30 }), async (history, queries) => {
          const own = makeBackend()
          const handle = await own.open()
          try {
            const chain = createChain(handle)
            for (const writes of history) await chain.commit(writes)
            for (const { height: any, prefix, after, limit } of queries) {
              const height = any % history.length
              const view = handle.stateAt(height)
              expect(await view.scan(prefix, after, limit)).toEqual(chain.scan(height, prefix, after, limit))
              expect(await view.get(prefix)).toBe(chain.states[height]!.get(prefix))
            }
          } finally {
            await handle.close()
            await own.remove()
          }
        }),
        { numRuns: 40 },
      )
    })

    it('keeps as much history as it is told, and says where it begins', async () => {
      await reopen({ historyBlocks: 3 })
      const chain = createChain(ledger)
      for (let height = 0; height <= 10; height++)
        await chain.commit([
          ['token\0a', String(height)],
          [`token\0${height}`, '1'],
        ])
      for (let height = 7; height <= 10; height++) {
        expect(await ledger.stateAt(height).scan('', undefined, 100)).toEqual(chain.scan(height, '', undefined, 100))
      }
      await expect(ledger.stateAt(6).get('token\0a')).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 7 })
      await expect(ledger.stateAt(11).get('token\0a')).rejects.toMatchObject({ code: 'ABOVE_HEAD', headHeight: 10 })
      // A longer history does not bring back what is gone.
      await reopen({ historyBlocks: 100 })
      await expect(ledger.stateAt(6).get('token\0a')).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 7 })
    })

    it('shows one handle what another one does', async () => {
      const other = await backend.open({ tree: false })
      try {
        const chain = createChain(ledger)
        for (let height = 0; height < 3; height++) {
          await chain.commit([['token\0a', String(height)]])
          expect(other.head()).toEqual({ height, blockHash: chain.hashes[height] })
          expect(other.getState('token\0a')).toBe(String(height))
        }
        await other.putCertificates([chain.certificate(1)])
        expect(ledger.certifiedHeight()).toBe(1)
        expect(() => other.rootAfter(new Map())).toThrow('tree: true')
      } finally {
        await other.close()
      }
    })
  })
}
