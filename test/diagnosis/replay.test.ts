/** A replay of a run: logs, reads and writes as the contract made them, and in words where it is another run. */
import { expect, it } from 'vitest'
import { differencesOf, type ReplayInput, replay } from '../../src/diagnosis/replay.ts'
import type { Sandbox } from '../../src/execution/runtime.ts'
import type { ContractHost } from '../../src/execution/sandbox/types.ts'
import { systemKeys, writeContract } from '../../src/execution/state.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { alice, transaction } from '../execution/support.ts'

const codeHash = 'cd'.repeat(32)
const record = { name: 'notes', codeHash, version: 1, owner: '', deployedHeight: 0, updatedHeight: 0 }
const contract = writeContract({ ...record, frozen: false, migrate: false, init: false, calls: ['go'], views: [] })

/** A sandbox whose contract is a function of its host. */
const scripted = (script: (host: ContractHost) => void): Sandbox => ({
  run({ host }) {
    script(host)
    return { status: 'ok', result: null, gasUsed: 5 }
  },
  inspect: () => ({ ok: true, init: false, migrate: false, calls: [], views: [] }),
})

const run = (script: (host: ContractHost) => void, more: Partial<ReplayInput> = {}) =>
  replay({
    record: {
      values: new Map<string, string | undefined>([
        ['notes\0a', '1'],
        ['notes\0b', undefined],
        ['notes\0p1', '"x"'],
        ['notes\0p2', '"y"'],
        [systemKeys.contract('notes'), contract],
        [systemKeys.nonce(alice.key), undefined],
      ]),
      scans: [{ prefix: 'notes\0p', after: undefined, limit: 64, keys: ['notes\0p1', 'notes\0p2'] }],
      code: new Map([[codeHash, 'code']]),
    },
    parameters: PARAMETER_DEFAULTS,
    block: { height: 3, time: 4 },
    transaction: transaction(alice, { nonce: 0, contract: 'notes', method: 'go' }),
    positionsOf: () => undefined,
    sandbox: scripted(script),
    ...more,
  })

it('shows what was logged', () => {
  expect(run((host) => host.log!('warn', 'careful')).logs).toEqual([
    { contract: 'notes', level: 'warn', text: 'careful' },
  ])
})

it('shows values as they were before, of what the contract saw and no more', () => {
  const { reads, writes, missing } = run((host) => {
    host.get('a')
    host.set('a', '2')
    host.get('a')
    host.scan('p', undefined, 1)
    host.delete('p2')
    host.set('b', 'null')
  })
  expect(missing).toEqual([])
  expect(reads.filter((read) => read.contract === 'notes')).toEqual([
    { contract: 'notes', key: 'a', value: '1' },
    { contract: 'notes', key: 'p1', value: '"x"' },
  ])
  expect(reads.map(({ key }) => key)).toContain(`nonce/${alice.key}`)
  expect(writes.filter((write) => write.contract === 'notes')).toEqual([
    { contract: 'notes', key: 'a', before: '1', after: '2' },
    { contract: 'notes', key: 'b', before: null, after: 'null' },
    { contract: 'notes', key: 'p2', before: '"y"', after: null },
  ])
})

it('names what it asks for beyond the record', () => {
  expect(run((host) => host.get('other')).missing).toEqual(['notes other'])
})

it('says in words how two receipts differ', () => {
  const { receipt } = run(() => {})
  expect(differencesOf(receipt, receipt)).toEqual([])
  const other = { ...receipt, gasUsed: 7, status: 'reverted' as const, code: 'THROWN', message: 'no' }
  expect(differencesOf(receipt, other)).toEqual([
    'status: "ok" here, "reverted" is certified',
    'error: null here, {"code":"THROWN","message":"no"} is certified',
    `gas used: ${receipt.gasUsed} here, 7 is certified`,
  ])
})
