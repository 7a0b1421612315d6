/**
 * Contracts that try to run for ever, eat all memory, confuse the host or leave something behind. After each one the restored
 * state has the same hash as before, and a witness contract gives the same result for the same gas.
 */
import { describe, expect, it } from 'vitest'
import { createSandbox } from '../../../src/execution/sandbox/index.ts'
import { createMemoryNetwork } from '../../contract/memory-host.ts'
import { invocationOf, scriptOf, scriptRunning } from './script.ts'

const sandbox = createSandbox()
const witness = scriptOf(
  `run(ctx) {
    const list = []
    for (let index = 0; index < 3000; index++) list.push({ index, text: 'n' + index })
    ctx.state.set('list', list.slice(0, 50))
    return [list.length, JSON.stringify(list).length, ++counter, Object.keys(Object.prototype), typeof JSON.parse('{}')]
  }`,
  '',
  'let counter = 0',
)

const gasLimit = 1_000_000
/** Where one poll takes long, because the engine does not count what happens inside its built-ins. */
const gasLimitSlow = 20_000
const outOfGas = { status: 'trap', code: 'OUT_OF_GAS' }
const outOfMemory = { status: 'failed', code: 'OUT_OF_MEMORY', message: '' }
const stackOverflow = { status: 'failed', code: 'STACK_OVERFLOW', message: '' }

const attacks: [name: string, body: string, expected: object, gas?: number][] = [
  ['endless loop', 'for (;;);', outOfGas],
  ['catch-all around it', 'for (;;) { try { for (;;); } catch {} finally { continue } }', outOfGas],
  ['endless generator', 'const g = (function* () { for (;;) yield 1 })(); for (const _ of g);', outOfGas],
  [
    'endless loop in an async function',
    'const f = async () => { try { for (;;); } catch {} }; f(); return 1',
    outOfGas,
  ],
  ['endless loop in toJSON', 'return { toJSON() { for (;;); } }', outOfGas],
  ['endless loop of host calls', `for (;;) ctx.isAddress('x')`, outOfGas],
  ['endless loop of caught refusals', 'for (;;) try { ctx.state.get(7) } catch {}', outOfGas],
  ['catastrophic regular expression', `return /^(a|a)*$/.test('a'.repeat(40) + 'b')`, outOfGas],
  ['sort with an endless comparison', 'return [1, 2].sort(() => { for (;;); })', outOfGas],
  ['deep recursion', 'const f = () => f() + 1; return f()', stackOverflow],
  ['recursion through built-ins', `const f = () => [1].map(f); return f()`, stackOverflow],
  ['recursion through replace', `const f = () => 'x'.replace(/x/, f); return f()`, stackOverflow],
  ['recursion through toJSON', 'const f = () => JSON.stringify({ toJSON: f }); return f()', stackOverflow],
  ['recursion through getters and proxies', 'const p = new Proxy({}, { get: () => p.x }); return p.x', stackOverflow],
  ['long chain of bound functions', 'let f = () => 1; for (let i = 0; i < 5000; i++) f = f.bind(); return f()', {}],
  ['arrays without end', 'const all = []; for (;;) all.push(new Array(1000).fill(1))', outOfMemory],
  ['strings without end', `let text = 'x'; for (;;) text += text + '.'`, { status: 'failed' }],
  ['objects without end', 'let list; for (;;) list = { list }', outOfMemory],
  ['buffers without end', 'const all = []; for (;;) all.push(new ArrayBuffer(1 << 20))', outOfMemory],
  ['typed arrays without end', 'const all = []; for (;;) all.push(new Float64Array(10000).fill(7))', outOfMemory],
  ['one huge buffer', 'return new ArrayBuffer(2 ** 31).byteLength', { status: 'failed' }],
  ['maps without end', 'const map = new Map(); for (let i = 0; ; i++) map.set(i, {})', outOfMemory],
  ['huge bigint', 'let n = 3n; for (;;) n *= n', { status: 'failed' }, gasLimitSlow],
  [
    'caught exhaustion again and again',
    'for (;;) try { const all = []; for (;;) all.push(new ArrayBuffer(1 << 20)) } catch {}',
    outOfGas,
    gasLimitSlow,
  ],
  ['huge regular expression', `return new RegExp('(a|b)'.repeat(50000)).test('x')`, {}],
  ['deeply nested regular expression', `return new RegExp('('.repeat(50000))`, {}],
  [
    'memory full before a refusal',
    `const all = []; try { for (;;) all.push(new Array(100).fill(1)) } catch {} ctx.state.get(7)`,
    { status: 'failed' },
  ],
  [
    'memory full before a result',
    `const all = []; try { for (;;) all.push(new Array(100).fill(1)) } catch {} return 'x'.repeat(60000) + all.length`,
    {},
  ],
  [
    'result that is a proxy',
    `return new Proxy([], { get() { throw new Error('trapped') } })`,
    { code: 'THROWN', message: 'trapped' },
  ],
  ['arguments that are proxies', `ctx.state.set(new Proxy({}, { get() { throw 1 } }), 1)`, { code: 'BAD_KEY' }],
  [
    'arguments with getters',
    `ctx.state.scan('', { get after() { throw new Error('got') } })`,
    { code: 'THROWN', message: 'got' },
  ],
  ['arguments that are symbols', 'ctx.emit(Symbol.iterator, 1)', { code: 'BAD_VALUE' }],
  ['arguments that are missing', 'ctx.state.set()', { code: 'BAD_KEY' }],
  [
    'polluted prototypes',
    `Object.prototype.toJSON = () => 7; Array.prototype.push = null; String.prototype.isWellFormed = () => true
     Object.prototype.code = 'x'; return 1`,
    {},
  ],
  [
    'deleted globals',
    'const all = globalThis; for (const name of Object.getOwnPropertyNames(all)) delete all[name]; return 1',
    { status: 'ok' },
  ],
  [
    'replaced built-ins',
    `JSON.parse = () => 'mine'; JSON.stringify = () => 'mine'; Object.freeze = (x) => x; return { a: 1 }`,
    { status: 'ok', result: '{"a":1}' },
  ],
  [
    'replaced species and iterators',
    `Array.prototype[Symbol.iterator] = null; Uint8Array.prototype.constructor = null
     return ctx.crypto.sha256(new Uint8Array(1)).length`,
    { status: 'ok', result: '64' },
  ],
  [
    'pending promises',
    `Promise.resolve().then(() => { counter = 99 }); (async () => { await 0; counter = 98 })(); return 1`,
    { status: 'ok' },
  ],
  ['rejected promises', `Promise.reject(new Error('x')); return 1`, { status: 'ok' }],
  // Ends as a trap where V8's stack is small and as an ordinary error where it is large; contained either way.
  ['nesting that exhausts the native stack', `return JSON.parse('['.repeat(200000))`, {}, gasLimitSlow],
  ['dynamic import', `import('node:fs'); return 1`, {}],
]

describe('attacks', () => {
  const network = createMemoryNetwork(sandbox)
  network.deploy('witness', witness)
  const look = () => [sandbox.hashRestoredState(witness, 0), network.call('alice', 'witness', 'run')]
  const [hash, outcome] = look()

  it('leaves the witness itself unchanged from call to call', () => {
    expect(outcome).toMatchObject({ status: 'ok', result: '[3000,87781,1,[],"object"]' })
    expect(look()).toEqual([hash, outcome])
  })

  it.each(attacks)('%s', (_name, body, expected, gas = gasLimit) => {
    const code = scriptRunning(body, 'let counter = 0')
    const own = createMemoryNetwork(sandbox)
    own.deploy('attack', code)
    const stateBefore = sandbox.hashRestoredState(code, 0)
    const first = own.call('alice', 'attack', 'run', {}, gas)
    expect(first).toMatchObject(expected)
    expect(sandbox.hashRestoredState(code, 0)).toBe(stateBefore)
    expect(look()).toEqual([hash, outcome])
    if (gas === gasLimit) expect(own.call('alice', 'attack', 'run', {}, gas)).toEqual(first)
  })

  it('keeps the same instance after a call that neither trapped nor grew, restored to the last byte', () => {
    const code = scriptRunning(
      `const deep = (n) => (n === 0 ? 0 : 1 + deep(n - 1)); try { deep(1e6) } catch {} return 'x'.repeat(50000).length`,
    )
    const before = sandbox.hashRestoredState(code, 0)
    expect(sandbox.run(invocationOf(code))).toMatchObject({ status: 'ok', result: '50000' })
    expect(sandbox.hashRestoredState(code, 0)).toBe(before)
  })
})

describe('what is not there', () => {
  const absent = [
    'console',
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
    const network = createMemoryNetwork(sandbox)
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
    const network = createMemoryNetwork(sandbox)
    network.deploy('test', scriptRunning(`return [${expression}]`))
    expect(network.call('alice', 'test', 'run')).toMatchObject({ status: 'failed', code: 'THROWN' })
  })

  it('keeps date arithmetic on given times, in UTC', () => {
    const body = `const date = new Date(ctx.block.time); class Mine extends Date {}
      return [date.toISOString(), date.getTimezoneOffset(), new Date(2020, 0, 1).toISOString(), Date.UTC(2000, 1), Date.parse('2020-01-01'),
        date instanceof Date, new Mine(0) instanceof Mine, date.toLocaleString()]`
    const network = createMemoryNetwork(sandbox)
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
