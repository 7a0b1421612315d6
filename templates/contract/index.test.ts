// Runs in the sandbox and by the execution code of a validator: no network, no clock, the same on every machine.
import { formatGasReport, type TestChain, testChain } from 'quorate/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const hash = 'ab'.repeat(32)
let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy(new URL('index.ts', import.meta.url), { name: 'my-contract', init: {} })
})
beforeEach(() => {
  chain = deployed.fork()
})
afterAll(() => console.log(formatGasReport(deployed.gasReport())))

describe('my-contract', () => {
  it('registers a document for its sender', () => {
    const outcome = chain.mustCall('my-contract', 'register', { hash, title: 'Deed' }, { from: 'bob' })
    const entry = { title: 'Deed', by: chain.account('bob').address, time: chain.time }
    expect(outcome.changes['my-contract']).toEqual({ [`document/${hash}`]: { before: undefined, after: entry } })
    expect(outcome.events).toMatchObject([{ name: 'Registered', data: { hash, by: entry.by } }])
    expect(chain.view('my-contract', 'find', { hash })).toEqual(entry)
  })

  it('keeps the first entry', () => {
    chain.mustCall('my-contract', 'register', { hash, title: 'Deed' })
    const { status, error } = chain.call('my-contract', 'register', { hash, title: 'Forgery' }, { from: 'mallory' })
    expect(status).toBe('reverted')
    expect(error).toMatchObject({ code: 'THROWN', message: 'this document is registered already' })
  })

  it('refuses what is no hash', () => {
    expect(() => chain.mustCall('my-contract', 'register', { hash: 'ab', title: 'Deed' })).toThrow('64 lower-case')
    expect(() => chain.view('my-contract', 'find', {})).toThrow('64 lower-case')
  })

  it('lets only the registrar register, where there is one', async () => {
    const closed = await testChain()
    const init = { registrar: closed.account('carol').address }
    await closed.deploy(new URL('index.ts', import.meta.url), { name: 'my-contract', init })
    const register = (from: string) => closed.call('my-contract', 'register', { hash, title: 'Deed' }, { from })
    expect(register('bob').error?.message).toBe('only the registrar may register')
    expect(register('carol').status).toBe('ok')
  })
})
