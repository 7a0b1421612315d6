// A node that keeps only its last blocks: what it says of itself, what it answers for the others, and that it starts again.
import { expect, it } from 'vitest'
import { alice, createNetwork, getJson, signed, statusOf, submit, until } from './network.ts'

it('forgets old blocks while it runs, says so, and starts again', async () => {
  const network = await createNetwork({
    validators: 1,
    parameters: { snapshotIntervalBlocks: 2, windowBlocks: 2, inFlightBlocks: 1 },
    settings: { 'ledger.historyBlocks': 1, 'ledger.keepBlocks': 6 },
  })
  try {
    await network.start(0)
    const ids: string[] = []
    for (let nonce = 0; nonce < 9; nonce++) {
      const call = { contract: 'token', method: 'transfer', args: { to: alice.address, amount: '1' } }
      const { body } = await submit(network, 0, signed(network, alice, nonce, call))
      ids.push(body.id as string)
    }
    const status = async () =>
      (await statusOf(network, 0)) as unknown as { certifiedHeight: number; oldestHeight: number }
    const { certifiedHeight, oldestHeight } = await status()
    expect(oldestHeight).toBe(certifiedHeight - 5)
    const old = await getJson(network.url(0, '/v1/blocks/1'))
    expect([old.status, old.body.code, old.body.oldestHeight]).toEqual([410, 'PRUNED', oldestHeight])
    const gone = await getJson(network.url(0, `/v1/transactions/${ids[0]}`))
    expect([gone.status, gone.body.code, gone.body.oldestHeight]).toEqual([404, 'UNKNOWN_TRANSACTION', oldestHeight])
    expect((await getJson(network.url(0, `/v1/transactions/${ids[8]}`))).status).toBe(200)
    await network.stop(0)
    await network.start(0)
    await until('the node answers', status, (found) => found.certifiedHeight >= certifiedHeight)
    expect((await getJson(network.url(0, `/v1/blocks/${oldestHeight}`))).status).toBe(200)
    expect(network.fatal).toEqual([])
  } finally {
    await network.close()
  }
})
