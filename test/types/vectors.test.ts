// The golden vectors: one example of each format with its hash, so that no format changes by accident. After a change that is
// meant, UPDATE_VECTORS=1 writes them again and a person reads the difference.
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  batchDigest,
  blockHash,
  epochHash,
  genesisHash,
  receiptsRoot,
  transactionId,
  wireHash,
} from '../../src/crypto/digest.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { type Batch, batchCodec, type Header, NULL_BATCH, type Receipt } from '../../src/types/block.ts'
import type { EpochRecord, Genesis } from '../../src/types/epoch.ts'
import { fromHex, toHex } from '../../src/types/hex.ts'
import { type Body, type BodyType, signedBytes } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { bodyTypes } from './formats/messages.ts'
import { formats } from './formats.ts'
import { countedSource } from './source.ts'

const file = new URL('../vectors/formats.json', import.meta.url)

interface Vector {
  bytes: string
  /** What names it: an id, a digest or a hash. */
  hash?: string
}

/** How each named thing gets its name, from the example's value and bytes. */
const hashes: Record<string, (value: never, bytes: Uint8Array) => string> = {
  'unsigned transaction': (_, bytes) => transactionId(bytes),
  transaction: (_, bytes) => wireHash(bytes),
  batch: (batch: Batch) => batchDigest(batch),
  header: (header: Header) => blockHash(header),
  'epoch record': (record: EpochRecord) => epochHash(record),
  genesis: (genesis: Genesis) => genesisHash(genesis),
  receipt: (receipt: Receipt) => receiptsRoot([receipt]),
}

function examples(): Record<string, Vector> {
  const vectors: Record<string, Vector> = {}
  for (const { name, make, encode } of formats) {
    const value = make(countedSource())
    const bytes = encode(value)
    const hash = hashes[name]?.(value as never, bytes)
    vectors[name] = { bytes: toHex(bytes), ...(hash === undefined ? {} : { hash }) }
  }
  vectors['null batch'] = { bytes: toHex(encode(batchCodec, NULL_BATCH)), hash: batchDigest(NULL_BATCH) }
  return vectors
}

if (process.env.UPDATE_VECTORS !== undefined) writeFileSync(file, `${JSON.stringify(examples(), null, 2)}\n`)
const golden: Record<string, Vector> = JSON.parse(readFileSync(file, 'utf8'))
const actual = examples()

it('there is one for each format', () => expect(Object.keys(golden)).toEqual(Object.keys(actual)))

it.each(Object.keys(golden))('%s', (name) => expect(actual[name]).toEqual(golden[name]))

it.each(formats)('$name is read from its vector', ({ name, make, decode }) => {
  expect(decode(fromHex(golden[name]!.bytes))).toEqual(make(countedSource()))
})

it.each(bodyTypes)('the signed bytes of %s are its body', (type: BodyType) => {
  const body = formats.find(({ name }) => name === `body ${type}`)!.make(countedSource()) as Body<BodyType>
  expect(toHex(signedBytes(type, body))).toBe(golden[`body ${type}`]!.bytes)
})

it('no two signed types share a byte string for the same fields', () => {
  const slotTypes = ['pre-prepare', 'prepare', 'commit']
  expect(new Set(slotTypes.map((type) => golden[`body ${type}`]!.bytes)).size).toBe(slotTypes.length)
})

it('hashes are SHA-256 over the bytes as they stand', () => {
  const overBytes = ['unsigned transaction', 'transaction', 'header', 'epoch record', 'genesis']
  for (const name of overBytes) {
    const { bytes, hash } = golden[name]!
    expect(toHex(sha256(fromHex(bytes)))).toBe(hash)
  }
})
