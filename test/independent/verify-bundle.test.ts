// The verifier that shares no code with this project: what it proves is what `quorate/light` proves, over changes of the validators, and
// what that refuses it refuses too.
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { withFolder } from '../cli/support.ts'
import { createSamples, type Samples } from '../light/samples.ts'

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
      return JSON.parse((await run(process.execPath, [verifier, file, genesisHash])).stdout) as Record<string, unknown>
    } catch (error) {
      return /^Error: (.*)$/m.exec((error as { stderr: string }).stderr)?.[1] ?? (error as { stderr: string }).stderr
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
    const place = { id: samples.ids[0], height: 5, index: 0 }
    const events = [
      { contract: 'token', name: 'Transfer', data: { from: 'a', to: 'b' } },
      { contract: 'notes', name: 'Note', data: [7, null, 'x'] },
    ]
    expect(await verdictOf(samples.bundles.receipt)).toMatchObject({
      kind: 'transaction',
      ...place,
      status: 'ok',
      events,
    })
    expect(await verdictOf(samples.bundles.explained)).toMatchObject({ error: { code: 'OUT_OF_GAS', message: '' } })
  })

  test('a value and an absence', async () => {
    const owner = { contract: 'token', key: 'owner', height: 6, present: true, value: { a: [1, true] } }
    expect(await verdictOf(samples.bundles.value)).toMatchObject(owner)
    expect(await verdictOf(samples.bundles.absence)).toMatchObject({ key: 'balance/40', present: false, value: null })
  })

  test('all events of a range', async () => {
    const names = [{ name: 'Transfer' }, { name: 'Note' }]
    expect(await verdictOf(samples.bundles.events)).toMatchObject({ from: 4, to: 6, events: names })
  })
})

/** One signature again in the place of another, by a number that is spelt otherwise. */
const repeat = (signatures: { signer: unknown }[]) =>
  signatures.splice(0, 1, { ...signatures[1]!, signer: String(signatures[1]!.signer) })

// biome-ignore lint/suspicious/noExplicitAny: a test changes documents of every shape.
type Change = (document: any, bundle: any) => unknown
const changes: [keyof Samples['bundles'], Change, RegExp][] = [
  ['receipt', (document) => document.gasUsed++, /shows what it does not prove/],
  ['receipt', ({ proof }) => proof.receiptPath.reverse(), /not in the block/],
  ['receipt', ({ proof }) => proof.header.height++, /another place/],
  ['receipt', ({ proof }) => proof.certificate.signatures.pop(), /no quorum signed/],
  ['receipt', ({ proof }) => proof.certificate.signatures[0].signer++, /signature does not verify/],
  ['receipt', ({ proof }) => proof.certificate.signatures[1].signer++, /signature does not verify/],
  ['receipt', ({ proof }) => repeat(proof.certificate.signatures), /no quorum signed/],
  ['receipt', (_, bundle) => bundle.epochs.pop(), /other validators/],
  ['receipt', (_, bundle) => bundle.epochs.reverse(), /other validators/],
  ['receipt', (_, { epochs }) => Object.assign(epochs[0], { record: epochs[1].record }), /not the end of its epoch/],
  ['value', (document) => Object.assign(document, { value: 5 }), /shows what it does not prove/],
  ['value', ({ proof }) => Object.assign(proof, { value: null }), /does not lead to the state root/],
  ['absence', ({ proof }) => Object.assign(proof, { value: '"9"' }), /other leaf|state root/],
  ['absence', ({ proof }) => proof.siblings.pop(), /elsewhere|state root/],
  ['events', ({ blocks }) => blocks[1].receipts.pop(), /a receipt is missing/],
  ['events', ({ blocks }) => blocks.splice(1, 1), /does not follow/],
  ['events', ({ blocks }) => blocks.pop(), /another place|another header/],
  ['events', (document) => document.from--, /shows what it does not prove/],
]

test.each(changes)('it refuses a changed %s: %s', async (kind, change, reason) => {
  const bundle = structuredClone(samples.bundles[kind])
  change(bundle.document, bundle)
  expect(await verdictOf(bundle)).toMatch(reason)
})

test('it refuses another network', async () => {
  expect(await verdictOf(samples.bundles.value, 'ab'.repeat(32))).toMatch(/of this network/)
  const other = { ...samples.bundles.value, genesisHash: 'ab'.repeat(32) }
  expect(await verdictOf(other, 'ab'.repeat(32))).toMatch(/genesis has another hash/)
})
