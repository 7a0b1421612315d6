/** GET /v1/transactions/{id}/replay: the record a node has made, as a document, and why there may be none. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blockHash } from '../../src/crypto/digest.ts'
import type { Header } from '../../src/types/block.ts'
import { fromHex, toHex } from '../../src/types/hex.ts'
import { genesis, keyOf, problemOf, type Served, serve, signTransaction } from './support.ts'

let served: Served
const one = signTransaction('alice', 0)
const two = signTransaction('bob', 0, { method: 'fail' })
const open = signTransaction('carol', 0)
const get = (id: string) => served.get(`/v1/transactions/${id}/replay`)

beforeEach(async () => {
  served = await serve({ limits: { runsMax: 1 } })
  served.test.addBlock([one.wire])
  served.test.addBlock([signTransaction('alice', 1).wire, two.wire])
  served.test.addBlock([open.wire], { certify: false })
})
afterEach(() => served.api.close())

describe('the record', () => {
  it('has the state before, by contract and key, with absent entries and scans', async () => {
    const { status, body } = await get(two.id)
    expect(status).toBe(200)
    const key = 'ключ/🪙 ?#%'
    expect(body).toMatchObject({
      id: two.id,
      height: 2,
      index: 1,
      time: new Date(served.test.blocks[2]!.header.time).toISOString(),
      parameters: genesis.parameters,
      state: [
        { contract: 'system', key: `nonce/${toHex(keyOf('bob').publicKey)}`, value: null },
        { contract: 'token', key, value: '{"deep":[1,null]}' },
      ],
      scans: [{ contract: 'token', prefix: 'ключ', after: 'a', limit: 64, keys: [key] }],
      code: [{ code: 'export const token = "🪙"' }],
    })
  })

  it('has the header before its block, whose hash the proof of the transaction has', async () => {
    const { parent } = (await get(two.id)).body
    const header: Header = { ...parent, time: Date.parse(parent.time), proposers: fromHex(parent.proposers) }
    const { proof } = (await served.get(`/v1/transactions/${two.id}?prove=true`)).body
    expect(blockHash(header)).toBe(proof.header.parentHash)
  })
})

describe('there is none', () => {
  it.each([
    ['no block has', 'ab'.repeat(32)],
    ['is not certified yet', open.id],
  ])('for one that %s', async (_, id) => {
    expect(problemOf(await get(id))).toEqual({ status: 404, code: 'UNKNOWN_TRANSACTION' })
  })

  it('once its state is pruned, or its block', async () => {
    served.test.knobs.oldestState = 2
    const answer = await get(two.id)
    expect(problemOf(answer)).toEqual({ status: 410, code: 'PRUNED' })
    expect(answer.body.oldestHeight).toBe(2)
    served.test.knobs.oldestState = 0
    served.test.knobs.oldestBlock = 2
    expect(problemOf(await get(two.id))).toEqual({ status: 410, code: 'PRUNED' })
  })

  it.each([
    ['TOO_LARGE', 413, 'TOO_LARGE'],
    ['BUSY', 429, 'TOO_BUSY'],
  ] as const)('where the node says %s', async (refusal, status, code) => {
    served.test.knobs.replayRefusal = refusal
    expect(problemOf(await get(two.id))).toEqual({ status, code })
  })

  it('while as many views and dry runs are running as may', async () => {
    served.test.knobs.holdRuns = true
    const held = get(one.id)
    while (served.test.knobs.runs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(problemOf(await get(two.id))).toEqual({ status: 429, code: 'TOO_BUSY' })
    served.test.knobs.holdRuns = false
    for (const release of served.test.knobs.runs) release()
    expect((await held).status).toBe(200)
  })
})
