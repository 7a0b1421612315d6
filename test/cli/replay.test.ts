// `quorate tx replay` where there is nothing to run, and where the node's record does not give the certified receipt.
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { headerJson } from '../../src/api/json.ts'
import { replayText } from '../../src/cli/replay-text.ts'
import { signTransaction } from '../../src/client/transaction.ts'
import { intrinsicGas } from '../../src/execution/cost.ts'
import { toHex } from '../../src/types/hex.ts'
import { type Chain, createChain, keyOf, type Outcome } from '../client/chain.ts'
import { type FakeNode, startFakeNode } from '../client/fake-node.ts'
import { type Cli, createCli, withFolder } from './support.ts'

let chain: Chain
let node: FakeNode
const sender = keyOf(7)
const call = { nonce: 3, expires: 2, gasLimit: 999_999, contract: 'token', method: 'transfer', args: '{}' }
/** The contract is not there and the nonce is the sender's next. */
const STATE = [
  { contract: 'system', key: 'contract/token', value: null },
  { contract: 'system', key: `nonce/${toHex(sender.publicKey)}`, value: '3' },
]
beforeEach(async () => {
  chain = createChain()
  node = await startFakeNode(chain)
})
afterEach(() => node.close())

/** A block with one transaction of this outcome, and a command line to replay it. */
async function withTransaction(
  outcome: Outcome | ((bytes: number) => Outcome),
  use: (cli: Cli, id: string) => Promise<void>,
): Promise<void> {
  const { wire, id } = await signTransaction(sender, { network: chain.genesisHash, ...call })
  chain.append([])
  chain.append([{ wire, outcome: typeof outcome === 'function' ? outcome(wire.length) : outcome }])
  await withFolder((folder) =>
    use(createCli({ QUORATE_NODE: node.url, QUORATE_KEYSTORE: join(folder, 'keystore') }), id),
  )
}

test.each([
  ['NONCE_USED', 'its nonce 3 was used before this place'],
  ['EXPIRED', 'it could run up to block 2, and this is block 2'],
  ['NONCE_GAP', 'its nonce is 3, and one below it had not run yet'],
])('one that was skipped with %s explains itself and is not run', (code, reason) =>
  withTransaction({ status: 'skipped', code, gasUsed: 0 }, async (cli, id) => {
    const { exitCode, out } = await cli('tx', 'replay', id)
    expect(exitCode).toBe(0)
    expect(out).toContain(`It did not run, so there is nothing to replay: ${reason}.`)
    expect(out).toContain('proven  block 2 is signed by 3 of 4 validators')
    expect((await cli('tx', 'replay', id, '--json')).json).toMatchObject({
      status: 'skipped',
      error: { code, stack: [] },
      matches: true,
      reads: [],
    })
    expect(node.requests.filter(({ path }) => path.includes('/replay'))).toEqual([])
  }),
)

function answerReplay(id: string, change: Record<string, unknown> = {}): void {
  const place = { id, height: 2, index: 0, parent: headerJson(chain.blocks[0]!.header) }
  const document = { ...place, state: STATE, scans: [], code: [], ...change }
  node.misdeed = ({ path }) => (path.includes('/replay') ? { status: 200, document } : undefined)
}

test('a run that gives another receipt says what differs, and fails', () =>
  withTransaction({ gasUsed: 50 }, async (cli, id) => {
    answerReplay(id)
    const { exitCode, out } = await cli('tx', 'replay', id)
    expect(exitCode).toBe(1)
    expect(out).toMatch(/replayed +this run DIFFERS from the certified one/)
    expect(out).toContain('status: "reverted" here, "ok" is certified')
    expect(out).toContain('engine: this program has another one than the network')
  }))

test('a record that lacks what the run asks for fails, though the receipts agree', async () => {
  // Certified with the very receipt that a run gives which takes a missing contract for none.
  const outcome = (bytes: number): Outcome => ({
    status: 'reverted',
    code: 'UNKNOWN_CONTRACT',
    gasUsed: intrinsicGas(bytes),
  })
  await withTransaction(outcome, async (cli, id) => {
    answerReplay(id)
    expect((await cli('tx', 'replay', id, '--json')).json).toMatchObject({ matches: true, differences: [] })
    answerReplay(id, { state: STATE.slice(1) })
    const { exitCode, json } = await cli('tx', 'replay', id, '--json')
    expect(exitCode).toBe(1)
    expect(json).toMatchObject({ matches: false, status: 'reverted' })
    expect(json.differences[0]).toBe(
      'state: this run asks for system contract/token, which the node’s record does not hold',
    )
  })
})

test('a record of another state root is not run', () =>
  withTransaction({}, async (cli, id) => {
    answerReplay(id, { parent: headerJson({ ...chain.blocks[0]!.header, stateRoot: '99'.repeat(32) }) })
    expect(await cli('tx', 'replay', id)).toMatchObject({ exitCode: 1, err: expect.stringContaining('BAD_PROOF') })
  }))

test('what a contract says cannot steer a terminal', () =>
  withTransaction({ status: 'skipped', code: 'NONCE_USED' }, async (cli, id) => {
    const { json } = await cli('tx', 'replay', id, '--json')
    const logs = [{ contract: 'token', level: 'log', text: 'red \u001b[31m\nnext\u009b' }]
    const text = replayText({ ...json, logs, reads: [{ contract: 'token', key: 'a\rb', value: '1' }] })
    expect(text).toContain('red \\u001b[31m\\nnext\ufffd\n')
    expect(text).toContain('a\\rb')
  }))
