/** Contracts that call contracts: results, errors to catch, traps that end everything, depth. */
import { describe, expect, it } from 'vitest'
import { createMemoryNetwork } from '../../contract/memory-host.ts'
import { scriptOf, scriptRunning, shared } from './script.ts'

const callee = scriptOf(
  `give(ctx, args) { ctx.state.set('given', args); return { sender: ctx.sender, origin: ctx.origin, args } },
   nothing() {},
   fail(ctx) { ctx.state.set('given', 'lost'); ctx.emit('Lost', 1); throw new Error('callee says no') },
   spin() { for (;;); }`,
  `look(ctx) { return [ctx.sender, ctx.state.get('given')] }, write(ctx) { ctx.state.set('given', 1) }`,
)

function networkRunning(body: string) {
  const network = createMemoryNetwork(shared)
  network.deploy('callee', callee)
  network.deploy('caller', scriptRunning(body))
  return network
}

const runCaller = (body: string) => networkRunning(body).call('alice', 'caller', 'run')

describe('nested calls', () => {
  it('gives arguments and results, with the calling contract as sender', () => {
    const outcome = runCaller(
      `return [ctx.call('callee', 'give', { a: 1 }), ctx.call('callee', 'nothing'), ctx.view('callee', 'look')]`,
    )
    const given = { sender: 'contract:caller', origin: 'alice', args: { a: 1 } }
    expect(outcome).toMatchObject({ status: 'ok', result: JSON.stringify([given, null, [null, { a: 1 }]]) })
  })

  it('charges what the callee used', () => {
    const cheap = runCaller(`ctx.call('callee', 'nothing')`).gasUsed
    const dear = runCaller(`ctx.call('callee', 'give', 1)`).gasUsed
    expect(dear).toBeGreaterThan(cheap)
  })

  it('lets the caller catch a failure, without the callee’s writes and events', () => {
    const network = networkRunning(
      `try { ctx.call('callee', 'fail') } catch (error) { return [error.code, error.calleeCode, error.message] }`,
    )
    expect(network.call('alice', 'caller', 'run')).toMatchObject({ result: '["NESTED","THROWN","callee says no"]' })
    expect(network.stored('callee', 'given')).toBeUndefined()
    expect(network.events).toEqual([])
  })

  it('reports an uncaught failure with the callee’s message or code', () => {
    expect(runCaller(`ctx.call('callee', 'fail')`)).toMatchObject({
      status: 'failed',
      code: 'NESTED',
      message: 'callee says no',
    })
    expect(runCaller(`ctx.call('callee', 'none')`)).toMatchObject({ code: 'NESTED', message: 'UNKNOWN_METHOD' })
    expect(runCaller(`ctx.call('nowhere', 'give')`)).toMatchObject({ code: 'NESTED', message: 'UNKNOWN_CONTRACT' })
    expect(runCaller(`ctx.call('caller', 'run')`)).toMatchObject({ code: 'NESTED', message: 'REENTRANT' })
    expect(runCaller(`ctx.view('callee', 'write')`)).toMatchObject({ code: 'NESTED', message: 'READ_ONLY' })
  })

  it('ends the transaction on a trap below, which nothing can catch', () => {
    const outcome = runCaller(`try { ctx.call('callee', 'spin') } catch {} return 'survived'`)
    expect(outcome).toMatchObject({ status: 'trap', code: 'OUT_OF_GAS', gasUsed: 300_000_000 })
  }, 10_000)

  it('refuses names and arguments of the wrong type', () => {
    for (const args of [`7, 'give'`, `'callee', Symbol()`, `'callee', 'give', 1n`, `{}, []`]) {
      expect(runCaller(`ctx.call(${args})`)).toMatchObject({ status: 'failed', code: 'BAD_VALUE' })
    }
  })

  it('goes eight deep and no deeper', () => {
    const network = createMemoryNetwork(shared)
    for (let index = 0; index < 9; index++) {
      network.deploy(
        `c${index}`,
        scriptRunning(`return args === ${index} ? 'bottom' : ctx.call('c${index + 1}', 'run', args)`),
      )
    }
    expect(network.call('alice', 'c0', 'run', 7)).toMatchObject({ status: 'ok', result: '"bottom"' })
    expect(network.call('alice', 'c0', 'run', 8)).toMatchObject({ status: 'trap', code: 'DEPTH' })
  })
})
