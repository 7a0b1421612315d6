// POST /v1/contracts/{name}/rehearsals: what it hands to the node, what it answers, what it refuses.
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RehearsalQuestion, RehearsalResult } from '../../src/api/port.ts'
import { problemOf, type Served, serve, signTransaction } from './support.ts'

let served: Served
beforeEach(async () => {
  served = await serve()
  served.test.addBlock([signTransaction('alice', 0).wire])
})
afterEach(() => served.api.close())
const rehearse = (body: unknown, name = 'token') => served.post(`/v1/contracts/${name}/rehearsals`, body)

it('hands the block and the code to the node, and answers what it says', async () => {
  const asked: RehearsalQuestion[] = []
  let result: RehearsalResult = { ok: true, gasUsed: 7, calls: [] }
  served.test.node.rehearse = async (question) => {
    asked.push(question)
    return result
  }
  const good = await rehearse({ code: 'x', height: 1 })
  const time = '2026-01-01T00:00:01.000Z'
  const upgrade = { status: 'ok', code: '', message: '', gasUsed: 7 }
  expect([good.status, good.body]).toEqual([200, { height: 1, time, upgrade, calls: [] }])
  expect(asked[0]).toMatchObject({ contract: 'token', code: 'x', migrate: '{}', height: 1, time: Date.parse(time) })
  expect(asked[0]!.wires).toHaveLength(1)

  result = { ok: false, code: 'NOT_OWNER', message: '', gasUsed: 3 }
  const failed = await rehearse({ code: 'x', height: 1, migrate: [1] })
  const told = { status: 'failed', code: 'NOT_OWNER', message: 'explained NOT_OWNER', gasUsed: 3 }
  expect(failed.body).toMatchObject({ upgrade: told, calls: [] })
  expect(asked[1]!.migrate).toBe('[1]')
})

it('refuses what it cannot rehearse', async () => {
  expect(problemOf(await rehearse({ code: 'x', height: 1 }))).toEqual({ status: 501, code: 'NOT_SUPPORTED' })
  served.test.node.rehearse = () => expect.unreachable('nothing of this reaches the node')
  expect(problemOf(await rehearse({ code: 'x', height: 2 })).code).toBe('UNKNOWN_BLOCK')
  expect(problemOf(await rehearse({ code: 'x', height: 1 }, 'nothing')).code).toBe('UNKNOWN_CONTRACT')
  for (const body of [{ code: 'x' }, { height: 1 }, { code: 'x', height: 0 }, { code: 'x', height: 1, more: 1 }]) {
    expect(problemOf(await rehearse(body)).code).toBe('MALFORMED')
  }
  served.test.knobs.oldestState = 1
  expect(problemOf(await rehearse({ code: 'x', height: 1 }))).toEqual({ status: 410, code: 'PRUNED' })
})

it('lets in one at a time', async () => {
  let release = () => {}
  let isStarted = () => {}
  const started = new Promise<void>((resolve) => {
    isStarted = resolve
  })
  served.test.node.rehearse = async () => {
    isStarted()
    await new Promise<void>((resolve) => {
      release = resolve
    })
    return { ok: true, gasUsed: 1, calls: [] }
  }
  const first = rehearse({ code: 'x', height: 1 })
  await started
  expect(problemOf(await rehearse({ code: 'x', height: 1 })).code).toBe('TOO_BUSY')
  release()
  expect((await first).status).toBe(200)
})
