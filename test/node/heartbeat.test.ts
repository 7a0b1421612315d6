// A network whose genesis asks for heartbeats makes blocks without anybody sending anything.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createNetwork, getJson, type TestNetwork, until } from './network.ts'

let network: TestNetwork

beforeAll(async () => {
  network = await createNetwork({ validators: 1, parameters: { heartbeatMs: 100 } })
  await network.start(0)
})
afterAll(async () => {
  await network?.close()
  expect(network.fatal).toEqual([])
})

it('certifies empty blocks', async () => {
  const certifiedHeight = async () => Number((await getJson(network.url(0, '/v1/status'))).body.certifiedHeight)
  await until('three blocks', certifiedHeight, (height) => height >= 3)
  const { body } = await getJson(network.url(0, '/v1/blocks/2'))
  expect(body.transactions).toEqual([])
})
