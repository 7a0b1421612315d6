// Evidence on the disk: once for each thing done, a bounded number, and there again after a restart.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createEvidenceKeeper } from '../src/evidence.ts'
import { type Ledger, openLedger } from '../src/ledger/ledger.ts'
import { type Accusation, type Evidence, evidenceOf } from '../src/types/evidence.ts'
import type { NewView, Signed } from '../src/types/message.ts'

const genesisHash = 'ab'.repeat(32)
const domain = { genesisHash, epoch: 0, validatorsHash: 'cd'.repeat(32) }
let directory: string
let ledger: Ledger
let kept: Evidence[]

const open = () => openLedger({ directory, genesisHash, tree: false })
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-evidence-'))
  ledger = await open()
  kept = []
})
afterEach(async () => {
  await ledger.close()
  await rm(directory, { recursive: true })
})

function votes(signer: number, seq: number, digests = ['11', '22']): Accusation {
  const [first, second] = digests.map(
    (digest): Signed<'prepare'> => ({
      type: 'prepare',
      body: { ...domain, view: 0, seq, digest: digest.repeat(32) },
      signer,
      signature: new Uint8Array(64),
    }),
  )
  return { kind: 'prepare', first: first!, second: second! }
}
async function keeper(limits?: { total: number; perValidator: number }) {
  const one = createEvidenceKeeper({
    store: ledger,
    onKept: (evidence) => kept.push(evidence),
    onError(error) {
      throw error
    },
    now: () => 1_700_000_000_000,
    ...(limits === undefined ? {} : { limits }),
  })
  await one.load()
  return one
}

it('is kept in the bytes that were signed, beside what else the ledger has, and read back after a restart', async () => {
  const one = await keeper()
  one.add(votes(2, 7))
  await one.settled()
  const expected = evidenceOf(votes(2, 7), 1_700_000_000_000)!
  expect(kept).toEqual([expected])
  await ledger.close()
  ledger = await open()
  expect(await ledger.evidence()).toEqual([expected])
  expect(await ledger.check()).toEqual([])
})

it('is told once of each thing, also when it was seen before a restart', async () => {
  const one = await keeper()
  one.add(votes(2, 7))
  one.add(votes(2, 7, ['22', '33']))
  await one.settled()
  const again = await keeper()
  again.add(votes(2, 7))
  again.add(votes(2, 8))
  await again.settled()
  expect(kept.map(({ height }) => height)).toEqual([7, 8])
})

it('is bounded for each validator and in all, restarts counted', async () => {
  const limits = { total: 5, perValidator: 2 }
  for (const offset of [0, 10]) {
    const one = await keeper(limits)
    for (let validator = 0; validator < 4; validator++)
      for (let seq = 1; seq <= 3; seq++) one.add(votes(validator, seq + offset))
    await one.settled()
  }
  const held = await ledger.evidence()
  expect(held.map(({ validator, height }) => `${validator}/${height}`)).toEqual(['0/1', '0/2', '1/1', '1/2', '2/1'])
})

it('that is too long to be kept is left out', async () => {
  const vote: NewView['vote'] = {
    type: 'new-view',
    body: { ...domain, view: 1, viewChangesHash: '11'.repeat(32) },
    signer: 1,
    signature: new Uint8Array(64),
  }
  const signatures = Array.from({ length: 100 }, (_, signer) => ({ signer, signature: new Uint8Array(64) }))
  const change = {
    vote: {
      type: 'view-change' as const,
      body: { ...domain, newView: 1, h: 0, certificateHash: '11'.repeat(32), preparedHash: '11'.repeat(32) },
      signer: 1,
      signature: new Uint8Array(64),
    },
    header: null,
    certificate: null,
    prepared: Array.from({ length: 50 }, (_, index) => ({
      view: 0,
      seq: index + 1,
      digest: '11'.repeat(32),
      signatures,
    })),
  }
  const one = await keeper()
  one.add({ kind: 'new-view', first: { vote, viewChanges: [change, change] }, second: null })
  await one.settled()
  expect(await ledger.evidence()).toEqual([])
})
