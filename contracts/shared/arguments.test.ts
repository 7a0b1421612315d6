/** Whatever comes as arguments, the shipped contracts refuse it in words of their own. */
import fc from 'fast-check'
import { account, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, describe, expect, it } from 'vitest'

const alice = account('alice').address
const FIELDS: Record<string, string[]> = {
  token: 'owner to from spender account amount'.split(' '),
  kv: 'key value version if then else namespace writers owner prefix after limit'.split(' '),
  lock: 'name ttlMs mode wait token writers'.split(' '),
  registry: `service instance address metadata ttlMs healthy healthyOnly key value version writers owner prefix after
    limit`.split(/\s+/),
  stream: 'stream windowMs scale retentionMs aheadMs writers owner readings from to limit'.split(' '),
  shop: 'product name price stock quantity order buyer owner to amount after limit'.split(' '),
  escrow: 'escrow seller arbiter token amount deadline arbitrationMs toSeller account after limit'.split(' '),
  multisig: 'proposal contract method args expires after limit'.split(' '),
}
const INITS: Record<string, object> = {
  token: { owner: alice },
  shop: { owner: alice, token: 'token' },
  multisig: { owners: [alice], threshold: 1 },
}

let deployed: TestChain
beforeAll(async () => {
  deployed = await testChain()
  for (const name of Object.keys(FIELDS)) {
    await deployed.deploy(new URL(`../${name}/`, import.meta.url), { name, init: INITS[name] })
  }
  deployed.mustCall('kv', 'createNamespace', { namespace: 'a' })
  deployed.mustCall('registry', 'createService', { service: 'a' })
  deployed.mustCall('stream', 'createStream', { stream: 'a', windowMs: 10, scale: 1 })
})

describe.each(Object.entries(FIELDS))('%s', (name, fields) => {
  it('refuses wrong arguments by the name of what is wrong', () => {
    const { calls, views } = deployed.contract(name)!
    const plausible = fc.constantFrom<unknown>('a', 'a/b', 1, 0, '1', alice, alice, alice, [], {}, null, true)
    const value = fc.oneof(
      { weight: 3, arbitrary: plausible },
      fc.jsonValue({ maxDepth: 2 }),
      fc.array(plausible, { maxLength: 2 }),
    )
    const args = fc.oneof(
      { weight: 6, arbitrary: fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 6 }) },
      fc.jsonValue({ maxDepth: 1 }),
    )
    const words = new RegExp(
      `arguments|does not exist|exists already|has no |does not wait|may not write|is at version|there is no|insufficient|${fields.join('|')}`,
    )
    fc.assert(
      fc.property(fc.constantFrom(...calls, ...views), args, (method, given) => {
        const run = deployed.fork()
        const { error } = views.includes(method) ? run.tryView(name, method, given) : run.call(name, method, given)
        if (error === null) return
        expect(error.code).toBe('THROWN')
        expect(error.message).toMatch(words)
        expect(error.message).not.toMatch(/cannot|not a function|not iterable|\bundefined\b|not an? object/i)
      }),
      { numRuns: 300 },
    )
  })
})
