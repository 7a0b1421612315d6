import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AboveHead, LedgerForeign, Pruned } from '../../src/ledger/errors.ts'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { createSyncReader, type SyncReader } from '../../src/ledger/sync-reader.ts'
import { createChain, GENESIS, name } from './chain.ts'

describe('synchronous reader', () => {
  let directory: string
  let ledger: Ledger
  let reader: SyncReader
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-reader-'))
    ledger = await openLedger({ directory, genesisHash: GENESIS, tree: true, historyBlocks: 2 })
    reader = await createSyncReader({ directory, genesisHash: GENESIS })
  })
  afterEach(async () => {
    await reader.close()
    await ledger.close()
    await rm(directory, { recursive: true, force: true })
  })

  it('sees each block once it is committed, and the heights before it', async () => {
    const chain = createChain(ledger)
    expect(reader.get('latest', 'token\0a')).toBeUndefined()
    expect(reader.scan('latest', '', undefined, 10)).toEqual([])
    for (let height = 0; height < 3; height++) {
      await chain.commit([
        [`token\0${height}`, '"ü\u{1f600}"'],
        ['token\0a', String(height)],
        ['other\0a', '0'],
      ])
      expect(reader.get('latest', 'token\0a')).toBe(String(height))
      expect(reader.scan('latest', 'token\0', undefined, 10)).toEqual(chain.scan(height, 'token\0', undefined, 10))
    }
    for (let height = 0; height < 3; height++) {
      expect(reader.get(height, 'token\0a')).toBe(String(height))
      expect(reader.scan(height, 'token\0', 'token\0' + '0', 1)).toEqual(
        chain.scan(height, 'token\0', 'token\0' + '0', 1),
      )
    }
    expect(reader.get(0, 'token\0' + '2')).toBeUndefined()
  })

  it('gives answers larger than the shared memory whole', async () => {
    const chain = createChain(ledger)
    const writes = Array.from({ length: 40 }, (_, n): [string, string] => [
      `token\0${n}`,
      JSON.stringify('é'.repeat(10_000 + n)),
    ])
    await chain.commit(writes)
    expect(reader.scan('latest', 'token\0', undefined, 100)).toEqual(chain.scan(0, 'token\0', undefined, 100))
    expect(reader.get('latest', 'token\0' + '7')).toBe(writes[7]![1])
  })

  it('throws the errors the ledger throws, and answers on', async () => {
    const chain = createChain(ledger)
    for (let height = 0; height < 6; height++) await chain.commit([['token\0a', String(height)]])
    const thrown = (ask: () => unknown): unknown => {
      try {
        return ask()
      } catch (error) {
        return error
      }
    }
    const pruned = thrown(() => reader.get(1, 'token\0a'))
    expect(pruned).toBeInstanceOf(Pruned)
    expect(pruned).toMatchObject({
      code: 'PRUNED',
      oldestHeight: 3,
      message: expect.stringContaining('height 1 is pruned'),
    })
    expect(thrown(() => reader.scan(9, '', undefined, 1))).toBeInstanceOf(AboveHead)
    expect(reader.get(4, 'token\0a')).toBe('4')
    await expect(createSyncReader({ directory, genesisHash: name(1) })).rejects.toBeInstanceOf(LedgerForeign)
  })

  it('works inside a worker thread while another thread commits', async () => {
    const chain = createChain(ledger)
    await chain.commit([
      ['token\0a', '0'],
      ['token\0b', '0'],
    ])
    const worker = new Worker(new URL('./reading-worker.ts', import.meta.url), {
      workerData: { directory, genesisHash: GENESIS },
    })
    const exited = once(worker, 'exit')
    const reports: { torn: number; distinct: number }[] = []
    worker.on('message', (report) => reports.push(report))
    for (let height = 1; reports.length === 0; height++)
      await chain.commit([
        ['token\0a', String(height)],
        ['token\0b', String(height)],
      ])
    expect((await exited)[0]).toBe(0)
    // Both values are always of one block, and blocks did pass meanwhile.
    expect(reports).toEqual([{ torn: 0, distinct: expect.any(Number) }])
    expect(reports[0]!.distinct).toBeGreaterThan(1)
  })
})
