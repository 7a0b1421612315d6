// State proven from the disk alone, against a tree rebuilt from scratch.
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromHex } from '../../src/crypto/hex.ts'
import { verifyStatePath } from '../../src/crypto/state-proof.ts'
import * as keys from '../../src/ledger/keys.ts'
import { type Ledger, type LedgerOptions, openLedger, type StatePath } from '../../src/ledger/ledger.ts'
import { openStore, type Store } from '../../src/ledger/store.ts'
import { createChain, GENESIS, type Writes } from './chain.ts'
import { naivePath, naiveRoot, pathOf } from './naive-tree.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-paths-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const open = (options: Partial<LedgerOptions> = {}) =>
  openLedger({ directory, genesisHash: GENESIS, tree: true, twigLeaves: 2, ...options })

function proves(path: StatePath, key: string, value: string | undefined, root: string): boolean {
  const other = path.other && { path: fromHex(path.other.path), valueHash: fromHex(path.other.valueHash) }
  return verifyStatePath({ key, value, siblings: path.siblings.map(fromHex), other }, fromHex(root))
}

async function withStore<T>(use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(directory)
  return use(store).finally(() => store.close())
}

async function entries(store: Store, range: { gte: Buffer; lt: Buffer }): Promise<[Buffer, Buffer][]> {
  const cursor = store.cursor(range)
  const found: [Buffer, Buffer][] = []
  for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) found.push(entry)
  await cursor.close()
  return found
}

/** Names whose paths share their first 12 bits with another's, so that pages lie deep. */
const near = (() => {
  const byStart = new Map<string, string[]>()
  for (let n = 0; n < 12_000; n++) {
    const name = `token\0near ${n}`
    const start = pathOf(name).slice(0, 3)
    byStart.set(start, [...(byStart.get(start) ?? []), name])
  }
  return [...byStart.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, 2)
    .flatMap((names) => names.slice(0, 8))
})()
const names = [...near, ...Array.from({ length: 40 }, (_, n) => `token\0${n}`)]

/** Everything that can be asked of `height`, by any handle. */
async function expectHeight(ledger: Ledger, states: Map<string, string>[], height: number, asked: readonly string[]) {
  const state = states[height]!
  const root = naiveRoot(state)
  for (const key of asked) {
    const path = await ledger.proveState(height, key)
    expect([height, key, path]).toEqual([height, key, naivePath(state, key)])
    expect(proves(path, key, state.get(key), root)).toBe(true)
    expect(proves(path, key, state.has(key) ? undefined : '"x"', root)).toBe(false)
  }
}

async function allLeaves(ledger: Ledger, height: number, range?: { path: Uint8Array; bits: number }) {
  const found: [string, string][] = []
  for await (const { key, value } of ledger.leavesAt(height, range)) found.push([key, value])
  return found
}
const inPathOrder = (state: Map<string, string>) => [...state].sort(([a], [b]) => (pathOf(a) < pathOf(b) ? -1 : 1))

describe('paths from the disk', () => {
  it('meet their naive twin at every kept height, over long histories, restarts and other handles', async () => {
    const name = fc.constantFrom(...names)
    const value = fc.option(fc.constantFrom('1', '2', '"é"'), { nil: null, freq: 2 })
    const few = fc.array(fc.tuple(name, value), { maxLength: 12 })
    // Whole tides of keys take pages over the threshold and back.
    const tide = fc
      .record({ from: fc.nat(names.length), count: fc.nat(30), value })
      .map(({ from, count, value }): Writes => names.slice(from, from + count).map((one) => [one, value]))
    const block = fc.record({
      writes: fc.oneof(few, tide),
      reopen: fc.boolean(),
      asked: fc.array(name, { minLength: 3, maxLength: 6 }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(block, { minLength: 5, maxLength: 30 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(1, 2, 4),
        async (blocks, historyBlocks, twigLeaves) => {
          let ledger = await open({ historyBlocks, twigLeaves })
          let chain = createChain(ledger)
          const reader = await open({ tree: false })
          try {
            for (const [head, { writes, reopen, asked }] of blocks.entries()) {
              await chain.commit(writes)
              const oldest = Math.max(0, head - historyBlocks)
              for (const height of new Set([oldest, Math.max(oldest, head - 6), head])) {
                await expectHeight(reader, chain.states, height, asked)
                expect(await allLeaves(reader, height)).toEqual(inPathOrder(chain.states[height]!))
              }
              expect(ledger.oldestProvableHeight()).toBe(oldest)
              if (!reopen || head % 3 > 0) continue
              await ledger.close()
              ledger = await open({ historyBlocks, twigLeaves })
              const next = createChain(ledger)
              next.states.push(...chain.states)
              next.hashes.push(...chain.hashes)
              chain = next
            }
            const head = blocks.length - 1
            for (let height = Math.max(0, head - historyBlocks); height <= head; height++) {
              await expectHeight(ledger, chain.states, height, names)
            }
            await expect(reader.proveState(head + 1, 'a')).rejects.toMatchObject({ code: 'ABOVE_HEAD' })
            if (head > historyBlocks) {
              const oldestHeight = head - historyBlocks
              await expect(reader.proveState(oldestHeight - 1, 'a')).rejects.toMatchObject({
                code: 'PRUNED',
                oldestHeight,
              })
            }
          } finally {
            await reader.close()
            await ledger.close()
            await rm(directory, { recursive: true })
          }
        },
      ),
      { numRuns: 10 },
    )
  }, 120_000)

  it('stay those of their height while blocks are committed', async () => {
    const ledger = await open({ historyBlocks: 1_000 })
    const reader = await open({ tree: false })
    const chain = createChain(ledger)
    let isOver = false
    const reading = (async () => {
      let read = 0
      for (let n = 0; !isOver || read < 50; n++) {
        const head = reader.head()?.height
        if (head === undefined || chain.states[head] === undefined) {
          await new Promise(setImmediate)
          continue
        }
        const height = n % 3 === 0 ? Math.floor(head / 2) : head
        const key = names[n % names.length]!
        expect(await reader.proveState(height, key)).toEqual(naivePath(chain.states[height]!, key))
        read++
      }
    })()
    for (let height = 0; height < 60; height++) {
      await chain.commit(
        names.filter((_, n) => (n * 7 + height) % 5 === 0).map((one) => [one, height % 4 === 0 ? null : `${height}`]),
      )
    }
    isOver = true
    await reading
    await reader.close()
    await ledger.close()
  })

  it('cut the state into the subtrees of any depth', async () => {
    const ledger = await open()
    const chain = createChain(ledger)
    await chain.commit(names.map((one, n) => [one, `${n}`]))
    await chain.commit(names.slice(0, 20).map((one) => [one, null]))
    for (const height of [0, 1]) {
      for (const bits of [1, 3, 8, 11]) {
        const cut: [string, string][] = []
        for (let index = 0; index < 2 ** bits; index++) {
          const path = Buffer.alloc(2)
          path.writeUInt16BE(index << (16 - bits))
          cut.push(...(await allLeaves(ledger, height, { path, bits })))
        }
        expect(cut).toEqual(inPathOrder(chain.states[height]!))
      }
    }
    await ledger.close()
  })
})

describe('the trunk on the disk', () => {
  it('is not there without history, and comes back with one', async () => {
    let ledger = await open({ historyBlocks: 4 })
    const chain = createChain(ledger)
    for (let height = 0; height < 4; height++) {
      await chain.commit(names.map((one, n) => [one, (n + height) % 5 === 0 ? null : `${height}`]))
    }
    await ledger.close()
    ledger = await open({ historyBlocks: 0 })
    const carry = createChain(ledger)
    carry.states.push(...chain.states)
    carry.hashes.push(...chain.hashes)
    // Keys that an earlier block deleted come back, and others go, with no entry that tells of it.
    for (let height = 4; height < 8; height++) {
      await carry.commit(names.map((one, n) => [one, (n + height) % 3 === 0 ? null : `${height}`]))
    }
    await expect(ledger.proveState(7, names[0]!)).rejects.toThrow('the node builds it when it starts')
    await expect(allLeaves(ledger, 7)).rejects.toThrow('the node builds it when it starts')
    expect(await ledger.stateAt(7).scan('', undefined, 1_000)).toEqual(carry.scan(7, '', undefined, 1_000))
    await ledger.close()
    ledger = await open({ historyBlocks: 4 })
    const rest = createChain(ledger)
    rest.states.push(...carry.states)
    rest.hashes.push(...carry.hashes)
    for (let height = 8; height < 11; height++) await rest.commit([[names[height]!, null]])
    for (let height = 7; height < 11; height++) {
      await expectHeight(ledger, rest.states, height, names)
      expect(await allLeaves(ledger, height)).toEqual(inPathOrder(rest.states[height]!))
    }
    await expect(ledger.proveState(6, names[0]!)).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 7 })
    await ledger.close()
    // Another twig size builds it anew: older heights can be read, and neither be proven nor be walked in path order.
    ledger = await open({ historyBlocks: 4, twigLeaves: 9 })
    expect(await ledger.stateAt(9).get(names[0]!)).toBe(rest.states[9]!.get(names[0]!))
    await expect(ledger.proveState(9, names[0]!)).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 10 })
    await expect(allLeaves(ledger, 9)).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 10 })
    await ledger.close()
  })

  it('keeps what the kept heights need, and no more', async () => {
    const historyBlocks = 4
    const ledger = await open({ historyBlocks })
    const chain = createChain(ledger)
    for (let height = 0; height < 60; height++) {
      await chain.commit(names.map((one, n) => [one, (n + height) % 3 === 0 ? `${height}` : `${n}`]))
    }
    const gone = names.slice(0, 30)
    await chain.commit(gone.map((one) => [one, null]))
    await ledger.close()
    const found = await withStore(async (store) => ({
      paths: (await entries(store, keys.kindRange('path'))).length,
      stale: (await entries(store, keys.kindRange('stale'))).map(([key]) => keys.readHeight(key, 1)),
      records: (await entries(store, keys.kindRange('trunk'))).length - 1,
    }))
    expect(found.paths).toBe(names.length)
    expect(Math.min(...found.stale)).toBeGreaterThan(60 - historyBlocks)
    const pages = new Set(
      await withStore(async (store) =>
        (await entries(store, keys.kindRange('trunk'))).map(([key]) => key.toString('hex', 0, key.length - 8)),
      ),
    )
    // Of each page: the kept heights, and the records since the whole one before them.
    expect(found.records).toBeLessThan(pages.size * (historyBlocks + 18))

    const again = await open({ historyBlocks })
    const rest = createChain(again)
    rest.states.push(...chain.states)
    rest.hashes.push(...chain.hashes)
    await rest.commit(gone.slice(0, 10).map((one) => [one, '"back"']))
    for (let n = 0; n < 40; n++) await rest.commit([[names.at(-1)!, `${n}`]])
    await again.close()
    const paths = await withStore((store) => entries(store, keys.kindRange('path')))
    expect(paths.map(([, key]) => key.toString()).sort()).toEqual([...rest.states.at(-1)!.keys()].sort())
  })

  it('has the path of a key that came back, whenever its deletion is pruned', async () => {
    const historyBlocks = 4
    const [twice, late] = names as [string, string]
    const ledger = await open({ historyBlocks })
    const chain = createChain(ledger)
    await chain.commit(names.map((one) => [one, '1']))
    await chain.commit([twice, late].map((one) => [one, null]))
    await chain.commit([[twice, '"back"']])
    await chain.commit([[twice, null]])
    await chain.commit([])
    // The deletions at height 1 are pruned by the very block that brings one of the keys back.
    await chain.commit([[late, '"back"']])
    for (let height = 1; height <= 5; height++)
      await expectHeight(ledger, chain.states, height, [twice, late, names[9]!])
    await ledger.close()
    expect(await withStore(async (store) => (await entries(store, keys.kindRange('path'))).length)).toBe(names.length)
  })

  it('vanishes with its state', async () => {
    const historyBlocks = 3
    const ledger = await open({ historyBlocks })
    const chain = createChain(ledger)
    await chain.commit(names.map((one) => [one, '1']))
    await chain.commit(names.map((one) => [one, null]))
    for (let n = 0; n < 6; n++) await chain.commit([['token\0a', `${n}`]])
    await ledger.close()
    await withStore(async (store) => {
      expect(await entries(store, keys.kindRange('trunk'))).toHaveLength(1)
      expect(await entries(store, keys.kindRange('path'))).toHaveLength(1)
      expect(await entries(store, keys.kindRange('stale'))).toEqual([])
    })
  })

  type Harm = [name: string, harm: (store: Store) => Promise<void>]
  const remove = async (store: Store, key: Buffer) => store.write([{ type: 'del', key }])
  const harms: Harm[] = [
    [
      'of an older version is missing',
      async (store) => {
        for (const kind of ['path', 'trunk', 'stale'] as const) await store.clear(keys.kindRange(kind))
      },
    ],
    [
      'lacks its newest page',
      async (store) => remove(store, (await entries(store, keys.kindRange('trunk'))).at(-1)![0]),
    ],
    [
      'has a page with another hash',
      async (store) => {
        const [key, value] = (await entries(store, keys.kindRange('trunk'))).at(-1)!
        await store.write([{ type: 'put', key, value: value.with(value.length - 1, value.at(-1)! ^ 1) }])
      },
    ],
    ['lacks a path', async (store) => remove(store, keys.pathKey(Buffer.from(pathOf(names[1]!), 'hex')))],
    [
      'is of another height',
      async (store) => {
        const value = store.getSync(keys.trunkKey)!
        await store.write([{ type: 'put', key: keys.trunkKey, value: value.with(15, value[15]! - 1) }])
      },
    ],
  ]
  it.each(harms)('that %s is built anew, and proves from the head on', async (_, harm) => {
    const ledger = await open()
    const chain = createChain(ledger)
    for (let height = 0; height < 5; height++)
      await chain.commit(names.map((one, n) => [one, n % 5 === height ? null : `${height}`]))
    await ledger.close()
    await withStore(harm)
    const mended = await open()
    expect(await mended.check()).toEqual([])
    expect(mended.oldestProvableHeight()).toBe(4)
    await expect(mended.proveState(3, names[0]!)).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 4 })
    expect(await mended.stateAt(3).get(names[0]!)).toBe(chain.states[3]!.get(names[0]!))
    const rest = createChain(mended)
    rest.states.push(...chain.states)
    rest.hashes.push(...chain.hashes)
    await rest.commit(names.slice(10).map((one) => [one, null]))
    for (const height of [4, 5]) await expectHeight(mended, rest.states, height, names)
    await mended.close()
    const reopened = await open()
    expect(reopened.oldestProvableHeight()).toBe(4)
    await reopened.close()
  })

  it('is built anew for another threshold', async () => {
    const ledger = await open({ twigLeaves: 2 })
    const chain = createChain(ledger)
    await chain.commit(names.map((one, n) => [one, `${n}`]))
    await ledger.close()
    const other = await open({ twigLeaves: 8 })
    const rest = createChain(other)
    rest.states.push(...chain.states)
    rest.hashes.push(...chain.hashes)
    await rest.commit(names.slice(20).map((one) => [one, null]))
    await expectHeight(other, rest.states, 1, names)
    await other.close()
  })

  it('is left as it is where the state itself is not the head’s', async () => {
    const ledger = await open()
    const chain = createChain(ledger)
    await chain.commit(names.map((one, n) => [one, `${n}`]))
    await ledger.close()
    await withStore((store) => remove(store, keys.stateKey(names[3]!)))
    const before = await withStore((store) => entries(store, keys.kindRange('trunk')))
    const damaged = await open()
    expect(await damaged.check()).toMatchObject([{ thing: 'the state' }])
    await expect(damaged.proveState(0, names[3]!)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' })
    await damaged.close()
    expect(await withStore((store) => entries(store, keys.kindRange('trunk')))).toEqual(before)
  })
})
