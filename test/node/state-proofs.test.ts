// `?prove=true` on the state of a real node: what it proves holds against the certified header, now and for each kept height.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fromHex } from '../../src/crypto/hex.ts'
import { verifyStatePath } from '../../src/crypto/state-proof.ts'
import { accountOf, alice, createNetwork, getJson, signed, submit, type TestNetwork } from './network.ts'

interface StateDocument {
  key: string
  value?: unknown
  height: number
  proof: {
    header: { height: number; stateRoot: string }
    certificate: { height: number; signatures: unknown[] }
    key: string
    value: string | null
    siblings: string[]
    other?: { path: string; valueHash: string }
  }
}

const HISTORY = 6
const bob = accountOf('bob')
let network: TestNetwork
let nonce = 0

beforeAll(async () => {
  network = await createNetwork({ validators: 1, settings: { 'ledger.historyBlocks': HISTORY } })
  await network.startReady()
}, 60_000)
afterAll(() => network.close())

async function pay(amount: string): Promise<number> {
  const call = { contract: 'token', method: 'transfer', args: { to: bob.address, amount } }
  const { body } = await submit(network, 0, signed(network, alice, nonce++, call))
  return body.height as number
}
async function prove(key: string, height?: number, contract = 'token') {
  const query = height === undefined ? '' : `&height=${height}`
  const path = `/v1/contracts/${contract}/state/${encodeURIComponent(key)}?prove=true${query}`
  const { status, body } = await getJson(network.url(0, path))
  return { status, document: body as unknown as StateDocument & { code?: string } }
}
function holds({ proof }: StateDocument, value: string | undefined): boolean {
  const other = proof.other && { path: fromHex(proof.other.path), valueHash: fromHex(proof.other.valueHash) }
  return verifyStatePath(
    { key: proof.key, value, siblings: proof.siblings.map(fromHex), other },
    fromHex(proof.header.stateRoot),
  )
}

it('proves a balance at the head and as it was, what is not there, and refuses what is pruned', async () => {
  const key = `balance/${bob.address}`
  const heights: number[] = []
  for (let n = 1; n <= 4; n++) heights.push(await pay('5'))
  for (const [index, height] of heights.entries()) {
    const { status, document } = await prove(key, height)
    expect(status).toBe(200)
    const text = document.proof.value!
    expect([document.value, text]).toEqual([String(5 * (index + 1)), JSON.stringify(String(5 * (index + 1)))])
    expect(document.proof).toMatchObject({ key: `token\0${key}`, header: { height }, certificate: { height } })
    expect(holds(document, text)).toBe(true)
    expect(holds(document, JSON.stringify('1000'))).toBe(false)
    expect(holds(document, undefined)).toBe(false)
  }
  const before = await prove(key, heights[0]! - 1)
  expect([before.status, before.document.code, before.document.proof.value]).toEqual([404, 'UNKNOWN_KEY', null])
  expect(holds(before.document, undefined)).toBe(true)
  const parameters = await prove('parameters', undefined, 'system')
  expect(holds(parameters.document, parameters.document.proof.value!)).toBe(true)
  for (let n = 0; n <= HISTORY; n++) await pay('1')
  expect(await prove(key, heights[0]!)).toMatchObject({ status: 410, document: { code: 'PRUNED' } })
  await network.stop(0)
  await network.start(0)
  const again = await prove(key)
  expect([again.status, holds(again.document, JSON.stringify(String(20 + HISTORY + 1)))]).toEqual([200, true])
}, 60_000)
