import { appendFileSync, existsSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blockHash } from '../../src/crypto/digest.ts'
import { createBlockFile, type FiledBlock, readBlockFile } from '../../src/ledger/block-file.ts'
import { type Header, ZERO_HASH } from '../../src/types/block.ts'
import { GENESIS, name } from './chain.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-block-file-'))
  path = join(folder, 'blocks')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function blockAt(height: number, batchBytes = 40): FiledBlock {
  const header: Header = {
    genesisHash: GENESIS,
    epoch: 0,
    height,
    parentHash: name(height),
    batchDigest: ZERO_HASH,
    txRoot: ZERO_HASH,
    receiptsRoot: ZERO_HASH,
    stateRoot: ZERO_HASH,
    time: height,
    proposer: ZERO_HASH,
    validatorsHash: ZERO_HASH,
    nextValidatorsHash: ZERO_HASH,
    epochEnd: 0,
    proposers: new Uint8Array(),
  }
  const hash = blockHash(header)
  const signatures = [{ signer: 2, signature: new Uint8Array(64).fill(height) }]
  const receipt = { txId: name(7), sender: name(8), nonce: height, code: '', message: '', gasUsed: 1, events: [] }
  return {
    header,
    blockHash: hash,
    certificate: height % 2 === 0 ? null : { height, blockHash: hash, signatures },
    batch: new Uint8Array(batchBytes).fill(height),
    receipts: [{ ...receipt, status: 'ok', result: new Uint8Array([1]) }],
  }
}

async function write(blocks: FiledBlock[]) {
  const file = await createBlockFile(path, GENESIS)
  for (const block of blocks) await file.append(block)
  return file.finish()
}
const readAll = async (genesisHash = GENESIS) => {
  const found: FiledBlock[] = []
  for await (const block of readBlockFile(path, genesisHash)) found.push(block)
  return found
}

describe('block file', () => {
  it('gives back what was written, small blocks and such as are larger than a piece', async () => {
    const blocks = [blockAt(5), blockAt(6, 3_000_000), blockAt(7), blockAt(8, 700_000), blockAt(9, 700_000)]
    const { blocks: count, bytes } = await write(blocks)
    expect([count, bytes]).toEqual([5, readFileSync(path).length])
    expect(await readAll()).toEqual(blocks)
  })

  it('lies byte for byte as docs/data.md says', async () => {
    await write([blockAt(1)])
    const bytes = readFileSync(path)
    expect(bytes.toString('latin1', 0, 8)).toBe('QUORBLK1')
    expect(bytes.toString('hex', 8, 40)).toBe(GENESIS)
    const payload = bytes.subarray(48)
    expect([bytes.readUInt32BE(40), bytes.readUInt32BE(44)]).toEqual([payload.length, crc32(payload)])
    // An array of five, then the tag as text of 15 bytes.
    expect(payload.toString('latin1', 0, 17)).toBe('\x85\x6fquorate/block/1')
  })

  it('has its name only when it is whole', async () => {
    const file = await createBlockFile(path, GENESIS)
    await file.append(blockAt(1))
    expect(existsSync(path)).toBe(false)
    await file.abandon()
    expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, false])
    await write([blockAt(1)])
    await expect(createBlockFile(path, GENESIS)).rejects.toMatchObject({ code: 'BLOCK_FILE_EXISTS' })
  })

  it('takes no block that does not follow and none of another network', async () => {
    const file = await createBlockFile(path, GENESIS)
    await file.append(blockAt(1))
    await expect(file.append(blockAt(3))).rejects.toThrow('expects block 2')
    const { header } = blockAt(2)
    await expect(file.append({ ...blockAt(2), header: { ...header, genesisHash: name(9) } })).rejects.toThrow('network')
    await file.abandon()
  })

  it.each([
    ['within its head', 20, 'its head', undefined, 0],
    ['within the first frame', 60, 'its first block', undefined, 0],
    ['within the head of a later frame', -2, 'block 3', 3, 2],
    ['within a later block', -20, 'block 3', 3, 2],
  ])('says where it is cut off %s', async (_, at, which, height, readable) => {
    const blocks = [blockAt(1), blockAt(2)]
    const { bytes } = await write(blocks)
    await rm(path)
    await write([...blocks, blockAt(3)])
    truncateSync(path, at > 0 ? at : at === -2 ? bytes + 2 : bytes + 20)
    const found: FiledBlock[] = []
    const reading = (async () => {
      for await (const block of readBlockFile(path, GENESIS)) found.push(block)
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'BLOCK_FILE_TRUNCATED',
      height,
      message: expect.stringContaining(`ends within ${which}`),
    })
    expect(found).toHaveLength(readable)
  })

  it('notices any flipped byte', async () => {
    await write([blockAt(1), blockAt(2)])
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at += 3) {
      const edited = Buffer.from(whole)
      edited[at]! ^= 0x41
      writeFileSync(path, edited)
      await expect(readAll()).rejects.toMatchObject({ code: expect.stringMatching(/^BLOCK_FILE_/) })
    }
  })

  it('refuses what has a right checksum and is no block, is out of order, or of another network', async () => {
    const { bytes } = await write([blockAt(1)])
    const first = readFileSync(path)
    const frame = (payload: Uint8Array) => {
      const head = Buffer.alloc(8)
      head.writeUInt32BE(payload.length, 0)
      head.writeUInt32BE(crc32(payload), 4)
      return Buffer.concat([head, payload])
    }
    const damaged = (text: string) => ({
      code: 'BLOCK_FILE_DAMAGED',
      height: 2,
      message: expect.stringMatching(`damaged at block 2: .*${text}`),
    })
    appendFileSync(path, frame(Buffer.of(0x85, 0x61, 0x61)))
    await expect(readAll()).rejects.toMatchObject(damaged('canonical form'))
    writeFileSync(path, Buffer.concat([first, first.subarray(40)]))
    await expect(readAll()).rejects.toMatchObject(damaged('expected height 2, got 1'))
    const huge = Buffer.alloc(8)
    huge.writeUInt32BE(0xffffffff, 0)
    writeFileSync(path, Buffer.concat([first, huge]))
    await expect(readAll()).rejects.toMatchObject(damaged('4294967295 bytes'))
    writeFileSync(path, first.subarray(0, bytes))
    await expect(readAll(name(9))).rejects.toMatchObject({
      code: 'BLOCK_FILE_FOREIGN',
      message: expect.stringContaining(GENESIS),
    })
    writeFileSync(path, Buffer.from('not a block file at all, but long enough to be one'))
    await expect(readAll()).rejects.toMatchObject({ code: 'BLOCK_FILE_FOREIGN' })
  })
})
