// Long lives of a ledger under settings that change at every start: blocks, certificates behind them, starts, pruning live and by
// command, against a model that keeps everything. QUORATE_HISTORIES=20 runs that many, each three times as long.
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifyStatePath } from '../../src/crypto/state-proof.ts'
import * as keys from '../../src/ledger/keys.ts'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { pruneLedger } from '../../src/ledger/pruning.ts'
import { openStore } from '../../src/ledger/store.ts'
import { fromHex } from '../../src/types/hex.ts'
import { batchOf, compareText, createChain, GENESIS, name, type Sent, type Writes } from './chain.ts'
import { naivePath, naiveRoot, pathOf } from './naive-tree.ts'

const RUNS = Number(process.env.QUORATE_HISTORIES ?? 1)
const STEPS = process.env.QUORATE_HISTORIES === undefined ? 30 : 90

const parts = [
  '',
  '\0',
  '\0\0',
  '\x01',
  '\u00ff',
  '\ufeff',
  '\uffff',
  '\u{10ffff}',
  'e\u0301',
  '\u00e9',
  'a',
  'a\0',
  'a\0\u00ff',
]
const KEYS = [
  '',
  '\0',
  't',
  ...parts.map((part) => `t\0${part}`),
  ...parts.map((part) => `t2\0a${part}b`),
  `t\0${'k'.repeat(3_000)}`,
  `t\0${'\0'.repeat(300)}`,
  ...Array.from({ length: 24 }, (_, n) => `token\0${n}`),
]
const SENDERS = [name(0xa11ce), name(0xb0b)]
/** A transaction that is skipped over and over. */
const LATE = name(0x1a7e)

interface Settings {
  historyBlocks: number
  keepBlocks: number
  twigLeaves: number
}

interface Step {
  writes: Writes
  /** Transactions that run, and whether the late one is skipped again. */
  runs: number
  skips: boolean
  endsEpoch: boolean
  /** How many blocks the certificates lie behind. */
  lag: number
  /** A block that was proposed here and never came. */
  dropped: Writes
  restart: Settings | undefined
  prune: { back: number; keepMin: number } | undefined
}

const value = fc.option(fc.constantFrom('1', '2', '', '"é"', '"\u{10ffff}\ufeff"', `"${'v'.repeat(500)}"`), {
  nil: null,
  freq: 2,
})
const few = fc.array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 10 })
const tide = fc
  .record({ from: fc.nat(KEYS.length), count: fc.nat(40), value })
  .map(({ from, count, value }): Writes => KEYS.slice(from, from + count).map((one) => [one, value]))
const writes = fc.oneof({ weight: 3, arbitrary: few }, tide)
const settings = fc.record({
  historyBlocks: fc.constantFrom(0, 1, 2, 3, 5, 9, 40),
  keepBlocks: fc.constantFrom(0, 0, 1, 2, 4, 9, 30),
  twigLeaves: fc.constantFrom(1, 2, 2, 4),
})
const step: fc.Arbitrary<Step> = fc.record({
  writes,
  runs: fc.nat(3),
  skips: fc.boolean(),
  endsEpoch: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  lag: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(6)),
  dropped: fc.oneof({ weight: 3, arbitrary: fc.constant<Writes>([]) }, few),
  restart: fc.option(settings, { nil: undefined, freq: 4 }),
  prune: fc.option(fc.record({ back: fc.nat(20), keepMin: fc.integer({ min: 1, max: 6 }) }), {
    nil: undefined,
    freq: 6,
  }),
})

/** What the ledger must know, by simpler means. */
function createModel() {
  const model = {
    states: [] as Map<string, string>[],
    sent: [] as Sent[][],
    epochEnds: new Set<number>([0]),
    oldestState: 0,
    trunk: undefined as { base: number; height: number; twigLeaves: number } | undefined,
    oldestBlock: 0,
    certified: 0,
    base: () => Math.max(0, model.oldestBlock - 1),
    head: () => model.states.length - 1,
    start({ historyBlocks, twigLeaves }: Settings) {
      const head = model.head()
      if (historyBlocks === 0 || head < 0) return
      const fits = model.trunk?.height === head && model.trunk.twigLeaves === twigLeaves
      if (!fits) model.trunk = { base: head, height: head, twigLeaves }
    },
    commit(
      writes: ReadonlyMap<string, string | null>,
      sent: Sent[],
      { historyBlocks, keepBlocks, twigLeaves }: Settings,
    ) {
      const state = new Map(model.states.at(-1))
      for (const [key, value] of writes) {
        if (value === null) state.delete(key)
        else state.set(key, value)
      }
      model.states.push(state)
      model.sent.push(sent)
      const head = model.head()
      model.oldestState = Math.max(model.oldestState, head - historyBlocks)
      model.trunk = historyBlocks === 0 ? undefined : { base: model.trunk?.base ?? head, height: head, twigLeaves }
      if (keepBlocks > 0) model.prune(Math.min(head - keepBlocks + 1, model.oldestBlock + 2))
    },
    prune(before: number) {
      const target = Math.min(before, model.certified + 1)
      if (target > model.oldestBlock && target !== 1) model.oldestBlock = target
    },
    /** Where a transaction is found: where it ran, or where it was skipped last, among the blocks that are kept. */
    place(id: string) {
      for (const executed of [true, false]) {
        for (let height = model.head(); height >= model.oldestBlock; height--) {
          const index = model.sent[height]!.findIndex((one) => one.id === id && (one.status !== 'skipped') === executed)
          if (index >= 0) return { height, index, executed }
        }
      }
      return undefined
    },
    listed(sender: string) {
      const found: { id: string; height: number; index: number }[] = []
      for (let height = model.head(); height >= model.oldestBlock; height--) {
        for (const [index, one] of [...model.sent[height]!.entries()].reverse())
          if (one.sender === sender && one.status !== 'skipped') found.push({ id: one.id, height, index })
      }
      return found
    },
  }
  return model
}
type Model = ReturnType<typeof createModel>

const inPathOrder = (state: Map<string, string>) => [...state].sort(([a], [b]) => (pathOf(a) < pathOf(b) ? -1 : 1))

async function expectState(ledger: Ledger, model: Model, height: number, asked: readonly string[]): Promise<void> {
  const state = model.states[height]!
  const view = ledger.stateAt(height)
  if (height < model.oldestState) {
    await expect(view.get('a')).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: model.oldestState })
    await expect(ledger.proveState(height, 'a')).rejects.toMatchObject({ code: 'PRUNED' })
    return
  }
  const sorted = [...state].sort(([a], [b]) => compareText(a, b))
  expect(await view.scan('', undefined, 1_000)).toEqual(sorted)
  for (const key of asked) {
    expect([height, key, await view.get(key)]).toEqual([height, key, state.get(key)])
    const below = sorted.filter(([each]) => each.startsWith(key) && compareText(each, key) > 0).slice(0, 3)
    expect(await view.scan(key, key, 3)).toEqual(below)
  }
  if (model.trunk === undefined) {
    await expect(ledger.proveState(height, 'a')).rejects.toThrow('the node builds it when it starts')
    return
  }
  const lowest = Math.max(model.trunk.base, model.base())
  if (height < lowest) {
    await expect(ledger.proveState(height, 'a')).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: lowest })
    return
  }
  const root = fromHex(naiveRoot(state))
  for (const key of asked) {
    const path = await ledger.proveState(height, key)
    expect([height, key, path]).toEqual([height, key, naivePath(state, key)])
    const other = path.other && { path: fromHex(path.other.path), valueHash: fromHex(path.other.valueHash) }
    const claim = { key, value: state.get(key), siblings: path.siblings.map(fromHex), other }
    expect(verifyStatePath(claim, root)).toBe(true)
  }
  const leaves: [string, string][] = []
  for await (const { key, value } of ledger.leavesAt(height)) leaves.push([key, value])
  expect(leaves).toEqual(inPathOrder(state))
}

async function expectBlocks(ledger: Ledger, model: Model): Promise<void> {
  expect(await ledger.check()).toEqual([])
  expect([ledger.oldestBlock(), ledger.certifiedHeight()]).toEqual([model.oldestBlock, model.certified])
  const isKept = (height: number) => height >= model.base() || model.epochEnds.has(height)
  for (let height = 0; height <= model.head(); height++) {
    const read = async (part: 'header' | 'batch' | 'receipts' | 'certificate') => {
      try {
        return (await ledger[part](height)) !== undefined
      } catch (error) {
        return (error as { code?: string }).code
      }
    }
    const body = height >= model.oldestBlock ? true : 'PRUNED'
    expect([height, await read('header')]).toEqual([height, isKept(height) ? true : 'PRUNED'])
    expect([height, await read('batch'), await read('receipts')]).toEqual([height, body, body])
    if (height === 0) continue
    const certificate = isKept(height) ? height <= model.certified : 'PRUNED'
    expect([height, await read('certificate')]).toEqual([height, certificate])
  }
  for (const id of new Set(model.sent.flat().map(({ id }) => id)))
    expect([id, await ledger.findTransaction(id)]).toEqual([id, model.place(id)])
  for (const sender of SENDERS)
    expect(await ledger.transactionsBy({ sender, limit: 1_000 })).toEqual(model.listed(sender))
  const all = SENDERS.flatMap(model.listed).sort((a, b) => b.height - a.height || b.index - a.index)
  expect(await ledger.transactionsBy({ limit: 1_000 })).toEqual(all)
}

/** Nothing may be left of what no kept height needs, once the pruning has caught up. */
async function expectNothingLeft(directory: string, model: Model): Promise<void> {
  const store = await openStore(directory)
  const cursor = store.cursor({ gte: Buffer.of(0), lt: Buffer.of(0xff) })
  const paths: string[] = []
  const strays: string[] = []
  const records = new Map<string, number>()
  for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
    const [key, stored] = entry
    const kind = keys.kindOf(key)
    if (kind === 'path') paths.push(stored.toString('utf8'))
    if (kind === 'undo' && keys.readUndoKey(key).height <= model.oldestState) strays.push(key.toString('hex'))
    if ((kind === 'undone' || kind === 'stale') && keys.readHeight(key, 1) <= model.oldestState)
      strays.push(key.toString('hex'))
    if (kind !== 'trunk' || key.length === 1) continue
    // Of the records below the oldest height, only those from the newest whole one on.
    const page = key.toString('hex', 0, key.length - 8)
    const isOld = keys.readHeight(key, key.length - 8) < model.oldestState
    if (isOld && stored.readUInt16BE() !== 0xffff && !records.has(page)) strays.push(`partial ${key.toString('hex')}`)
    if (isOld && stored.readUInt16BE() === 0xffff && records.has(page)) strays.push(`whole ${key.toString('hex')}`)
    records.set(page, 1)
  }
  await cursor.close()
  await store.close()
  expect(strays).toEqual([])
  const kept = model.states.slice(Math.max(model.oldestState, model.trunk?.base ?? 0))
  expect(paths.sort(compareText)).toEqual([...new Set(kept.flatMap((state) => [...state.keys()]))].sort(compareText))
}

/** One life; `draw` picks what is asked. */
async function live(directory: string, first: Settings, steps: readonly Step[], draw: (below: number) => number) {
  const model = createModel()
  const hashes: string[] = []
  let now = first
  const open = (tree: boolean) => openLedger({ directory, genesisHash: GENESIS, tree, ...now })
  let ledger = await open(true)
  // As the main thread beside the executor's.
  let reader = await open(false)

  async function commit({ writes, runs, skips, endsEpoch, lag, dropped }: Step): Promise<void> {
    const height = hashes.length
    const chain = createChain(ledger)
    chain.hashes.push(...hashes)
    if (dropped.length > 0) chain.build(dropped)
    const sent = height === 0 ? [] : sentAt(height, runs, skips)
    const block = { ...chain.build(writes, sent, endsEpoch ? { epochEnd: height } : {}), batch: batchOf(sent) }
    await ledger.commitBlock(block)
    for (const each of [chain.hashes, hashes]) each.push(block.blockHash)
    model.commit(block.writes, sent, now)
    if (endsEpoch) model.epochEnds.add(height)
    const certified = Math.max(model.certified, height - lag)
    const fresh = Array.from({ length: certified - model.certified }, (_, n) =>
      chain.certificate(model.certified + 1 + n),
    )
    await reader.putCertificates(fresh)
    model.certified = certified
  }

  async function restart(settings: Settings, prune: Step['prune']): Promise<void> {
    await ledger.close()
    if (prune !== undefined) {
      await reader.close()
      const { back, keepMin } = prune
      const before = Math.max(0, model.certified + 1 - keepMin - back)
      await pruneLedger({ directory, genesisHash: GENESIS, before, keepMin })
      model.prune(before)
    }
    now = settings
    ledger = await open(true)
    if (prune !== undefined) reader = await open(false)
    model.start(now)
  }

  async function expectHeights(heights: Iterable<number>): Promise<void> {
    for (const height of new Set(heights)) {
      const asked = Array.from({ length: 4 }, () => KEYS[draw(KEYS.length)]!)
      await expectState(reader, model, height, asked)
    }
  }

  try {
    for (const step of steps) {
      await commit(step)
      const head = model.head()
      await expectHeights([head, model.oldestState, Math.max(0, model.oldestState - 1), draw(head + 1)])
      for (const key of KEYS) expect(ledger.getState(key)).toBe(model.states[head]!.get(key))
      if (step.restart === undefined) continue
      await restart(step.restart, step.prune)
      await expectHeights(Array.from({ length: head + 1 }, (_, height) => height))
      await expectBlocks(reader, model)
    }
    await expectBlocks(reader, model)
    // Until everything that a shorter history left behind is gone.
    if (now.historyBlocks === 0) await restart({ ...now, historyBlocks: 1 }, undefined)
    const idle = { runs: 0, skips: false, endsEpoch: false, lag: 0, dropped: [], restart: undefined, prune: undefined }
    for (let left = model.head() + 2; left > 0; left--) await commit({ ...idle, writes: [['t\0a', `${left}`]] })
    await expectHeights(model.states.keys())
  } finally {
    await reader.close()
    await ledger.close()
  }
  await expectNothingLeft(directory, model)
}

function sentAt(height: number, runs: number, skips: boolean): Sent[] {
  const sent: Sent[] = Array.from({ length: runs }, (_, index) => {
    return { id: name(height * 10 + index), sender: SENDERS[index % 2]!, nonce: height * 10 + index, contract: 'token' }
  })
  if (skips) sent.splice(1, 0, { id: LATE, sender: SENDERS[0]!, nonce: 99, contract: 'token', status: 'skipped' })
  return sent
}

describe('the long life of a ledger', () => {
  it('agrees with a model at every height, whatever its settings were and are', async () => {
    await fc.assert(
      fc.asyncProperty(
        settings,
        fc.array(step, { minLength: STEPS, maxLength: STEPS, size: 'max' }),
        fc.infiniteStream(fc.nat(1_000_000)),
        async (first, steps, numbers) => {
          const directory = mkdtempSync(join(tmpdir(), 'quorate-history-'))
          try {
            await live(directory, first, steps, (below) => numbers.next().value! % below)
          } finally {
            await rm(directory, { recursive: true })
          }
        },
      ),
      { numRuns: RUNS, endOnFailure: true },
    )
  }, 3_600_000)
})
