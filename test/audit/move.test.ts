import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exportBlocks } from '../../src/audit/export.ts'
import { importBlocks } from '../../src/audit/import.ts'
import { verifyLedger } from '../../src/audit/verify.ts'
import { blockHash, receiptsRoot } from '../../src/crypto/digest.ts'
import { createBlockFile, type FiledBlock, readBlockFile } from '../../src/ledger/block-file.ts'
import { openLedgerBuilder } from '../../src/ledger/builder.ts'
import { openLedger } from '../../src/ledger/ledger.ts'
import { pruneLedger } from '../../src/ledger/pruning.ts'
import { genesisCodec } from '../../src/types/epoch.ts'
import { encode } from '../../src/types/schema.ts'
import { certify, type Made, makeLedger } from './chain.ts'

const HEAD = 8
let folder: string
let made: Made
let copies = 0
const whole = () => join(folder, 'whole')
const fresh = () => join(folder, `ledger-${copies++}`)
const newFile = () => join(folder, `file-${copies++}`)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-move-'))
  made = await makeLedger({ directory: whole(), blocks: HEAD, transactionsPerBlock: 4, senders: 3, uncertified: 1 })
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

async function exported(range: { from?: number; until?: number } = {}): Promise<string> {
  const file = newFile()
  await exportBlocks({ directory: whole(), genesis: made.genesis, file, ...range })
  return file
}
const importInto = (directory: string, file: string) =>
  importBlocks({ directory, genesis: made.genesis, file, historyBlocks: 100, workers: 0 })
const verify = (directory: string, replayIn?: string) =>
  verifyLedger({ directory, genesis: made.genesis, workers: 0, replayIn })

/** A file with the blocks of another, changed. */
async function edited(file: string, change: (block: FiledBlock) => Omit<FiledBlock, 'blockHash'>): Promise<string> {
  const path = newFile()
  const writer = await createBlockFile(path, made.genesisHash)
  for await (const block of readBlockFile(file, made.genesisHash)) await writer.append(change(block))
  await writer.finish()
  return path
}

describe('export', () => {
  it('writes every certified block, or a range of them', async () => {
    const all = await exportBlocks({ directory: whole(), genesis: made.genesis, file: newFile() })
    expect(all).toMatchObject({ from: 0, until: HEAD - 1, blocks: HEAD, genesisHash: made.genesisHash })
    const some: number[] = []
    for await (const { header, certificate } of readBlockFile(
      await exported({ from: 3, until: 5 }),
      made.genesisHash,
    )) {
      some.push(header.height)
      expect(certificate!.height).toBe(header.height)
    }
    expect(some).toEqual([3, 4, 5])
  })

  it('refuses heights that are not certified', async () => {
    await expect(exported({ until: HEAD })).rejects.toMatchObject({
      code: 'NO_SUCH_BLOCKS',
      message: expect.stringContaining(`it has 0 to ${HEAD - 1}`),
    })
  })
})

describe('import', () => {
  it('makes the same ledger in an empty home, and passes over what is there the next time', async () => {
    const [directory, file] = [fresh(), await exported()]
    const report = await importInto(directory, file)
    expect(report).toMatchObject({
      first: 0,
      present: 1,
      imported: HEAD - 1,
      head: HEAD - 1,
      certified: HEAD - 1,
      fault: null,
    })
    expect(await importInto(directory, file)).toMatchObject({ present: HEAD, imported: 0, fault: null })
    const [one, two] = [
      await openLedger({ directory: whole(), genesisHash: made.genesisHash, tree: false }),
      await openLedger({ directory, genesisHash: made.genesisHash, tree: false }),
    ]
    expect(await two.block(HEAD - 1)).toEqual(await one.block(HEAD - 1))
    expect(await two.stateAt(HEAD - 1).scan('', undefined, 1_000)).toEqual(
      await one.stateAt(HEAD - 1).scan('', undefined, 1_000),
    )
    await Promise.all([one.close(), two.close()])
    expect(await verify(directory)).toMatchObject({ head: HEAD - 1, certified: HEAD - 1, fault: null })
  })

  it('goes on after what is there, and refuses a gap', async () => {
    const directory = fresh()
    await importInto(directory, await exported({ until: 3 }))
    const gap = await importInto(directory, await exported({ from: 6 }))
    expect(gap).toMatchObject({
      head: 3,
      fault: { height: 6, part: 'the heights', expected: expect.stringMatching('^block 4') },
    })
    const rest = await importInto(directory, await exported({ from: 2 }))
    expect(rest).toMatchObject({ present: 2, imported: HEAD - 4, head: HEAD - 1, fault: null })
  })

  it('refuses a file that is cut off or edited before it writes anything', async () => {
    const directory = fresh()
    const file = await exported()
    const bytes = readFileSync(file)
    truncateSync(file, bytes.length - 10)
    await expect(importInto(directory, file)).rejects.toMatchObject({ code: 'BLOCK_FILE_TRUNCATED', height: HEAD - 1 })
    bytes[bytes.length - 10]! ^= 1
    writeFileSync(file, bytes)
    await expect(importInto(directory, file)).rejects.toMatchObject({ code: 'BLOCK_FILE_DAMAGED', height: HEAD - 1 })
    const genesis = { ...made.genesis, chainId: 'other' }
    const foreign = importBlocks({ directory, genesis, file, historyBlocks: 100, workers: 0 })
    await expect(foreign).rejects.toMatchObject({ code: 'BLOCK_FILE_FOREIGN' })
    expect(await importInto(directory, await exported({ until: 0 }))).toMatchObject({ head: 0, fault: null })
  })

  it.each<[string, string, (block: FiledBlock) => Omit<FiledBlock, 'blockHash'>]>([
    ['a header', 'the certificate', (block) => ({ ...block, header: { ...block.header, stateRoot: 'ab'.repeat(32) } })],
    ['a missing certificate', 'the certificate', (block) => ({ ...block, certificate: null })],
    [
      'a forged certificate',
      'the certificate',
      (block) => {
        const [first, ...rest] = block.certificate!.signatures
        const signatures = [{ ...first!, signature: new Uint8Array(64) }, ...rest]
        return { ...block, certificate: { ...block.certificate!, signatures } }
      },
    ],
    [
      'a receipt',
      'the receipts root',
      (block) => ({
        ...block,
        receipts: block.receipts.map((one) => ({ ...one, gasUsed: 1 })),
      }),
    ],
    [
      'a batch',
      'the batch',
      (block) => ({ ...block, batch: block.batch.map((byte, i) => (i === 60 ? byte ^ 1 : byte)) }),
    ],
    [
      'an execution that a quorum signed and that is wrong',
      'receipt 0',
      (block) => {
        const receipts = block.receipts.map((one) => ({ ...one, gasUsed: one.gasUsed + 1 }))
        const header = { ...block.header, receiptsRoot: receiptsRoot(receipts) }
        return { ...block, header, receipts, certificate: certify(made.genesis, header.height, blockHash(header)) }
      },
    ],
  ])('stops at %s, and keeps and certifies what comes before', async (_, part, change) => {
    const directory = fresh()
    const file = await edited(await exported({ until: 5 }), (block) =>
      block.header.height === 5 ? change(block) : block,
    )
    const report = await importInto(directory, file)
    expect(report).toMatchObject({ imported: 4, head: 4, certified: 4, fault: { height: 5 } })
    expect(report.fault!.part).toContain(part)
  })

  it('can be repeated after it was killed', async () => {
    const source = fresh()
    const options = { directory: source, blocks: 36, transactionsPerBlock: 2, senders: 3 }
    const long = await makeLedger(options)
    const [file, genesisFile] = [newFile(), newFile()]
    await exportBlocks({ directory: source, genesis: long.genesis, file })
    writeFileSync(genesisFile, encode(genesisCodec, long.genesis))
    const directory = fresh()
    const script = join(import.meta.dirname, 'import-child.ts')
    const { signal } = spawnSync(process.execPath, [script, directory, file, genesisFile, '30'])
    expect(signal).toBe('SIGKILL')
    const { present, imported, fault } = await importInto(directory, file)
    expect([present + imported, fault]).toEqual([37, null])
    // At height 30 the first 6 blocks were done, as no more than 24 are under way; and that one was not.
    expect(present).toBeGreaterThanOrEqual(6)
    expect(present).toBeLessThanOrEqual(30)
    expect(await verify(directory)).toMatchObject({ head: 36, certified: 36, fault: null })
  })

  it('refuses a block that is another one than the one there', async () => {
    const directory = fresh()
    await importInto(directory, await exported())
    const other = (block: FiledBlock) => ({ ...block, header: { ...block.header, time: 1 } })
    const file = await edited(await exported({ from: 4, until: 4 }), other)
    expect((await importInto(directory, file)).fault).toMatchObject({ height: 4, part: 'the block' })
  })

  it('certifies blocks that are there without certificates', async () => {
    const file = await exported()
    const source = fresh()
    const uncertified = 3
    await makeLedger({ directory: source, blocks: HEAD - 1, transactionsPerBlock: 4, senders: 3, uncertified })
    const before = await verify(source)
    expect([before.head, before.certified]).toEqual([HEAD - 1, HEAD - 1 - uncertified])
    expect(await importInto(source, file)).toMatchObject({ imported: 0, certified: HEAD - 1, fault: null })
  })
})

describe('a ledger that begins at a base', () => {
  async function based(historyBlocks: number): Promise<string> {
    const directory = fresh()
    const ledger = await openLedger({ directory: whole(), genesisHash: made.genesisHash, tree: false })
    const builder = await openLedgerBuilder(directory, made.genesisHash)
    await builder.putState(await ledger.stateAt(4).scan('', undefined, 10_000))
    await builder.finish({ header: (await ledger.header(4))!, certificate: (await ledger.certificate(4))! })
    await ledger.close()
    const file = await exported({ from: 5 })
    await importBlocks({ directory, genesis: made.genesis, file, historyBlocks, workers: 0 })
    return directory
  }
  const verifyAgain = (directory: string) => verify(directory, mkdtempSync(join(folder, 'replay-')))

  it('imports from there, and is audited and run again from there', async () => {
    const report = await verifyAgain(await based(100))
    expect(report).toMatchObject({ oldest: 4, head: HEAD - 1, blocks: HEAD - 4, fault: null })
    expect(report.replayed).toMatchObject({ from: 5, to: HEAD - 1, reason: null })
    expect(report.replayed!.transactions).toBe(report.transactions)
  })

  it('is audited and run again from where it was pruned', async () => {
    const directory = fresh()
    await importInto(directory, await exported())
    const { genesisHash } = made
    expect(await pruneLedger({ directory, genesisHash, before: 4, keepMin: 1 })).toMatchObject({ oldestBlock: 4 })
    const report = await verifyAgain(directory)
    expect(report).toMatchObject({ oldest: 3, head: HEAD - 1, blocks: HEAD - 3, transactions: 20, fault: null })
    expect(report.replayed).toEqual({ from: 4, to: HEAD - 1, transactions: 20, reason: null })
    await expect(exportBlocks({ directory, genesis: made.genesis, file: newFile(), from: 3 })).rejects.toMatchObject({
      code: 'NO_SUCH_BLOCKS',
    })
  })

  it('passes over blocks of a file that lie below it', async () => {
    expect(await importInto(await based(100), await exported())).toMatchObject({
      present: HEAD,
      imported: 0,
      fault: null,
    })
  })

  it('says which blocks cannot be run again when only a later state is kept', async () => {
    const report = await verifyAgain(await based(1))
    expect(report).toMatchObject({ fault: null, transactions: 15 })
    const reason = expect.stringContaining('blocks 5 to 6 cannot be run again')
    expect(report.replayed).toEqual({ from: HEAD - 1, to: HEAD - 1, transactions: 5, reason })
  })
})
