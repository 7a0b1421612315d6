// The files that LevelDB writes, read by code of our own: against what LevelDB itself reads, and against damage.
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { appendFile, copyFile, cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '../../src/ledger/leveldb/crc32c.ts'
import { checkFiles } from '../../src/ledger/leveldb/files.ts'
import { readJournal } from '../../src/ledger/leveldb/journal.ts'
import { readManifest } from '../../src/ledger/leveldb/manifest.ts'
import { readEntries, readTableIndex } from '../../src/ledger/leveldb/table.ts'

const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
const keyOf = (kind: string, n: number) => Buffer.from(`${kind}${String(n).padStart(8, '0')}`)

it('computes CRC-32C as RFC 3720 does', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
  expect(crc32c(Buffer.concat([Buffer.from('xx'), Buffer.alloc(32), Buffer.from('y')]), 2, 34)).toBe(0x8a9136aa)
})

describe('a folder of LevelDB', () => {
  const whole = mkdtempSync(join(tmpdir(), 'quorate-leveldb-'))
  const directory = `${whole}-harmed`
  const written = new Map<string, string>()

  beforeAll(async () => {
    const level = new ClassicLevel<Buffer, Buffer>(whole, encodings)
    await level.open()
    const put = async (kind: string, n: number, value: Buffer) => {
      written.set(keyOf(kind, n).toString(), value.toString('hex'))
      await level.put(keyOf(kind, n), value, { sync: true } as never)
    }
    // Runs, noise and repetitions: each kind of copy that Snappy knows. More than a journal holds, so that there are tables.
    for (let n = 0; n < 700; n++) {
      await put('b', n, Buffer.concat([randomBytes(9_000), Buffer.alloc(6_000, 'ab'), Buffer.alloc(700, n)]))
      await put('s', n, Buffer.concat([randomBytes(60), Buffer.from(JSON.stringify({ n, text: 'x'.repeat(n) }))]))
    }
    await level.compactRange(Buffer.of(0), Buffer.of(0xff))
    // What stays in the journal: one record across several of its blocks among small ones.
    for (let n = 0; n < 20; n++) await put('j', n, n === 7 ? randomBytes(100_000) : Buffer.from(`late ${n}`))
    await level.close()
  })
  beforeEach(async () => {
    await rm(directory, { recursive: true, force: true })
    await cp(whole, directory, { recursive: true })
  })
  afterAll(async () => {
    await rm(whole, { recursive: true })
    await rm(directory, { recursive: true, force: true })
  })

  const named = async (pattern: RegExp, folder = directory) =>
    (await readdir(folder)).filter((name) => pattern.test(name))
  const tables = () => named(/\.ldb$/)
  const journal = async () => (await named(/\.log$/))[0]!

  async function change(name: string, edit: (bytes: Buffer) => void): Promise<void> {
    const bytes = await readFile(join(directory, name))
    edit(bytes)
    await writeFile(join(directory, name), bytes)
  }

  it('is read as LevelDB reads it', async () => {
    expect(await checkFiles(directory)).toEqual([])
    const [manifestName] = await named(/^MANIFEST/)
    const manifest = readManifest(await readFile(join(directory, manifestName!)))
    if (typeof manifest === 'string') throw new Error(manifest)
    expect(manifest.tables.length).toBeGreaterThan(2)
    const found = new Map<string, string>()
    for (const name of await tables()) {
      const file = await readFile(join(directory, name))
      for (const block of readTableIndex(file).blocks)
        for (const [key, value] of readEntries(file, block))
          found.set(key.subarray(0, -8).toString(), value.toString('hex'))
    }
    const { records, damagedAt, tornBytes } = readJournal(await readFile(join(directory, await journal())))
    expect([records.length, damagedAt, tornBytes]).toEqual([20, undefined, 0])
    const late = new Map([...written].filter(([key]) => key.startsWith('j')))
    expect(records.map((record) => record.subarray(-9).toString('latin1').includes('late'))).toContain(true)
    expect(found).toEqual(new Map([...written].filter(([key]) => !late.has(key))))
  })

  it('is refused for any flipped bit that could hide a key of state', async () => {
    let [hidden, harmless] = [0, 0]
    for (const name of await tables()) {
      const sound = await readFile(join(directory, name))
      const { blocks } = readTableIndex(sound)
      const last = blocks.at(-1)!
      const places: number[] = []
      // The filter, the list of filters, the index and the footer follow the data; of the data itself, the blocks of state.
      for (let at = last.offset + last.bytes + 5; at < sound.length; at += 4_001) places.push(at)
      for (const { offset, bytes, last } of blocks)
        if (last[0] === 's'.charCodeAt(0)) places.push(offset + (bytes >> 1))
      for (const at of places) {
        await change(name, (bytes) => {
          bytes[at]! ^= 1 << (at % 8)
        })
        const faults = await checkFiles(directory)
        // Nobody reads the zeros that fill the footer up.
        if (faults.length === 0 && at >= sound.length - 48) harmless++
        else {
          expect(faults).toMatchObject([{ code: 'LEDGER_DAMAGED', thing: expect.stringContaining(name) }])
          hidden++
        }
        await writeFile(join(directory, name), sound)
      }
    }
    expect(hidden).toBeGreaterThan(10)
    expect(harmless).toBeLessThan(5)
  })

  it('says which entries a damaged block of a table holds', async () => {
    const reasons: string[] = []
    for (const name of await tables()) {
      const sound = await readFile(join(directory, name))
      const { blocks } = readTableIndex(sound)
      for (const { offset } of [
        blocks[1]!,
        ...blocks.filter(({ last }) => last[0] === 's'.charCodeAt(0)).slice(0, 2),
      ]) {
        await change(name, (bytes) => {
          bytes[offset + 3]! ^= 1
        })
        const [fault] = await checkFiles(directory, { isThorough: true })
        reasons.push(fault!.reason)
        await writeFile(join(directory, name), sound)
      }
    }
    expect(reasons.join('\n')).toMatch(/fails its checksum; its entries: batch \d+( to batch \d+)?$/m)
    expect(reasons.join('\n')).toMatch(/fails its checksum; its entries: (batch \d+ to )?state$/m)
  })

  it.each<[string, () => Promise<void>, string]>([
    ['CURRENT is gone', () => rm(join(directory, 'CURRENT')), 'CURRENT'],
    ['CURRENT is cut', () => truncate(join(directory, 'CURRENT'), 5), 'CURRENT'],
    ['MANIFEST is gone', async () => rm(join(directory, (await named(/^MANIFEST/))[0]!)), 'MANIFEST'],
    ['MANIFEST is empty', async () => truncate(join(directory, (await named(/^MANIFEST/))[0]!), 0), 'MANIFEST'],
    ['a table is gone', async () => rm(join(directory, (await tables())[1]!)), 'table file'],
    ['a table is longer', async () => appendFile(join(directory, (await tables())[1]!), 'more'), 'table file'],
    ['a table is another', async () => swap((await tables()) as [string, string]), 'table file'],
    ['a table is a copy', async () => copyOver((await tables()) as [string, string]), 'table file'],
    ['a journal is another file', async () => copyOver([(await named(/^MANIFEST/))[0]!, await journal()]), 'journal'],
    [
      'the middle of a journal is damaged',
      async () =>
        change(await journal(), (bytes) => {
          bytes[20]! ^= 4
        }),
      'journal',
    ],
    [
      'a length in a journal is damaged, and whole blocks follow',
      async () =>
        change(await journal(), (bytes) => {
          bytes[4]! ^= 0x40
        }),
      'journal',
    ],
  ])('is refused where %s', async (_, harm, thing) => {
    await harm()
    const before = await readdir(directory)
    expect(await checkFiles(directory)).toContainEqual(
      expect.objectContaining({ code: 'LEDGER_DAMAGED', thing: expect.stringContaining(thing) }),
    )
    expect(await readdir(directory)).toEqual(before)
  })

  async function swap([one, other]: [string, string]): Promise<void> {
    const path = (name: string) => join(directory, name)
    await rename(path(one), path('x'))
    await rename(path(other), path(one))
    await rename(path('x'), path(other))
  }
  const copyOver = ([one, other]: [string, string]) => copyFile(join(directory, one), join(directory, other))

  it('is not refused for a torn end of the journal, wherever it tears', async () => {
    const name = await journal()
    const sound = await readFile(join(directory, name))
    let before = 21
    for (let length = sound.length - 1; length >= 0; length -= 797) {
      await writeFile(join(directory, name), sound.subarray(0, length))
      const { records, damagedAt } = readJournal(await readFile(join(directory, name)))
      expect([records.length <= before, damagedAt]).toEqual([true, undefined])
      before = records.length
    }
    expect(await checkFiles(directory)).toEqual([])
    // The last write can also have left its later parts only: the large record's, without its beginning.
    const torn = Buffer.from(sound.subarray(0, 90_000))
    torn.fill(0, 20_000, 32_768)
    expect(readJournal(torn).damagedAt).toBeUndefined()
  })

  it('gives what follows damage in a journal to whoever saves what can be saved', async () => {
    const bytes = await readFile(join(directory, await journal()))
    bytes[20]! ^= 4
    expect(readJournal(bytes).records).toHaveLength(0)
    expect(readJournal(bytes, { past: true }).records).toHaveLength(19)
  })
})

it('an absent folder, an empty one and one whose making was cut short are no damage', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-leveldb-'))
  expect(await checkFiles(join(directory, 'absent'))).toEqual([])
  expect(await checkFiles(directory)).toEqual([])
  await writeFile(join(directory, 'LOCK'), '')
  await writeFile(join(directory, 'MANIFEST-000001'), 'begun')
  expect(await checkFiles(directory)).toEqual([])
  await writeFile(join(directory, '000003.log'), '')
  expect(await checkFiles(directory)).toMatchObject([{ thing: 'the file CURRENT' }])
  await rm(directory, { recursive: true })
})
