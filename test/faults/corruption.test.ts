// Random damage to a validator's data folder, each followed by a start (docs/data.md, "Start-up check" and "Repair"): the node runs and
// every answer is right, or it refuses with the reason and the mend; then the mend and a peer's blocks give the whole ledger again.
//
// The ledger is real: contracts, certificates, skipped transactions, tables of several levels and a journal. A start is what the
// executor does, without a process for each; test/faults/repair.test.ts has the processes.
//
// In an ordinary run every third is mended. QUORATE_CORRUPTIONS=500 tries that many and mends them all, from the seed
// QUORATE_CORRUPTIONS_FROM on.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BlockToTake, takeBlocks } from '../../src/audit/import.ts'
import { repairLedger } from '../../src/audit/repair.ts'
import { createConsensusLog, openConsensusLog } from '../../src/ledger/consensus-log.ts'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { checkFiles } from '../../src/ledger/leveldb/files.ts'
import { checkFolder, openWholeLedger } from '../../src/ledger/opening.ts'
import { type Evidence, evidenceOf } from '../../src/types/evidence.ts'
import { type Made, makeLedger } from '../audit/chain.ts'
import { harm } from '../ledger/damage.ts'
import { differences, type Image, imageOf, refusals } from '../ledger/image.ts'
import { report } from './cluster.ts'

const COUNT = Number(process.env.QUORATE_CORRUPTIONS ?? 50)
const MENDED_OF = process.env.QUORATE_CORRUPTIONS === undefined ? 3 : 1
const FROM = Number(process.env.QUORATE_CORRUPTIONS_FROM ?? 1)
const BLOCKS = 120
/** An older copy of the folder is from here. */
const EARLIER = 90
/** The blocks behind this one are in a young table and in the journal. */
const IN_TABLES = 112
const HISTORY = 1_000

interface Outcomes {
  whole: number
  /** It ran, with fewer blocks, and fetched them again. */
  shorter: number
  /** It ran and refused single answers. */
  holes: number
  /** It ran, LevelDB ended the process over a damaged body, and the start after that refused. */
  ended: number
  refused: number
}

describe('random damage to a data folder', () => {
  let folder: string
  let made: Made
  let original: Image
  let peer: Ledger
  let evidence: Evidence[]
  const sound = () => join(folder, 'sound')
  const earlier = () => join(folder, 'earlier')
  const model = () => join(folder, 'model.json')

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'quorate-corruption-'))
    const whole = join(folder, 'whole')
    made = await makeLedger({ directory: whole, blocks: BLOCKS, transactionsPerBlock: 2, senders: 3 })
    peer = await openLedger({ directory: whole, genesisHash: made.genesisHash, tree: false })
    await mkdir(sound())
    await fetch(sound(), EARLIER)
    const ledger = await open(sound())
    await ledger.putEvidence(someEvidence(made.genesisHash))
    await ledger.close()
    await cp(sound(), earlier(), { recursive: true })
    await fetch(sound(), IN_TABLES)
    await spread(sound())
    await fetch(sound(), BLOCKS)
    const names = await readdir(sound())
    expect(names.filter((name) => name.endsWith('.ldb')).length).toBeGreaterThan(5)
    original = await remember()
    await writeFile(model(), JSON.stringify({ head: original.head, answers: [...original.answers] }))
    expect([original.head, evidence.length]).toEqual([BLOCKS, 1])
  }, 120_000)
  afterAll(async () => {
    await peer.close()
    await rm(folder, { recursive: true, force: true })
  })

  const open = (directory: string) => openLedger({ directory, genesisHash: made.genesisHash, tree: true })

  async function copyOf(from: string, name: string): Promise<string> {
    const to = join(folder, name, 'data', 'ledger')
    await rm(join(folder, name), { recursive: true, force: true })
    await cp(from, to, { recursive: true })
    return to
  }

  /** Checked and executed, as blocks of a peer are. */
  async function fetch(directory: string, last: number): Promise<void> {
    async function* blocks(): AsyncGenerator<BlockToTake> {
      const ledger = await open(directory)
      // As a node that catches up: blocks may be there whose certificates are not.
      const first = ledger.certifiedHeight() + 1
      await ledger.close()
      for (let height = first; height <= last; height++) {
        const { header, blockHash, batch } = (await peer.block(height))!
        yield { header, blockHash, batch, receipts: undefined, certificate: (await peer.certificate(height))! }
      }
    }
    const source = { first: 1, last, blocks }
    const { genesis } = made
    const taken = await takeBlocks({ directory, genesis, historyBlocks: HISTORY, workers: 0 }, source)
    expect([taken.fault, taken.head, taken.certified]).toEqual([null, last, last])
  }

  async function remember(): Promise<Image> {
    const directory = await copyOf(sound(), 'tried')
    const ledger = await open(directory)
    evidence = await ledger.evidence()
    const image = await imageOf(ledger)
    await ledger.close()
    return image
  }

  /** Many small tables, each of a range of keys: what compactions make of a large ledger in a long time. */
  async function spread(directory: string): Promise<void> {
    const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
    const old = new ClassicLevel<Buffer, Buffer>(directory, encodings)
    const fresh = new ClassicLevel<Buffer, Buffer>(`${directory}-spread`, { ...encodings, writeBufferSize: 64 * 1024 })
    for await (const [key, value] of old.iterator()) await fresh.put(key, value)
    await old.close()
    await fresh.close()
    await rm(directory, { recursive: true })
    await rename(`${directory}-spread`, directory)
  }

  /** Undefined where it refused to start, in the right words. */
  async function start(directory: string): Promise<Ledger | undefined> {
    try {
      return await openWholeLedger({ directory, genesisHash: made.genesisHash, tree: true })
    } catch (error) {
      expect(error).toMatchObject({ code: 'LEDGER_DAMAGED', message: expect.stringContaining('quorate ledger repair') })
      return undefined
    }
  }

  async function askInProcess(directory: string, what: string): Promise<'holes' | 'ended'> {
    const script = join(import.meta.dirname, '../ledger/answering.ts')
    const child = spawn(process.execPath, [script, directory, made.genesisHash, model()])
    let [printed, complaint] = ['', '']
    child.stdout.on('data', (data) => {
      printed += data
    })
    child.stderr.on('data', (data) => {
      complaint += data
    })
    const [code, signal] = await once(child, 'close')
    if (code === 0) {
      const { differences, refusals } = JSON.parse(printed)
      expect([differences, refusals.length > 0], what).toEqual([[], true])
      return 'holes'
    }
    expect([signal, complaint], what).toEqual(['SIGABRT', expect.stringContaining('leveldb')])
    expect(await start(directory), what).toBeUndefined()
    return 'ended'
  }

  async function repair(directory: string) {
    const options = { directory, genesis: made.genesis, historyBlocks: HISTORY, workers: 0, isFromPeersOnly: false }
    return await repairLedger({ ...options, now: () => new Date() })
  }

  async function expectOriginal(directory: string, what: string): Promise<void> {
    const ledger = await start(directory)
    expect(ledger, `${what}: a start after the mend`).toBeDefined()
    const found = await imageOf(ledger!, original)
    await ledger!.close()
    expect([found.head, differences(original, found), refusals(found)], what).toEqual([BLOCKS, [], []])
    expect(found.answers.size, what).toBe(original.answers.size)
  }

  async function tryOne(seed: number, outcomes: Outcomes): Promise<void> {
    const directory = await copyOf(sound(), 'tried')
    const what = await harm(seed, { folder: directory, earlier: earlier() })
    // Before the start: LevelDB may write what it read anew, with checksums that fit.
    const isDamagedInside = (await checkFiles(directory, { isThorough: true })).length > 0
    const started = await start(directory)
    let isDamaged = started === undefined
    if (started === undefined) {
      outcomes.refused++
      // Again, and it is the same: nothing got worse by trying.
      expect(await start(directory), what).toBeUndefined()
    } else if (isDamagedInside) {
      // A batch or receipts that a start does not look at.
      await started.close()
      outcomes[await askInProcess(directory, what)]++
      isDamaged = true
    } else {
      const found = await imageOf(started, original)
      const kept = await started.evidence()
      await started.close()
      expect(differences(original, found), what).toEqual([])
      expect(kept, what).toEqual(evidence)
      expect(refusals(found), what).toEqual([])
      outcomes[found.head < BLOCKS ? 'shorter' : 'whole']++
    }
    if (seed % MENDED_OF !== 0) return
    if (isDamaged) {
      const { outcome, setAside } = await repair(directory)
      expect([outcome, setAside], what).toEqual(['repaired', expect.stringContaining('ledger-damaged-')])
    }
    await fetch(directory, BLOCKS)
    await expectOriginal(directory, what)
  }

  it(`is noticed and mended, ${COUNT} times`, async () => {
    const outcomes: Outcomes = { whole: 0, shorter: 0, holes: 0, ended: 0, refused: 0 }
    for (let seed = FROM; seed < FROM + COUNT; seed++) await tryOne(seed, outcomes)
    report('damaged data folders', JSON.stringify(outcomes))
    expect(outcomes.refused).toBeGreaterThan(0)
  }, 3_600_000)

  it('of old bodies is looked for after an end that was not in order', async () => {
    const directory = await copyOf(sound(), 'tried')
    expect(await damageBody(directory)).toBe(true)
    const orderly = await start(directory)
    expect(existsSync(`${directory}.open`)).toBe(true)
    await orderly!.close()
    expect(existsSync(`${directory}.open`)).toBe(false)
    // As a process leaves it that was killed.
    await writeFile(`${directory}.open`, '')
    expect(await start(directory)).toBeUndefined()
  })

  /** The last bodies are read by every start. */
  async function startsWhole(directory: string): Promise<boolean> {
    const ledger = await start(directory)
    await ledger?.close()
    await rm(`${directory}.open`, { force: true })
    return ledger !== undefined
  }

  /** Flips a bit in a data block that a start does not look at. */
  async function damageBody(directory: string): Promise<boolean> {
    for (const name of await readdir(directory)) {
      if (!name.endsWith('.ldb')) continue
      const bytes = await readFile(join(directory, name))
      for (let at = 100; at < bytes.length; at += 3_000) {
        const harmed = Buffer.from(bytes)
        harmed[at]! ^= 1
        await writeFile(join(directory, name), harmed)
        const [quick, thorough] = [await checkFiles(directory), await checkFiles(directory, { isThorough: true })]
        if (quick.length === 0 && thorough.length > 0 && (await startsWhole(directory))) return true
      }
      await writeFile(join(directory, name), bytes)
    }
    return false
  }

  it('of the consensus log leaves a whole beginning of it, or a node that only follows', async () => {
    const log = join(folder, 'consensus.log')
    await createConsensusLog(log, randomBytes(32))
    const opened = await openConsensusLog(log)
    if ('fault' in opened) throw new Error(opened.reason)
    for (let n = 0; n < 30; n++) {
      opened.log.append([Buffer.alloc(200 + 37 * n, n)])
      await opened.log.sync()
    }
    await opened.log.close()
    const [bytes, outcomes] = [await readFile(log), { whole: 0, shorter: 0, refused: 0 }]
    for (let seed = FROM; seed < FROM + 4 * COUNT; seed++) {
      const place = join(folder, 'log')
      await rm(place, { recursive: true, force: true })
      await mkdir(place)
      await cp(log, join(place, 'consensus.log'))
      const what = await harm(seed, { folder: place, earlier: place })
      const again = await openConsensusLog(join(place, 'consensus.log'))
      if ('fault' in again) {
        outcomes.refused++
        continue
      }
      await again.log.close()
      const kept = again.records.map((record) => Buffer.from(record))
      expect(kept, what).toEqual(kept.map((_, n) => Buffer.alloc(200 + 37 * n, n)))
      outcomes[kept.length === 30 ? 'whole' : 'shorter']++
    }
    expect(bytes.length).toBeGreaterThan(10_000)
    report('damaged consensus logs', JSON.stringify(outcomes))
    expect(outcomes.refused).toBeGreaterThan(0)
  })

  it('a repair that was interrupted is ended by another', async () => {
    const directory = await copyOf(sound(), 'tried')
    await rm(join(directory, 'CURRENT'))
    await mkdir(join(`${directory}-repair`, 'building'), { recursive: true })
    expect(await repair(directory)).toMatchObject({ outcome: 'repaired', kept: BLOCKS, found: BLOCKS, evidence: 1 })
    // Between its two renames.
    await mkdir(`${directory}-repair`)
    await cp(directory, join(`${directory}-repair`, 'built'), { recursive: true })
    await rm(directory, { recursive: true })
    expect(await repair(directory)).toMatchObject({ outcome: 'finished' })
    await expectOriginal(directory, 'after a repair that was interrupted')
    expect(await repair(directory)).toMatchObject({ outcome: 'whole', setAside: null })
    expect((await readdir(join(directory, '..'))).filter((name) => name.endsWith('-repair'))).toEqual([])
  })

  it('a repair that keeps no block keeps the evidence', async () => {
    const directory = await copyOf(sound(), 'tried')
    const options = { directory, genesis: made.genesis, historyBlocks: HISTORY, workers: 0, isFromPeersOnly: true }
    const repaired = await repairLedger({ ...options, now: () => new Date() })
    expect(repaired).toMatchObject({ outcome: 'repaired', kept: 0, evidence: 1 })
    expect(await checkFolder({ directory, genesisHash: made.genesisHash })).toEqual([])
    await fetch(directory, BLOCKS)
    await expectOriginal(directory, 'after a repair from peers only')
  })
})

function someEvidence(genesisHash: string): Evidence {
  const [first, second] = ['11', '22'].map((digest) => ({
    type: 'prepare' as const,
    body: { genesisHash, epoch: 0, validatorsHash: 'cd'.repeat(32), view: 0, seq: 7, digest: digest.repeat(32) },
    signer: 1,
    signature: new Uint8Array(64),
  }))
  return evidenceOf({ kind: 'prepare', first: first!, second: second! }, 1_700_000_000_000)!
}
