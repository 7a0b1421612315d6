// The format: what folds to which root, and which manifests and chunks are refused, for every kind of lie.
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { foldSubtrees } from '../../src/snapshot/subtree.ts'
import { readChunk, readManifest } from '../../src/snapshot/verify.ts'
import { ZERO_HASH } from '../../src/types/block.ts'
import { fromHex, toHex } from '../../src/types/hex.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { CHUNK_ENTRIES_MAX, type Chunk, chunkCodec, type Manifest, manifestCodec } from '../../src/types/snapshot.ts'
import { naiveRoot } from '../ledger/naive-tree.ts'
import { certificateOf } from '../network-edge/support.ts'
import { rules, snapshotOf, stateOf } from './support.ts'

const state = fc
  .uniqueArray(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.string({ maxLength: 8 })), {
    selector: ([key]) => key,
    maxLength: 40,
  })
  .map((entries) => new Map(entries))

describe('subtrees', () => {
  it('fold to the root of the naive tree at every depth', () => {
    fc.assert(
      fc.property(state, fc.integer({ min: 0, max: 7 }), (entries, depth) => {
        expect(snapshotOf(entries, 1, depth).root).toBe(naiveRoot(entries))
      }),
      { numRuns: 300 },
    )
  })

  it('one key is the root itself at any depth', () => {
    const one = new Map([['token\0a', '1']])
    for (const depth of [0, 1, 5, 12]) expect(snapshotOf(one, 1, depth).root).toBe(naiveRoot(one))
  })
})

describe('a whole snapshot', () => {
  it('is taken, chunk by chunk, and gives the state again', async () => {
    await fc.assert(
      fc.asyncProperty(state, fc.integer({ min: 0, max: 5 }), async (entries, depth) => {
        const { manifestBytes, chunks } = snapshotOf(entries, 7, depth)
        const manifest = (await readManifest(rules, manifestBytes)) as Manifest
        const found = chunks.map((bytes, index) => readChunk(manifest, index, bytes) as Chunk)
        expect(new Map(found.flatMap((chunk) => chunk.entries.map(({ key, value }) => [key, value])))).toEqual(entries)
      }),
      { numRuns: 60 },
    )
  })
})

const { manifest, manifestBytes, chunks } = snapshotOf(stateOf(40), 9, 3)
const changed = (change: Partial<Manifest>) => encode(manifestCodec, { ...manifest, ...change })
const swapped = manifest.subtrees.with(0, manifest.subtrees[1]!).with(1, manifest.subtrees[0]!)
const otherHeader = { ...manifest.header, stateRoot: 'ee'.repeat(32) }

describe('a manifest is refused', () => {
  const lies: [name: string, bytes: Uint8Array, reason: RegExp][] = [
    ['garbage', Uint8Array.of(1, 2, 3), /expected an array/],
    ['cut short', manifestBytes.subarray(0, -1), /input ends/],
    ['with more behind it', Uint8Array.of(...manifestBytes, 0), /end of the input/],
    ['of another network', changed({ header: { ...manifest.header, genesisHash: ZERO_HASH } }), /another network/],
    ['of height 0', changed({ header: { ...manifest.header, height: 0 } }), /height is 0/],
    ['with a subtree too few', changed({ subtrees: manifest.subtrees.slice(1) }), /expected 8 subtrees, got 7/],
    ['with another depth', changed({ depth: 2 }), /expected 4 subtrees, got 8/],
    ['with subtrees in another order', changed({ subtrees: swapped }), /state root/],
    [
      'with a subtree said to be empty',
      changed({ subtrees: manifest.subtrees.with(2, { kind: 0, hash: ZERO_HASH }) }),
      /state root/,
    ],
    [
      'with an empty subtree that has a hash',
      changed({ subtrees: manifest.subtrees.with(2, { kind: 0, hash: manifest.subtrees[2]!.hash }) }),
      /empty subtree/,
    ],
    [
      'of a block nobody certified',
      changed({ header: { ...manifest.header, time: 1 } }),
      /certificate is for another block/,
    ],
    [
      'with too few signatures',
      changed({ certificate: certificateOf(manifest.header, [0, 1]) }),
      /expected 3 signatures, got 2/,
    ],
    [
      'with one signature twice',
      changed({
        certificate: {
          ...manifest.certificate,
          signatures: [...manifest.certificate.signatures, manifest.certificate.signatures[0]!],
        },
      }),
      /signed twice/,
    ],
    [
      'with a forged signature',
      changed({
        certificate: {
          ...manifest.certificate,
          signatures: manifest.certificate.signatures.with(0, { signer: 3, signature: new Uint8Array(64) }),
        },
      }),
      /signature of validator 3 is wrong/,
    ],
    [
      'of a state that a quorum certified and these subtrees are not',
      changed({ header: otherHeader, certificate: certificateOf(otherHeader, [0, 1, 2]) }),
      /state root/,
    ],
  ]
  it.each(lies)('%s', async (_, bytes, reason) => expect(await readManifest(rules, bytes)).toMatch(reason))
})

describe('a chunk is refused', () => {
  const index = 3
  const chunk = decode(chunkCodec, chunks[index]!)
  const { entries } = chunk
  const remade = (change: Partial<Chunk>) => encode(chunkCodec, { ...chunk, ...change })
  const lies: [name: string, bytes: Uint8Array, reason: RegExp][] = [
    ['garbage', Uint8Array.of(0x80), /array of 4, got 0/],
    ['cut short', chunks[index]!.subarray(0, -1), /input ends/],
    ['of another height', remade({ height: 10 }), /expected height 9, got 10/],
    ['of another place', chunks[4]!, /expected chunk 3, got 4/],
    ['of another place under its number', remade({ entries: decode(chunkCodec, chunks[4]!).entries }), /belongs to/],
    ['with an entry left out', remade({ entries: entries.slice(1) }), /give the hash/],
    ['without entries', remade({ entries: [] }), /give the hash 0{64}/],
    ['with an entry twice', remade({ entries: [entries[0]!, ...entries] }), /out of order/],
    ['in another order', remade({ entries: entries.toReversed() }), /out of order/],
    ['with another value', remade({ entries: entries.with(0, { ...entries[0]!, value: '"0"' }) }), /give the hash/],
  ]
  it.each(lies)('%s', (_, bytes, reason) => expect(readChunk(manifest, index, bytes)).toMatch(reason))

  it('with more entries than a chunk may have, before any of them is kept', () => {
    // Three bytes an entry: a chunk's bytes have room for millions, which would take gigabytes of memory.
    const [none, entries] = [remade({ entries: [] }), CHUNK_ENTRIES_MAX + 1]
    const bytes = Buffer.concat([
      none.subarray(0, -1),
      Buffer.of(0x9a, 0, 0, 0, 0),
      Buffer.alloc(entries * 3, '826060', 'hex'),
    ])
    bytes.writeUInt32BE(entries, none.length)
    expect(readChunk(manifest, index, bytes)).toMatch(/at most 65536 items, got 65537/)
  })

  it('at its first entry that is wrong, without a look at those behind it', () => {
    const wrong = { ...entries[0]!, key: 'token\0elsewhere' }
    const bytes = remade({ entries: [wrong, ...Array(1_000).fill(entries[0])] })
    const hashed = vi.spyOn(TextEncoder.prototype, 'encode')
    expect(readChunk(manifest, index, bytes)).toMatch(/entry 0 belongs to/)
    expect(hashed.mock.calls.length).toBeLessThan(10)
    hashed.mockRestore()
  })

  it('whatever single bit of it is changed', () => {
    fc.assert(
      fc.property(fc.nat(chunks[index]!.length * 8 - 1), (bit) => {
        const bytes = Uint8Array.from(chunks[index]!)
        bytes[bit >>> 3]! ^= 1 << (bit & 7)
        expect(typeof readChunk(manifest, index, bytes)).toBe('string')
      }),
      { numRuns: 300 },
    )
  })

  it('but not for a wrong kind in the manifest, which the root cannot tell', () => {
    const kinds = manifest.subtrees.map((subtree) => ({ ...subtree, kind: 1 }))
    expect(foldSubtrees(kinds)).toBe(manifest.header.stateRoot)
    expect(readChunk({ ...manifest, subtrees: kinds }, index, chunks[index]!)).toEqual(chunk)
  })
})

describe('golden vectors', () => {
  const file = new URL('../vectors/snapshot.json', import.meta.url)
  const cases = [
    { name: 'no keys', state: new Map<string, string>(), depth: 0 },
    { name: 'one key', state: new Map([['token\0a', '1']]), depth: 2 },
    { name: 'five keys', state: new Map([...stateOf(4, 2), ['token\0Zürich', '"ß"']]), depth: 2 },
  ].map(({ name, state, depth }) => {
    const { manifestBytes, chunks, root } = snapshotOf(state, 1_000, depth)
    return { name, depth, state: [...state], root, manifest: toHex(manifestBytes), chunks: chunks.map(toHex) }
  })
  if (process.env.UPDATE_VECTORS !== undefined) writeFileSync(file, `${JSON.stringify({ cases }, null, 2)}\n`)
  const golden = JSON.parse(readFileSync(file, 'utf8')) as { cases: typeof cases }

  it('are what is written', () => expect({ cases }).toEqual(golden))
  it.each(golden.cases)('are read: $name', async ({ state, manifest, chunks, root }) => {
    const read = (await readManifest(rules, fromHex(manifest))) as Manifest
    expect([read.header.stateRoot, naiveRoot(new Map(state as [string, string][]))]).toEqual([root, root])
    const found = chunks.flatMap((bytes, index) => (readChunk(read, index, fromHex(bytes)) as Chunk).entries)
    expect(found.length).toBe(state.length)
  })
})
