import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blockOperations } from '../../src/ledger/blocks.ts'
import * as keys from '../../src/ledger/keys.ts'
import { type Ledger, type LedgerOptions, openLedger } from '../../src/ledger/ledger.ts'
import { checkFolder } from '../../src/ledger/opening.ts'
import { openStore, seal } from '../../src/ledger/store.ts'
import { WRITE_DIGEST_BLOCKS } from '../../src/limits.ts'
import { createChain, GENESIS, name } from './chain.ts'
import { DAMAGE_STEP } from './damage.ts'
import { naivePath, naiveRoot } from './naive-tree.ts'
import { ledgerSuite } from './suite.ts'

const newFolder = () => mkdtempSync(join(tmpdir(), 'quorate-ledger-'))
const open = (directory: string, genesisHash = GENESIS, options: Partial<LedgerOptions> = {}) =>
  openLedger({ directory, genesisHash, tree: true, ...options })

ledgerSuite('ledger on LevelDB', () => {
  const directory = newFolder()
  return {
    open: (options) => openLedger({ directory, genesisHash: GENESIS, tree: true, ...options }),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
})

it('a block makes the ledger forget the write digests that are too old', async () => {
  const directory = newFolder()
  const ledger = await open(directory)
  const block = createChain(ledger).build([], [], { height: WRITE_DIGEST_BLOCKS + 3 })
  expect(blockOperations(block)).toContainEqual({ type: 'del', key: keys.writeDigestsKey(3) })
  await ledger.close()
  await rm(directory, { recursive: true, force: true })
})

describe('ledger folder', () => {
  let directory: string
  const children: ChildProcess[] = []
  beforeEach(() => {
    directory = newFolder()
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  function startWriter(): { child: ChildProcess; line(): Promise<string> } {
    const script = fileURLToPath(new URL('./writer.ts', import.meta.url))
    const child = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return { child, line: async () => String((await once(child.stdout!, 'data'))[0]) }
  }

  /** Three blocks, and the folder closed. */
  async function fill(): Promise<ReturnType<typeof createChain>> {
    const ledger = await open(directory)
    const chain = createChain(ledger)
    for (let height = 0; height < 3; height++) {
      await chain.commit(
        [['token\0a', `"value ${height}"`]],
        [{ id: name(height), sender: name(1), nonce: height, contract: 'token' }],
      )
    }
    await ledger.putCertificates([chain.certificate(1), chain.certificate(2)])
    await ledger.close()
    return chain
  }

  async function edit(change: (level: ClassicLevel<Buffer, Buffer>) => Promise<void>): Promise<void> {
    const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await level.open()
    await change(level)
    await level.close()
  }

  async function withLedger(use: (ledger: Ledger) => Promise<void>, options?: Partial<LedgerOptions>): Promise<void> {
    const ledger = await open(directory, GENESIS, options)
    await use(ledger).finally(() => ledger.close())
  }

  it('holds a block whole or not at all when its writer is killed', async () => {
    let reached = -1
    // As the writer opens it: another threshold would have the trunk built anew and hide what the crash left.
    const writers = { twigLeaves: 2, historyBlocks: 5 }
    for (let round = 0; round < 3; round++) {
      const { child, line } = startWriter()
      await line()
      await new Promise((resolve) => setTimeout(resolve, 60 + 35 * round))
      child.kill('SIGKILL')
      await once(child, 'exit')
      await withLedger(async (ledger) => {
        const head = ledger.head()!
        expect(head.height).toBeGreaterThan(reached)
        reached = head.height
        expect(await ledger.check()).toEqual([])
        const block = (await ledger.block(head.height))!
        expect(block.receipts).toHaveLength(50)
        for (const [index, { txId, sender, nonce }] of block.receipts.entries()) {
          expect(await ledger.findTransaction(txId)).toEqual({ height: head.height, index, executed: true })
          expect(await ledger.executedBy(sender, nonce)).toBe(txId)
        }
        const state = await ledger.stateAt(head.height).scan('', undefined, 1000)
        expect(state).toHaveLength(100)
        expect(new Set(state.map(([, value]) => value))).toEqual(new Set([String(head.height)]))
        expect(block.header.stateRoot).toBe(naiveRoot(new Map(state)))
        expect(ledger.oldestProvableHeight()).toBe(Math.max(0, head.height - 5))
        for (const [key] of state.slice(0, 20)) {
          expect(await ledger.proveState(head.height, key)).toEqual(naivePath(new Map(state), key))
        }
        expect(await ledger.header(head.height + 1)).toBeUndefined()
        expect(await ledger.batch(head.height + 1)).toBeUndefined()
      }, writers)
    }
  })

  it('is open in one process only', async () => {
    const { child, line } = startWriter()
    await line()
    await expect(open(directory)).rejects.toMatchObject({
      code: 'LEDGER_LOCKED',
      message: expect.stringContaining(directory),
    })
    expect(await checkFolder({ directory, genesisHash: GENESIS })).toMatchObject([{ code: 'LEDGER_LOCKED' }])
    child.kill('SIGKILL')
    await once(child, 'exit')
    await withLedger(async (ledger) => expect(ledger.head()).toBeDefined())
  })

  it("refuses another network's folder and another format's", async () => {
    await fill()
    await expect(open(directory, name(9))).rejects.toMatchObject({
      code: 'LEDGER_FOREIGN',
      message: expect.stringContaining(GENESIS),
    })
    const [fault] = await checkFolder({ directory, genesisHash: name(9) })
    expect(fault).toMatchObject({ code: 'LEDGER_FOREIGN', mend: expect.stringContaining('genesis file') })
    const value = Buffer.concat([Buffer.of(99), Buffer.from(GENESIS, 'hex')])
    await edit((level) => level.put(keys.formatKey, seal(keys.formatKey, value)))
    await expect(open(directory)).rejects.toMatchObject({
      code: 'LEDGER_FOREIGN',
      message: expect.stringContaining('format 99'),
    })
  })

  it('notices any flipped bit of any stored value', async () => {
    await fill()
    const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    await level.open({ multithreading: true })
    const store = await openStore(directory)
    const entries = await level.iterator().all()
    expect(new Set(entries.map(([key]) => keys.kindOf(key))).size).toBe(17)
    for (const [key, stored] of entries) {
      const damage = { code: 'LEDGER_DAMAGED', message: expect.stringContaining(keys.kindOf(key)) }
      for (let at = 0; at < stored.length; at += 5) {
        const flipped = Buffer.from(stored)
        flipped[at]! ^= 1 << (at % 8)
        await level.put(key, flipped)
        await expect(store.get(key)).rejects.toMatchObject(damage)
        expect(() => store.getSync(key)).toThrow('checksum')
        const cursor = store.cursor({ gte: key, lt: Buffer.concat([key, Buffer.of(0)]) })
        await expect(cursor.next()).rejects.toMatchObject(damage)
        await cursor.close()
      }
      await level.put(key, stored)
    }
    // A whole value under the wrong key is damage too.
    const [first, second] = [1, 2].map((height) => keys.heightKey('header', height))
    await level.put(second!, entries.find(([key]) => key.equals(first!))![1])
    await expect(store.get(second!)).rejects.toMatchObject({ code: 'LEDGER_DAMAGED' })
    await store.close()
    await level.close()
  })

  it('keeps undo entries of the kept heights only, and shrinks to a shorter history block by block', async () => {
    const keysPerBlock = 400
    const count = async () => {
      const store = await openStore(directory)
      const found = []
      for (const kind of ['undo', 'undone'] as const) {
        const cursor = store.cursor(keys.kindRange(kind))
        let entries = 0
        while ((await cursor.next()) !== undefined) entries++
        await cursor.close()
        found.push(entries)
      }
      await store.close()
      return found
    }
    const grow = async (ledger: Ledger, chain: ReturnType<typeof createChain>, width: number) => {
      const height = chain.hashes.length
      await chain.commit(Array.from({ length: width }, (_, n): [string, string] => [`token\0${n}`, String(height)]))
      expect(ledger.head()!.height).toBe(height)
    }
    const long = await openLedger({ directory, genesisHash: GENESIS, tree: true, historyBlocks: 10 })
    const chain = createChain(long)
    for (let height = 0; height <= 14; height++) await grow(long, chain, keysPerBlock)
    await long.close()
    expect(await count()).toEqual([10 * keysPerBlock, 10])
    const short = await openLedger({ directory, genesisHash: GENESIS, tree: true, historyBlocks: 2 })
    const rest = createChain(short)
    rest.hashes.push(...chain.hashes)
    rest.states.push(...chain.states)
    await grow(short, rest, 1)
    // 9 heights are to go, and a block removes two of them.
    expect(await count()).toEqual([8 * keysPerBlock + 1, 9])
    await expect(short.stateAt(12).get('token\0' + '0')).rejects.toMatchObject({ code: 'PRUNED', oldestHeight: 13 })
    for (let n = 0; n < 8; n++) {
      await grow(short, rest, 1)
      const head = rest.hashes.length - 1
      for (let height = head - 2; height <= head; height++) {
        expect(await short.stateAt(height).scan('', undefined, 1_000)).toEqual(rest.scan(height, '', undefined, 1_000))
      }
    }
    expect(await count()).toEqual([2, 2])
    await short.close()
  })

  it('never gives a wrong value from a damaged file', async () => {
    const chain = await fill()
    await edit((level) => level.compactRange(Buffer.of(0), Buffer.of(0xff)))
    const whole = `${directory}-whole`
    await cp(directory, whole, { recursive: true })
    const script = fileURLToPath(new URL('./damaged-file.ts', import.meta.url))
    let noticed = 0
    // A byte in a table's structure can make LevelDB end the process, so the reading is done in one of its own.
    for (let at = 0, isDone = false; !isDone; ) {
      const child = spawn(process.execPath, [script, directory, whole, String(at), chain.hashes[2]!], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      children.push(child)
      const lines: string[] = []
      child.stdout!.on('data', (data) => lines.push(...String(data).split('\n').filter(Boolean)))
      const [code] = await once(child, 'close')
      const verdicts = lines.map((line) => JSON.parse(line) as { at: number; verdict: string })
      for (const verdict of verdicts)
        expect(verdict).toMatchObject({ verdict: expect.stringMatching(/^(right|noticed)$/) })
      noticed += verdicts.filter(({ verdict }) => verdict === 'noticed').length
      isDone = code === 0
      if (!isDone) noticed++
      at = (verdicts.at(-1)?.at ?? at - DAMAGE_STEP) + 2 * DAMAGE_STEP
    }
    await rm(whole, { recursive: true })
    expect(noticed).toBeGreaterThan(10)
  }, 60_000)

  it.each([
    ['a header', keys.heightKey('header', 1), 'header'],
    ['the head header', keys.heightKey('header', 2), 'header at heights 2'],
    ['a batch', keys.heightKey('batch', 1), 'batch of block 1'],
    ['receipts', keys.heightKey('receipts', 2), 'receipts of block 2'],
    ['a certificate', keys.heightKey('certificate', 1), 'certificate at heights 1 to 1'],
    ['a state value', keys.stateKey('token\0a'), 'the state'],
    ['the head', keys.headKey, 'the head'],
  ])('reports %s that is gone', async (_, key, thing) => {
    await fill()
    await withLedger(async (ledger) => expect(await ledger.check()).toEqual([]))
    await edit((level) => level.del(key))
    await withLedger(async (ledger) => {
      const faults = await ledger.check()
      expect(faults).toMatchObject([{ thing: expect.stringContaining(thing), mend: expect.stringContaining('peers') }])
    })
  })

  it.each([
    ['that its child does not name', 0],
    ['whose header is not what its hash says', 32],
  ])('reports a block %s', async (_, kept) => {
    const chain = await fill()
    await edit(async (level) => {
      const [before, key] = [0, 1].map((height) => keys.heightKey('header', height))
      const [other, own] = await level.getMany([before!, key!])
      const value = Buffer.concat([own!.subarray(4, 4 + kept), other!.subarray(4 + kept)])
      await level.put(key!, seal(key!, value))
    })
    const faults = await checkFolder({ directory, genesisHash: GENESIS })
    expect(faults[0]).toMatchObject({ thing: 'block 1', reason: expect.stringContaining(chain.hashes[1]!) })
  })

  it('takes no block while it closes', async () => {
    const ledger = await open(directory)
    const block = createChain(ledger).build([])
    const closing = ledger.close()
    await expect(ledger.commitBlock(block)).rejects.toThrow('closed')
    await closing
  })

  it('keeps the tree as it was when the disk refuses a write, and commits no more', async () => {
    const script = fileURLToPath(new URL('./full-disk.ts', import.meta.url))
    // A limit on the size of files makes writes fail as a full disk does.
    const child = spawn('sh', ['-c', 'ulimit -f 256; exec "$0" "$@"', process.execPath, script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const output: string[] = []
    child.stdout!.on('data', (data) => output.push(String(data)))
    expect((await once(child, 'close'))[0]).toBe(0)
    const report = JSON.parse(output.join(''))
    expect(report.failed).toBeGreaterThan(0)
    expect(report.rootAfterFailure).toBe(report.rootBefore)
    expect(report.second).toContain('earlier block')
    await withLedger(async (ledger) => {
      expect(ledger.head()!.height).toBe(report.failed - 1)
      expect(ledger.rootAfter(new Map())).toBe(report.rootBefore)
      expect(await ledger.check()).toEqual([])
      expect(ledger.oldestProvableHeight()).toBe(0)
      for (const height of [0, report.failed - 1]) {
        expect(await ledger.proveState(height, 'token\0a')).toEqual({ siblings: [] })
      }
    })
  })
})
