// What /ready, /v1/peers, /v1/status and `quorate doctor` say of validators that are gone, over real nodes.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { PeerView } from '../../src/api/port.ts'
import { STATUS_INTERVAL_MS } from '../../src/limits.ts'
import { suspectAfterMs } from '../../src/liveness.ts'
import { createCli } from '../cli/support.ts'
import { accountOf, alice, createNetwork, getJson, signed, submit, type TestNetwork, until } from './network.ts'

const bob = accountOf('bob')
const PROGRESS_TIMEOUT_MS = 2_000
const doctor = (...urls: string[]) => createCli()('doctor', '--node', urls.join(','), '--json')

let network: TestNetwork
const urlOf = (index: number) => network.nodes[index]!.url

/** Validators called missing, and when that was asked. */
async function missingNow(urls: string[]): Promise<{ askedAt: number; names: string[] }> {
  const askedAt = Date.now()
  const findings = (await doctor(...urls)).json.findings as { code: string; about: string }[]
  const names = findings.filter(({ code }) => code === 'VALIDATOR_MISSING').map(({ about }) => about)
  return { askedAt, names: names.sort() }
}

const isWell = () =>
  until(
    'all being well',
    () => doctor(...network.nodes.flatMap((node) => (node === undefined ? [] : [node.url]))),
    ({ exitCode }) => exitCode === 0,
  )

beforeAll(async () => {
  network = await createNetwork({ validators: 4, parameters: { progressTimeoutMs: PROGRESS_TIMEOUT_MS } })
}, 60_000)
beforeEach(async () => {
  await Promise.all(network.nodes.map((node, index) => node ?? network.start(index)))
  await isWell()
}, 60_000)
afterAll(async () => {
  await network?.close()
  expect(network?.fatal).toEqual([])
})

it('all well: exit 0, every validator ok, voting, in one view', async () => {
  const { exitCode, json } = await doctor(urlOf(0), urlOf(1))
  expect([exitCode, json.ok, json.findings]).toEqual([0, true, []])
  expect(json.nodes).toMatchObject([
    { name: 'node-0', ready: true, cause: null, voting: true, reason: null },
    { name: 'node-1' },
  ])
  expect(json.validators).toHaveLength(4)
  for (const validator of json.validators) expect(validator).toMatchObject({ state: 'ok', since: null, view: 0 })
  const text = await createCli()('doctor', '--node', urlOf(0), '--node', urlOf(1))
  expect([text.exitCode, text.out]).toEqual([0, expect.stringContaining('All is well.')])
  const { peers } = (await getJson(network.url(0, '/v1/peers'))).body as never as { peers: Record<string, unknown>[] }
  expect(peers.map(({ validator }) => validator)).toEqual(['node-1', 'node-2', 'node-3'])
  for (const peer of peers)
    expect(peer).toMatchObject({ state: 'ok', suspectedSince: null, connected: true, phase: 'active', lag: 0 })
})

it('a brief absence turns nothing: missing is only who was silent for the whole time', async () => {
  const restarted = network.stop(3).then(() => network.start(3))
  const end = Date.now() + 2_500
  while (Date.now() < end) {
    const { peers } = (await getJson(network.url(0, '/v1/peers'))).body as never as { peers: PeerView[] }
    for (const { state, validator, suspectedSince } of peers) {
      if (state === 'ok') continue
      // A slow machine takes that long to start a node again.
      expect([validator, state]).toEqual(['node-3', 'missing'])
      expect(Date.now() - Date.parse(suspectedSince!)).toBeGreaterThan(suspectAfterMs(PROGRESS_TIMEOUT_MS) - 5)
    }
    expect((await getJson(network.url(0, '/ready'))).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  await restarted
})

it('names exactly the f+1 validators that are gone within one timeout and a STATUS interval', async () => {
  const before = Date.now()
  const stopped = Promise.all([network.stop(1), network.stop(3)])
  const answers: { askedAt: number; names: string[] }[] = []
  await until(
    'both being named',
    async () => answers.push(await missingNow([urlOf(0), urlOf(2)])),
    () => answers.at(-1)!.names.length >= 2,
  )
  expect(answers.at(-1)!.names).toEqual(['node-1', 'node-3'])
  for (const { askedAt, names } of answers.slice(0, -1)) {
    expect(askedAt - before).toBeLessThan(PROGRESS_TIMEOUT_MS + STATUS_INTERVAL_MS)
    for (const name of names) expect(['node-1', 'node-3']).toContain(name)
  }
  await stopped
  const ready = await getJson(network.url(0, '/ready'))
  expect(ready).toMatchObject({
    status: 503,
    body: { cause: 'NO_QUORUM', missing: ['node-1', 'node-3'], diverged: [], phase: 'idle', view: 0 },
  })
  const { exitCode, json } = await doctor(urlOf(0))
  expect(exitCode).toBe(1)
  expect(json.findings.map(({ code, about }: { code: string; about: string }) => [code, about])).toEqual([
    ['VALIDATOR_MISSING', 'node-1'],
    ['VALIDATOR_MISSING', 'node-3'],
    ['NO_QUORUM', 'node-0'],
  ])
  for (const { since } of json.findings.slice(0, 2)) {
    expect(Date.parse(since)).toBeGreaterThan(before - 1_500)
    expect(Date.parse(since)).toBeLessThanOrEqual(Date.now())
  }
  const text = await createCli()('doctor', '--node', urlOf(0))
  expect(text.out).toMatch(/node-1: this validator is missing: node-0 does not hear of it; it was last at height 0/)
  expect(text.out).toMatch(/NO_QUORUM\)\n {3}To do: start the validators/)
})

it('says which address does not answer', async () => {
  const { exitCode, json } = await doctor(urlOf(0), 'http://127.0.0.1:1')
  expect(exitCode).toBe(1)
  expect(json.findings[0]).toMatchObject({ code: 'UNREACHABLE', about: 'http://127.0.0.1:1' })
  expect(json.nodes[1]).toMatchObject({ url: 'http://127.0.0.1:1', error: expect.any(String) })
})

it('says of a validator that lost its log that it does not vote', async () => {
  await network.stop(2)
  await rm(join(network.directory, 'node-2', 'data', 'consensus.log'))
  await network.start(2)
  const status = await getJson(network.url(2, '/v1/status'))
  expect(status.body).toMatchObject({
    voting: false,
    reason: expect.stringMatching(/^there is no consensus log at /),
    node: { role: 'validator' },
  })
  const { json } = await until(
    'only the follower being left to say',
    () => doctor(urlOf(0), urlOf(2)),
    ({ json }) => json.findings.length === 1,
  )
  expect(json.findings[0]).toMatchObject({ code: 'NOT_VOTING', about: 'node-2' })
  // Its STATUS still comes: with one more gone nothing certifies, which the follower knows by itself and another once work waits.
  await network.stop(3)
  await until(
    'the follower counting itself out',
    () => getJson(network.url(2, '/ready')),
    ({ body }) => body.cause === 'NO_QUORUM' && /this node, node-2, only follows/.test(String(body.detail)),
  )
  const wire = signed(network, alice, 0, {
    contract: 'token',
    method: 'transfer',
    args: { to: bob.address, amount: '1' },
  })
  expect((await submit(network, 0, wire, '')).status).toBe(202)
  await until(
    'the stall',
    () => getJson(network.url(0, '/ready')),
    ({ body }) => body.cause === 'STALLED',
  )
  const stalled = await doctor(urlOf(0), urlOf(2))
  const codes = stalled.json.findings.map(({ code, about }: { code: string; about: string }) => `${code} ${about}`)
  expect(codes).toEqual(['VALIDATOR_MISSING node-3', 'NOT_VOTING node-2', 'STALLED node-0', 'NO_QUORUM node-2'])
}, 60_000)
