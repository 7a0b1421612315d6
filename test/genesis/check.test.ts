// Every fault of a document is found, at its place, with its code; several at once.
import { describe, expect, test } from 'vitest'
import { type CheckContext, checkGenesis, describeFault, parseGenesis } from '../../src/genesis/document.ts'
import { ALICE, ENGINE_HASH, soundGenesis, spoiled, validatorOf } from './support.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests spoil the document in ways its type forbids.
type Change = (document: any) => void
function faultsOf(change: Change, context: CheckContext = {}): string[] {
  const parsed = parseGenesis(spoiled(change), context)
  const faults = parsed.ok ? parsed.warnings : parsed.faults
  return faults.map(({ severity, code, path }) => `${severity === 'warning' ? '? ' : ''}${code} ${path}`)
}

const cases: [string, Change, string[]][] = [
  ['nothing', () => {}, []],
  ['no network name', (d) => (d.chainId = ''), ['CHAIN_ID chainId']],
  ['another protocol', (d) => (d.protocolVersion = 2), ['PROTOCOL_VERSION protocolVersion']],
  ['an upper-case hash', (d) => (d.engineHash = 'E1'.repeat(32)), ['ENGINE_HASH engineHash']],
  ['a day that is none', (d) => (d.time = '2026-02-30T00:00:00Z'), ['TIME time']],
  ['a local time', (d) => (d.time = '2026-02-03T00:00:00+01:00'), ['TIME time']],
  ['a time before 1970', (d) => (d.time = '1969-12-31T23:59:59Z'), ['TIME time']],
  ['nobody votes', (d) => (d.validators = []), ['NO_VALIDATORS validators']],
  ['three vote', (d) => d.validators.pop(), ['? FEW_VALIDATORS validators']],
  [
    'too many vote',
    (d) => (d.validators = Array.from({ length: 101 }, (_, i) => validatorOf(i + 1))),
    ['TOO_MANY validators'],
  ],
  ['a name with a space', (d) => (d.validators[1].name = 'node 1'), ['NAME validators[1].name']],
  ['a name twice', (d) => (d.validators[3].name = 'node-2'), ['NAME_TWICE validators[3].name']],
  ['a key twice', (d) => (d.validators[3].key = d.validators[0].key), ['KEY_TWICE validators[3].key']],
  ['a log twice', (d) => (d.validators[2].log = d.validators[0].log), ['LOG_TWICE validators[2].log']],
  ['a log of zeros', (d) => (d.validators[2].log = '0'.repeat(64)), ['LOG validators[2].log']],
  ['a short key', (d) => (d.validators[2].key = 'ab'), ['KEY validators[2].key']],
  // The neutral element: of small order, so every message has a signature under it.
  ['a small-order key', (d) => (d.validators[0].key = `01${'0'.repeat(62)}`), ['KEY validators[0].key']],
  ['a key not on the curve', (d) => (d.validators[0].key = `02${'0'.repeat(62)}`), ['KEY validators[0].key']],
  ['a fraction', (d) => (d.parameters.windowBlocks = 32.5), ['PARAMETER parameters.windowBlocks']],
  ['small blocks', (d) => (d.parameters.blockBytesMax = 1024), ['PARAMETER parameters.blockBytesMax']],
  ['huge blocks', (d) => (d.parameters.blockBytesMax = 2 ** 24), ['PARAMETER parameters.blockBytesMax']],
  ['a negative time', (d) => (d.parameters.timePastMs = -1), ['PARAMETER parameters.timePastMs']],
  ['gas', (d) => (d.parameters.blockGasMax = 1000), ['PARAMETER_RELATION parameters.transactionGasMax']],
  ['in flight', (d) => (d.parameters.inFlightBlocks = 33), ['PARAMETER_RELATION parameters.inFlightBlocks']],
  ['timeouts', (d) => (d.parameters.timeoutMaxMs = 1_999), ['PARAMETER_RELATION parameters.progressTimeoutMs']],
  ['delay', (d) => (d.parameters.batchDelayMs = 2_001), ['PARAMETER_RELATION parameters.batchDelayMs']],
  ['snapshots', (d) => (d.parameters.snapshotIntervalBlocks = 31), ['PARAMETER_RELATION parameters.windowBlocks']],
  [
    'a window whose NEW-VIEW fits in no frame',
    (d) => {
      d.validators = Array.from({ length: 100 }, (_, i) => validatorOf(i + 1))
      d.parameters.windowBlocks = 25
    },
    ['PARAMETER_RELATION parameters.windowBlocks'],
  ],
  [
    'the largest window of a hundred validators',
    (d) => {
      d.validators = Array.from({ length: 100 }, (_, i) => validatorOf(i + 1))
      d.parameters.windowBlocks = 24
    },
    [],
  ],
  ['heartbeat', (d) => (d.parameters.heartbeatMs = 19), ['PARAMETER_RELATION parameters.heartbeatMs']],
  ['a rule', (d) => (d.parameters.transact = 'nobody'), ['RULE parameters.transact']],
  ['a rule’s role', (d) => (d.parameters.transact = 'role:member'), ['ROLE_UNKNOWN parameters.transact']],
  ['nobody may deploy', (d) => (d.roles[0].accounts = []), ['? ROLE_EMPTY parameters.deploy']],
  [
    'nobody may transact',
    (d) => {
      d.parameters.transact = 'role:member'
      d.roles.push({ role: 'member', accounts: [] })
    },
    ['ROLE_EMPTY parameters.transact'],
  ],
  ['a role’s name', (d) => d.roles.push({ role: 'Big', accounts: [] }), ['ROLE roles[1].role']],
  ['a role twice', (d) => d.roles.push({ role: 'deployer', accounts: [] }), ['ROLE_TWICE roles[1].role']],
  ['a mistyped address', (d) => (d.roles[0].accounts[0] = `${ALICE.slice(0, -1)}q`), ['ACCOUNT roles[0].accounts[0]']],
  ['an account twice', (d) => d.roles[0].accounts.push(ALICE), ['ACCOUNT_TWICE roles[0].accounts[2]']],
  ['a contract’s name', (d) => (d.contracts[0].name = 'system'), ['CONTRACT_NAME contracts[0].name']],
  ['a contract twice', (d) => d.contracts.push(d.contracts[0]), ['CONTRACT_TWICE contracts[1].name']],
  ['no code', (d) => (d.contracts[0].code = ''), ['CODE contracts[0].code']],
  ['an owner', (d) => (d.contracts[0].owner = 'alice'), ['ACCOUNT contracts[0].owner']],
  ['init that is no JSON', (d) => (d.contracts[0].init = '{'), ['INIT contracts[0].init']],
  ['half a character', (d) => (d.contracts[0].code = '\ud800'), ['UNENCODABLE ']],
  ['a missing field', (d) => delete d.roles, ['MISSING roles']],
  ['a missing parameter', (d) => delete d.parameters.deploy, ['MISSING parameters.deploy']],
  ['a wrong type', (d) => (d.validators[0].name = 7), ['WRONG_TYPE validators[0].name']],
  ['a field nobody knows', (d) => (d.validators[0].weight = 7), ['UNKNOWN_FIELD validators[0].weight']],
]

describe('checkGenesis', () => {
  test.each(cases)('%s', (_, change, expected) => {
    expect(faultsOf(change)).toEqual(expected)
  })

  test('finds all faults at once, also beside a wrong shape', () => {
    const found = faultsOf((document) => {
      document.chainID = 'x'
      delete document.roles
      document.validators[1].name = ''
      document.validators[2].weight = 1
      document.parameters.windowBlocks = 0
      document.contracts[0].owner = ''
    })
    expect(found.sort()).toEqual([
      'ACCOUNT contracts[0].owner',
      'MISSING roles',
      'NAME validators[1].name',
      'PARAMETER parameters.windowBlocks',
      'PARAMETER_RELATION parameters.inFlightBlocks',
      'UNKNOWN_FIELD chainID',
      'UNKNOWN_FIELD validators[2].weight',
    ])
  })

  test('compares the engine and the time when it is told them', () => {
    expect(faultsOf(() => {}, { engineHash: 'f'.repeat(64) })).toEqual(['ENGINE_MISMATCH engineHash'])
    expect(faultsOf(() => {}, { engineHash: ENGINE_HASH })).toEqual([])
    expect(faultsOf(() => {}, { now: 0 })).toEqual(['? TIME_AHEAD time'])
  })

  test('refuses what is no JSON object', () => {
    for (const text of ['', '{', '[]', 'null', '7']) {
      const parsed = parseGenesis(text)
      expect(parsed).toMatchObject({ ok: false, faults: [{ path: '' }] })
    }
  })

  test('explains in a line: where, what was expected, what came, what to do', () => {
    const genesis = soundGenesis()
    genesis.parameters.inFlightBlocks = 40
    expect(checkGenesis(genesis).map(describeFault)).toEqual([
      'parameters.inFlightBlocks: expected at most windowBlocks, 32, since what is in flight lies in the window, got 40: ' +
        'lower inFlightBlocks or raise windowBlocks',
    ])
  })

  test('says how many faults a small set of validators bears', () => {
    const genesis = soundGenesis()
    genesis.validators.length = 2
    const [found] = checkGenesis(genesis)
    expect(found).toMatchObject({ severity: 'warning', code: 'FEW_VALIDATORS' })
    expect(found!.mend).toContain('one lost consensus log stops the network')
  })
})
