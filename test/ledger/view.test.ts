// One moment of a ledger: what is committed, certified or pruned later does not show in it.
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Ledger, openLedger } from '../../src/ledger/ledger.ts'
import { type LedgerView, openLedgerView } from '../../src/ledger/view.ts'
import { createChain, GENESIS } from './chain.ts'

let directory: string
let ledger: Ledger
let view: LedgerView
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-view-'))
  // A history of one block: old state is gone as soon as it may be.
  ledger = await openLedger({ directory, genesisHash: GENESIS, tree: true, historyBlocks: 1 })
})
afterEach(async () => {
  await view.close()
  await ledger.close()
  await rm(directory, { recursive: true })
})

it('stays as it was while blocks are committed, certified and their history pruned', async () => {
  const chain = createChain(ledger)
  const commit = (height: number) =>
    chain.commit([
      ['token\0a', String(height)],
      [`token\0${height}`, '1'],
    ])
  for (let height = 0; height <= 4; height++) await commit(height)
  await ledger.putCertificates([1, 2, 3].map(chain.certificate))
  view = await openLedgerView({ directory, genesisHash: GENESIS })
  const look = async () => ({
    head: view.head(),
    certified: view.certifiedHeight(),
    block: await view.block(3),
    next: await view.block(5),
    certificate: await view.certificate(4),
    state: await view.stateAt(3).scan('', undefined, 100),
    value: await view.stateAt(3).get('token\0a'),
  })
  const before = await look()
  expect(before).toMatchObject({ head: { height: 4 }, certified: 3, value: '3' })
  expect([before.next, before.certificate]).toEqual([undefined, undefined])
  expect(before.state).toEqual(chain.scan(3, '', undefined, 100))
  for (let height = 5; height <= 12; height++) await commit(height)
  await ledger.putCertificates([4, 5, 6].map(chain.certificate))
  await expect(ledger.stateAt(3).get('token\0a')).rejects.toMatchObject({ code: 'PRUNED' })
  expect(await look()).toEqual(before)
})

it('opens no other network', async () => {
  view = await openLedgerView({ directory, genesisHash: GENESIS })
  await expect(openLedgerView({ directory, genesisHash: '0'.repeat(64) })).rejects.toMatchObject({
    code: 'LEDGER_FOREIGN',
  })
})
