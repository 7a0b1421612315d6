// `quorate contract upgrade --rehearse`: which blocks it asks about, what it prints, and its exit code.
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RehearsalQuestion, RehearsedCallView } from '../../src/api/port.ts'
import { bundleContract } from '../../src/contract/bundle.ts'
import { type Served, serve, signTransaction } from '../api/support.ts'
import { root } from './linked.ts'
import { createCli } from './support.ts'

const source = join(root, 'templates/contract')
const cli = createCli()
let served: Served
let asked: RehearsalQuestion[]
let differences: RehearsedCallView['differences']
let more: number

beforeEach(async () => {
  served = await serve()
  for (const nonce of [0, 1]) served.test.addBlock([signTransaction('alice', nonce).wire])
  served.test.addBlock([])
  served.test.addBlock([signTransaction('bob', 0).wire, signTransaction('alice', 2).wire])
  asked = []
  differences = []
  more = 0
  served.test.node.rehearse = async (question) => {
    asked.push(question)
    const call = { id: 'ab'.repeat(32), index: 0, contract: 'token', method: 'transfer', differences, more }
    return { ok: true, gasUsed: 5, calls: [call] }
  }
})
afterEach(() => served.api.close())
const rehearse = (...more: string[]) =>
  cli('contract', 'upgrade', source, '--name', 'token', '--node', served.url, ...more)

test('asks about the last blocks that have transactions, and ends well where nothing but gas differs', async () => {
  differences = [{ what: 'gas', before: '10', after: '12' }]
  const { exitCode, json } = await rehearse('--rehearse', '3', '--migrate', '{"to":2}', '--json')
  const { code, codeHash } = await bundleContract(source)
  expect(json).toMatchObject({ contract: 'token', codeHash, from: 2, to: 4, different: 0 })
  expect(json.calls.map(({ height }: { height: number }) => height)).toEqual([2, 4])
  expect(exitCode).toBe(0)
  expect(asked.map(({ height, wires }) => [height, wires.length])).toEqual([
    [2, 1],
    [4, 2],
  ])
  expect(asked[0]).toMatchObject({ contract: 'token', code, migrate: '{"to":2}', time: Date.UTC(2026, 0, 1) + 2_000 })
})

test('ends with 1 and prints what differs', async () => {
  differences = [
    { what: 'status', before: 'ok', after: 'reverted' },
    { what: 'write', key: 'token\0balance/a', before: '"5"' },
    { what: 'write', key: 'token\0balance/b', before: '"5"', after: null },
  ]
  const { exitCode, out } = await rehearse('--rehearse', '1')
  expect(exitCode).toBe(1)
  expect(out).toMatch(/blocks 4 to 4, 1 calls, 1 different; nothing was sent\n4-0 {2}token\.transfer .*DIFFERENT\n/)
  expect(out).toContain('status: ok -> reverted\n')
  expect(out).toContain('write token balance/a: "5" -> (not written)\n')
  expect(out).toContain('write token balance/b: "5" -> (deleted)\n')
})

test('takes what is not listed for a difference, since gas is listed last', async () => {
  more = 1
  expect((await rehearse('--rehearse', '1')).exitCode).toBe(1)
})

test('goes back no further than to the present code', async () => {
  served.test.addUpgrades('token', 3)
  await rehearse('--rehearse', '100')
  expect(asked.map(({ height }) => height)).toEqual([4])
})

test('says why the upgrade would have failed, and what the node cannot do', async () => {
  served.test.node.rehearse = async () => ({ ok: false, code: 'THROWN', message: 'old balances!', gasUsed: 1 })
  expect(await rehearse('--rehearse', '1')).toMatchObject({
    exitCode: 1,
    err: expect.stringMatching(
      /would have failed before block 4: old balances!: correct the code or --migrate \(THROWN\)\n$/,
    ),
  })
  served.test.knobs.oldestState = 4
  expect((await rehearse('--rehearse', '1')).err).toMatch(/\(PRUNED\)\n$/)
  served.test.knobs.oldestState = 0
  served.test.node.rehearse = async () => ({ refused: 'BUSY', message: 'the queue is full' })
  expect((await rehearse('--rehearse', '1')).err).toMatch(/\(TOO_BUSY\)\n$/)
})
