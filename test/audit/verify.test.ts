import { mkdtempSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyLedger } from '../../src/audit/verify.ts'
import { batchDigest, blockHash, receiptsRoot } from '../../src/crypto/digest.ts'
import { receiptsCodec } from '../../src/ledger/blocks.ts'
import * as keys from '../../src/ledger/keys.ts'
import { seal } from '../../src/ledger/store.ts'
import { batchCodec, certificateCodec, type Header, headerCodec, type Receipt } from '../../src/types/block.ts'
import { fromHex } from '../../src/types/hex.ts'
import { decode, encode } from '../../src/types/schema.ts'
import { certify, type Made, makeLedger } from './chain.ts'

const HEAD = 6
let folder: string
let made: Made
let copies = 0

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-audit-'))
  const directory = join(folder, 'whole')
  made = await makeLedger({ directory, blocks: HEAD, transactionsPerBlock: 6, senders: 4 })
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The values of a ledger folder, read and written with right checksums. */
interface Editor {
  get(key: Buffer): Promise<Buffer>
  put(key: Buffer, value: Uint8Array): Promise<void>
  /** Stores what no checksum covers. */
  putRaw(key: Buffer, stored: Uint8Array): Promise<void>
  remove(key: Buffer): Promise<void>
  find(prefix: Buffer): Promise<Buffer>
}

/** What the audit says of a copy that was edited. */
async function auditOf(edit: (editor: Editor) => Promise<void>, isReplayed = false) {
  const directory = join(folder, `copy-${copies++}`)
  await cp(join(folder, 'whole'), directory, { recursive: true })
  const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await level.open()
  await edit({
    get: async (key) => (await level.get(key))!.subarray(4),
    put: (key, value) => level.put(key, seal(key, value)),
    putRaw: (key, stored) => level.put(key, Buffer.from(stored)),
    remove: (key) => level.del(key),
    find: async (prefix) => (await level.iterator({ gte: prefix, limit: 1 }).all())[0]![0],
  })
  await level.close()
  const replayIn = isReplayed ? mkdtempSync(join(folder, 'replay-')) : undefined
  const report = await verifyLedger({ directory, genesis: made.genesis, workers: 0, replayIn })
  await rm(directory, { recursive: true })
  return report
}

const plain = (bytes: Buffer) => new Uint8Array(bytes)

async function editHeader(editor: Editor, height: number, change: Partial<Header>, isRehashed: boolean) {
  const key = keys.heightKey('header', height)
  const stored = await editor.get(key)
  const header = { ...decode(headerCodec, plain(stored.subarray(32))), ...change }
  const hash = isRehashed ? fromHex(blockHash(header)) : stored.subarray(0, 32)
  await editor.put(key, Buffer.concat([hash, encode(headerCodec, header)]))
  return header
}

/** As a dishonest quorum would: header, certificate and head fit together again. */
async function forgeHead(editor: Editor, change: Partial<Header>) {
  const hash = blockHash(await editHeader(editor, HEAD, change, true))
  const certificate = encode(certificateCodec, certify(made.genesis, HEAD, hash))
  await editor.put(keys.heightKey('certificate', HEAD), certificate)
  await editor.put(keys.headKey, Buffer.concat([keys.heightBytes(HEAD), fromHex(hash)]))
}

async function editReceipts(editor: Editor, height: number, change: (receipts: Receipt[]) => Receipt[]) {
  const key = keys.heightKey('receipts', height)
  const receipts = change(decode(receiptsCodec, plain(await editor.get(key))))
  await editor.put(key, encode(receiptsCodec, receipts))
  return receipts
}

async function editCertificate(
  editor: Editor,
  height: number,
  change: (signatures: { signer: number; signature: Uint8Array }[]) => unknown,
) {
  const key = keys.heightKey('certificate', height)
  const certificate = decode(certificateCodec, plain(await editor.get(key)))
  change(certificate.signatures)
  await editor.put(key, encode(certificateCodec, certificate))
}

const flipSignature = ([, second]: { signature: Uint8Array }[]) => {
  second!.signature[9]! ^= 1
}

const dearer = (receipts: Receipt[]) => receipts.map((one, i) => (i === 2 ? { ...one, gasUsed: one.gasUsed + 1 } : one))

describe('an audit', () => {
  it('finds nothing wrong with a whole ledger, with and without running it again', async () => {
    const nothing = async () => {}
    const report = await auditOf(nothing)
    const { transactions } = made
    expect(report).toMatchObject({
      oldest: 0,
      head: HEAD,
      certified: HEAD,
      blocks: HEAD + 1,
      transactions,
      fault: null,
    })
    expect([report.signatures, report.replayed]).toEqual([3 * HEAD, null])
    const replayed = await auditOf(nothing, true)
    expect(replayed).toMatchObject({ fault: null, replayed: { from: 0, to: HEAD, transactions, reason: null } })
    expect(replayed.signatures).toBe(3 * HEAD + transactions)
  })

  const header = keys.heightKey('header', 3)
  const batch = keys.heightKey('batch', 4)
  const undoOf = async (editor: Editor, height: number) =>
    keys.undoKey(keys.unpackKeys(await editor.get(keys.undoneKey(height)))[0]!, height)
  const firstState = () => Buffer.from('stoken\0balance/')
  const cases: [
    name: string,
    height: number,
    part: string,
    words: string,
    edit: (editor: Editor) => Promise<unknown>,
  ][] = [
    ['a header', 3, 'the header', 'a header with the hash', (e) => editHeader(e, 3, { time: 5 }, false)],
    ['a header with its hash', 3, 'the time', '5', (e) => editHeader(e, 3, { time: 5 }, true)],
    [
      'a header nothing else knows',
      3,
      'the certificate',
      'one for block 3',
      (e) => editHeader(e, 3, { stateRoot: 'ab'.repeat(32) }, true),
    ],
    ['a link', 5, 'the parent hash', 'ab', (e) => editHeader(e, 5, { parentHash: 'ab'.repeat(32) }, true)],
    ['an epoch', 2, 'the epoch', '1', (e) => editHeader(e, 2, { epoch: 1 }, true)],
    [
      "validators' hash",
      2,
      "the next validators' hash",
      'cd',
      (e) => editHeader(e, 2, { nextValidatorsHash: 'cd'.repeat(32) }, true),
    ],
    ['a missing header', 3, 'the header', 'none', (e) => e.remove(header)],
    ['a checksum', 3, 'the header', 'fails its checksum', (e) => e.putRaw(header, Buffer.alloc(80))],
    [
      'a checksum of the last header',
      HEAD,
      'the header',
      'fails its checksum',
      (e) => e.putRaw(keys.heightKey('header', HEAD), Buffer.alloc(80)),
    ],
    [
      'a damaged batch above the head',
      HEAD + 1,
      'the batch',
      'fails its checksum',
      (e) => e.putRaw(keys.heightKey('batch', 9), Buffer.alloc(80)),
    ],
    [
      'a value of old state',
      4,
      'the history of the state',
      '',
      async (e) => e.put(await undoOf(e, 4), Buffer.from('\u0001"7"')),
    ],
    [
      'a missing value of old state',
      4,
      'the history of the state key "',
      'none',
      async (e) => e.remove(await undoOf(e, 4)),
    ],
    [
      'a surplus value of old state',
      4,
      'the history of the state key "token\\u0000zz"',
      'one',
      (e) => e.put(keys.undoKey(Buffer.from('token\0zz'), 4), Buffer.of(0)),
    ],
    [
      'a change above the head',
      9,
      'the history of the state key "token\\u0000zz"',
      'one',
      async (e) => {
        await e.put(keys.undoKey(Buffer.from('token\0zz'), 9), Buffer.of(0))
        await e.put(keys.undoneKey(9), keys.packKeys([Buffer.from('token\0zz')]))
      },
    ],
    [
      'a history that begins above the head',
      9,
      'the oldest state',
      '9',
      (e) => e.put(keys.historyKey, Buffer.concat([keys.heightBytes(9), keys.heightBytes(0)])),
    ],
    [
      'a list of changes that lacks one',
      4,
      'the history of the state',
      '',
      async (e) => {
        const list = keys.unpackKeys(await e.get(keys.undoneKey(4)))
        await e.put(keys.undoneKey(4), keys.packKeys(list.slice(1)))
      },
    ],
    [
      'a damaged value of old state',
      4,
      'the history of the state key "',
      'fails its checksum',
      async (e) => e.putRaw(await undoOf(e, 4), Buffer.alloc(9)),
    ],
    ['bytes that are no header', 3, 'the header', 'canonical form', (e) => e.put(header, Buffer.alloc(80))],
    [
      'a signer twice',
      4,
      'the certificate',
      'validator 1 twice',
      (e) => editCertificate(e, 4, (all) => all.push({ ...all[0]!, signer: 1 })),
    ],
    [
      'a stranger as signer',
      4,
      'the certificate',
      'signer 9',
      (e) => editCertificate(e, 4, (all) => all.push({ ...all[0]!, signer: 9 })),
    ],
    ['too few signatures', 4, 'the certificate', '2', (e) => editCertificate(e, 4, (all) => all.pop())],
    ['a signature', 4, 'the certificate', 'another one', (e) => editCertificate(e, 4, flipSignature)],
    [
      'a signature under another name',
      4,
      'the certificate',
      'another one',
      (e) => editCertificate(e, 4, (all) => all.splice(0, 1, { ...all[0]!, signer: 0 })),
    ],
    ['a missing certificate', 4, 'the certificate', 'none', (e) => e.remove(keys.heightKey('certificate', 4))],
    [
      'a byte of a batch',
      4,
      'the batch',
      '',
      async (e) => {
        const bytes = await e.get(batch)
        bytes[bytes.length - 5]! ^= 1
        await e.put(batch, bytes)
      },
    ],
    ['a batch that is none', 4, 'the batch', 'expected', (e) => e.put(batch, Buffer.of(1))],
    ['a missing batch', 4, 'the batch', 'none', (e) => e.remove(batch)],
    ['a receipt', 5, 'the receipts root', '', (e) => editReceipts(e, 5, dearer)],
    [
      'receipts in another order',
      5,
      'receipt 1',
      'that of',
      (e) => editReceipts(e, 5, ([a, b, c, ...rest]) => [a!, c!, b!, ...rest]),
    ],
    ['a receipt too few', 5, 'the receipts', '6', (e) => editReceipts(e, 5, (all) => all.slice(1))],
    ['missing receipts', 5, 'the receipts', 'none', (e) => e.remove(keys.heightKey('receipts', 5))],
    ['a state value', HEAD, 'the state', '', async (e) => e.put(await e.find(firstState()), Buffer.from('"7"'))],
    ['a missing state value', HEAD, 'the state', '', async (e) => e.remove(await e.find(firstState()))],
    ['a surplus state value', HEAD, 'the state', '', (e) => e.put(Buffer.from('stoken\0zz'), Buffer.from('1'))],
    [
      'an index that leads elsewhere',
      1,
      'the index of executed transactions',
      'index 0',
      async (e) => {
        const { id } = await transactionOf(1, 2)
        await e.put(keys.transactionKey('executed', id), keys.placeBytes(1, 0))
      },
    ],
    [
      'a missing index entry',
      2,
      'the index by sender and contract',
      'no entry',
      async (e) => {
        const { sender } = await transactionOf(2, 2)
        await e.remove(keys.listingKey(keys.listingPrefix({ sender, contract: 'token' })!, 2, 2))
      },
    ],
    [
      'a surplus index entry',
      9,
      'the index by sender',
      'leads to height 9',
      async (e) => {
        const { sender, id } = await transactionOf(2, 2)
        await e.put(keys.listingKey(keys.listingPrefix({ sender })!, 9, 2), fromHex(id))
      },
    ],
    [
      'a surplus entry of skipped ones',
      3,
      'the index of skipped',
      'height 3, index 3',
      (e) => e.put(keys.transactionKey('skipped', 'ab'.repeat(32)), keys.placeBytes(3, 3)),
    ],
    [
      'a header above the head',
      9,
      'the header',
      'one',
      async (e) => e.put(keys.heightKey('header', 9), await e.get(header)),
    ],
    [
      'the head',
      HEAD,
      'the head',
      '',
      (e) => e.put(keys.headKey, Buffer.concat([keys.heightBytes(HEAD), Buffer.alloc(32)])),
    ],
    ['a missing head', HEAD, 'the head', 'none', (e) => e.remove(keys.headKey)],
    ['the certified height', 99, 'the certified height', '99', (e) => e.put(keys.certifiedKey, keys.heightBytes(99))],
  ]

  async function transactionOf(height: number, index: number) {
    let found: Receipt | undefined
    await auditOf(async (editor) => {
      await editReceipts(editor, height, (receipts) => {
        found = receipts[index]
        return receipts
      })
    })
    return { id: found!.txId, sender: found!.sender }
  }

  it.each(cases)('finds %s', async (_, height, part, words, edit) => {
    const { fault } = await auditOf(async (editor) => void (await edit(editor)))
    const mend = expect.stringMatching(/ledger repair --home DIR --from-peers-only.*fetches the blocks from its peers/)
    expect(fault).toMatchObject({ height, mend })
    expect(fault!.part).toContain(part)
    expect(`${fault!.found}`).toContain(words)
    expect(fault!.expected).not.toBe(fault!.found)
  })

  it('reports the lowest of several', async () => {
    const { fault } = await auditOf(async (editor) => {
      await editHeader(editor, 5, { time: 5 }, false)
      await editCertificate(editor, 4, flipSignature)
    })
    expect(fault).toMatchObject({ height: 4, part: 'the certificate' })
  })

  it('throws on a folder of another network', async () => {
    const genesis = { ...made.genesis, chainId: 'other' }
    const verifying = verifyLedger({ directory: join(folder, 'whole'), genesis, workers: 0 })
    await expect(verifying).rejects.toMatchObject({ code: 'LEDGER_FOREIGN' })
  })
})

describe('running blocks again', () => {
  it.each([
    [
      'a state value',
      async (e: Editor) => e.put(await e.find(Buffer.from('stoken\0balance/')), Buffer.from('"7"')),
      '"7"',
    ],
    ['a missing one', async (e: Editor) => e.remove(await e.find(Buffer.from('stoken\0balance/'))), 'no value'],
  ])('names the key of %s', async (_, edit, found) => {
    const { fault } = await auditOf(edit, true)
    expect(fault).toMatchObject({ height: HEAD, found })
    expect(fault!.part).toContain('the state key "token\\u0000balance/')
    expect(fault!.expected).toMatch(/^"\d+"$/)
  })

  it('finds a receipt that a quorum signed and no execution gives', async () => {
    const edit = async (editor: Editor) => {
      const receipts = await editReceipts(editor, HEAD, dearer)
      await forgeHead(editor, { receiptsRoot: receiptsRoot(receipts) })
    }
    expect((await auditOf(edit)).fault).toBeNull()
    const { fault } = await auditOf(edit, true)
    expect(fault).toMatchObject({ height: HEAD, mend: expect.stringContaining('release that the network runs') })
    expect(fault!.part).toMatch(/^receipt 2 \(transaction [0-9a-f]{64}\), gasUsed$/)
    expect(Number(fault!.found)).toBe(Number(fault!.expected) + 1)
  })

  it('finds a state root that a quorum signed and no execution gives', async () => {
    const root = 'ab'.repeat(32)
    const { fault } = await auditOf((editor) => forgeHead(editor, { stateRoot: root }), true)
    expect(fault).toMatchObject({ height: HEAD, part: 'stateRoot by executing the block again', found: root })
    expect(fault!.expected).toMatch(/^[0-9a-f]{64}$/)
  })

  it('finds a transaction that its sender did not sign', async () => {
    const { fault } = await auditOf(async (editor) => {
      const key = keys.heightKey('batch', HEAD)
      const batch = decode(batchCodec, plain(await editor.get(key)))
      // The signature is the end of the wire form.
      const wire = batch.txs[3]!
      wire[wire.length - 1]! ^= 1
      await editor.put(key, encode(batchCodec, batch))
      await forgeHead(editor, { batchDigest: batchDigest(batch) })
    }, true)
    expect(fault).toMatchObject({ height: HEAD, part: 'transaction 3', found: 'another one' })
  })

  it('finds a genesis block that does not follow from the document', async () => {
    const { fault } = await auditOf((editor) => editHeader(editor, 0, { time: 5 }, true).then(() => undefined), true)
    expect(fault).toMatchObject({ height: 0, part: 'time by executing the block again', found: '5' })
  })
})
