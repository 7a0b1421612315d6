// The verifier that shares no code with this project: what it proves is what `quorate/light` proves, over changes of the validators, and
// what that refuses it refuses too.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundleOf } from '../../src/client/bundle.ts'
import { signTransaction } from '../../src/client/transaction.ts'
import { trustGenesis, verifyDocument } from '../../src/light/index.ts'
import { genesis, network, serve } from '../api/support.ts'
import { withFolder } from '../cli/support.ts'
import { createChain, keyOf } from '../client/chain.ts'
import { createSamples, type Samples, shownGenesis } from '../light/samples.ts'

const verifier = join(import.meta.dirname, 'verify-bundle.mjs')
const run = promisify(execFile)
let samples: Samples
beforeAll(async () => {
  samples = await createSamples()
})

/** What it says of a bundle: what is proven, or why it is refused. */
const verdictOf = (bundle: unknown, genesisHash = samples.chain.genesisHash) =>
  withFolder(async (folder) => {
    const file = join(folder, 'bundle.json')
    await writeFile(file, JSON.stringify(bundle))
    try {
      return JSON.parse(
        (await run(process.execPath, [verifier, file, genesisHash], { timeout: 10_000 })).stdout,
      ) as Record<string, unknown>
    } catch (error) {
      const { stderr, killed } = error as { stderr: string; killed: boolean }
      return killed ? 'no answer' : (/^refused: (.*)\n$/.exec(stderr)?.[1] ?? `crashed: ${stderr}`)
    }
  })

test('is at most 150 lines, of nothing but a hash, a signature check and a file', async () => {
  const text = await readFile(verifier, 'utf8')
  expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(150)
  const imports = [...text.matchAll(/from '([^']+)'|import\(|require\(/g)].map(([, name]) => name)
  expect(imports).toEqual(['node:crypto', 'node:fs'])
})

describe('it proves', () => {
  test('a receipt with its events', async () => {
    const place = { txId: samples.ids[0], height: 5, index: 0 }
    const events = [
      { contract: 'token', name: 'Transfer', data: '{"from":"a","to":"b"}' },
      { contract: 'notes', name: 'Note', data: '[7,null,"x"]' },
    ]
    expect(await verdictOf(samples.bundles.receipt)).toMatchObject({
      kind: 'transaction',
      ...place,
      status: 'ok',
      events,
    })
    expect(await verdictOf(samples.bundles.explained)).toMatchObject({ code: 'OUT_OF_GAS', message: '' })
  })

  test('a value and an absence', async () => {
    const owner = { contract: 'token', key: 'owner', height: 6, present: true, value: JSON.stringify({ a: [1, true] }) }
    expect(await verdictOf(samples.bundles.value)).toMatchObject(owner)
    expect(await verdictOf(samples.bundles.absence)).toMatchObject({ key: 'balance/40', present: false, value: null })
  })

  test('arguments that are no JSON, and such that are too deep, as the text that they are', async () => {
    const chain = createChain()
    for (const [nonce, args] of ['not "JSON', `${'['.repeat(129)}"]"${']'.repeat(129)}`].entries()) {
      const call = { network: chain.genesisHash, nonce, expires: 9, gasLimit: 99, contract: 'token', method: 'x', args }
      const { wire, id } = await signTransaction(keyOf(7), call)
      chain.append([{ wire, outcome: { status: 'reverted', code: 'BAD_ARGUMENTS' } }])
      const trust = trustGenesis(shownGenesis(chain), chain.genesisHash)
      const document = chain.document(id)
      const bundle = bundleOf(document, verifyDocument('transaction', document, trust), [])
      expect(await verdictOf(bundle, chain.genesisHash)).toMatchObject({ args, status: 'reverted' })
    }
  })

  test('an absence in block 0, by the block that follows on it', async () => {
    const { api, test: node, get } = await serve()
    try {
      node.keepTree()
      node.addBlock([])
      const { body } = await get('/v1/contracts/token/state/none?prove=true&height=0')
      const trust = trustGenesis({ ...genesis, time: new Date(genesis.time).toISOString() }, network)
      const bundle = bundleOf(body, verifyDocument('state', body, trust), [])
      const absence = { contract: 'token', key: 'none', height: 0, present: false }
      expect(await verdictOf(bundle, network)).toMatchObject(absence)
      const changed = structuredClone(bundle) as { document: { proof: { header: { time: string } } } }
      changed.document.proof.header.time = new Date(genesis.time + 1).toISOString()
      expect(await verdictOf(changed, network)).toMatch(/not its parent/)
    } finally {
      await api.close()
    }
  })

  test('all events of a range', async () => {
    const names = [{ name: 'Transfer' }, { name: 'Note' }]
    expect(await verdictOf(samples.bundles.events)).toMatchObject({ from: 4, to: 6, events: names })
  })
})

/** One signature again in the place of another, by a number that is spelt otherwise. */
const repeat = (signatures: { signer: unknown }[]) =>
  signatures.splice(0, 1, { ...signatures[1]!, signer: String(signatures[1]!.signer) })

/** A list of more items than there ever are. */
const endless = Buffer.from('9b001fffffffffffff', 'hex').toString('base64')

// biome-ignore lint/suspicious/noExplicitAny: a test changes documents of every shape.
type Any = any
const place = (document: Any, index: number, count: number) =>
  Object.assign(document, { index, proof: Object.assign(document.proof, { index, count }) })
const respell = (document: Any, key: string) => {
  document.key = key
  document.proof.key = `token\0${key}`
}
function forgeSignature(proof: Any) {
  const wire = Buffer.from(proof.transaction, 'base64')
  wire[wire.length - 40]! ^= 1
  proof.transaction = wire.toString('base64')
}
/** The leaf of a key that has a value, cut at another byte so that its path looks like another key's. */
function forgeAbsence(document: Any) {
  const { proof } = document
  const hashes = [proof.key, proof.value].map((text) => createHash('sha256').update(text).digest('hex')).join('')
  Object.assign(proof, { value: null, other: { path: hashes.slice(0, 62), valueHash: hashes.slice(62) } })
  document.value = null
}

// biome-ignore lint/suspicious/noExplicitAny: a test changes documents of every shape.
type Change = (document: any, bundle: any) => unknown
const changes: [keyof Samples['bundles'], Change, RegExp][] = [
  ['receipt', ({ proof }) => proof.receiptPath.reverse(), /not in the block/],
  ['receipt', ({ proof }) => proof.header.height++, /another header/],
  ['receipt', ({ proof }) => proof.certificate.signatures.pop(), /no quorum signed/],
  ['receipt', ({ proof }) => proof.certificate.signatures[0].signer++, /signature does not verify|no quorum signed/],
  ['receipt', ({ proof }) => proof.certificate.signatures[1].signer++, /signature does not verify/],
  ['receipt', ({ proof }) => repeat(proof.certificate.signatures), /signature does not verify|no quorum signed/],
  ['receipt', ({ proof }) => proof.certificate.signatures.fill(proof.certificate.signatures[0]), /no quorum signed/],
  ['receipt', (document) => place(document, 0.5, 4), /no place in a block/],
  ['receipt', (document) => place(document, 2 ** 34, 2 ** 34 + 4), /no place in a block/],
  ['receipt', (document) => place(document, 4, 4), /not in the block/],
  ['receipt', ({ proof }) => forgeSignature(proof), /the sender did not sign/],
  ['receipt', (_, { epochs }) => Object.assign(epochs[0], { record: endless }), /not canonical/],
  ['value', (_, bundle) => Object.assign(bundle, { kind: 'toString' }), /not a kind/],
  ['value', (document) => forgeAbsence(document), /not 32 bytes/],
  ['absence', (document) => respell(document, 'balance/\ud800'), /no key/],
  ['receipt', (_, bundle) => bundle.epochs.pop(), /other validators/],
  ['receipt', (_, bundle) => bundle.epochs.reverse(), /other validators/],
  ['receipt', (_, { epochs }) => Object.assign(epochs[0], { record: epochs[1].record }), /not the next epoch/],
  ['value', ({ proof }) => Object.assign(proof, { value: null }), /does not lead to the state root/],
  ['absence', ({ proof }) => Object.assign(proof, { value: '"9"' }), /other leaf|state root/],
  ['absence', ({ proof }) => proof.siblings.pop(), /elsewhere|state root/],
  ['events', ({ blocks }) => Object.assign(blocks[0].header, { epochEnd: 0.5 }), /no whole number/],
  ['events', ({ blocks }) => blocks[1].receipts.pop(), /a receipt is missing/],
  ['events', ({ blocks }) => blocks.splice(1, 1), /does not follow/],
  ['events', ({ blocks }) => blocks.pop(), /another header/],
]

test.each(changes)('it refuses a changed %s: %s', async (kind, change, reason) => {
  const bundle = structuredClone(samples.bundles[kind])
  change(bundle.document, bundle)
  expect(await verdictOf(bundle)).toMatch(reason)
})

const shown: [keyof Samples['bundles'], Change][] = [
  ['receipt', (document) => document.gasUsed++],
  ['receipt', ({ events }) => Object.assign(events[0], { data: 5 })],
  ['receipt', (_, bundle) => Object.assign(bundle, { note: 1 })],
  ['value', (document) => Object.assign(document, { value: 5 })],
  ['events', (document) => document.from--],
]

test.each(shown)('it goes by the proof alone, whatever a changed %s shows: %s', async (kind, change) => {
  const bundle = structuredClone(samples.bundles[kind])
  change(bundle.document, bundle)
  expect(await verdictOf(bundle)).toEqual(await verdictOf(samples.bundles[kind]))
})

test('it refuses what is no bundle', async () => {
  for (const bundle of [null, 7, [], {}, { ...samples.bundles.events, document: { blocks: [] } }])
    expect(await verdictOf(bundle)).not.toMatch(/^crashed|^no answer/)
})

test('it refuses another network', async () => {
  expect(await verdictOf(samples.bundles.value, 'ab'.repeat(32))).toMatch(/of this network/)
  const other = { ...samples.bundles.value, genesisHash: 'ab'.repeat(32) }
  expect(await verdictOf(other, 'ab'.repeat(32))).toMatch(/genesis has another hash/)
})
