/** What contracts must not find in their world: clocks, chance, ways to compile, ways out. */
import { describe, expect, it } from 'vitest'
import { createMemoryNetwork } from '../../contract/memory-host.ts'
import { scriptRunning, shared } from './script.ts'

describe('what is not there', () => {
  const absent = [
    'performance',
    'WeakRef',
    'FinalizationRegistry',
    'eval',
    'queueMicrotask',
    'setTimeout',
    'setInterval',
  ]
  absent.push(
    'SharedArrayBuffer',
    'Atomics',
    'process',
    'require',
    'fetch',
    'gc',
    'std',
    'os',
    'print',
    'navigator',
    'host',
  )
  it('leaves out what could observe the machine', () => {
    const code = scriptRunning(`return args.map((name) => typeof globalThis[name])`)
    const network = createMemoryNetwork(shared)
    network.deploy('test', code)
    const outcome = network.call('alice', 'test', 'run', absent)
    expect(outcome).toMatchObject({ status: 'ok', result: JSON.stringify(absent.map(() => 'undefined')) })
  })

  it.each([
    'Date.now()',
    'new Date()',
    'Date()',
    'new (class extends Date {})()',
    'new (Date.prototype.constructor)()',
    'Reflect.construct(Date, [])',
    'Math.random()',
    `Function('return 1')()`,
    `new Function('return 1')()`,
    `(() => {}).constructor('return 1')()`,
    `(function* () {}).constructor('yield 1')`,
    `(async () => {}).constructor('return 1')`,
    `(async function* () {}).constructor('yield 1')`,
    `Object.getPrototypeOf(Object.getPrototypeOf(async () => {}).constructor)('return 1')()`,
    `(class {}).constructor('return 1')()`,
    `Reflect.construct(Object.getPrototypeOf(function () {}).constructor, ['return 1'])`,
    `(0, eval)('1')`,
    `eval('1')`,
  ])('throws for %s', (expression) => {
    const network = createMemoryNetwork(shared)
    network.deploy('test', scriptRunning(`return [${expression}]`))
    expect(network.call('alice', 'test', 'run')).toMatchObject({ status: 'failed', code: 'THROWN' })
  })

  it('keeps date arithmetic on given times, in UTC', () => {
    const body = `const date = new Date(ctx.block.time); class Mine extends Date {}
      return [date.toISOString(), date.getTimezoneOffset(), new Date(2020, 0, 1).toISOString(), Date.UTC(2000, 1), Date.parse('2020-01-01'),
        date instanceof Date, new Mine(0) instanceof Mine, date.toLocaleString()]`
    const network = createMemoryNetwork(shared)
    network.deploy('test', scriptRunning(body))
    const outcome = network.call('alice', 'test', 'run')
    const expected = [
      '2023-11-14T22:13:20.002Z',
      0,
      '2020-01-01T00:00:00.000Z',
      949363200000,
      1577836800000,
      true,
      true,
    ]
    expect(JSON.parse((outcome as { result: string }).result).slice(0, 7)).toEqual(expected)
  })
})
