/** A record to replay from: what is checked of it, and what no server can slip in. */
import { createHash } from 'node:crypto'
import { beforeAll, expect, it } from 'vitest'
import { headerJson } from '../../src/api/json.ts'
import { readReplay } from '../../src/client/replay.ts'
import { signTransaction } from '../../src/client/transaction.ts'
import { verify } from '../../src/crypto/signer.ts'
import { trustGenesis } from '../../src/light/genesis.ts'
import { type ProvenTransaction, verifyTransaction } from '../../src/light/transaction.ts'
import { createChain, keyOf } from './chain.ts'

const code = 'var quorateContract = {}'
const codeHash = createHash('sha256').update(code).digest('hex')
let proven: ProvenTransaction
// biome-ignore lint/suspicious/noExplicitAny: the tests change single members of a document.
let document: any

beforeAll(async () => {
  const chain = createChain()
  const { genesisHash, genesis } = chain
  const call = { nonce: 0, expires: 0, gasLimit: 99, contract: 'token', method: 'transfer', args: '{}' }
  const { wire, id } = await signTransaction(keyOf(7), { network: genesisHash, ...call })
  const parent = chain.append([])
  chain.append([{ wire }])
  const trust = trustGenesis({ ...genesis, time: new Date(genesis.time).toISOString() }, genesisHash)
  proven = verifyTransaction(chain.document(id), id, trust, verify)
  document = {
    id,
    height: 2,
    index: 0,
    parent: headerJson(parent.header),
    state: [
      { contract: 'token', key: 'a', value: '1' },
      { contract: 'token', key: 'b', value: null },
    ],
    scans: [{ contract: 'token', prefix: '', after: null, limit: 64, keys: ['a'] }],
    code: [{ codeHash, code }],
  }
})

it('is read with its full keys', () => {
  const { parent, ...record } = readReplay(document, proven)
  expect(parent.height).toBe(1)
  expect(record).toEqual({
    values: new Map([
      ['token\0a', '1'],
      ['token\0b', undefined],
    ]),
    scans: [{ prefix: 'token\0', after: undefined, limit: 64, keys: ['token\0a'] }],
    code: new Map([[codeHash, code]]),
  })
})

it.each<[string, (good: typeof document) => unknown]>([
  ['no object', () => 'record'],
  ['another transaction', (good) => ({ ...good, id: 'ab'.repeat(32) })],
  ['another height', (good) => ({ ...good, height: 3 })],
  ['another position', (good) => ({ ...good, index: 1 })],
  ['another state root', (good) => ({ ...good, parent: { ...good.parent, stateRoot: '33'.repeat(32) } })],
  ['other code', (good) => ({ ...good, code: [{ codeHash, code: `${code};` }] })],
  ['a value that is not JSON', (good) => ({ ...good, state: [{ contract: 'token', key: 'a', value: '{' }] })],
  ['a value that is not text', (good) => ({ ...good, state: [{ contract: 'token', key: 'a', value: 1 }] })],
  ['no state', (good) => ({ ...good, state: undefined })],
  ['a key of a scan without a value', (good) => ({ ...good, scans: [{ ...good.scans[0], keys: ['b'] }] })],
  ['a scan without a limit', (good) => ({ ...good, scans: [{ ...good.scans[0], limit: '64' }] })],
])('is refused with %s', (_, change) => {
  expect(() => readReplay(change(document), proven)).toThrow(expect.objectContaining({ code: 'BAD_PROOF' }))
})
