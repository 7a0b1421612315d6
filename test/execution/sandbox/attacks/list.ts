/**
 * Contracts that try to run for ever, to take all memory or stack, to confuse the host or to leave something behind. Each is the
 * body of a call `run(ctx, args)`; what becomes of it, and for how much gas, is pinned in test/vectors/attacks.json.
 */

export interface Attack {
  name: string
  body: string
  /** The script's top level before the contract. */
  before?: string
  /** Where it is not the usual limit: what fills the memory needs more. */
  gasLimit?: number
}

export const ATTACK_GAS = 20_000_000
const FILLING_GAS = 300_000_000

const group =
  (gasLimit?: number) =>
  (attacks: Record<string, string>, before?: string): Attack[] =>
    Object.entries(attacks).map(([name, body]) => ({ name, body, before, gasLimit }))
const short = group()
const filling = group(FILLING_GAS)

const interpreter = short({
  'endless loop': 'for (;;);',
  'endless loop with catch and finally': 'for (;;) { try { for (;;); } catch {} finally { continue } }',
  'endless generator': 'const g = (function* () { for (;;) yield 1 })(); for (const _ of g);',
  'endless loop in an async function': 'const f = async () => { try { for (;;); } catch {} }; f(); return 1',
  'endless loop in toJSON': 'return { toJSON() { for (;;); } }',
  'endless loop in a getter of what is thrown': 'throw { get message() { for (;;); } }',
  'endless iterator':
    'const all = { [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }; for (const _ of all);',
  'exceptions thrown and caught': 'for (;;) try { null.x } catch {}',
  'arithmetic of doubles': 'let x = 1.5; for (;;) x = x * 1.0000001 + 0.1',
  'arithmetic of integers': 'let x = 1; for (;;) x = (x * 31 + 7) | 0',
  'divisions and roots': 'let x = 2; for (;;) x = Math.sqrt(x) / 0.3 + (x % 0.7)',
  'transcendental functions':
    'let x = 1e300; for (;;) x = Math.sin(x) * 1e300 + Math.pow(1.1, Math.exp(0.5)) + Math.atan2(x, 3)',
  'random access to a large array':
    'const a = new Uint32Array(2 ** 21); let i = 1; for (;;) { i = (i * 1103515245 + 12345) & 2097151; a[i]++ }',
  'many small closures': 'for (;;) { const f = () => () => 1; f()() }',
  'property lookups through a long prototype chain':
    'let o = {}; for (let i = 0; i < 2000; i++) o = Object.create(o); for (;;) o.missing',
  'properties added and deleted':
    'const o = {}; for (let i = 0; ; i++) { o["k" + (i % 500)] = i; delete o["k" + ((i * 7) % 500)] }',
  'labelled jumps': 'a: for (;;) { b: for (;;) { for (;;) continue b } }',
  'with proxies all the way': 'let p = {}; for (let i = 0; i < 100; i++) p = new Proxy(p, {}); for (;;) p.x',
})

const builtIns = short(
  {
    'indexOf of what is not there': `for (;;) text.indexOf('aaaaaaaab')`,
    'indexOf of a long needle': `for (;;) text.indexOf(needle)`,
    'lastIndexOf of a long needle': `for (;;) text.lastIndexOf(needle)`,
    'includes in a large array': 'const a = new Array(100000).fill(1); for (;;) a.includes(2)',
    'replaceAll on a long text': `for (;;) text.replaceAll('a', 'bb')`,
    'split into letters': `for (;;) text.split('')`,
    'join of many': `const a = new Array(50000).fill('x'); for (;;) a.join('-')`,
    'repeat and compare': `const a = 'x'.repeat(1e6), b = 'x'.repeat(1e6); for (;;) a === b`,
    'concatenation of long texts': 'for (;;) text + needle',
    'JSON.stringify of a large object': 'for (;;) JSON.stringify(large)',
    'JSON.parse of a long text': 'const json = JSON.stringify(large); for (;;) JSON.parse(json)',
    'JSON.stringify of long escapes': `const s = '\\u0000'.repeat(100000); for (;;) JSON.stringify(s)`,
    'sort of a large array': 'for (;;) Array.from({ length: 20000 }, (_, i) => (i * 7919) % 20011).sort()',
    'sort with an endless comparison': 'return [1, 2].sort(() => { for (;;); })',
    'sort with an inconsistent comparison':
      'const a = Array.from({ length: 5000 }, (_, i) => i); for (;;) a.sort(() => (a.length & 1) - 1)',
    'sort of typed arrays':
      'const a = new Float64Array(100000); for (;;) { for (let i = 0; i < 1000; i++) a[i] = -i; a.sort() }',
    'reverse and copyWithin': 'const a = new Uint8Array(4e6); for (;;) { a.copyWithin(1, 0); a.reverse() }',
    'fill of a typed array': 'const a = new Uint8Array(8e6); for (;;) a.fill(7)',
    'copies of typed arrays': 'const a = new Uint8Array(2e6); for (;;) a.slice()',
    'large buffers made and dropped': 'for (;;) new ArrayBuffer(2e6)',
    'set between typed arrays': 'const a = new Uint8Array(4e6), b = new Uint8Array(4e6); for (;;) a.set(b)',
    'conversions between typed arrays': 'const a = new Float64Array(1e5); for (;;) new Int8Array(a)',
    'squaring of a bigint': 'let n = 3n; for (;;) n *= n',
    'division of bigints': 'const a = 3n ** 20000n, b = 7n ** 5000n; for (;;) a / b',
    'bigint to text': 'const a = 3n ** 20000n; for (;;) a.toString()',
    'text to bigint': `const s = '9'.repeat(20000); for (;;) BigInt(s)`,
    'power of bigints': 'for (;;) 3n ** 10000n',
    'shifts of bigints': 'for (;;) (1n << 500000n) >> 3n',
    'localeCompare of long texts': 'for (;;) text.localeCompare(text)',
    'normalisation of long texts': `const s = 'e\\u0301\\u0327'.repeat(5000); for (;;) s.normalize('NFKC')`,
    'case changes of long texts': `const s = '\\u0130\\u00df'.repeat(10000); for (;;) s.toLowerCase().toUpperCase()`,
    'codes of long texts': 'for (;;) [...needle]',
    'encoding of long texts': `for (;;) decodeURIComponent(encodeURIComponent('\\u20ac'.repeat(10000)))`,
    'numbers to text': 'for (let x = 0.1; ; x *= 1.0001) x.toString() + x.toFixed(20) + x.toPrecision(50)',
    'numbers to text in base two': 'for (let x = 1e308; ; x *= 0.99) x.toString(2)',
    'text to numbers': `const s = '1.' + '7'.repeat(5000) + 'e10'; for (;;) Number(s)`,
    'dates to text': 'for (let t = 0; ; t += 1e9) new Date(t).toISOString() + new Date(t).toString()',
    'maps with colliding keys':
      'const m = new Map(); for (let i = 0; ; i++) { m.set(i * 65536, i); m.delete((i - 50) * 65536) }',
    'sets of texts': `const s = new Set(); for (let i = 0; ; i++) s.add('key' + (i % 1000))`,
    'flat and concat': 'const a = [[[[1]]]]; for (;;) new Array(1000).fill(a).flat(9).concat(a)',
    'sparse array of huge length': 'const a = []; a[4294967294] = 1; for (;;) a.indexOf(5)',
    'array-like of huge length': 'return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)',
    'splice in a large array': 'const a = new Array(50000).fill(1); for (;;) { a.splice(0, 1); a.unshift(1) }',
    'object keys and entries': 'for (;;) Object.entries(large).map(([k]) => k)',
    'collection of cycles':
      'for (;;) { let a = {}; for (let i = 0; i < 1000; i++) { const b = { a }; a.b = b; a = b } }',
    'chained iterator helpers':
      'function* g() { for (;;) yield 1 } return g().map((x) => x).filter(() => false).next()',
  },
  `const text = 'a'.repeat(200000), needle = 'a'.repeat(5000) + 'b'
   const large = Object.fromEntries(Array.from({ length: 500 }, (_, i) => ['key' + i, { index: i, list: [i, 'x', null] }]))`,
)

const regularExpressions = short({
  'catastrophic backtracking': `return /^(a|a)*$/.test('a'.repeat(40) + 'b')`,
  'nested quantifiers': `return /^(a+)+$/.test('a'.repeat(40) + 'b')`,
  'back references': `return /^(a*)*\\1$/.test('a'.repeat(5000) + 'b')`,
  'look-behind over a long text': `return /(?<=(a+)+)b/.test('a'.repeat(5000))`,
  'global match of nothing': `for (;;) 'x'.repeat(100000).match(/(?:)/g)`,
  'case-insensitive classes': `for (;;) /[\\u0100-\\uffff]+z/iu.test('\\u0130'.repeat(20000))`,
  'huge alternation': `return new RegExp('(a|b)'.repeat(50000)).test('x')`,
  'deeply nested groups': `return new RegExp('('.repeat(50000))`,
  'balanced nested groups': `return new RegExp('('.repeat(500) + ')'.repeat(500)).test('x')`,
  'replace with a function': `for (;;) 'a'.repeat(10000).replace(/a/g, () => 'b')`,
})

const memory = filling({
  'arrays without end': 'const all = []; for (;;) all.push(new Array(1000).fill(1))',
  'texts without end': `let text = 'x'; for (;;) text += text + '.'`,
  'objects without end': 'let list; for (;;) list = { list }',
  'buffers without end': 'const all = []; for (;;) all.push(new ArrayBuffer(1 << 20))',
  'typed arrays without end': 'const all = []; for (;;) all.push(new Float64Array(10000).fill(7))',
  'maps without end': 'const map = new Map(); for (let i = 0; ; i++) map.set(i, {})',
  'symbols without end': 'const all = []; for (let i = 0; ; i++) all.push(Symbol(i))',
  'shapes without end': 'const all = []; for (let i = 0; ; i++) all.push({ ["k" + i]: i })',
  'objects behind a long chain of shapes':
    'const all = []; for (let i = 0; i < 12000; i++) all.push({ ["k" + i]: i }); for (;;) ({ a: 1 })',
  'functions without end': 'const all = []; for (;;) all.push(() => all)',
  'one huge buffer': 'return new ArrayBuffer(2 ** 31).byteLength',
  'one huge array': 'return new Array(2 ** 32 - 1).fill(0).length',
  'one huge text': `return 'x'.repeat(2 ** 29).length`,
  'huge padding': `return 'x'.padEnd(2 ** 30, 'yz').length`,
  'resizable buffer':
    'const b = new ArrayBuffer(8, { maxByteLength: 2 ** 31 }); b.resize(2 ** 31); return b.byteLength',
  'exhaustion caught again and again':
    'for (;;) try { const all = []; for (;;) all.push(new ArrayBuffer(1 << 20)) } catch {}',
  'memory full before a refusal':
    'const all = []; try { for (;;) all.push(new Array(100).fill(1)) } catch {} ctx.state.get(7)',
  'memory full before a write': `const all = []; try { for (;;) all.push(new Array(100).fill(1)) } catch {} ctx.state.set('k', all.length)`,
  'memory full before a result': `const all = []; try { for (;;) all.push(new Array(100).fill(1)) } catch {} return 'x'.repeat(60000) + all.length`,
  'memory full before a nested call': `const all = []; try { for (;;) all.push(new Array(100).fill(1)) } catch {} return ctx.call('callee', 'add', 1)`,
})

const stack = short({
  'deep recursion': 'const f = () => f() + 1; return f()',
  'deep recursion, caught at each level':
    'const f = () => { try { return f() } catch { return f } }; return typeof f()',
  'recursion through map': 'const f = () => [1].map(f); return f()',
  'recursion through sort': 'const f = () => [1, 2].sort(f); return f()',
  'recursion through replace': `const f = () => 'x'.replace(/x/, f); return f()`,
  'recursion through toJSON': 'const f = () => JSON.stringify({ toJSON: f }); return f()',
  'recursion through a reviver': `const f = () => JSON.parse('[1]', f); return f()`,
  'recursion through proxies': 'const p = new Proxy({}, { get: () => p.x }); return p.x',
  'recursion through getters': 'const o = { get x() { return this.x } }; return o.x',
  'recursion through toString': `const o = { toString() { return '' + o } }; return '' + o`,
  'recursion through constructors': 'class A { constructor() { new A() } } new A()',
  'recursion through apply and bind': 'function f() { return f.apply.bind(f)(null, []) } return f()',
  'recursion through generators': 'function* g() { yield* g() } return g().next()',
  'recursion through iterators': 'const o = { [Symbol.iterator]() { return [...o] } }; return [...o]',
  'recursion through Reflect.construct': 'function F() { Reflect.construct(F, []) } Reflect.construct(F, [])',
  'recursion through instanceof':
    'const o = { [Symbol.hasInstance]: () => ({}) instanceof o }; return ({}) instanceof o',
  'long chain of bound functions': 'let f = () => 1; for (let i = 0; i < 5000; i++) f = f.bind(); return f()',
  'many arguments': 'return Math.max(...new Array(60000).fill(1))',
  'deep JSON text': `return JSON.parse('['.repeat(200000))`,
  'deep object to JSON': 'let o = []; for (let i = 0; i < 20000; i++) o = [o]; return o',
  'deep array to text': `let o = []; for (let i = 0; i < 20000; i++) o = [o]; return '' + o`,
  'deep array flattened': 'let o = []; for (let i = 0; i < 20000; i++) o = [o]; return o.flat(Infinity).length',
  'proxies within proxies': 'let p = {}; for (let i = 0; i < 20000; i++) p = new Proxy(p, {}); return p.x',
  'prototype chain of proxies':
    'let p = {}; for (let i = 0; i < 20000; i++) p = Object.create(new Proxy(p, {})); return p.x',
  'recursion down to a nested call': `const f = (n) => (n === 0 ? ctx.call('callee', 'dive', 1) : f(n - 1)); return f(600)`,
})

const leaving = short(
  {
    'polluted prototypes': `Object.prototype.toJSON = () => 7; Array.prototype.push = null; String.prototype.isWellFormed = () => true
      Object.prototype.code = 'x'; Object.prototype.get = () => 8; return ++counter`,
    'deleted globals':
      'for (const name of Object.getOwnPropertyNames(globalThis)) delete globalThis[name]; return ++counter',
    'replaced built-ins': `JSON.parse = () => 'mine'; JSON.stringify = () => 'mine'; Object.freeze = (x) => x; return { a: ++counter }`,
    'replaced species and iterators': `Array.prototype[Symbol.iterator] = null; Uint8Array.prototype.constructor = null
      return ctx.crypto.sha256(new Uint8Array(1)).length`,
    'replaced Promise and Symbol': 'globalThis.Promise = null; Symbol.prototype.constructor = null; return ++counter',
    'setters on Object.prototype': `Object.defineProperty(Object.prototype, 'sender', { set() { throw 1 } }); return ctx.sender`,
    'numeric setters on Array.prototype': `Object.defineProperty(Array.prototype, 0, { set() { throw new Error('set') }, get: () => 'mine' })
      ctx.state.set('k', [1]); return ctx.state.get('k')`,
    'frozen everything':
      'for (const name of Object.getOwnPropertyNames(globalThis)) try { Object.freeze(globalThis[name]) } catch {} return 1',
    'changed context': `'use strict'; try { ctx.sender = 'x' } catch {} try { delete ctx.state } catch {} try { ctx.block.height = 1 } catch {} return [ctx.sender, ctx.block]`,
    'functions that are kept':
      'globalThis.kept = ctx.state.get; quorateContract.default.calls.run = () => 99; return typeof kept',
    'pending promises': `Promise.resolve().then(() => { counter = 99 }); (async () => { await 0; counter = 98 })(); return ++counter`,
    'rejected promises': `Promise.reject(new Error('x')); return ++counter`,
    'promises without end': 'const f = () => Promise.resolve().then(f); f(); return ++counter',
    'a thenable result': `return { then(resolve) { resolve(7) } }`,
    'a promise as result': 'return Promise.resolve(1)',
    'an async result with an endless getter': 'return { get then() { for (;;); } }',
    'dynamic import': `import('node:fs'); return 1`,
    'weak collections':
      'const w = new WeakMap(); for (let i = 0; i < 1000; i++) w.set({}, new WeakSet([{}])); return ++counter',
    'bits of a NaN':
      'return [...new Uint8Array(new Float64Array([0 / 0, -(0 / 0), Math.sqrt(-1), Infinity - Infinity]).buffer)]',
    'trace of an error': `return new Error('x').stack`,
    'order of keys': `const o = { b: 1, 2: 1, a: 1, 1: 1 }; return [Object.keys(o), [...new Set([3, 1, 2])]]`,
  },
  'let counter = 0',
)

const host = short({
  'endless host calls': `for (;;) ctx.isAddress('x')`,
  'endless caught refusals': 'for (;;) try { ctx.state.get(7) } catch {}',
  'writes without end': `for (let i = 0; ; i++) ctx.state.set('k' + i, i)`,
  'large writes without end': `const v = 'x'.repeat(65000); for (let i = 0; ; i++) ctx.state.set('k' + i, v)`,
  'reads of a large value without end': `ctx.state.set('k', 'x'.repeat(60000)); for (;;) ctx.state.get('k')`,
  'deletes without end': `for (let i = 0; ; i++) ctx.state.delete('k' + i)`,
  'scans without end': `for (let i = 0; i < 20; i++) ctx.state.set('k' + i, i); for (;;) ctx.state.scan('')`,
  'event flood': `for (let i = 0; ; i++) ctx.emit('E', i)`,
  'event flood, caught': `for (let i = 0; ; i++) try { ctx.emit('E', i) } catch {}`,
  'log flood': `for (let i = 0; ; i++) console.log('line', i, { a: [i] })`,
  'log of what cannot be written': `const loop = {}; loop.loop = loop; console.log(loop, Symbol('s'), 1n, null, undefined, () => 1, new Proxy({}, { get() { throw 1 } })); return 1`,
  'log of a long text': `console.error('x'.repeat(1e6), '\\ud800'); return 1`,
  'hashes without end': `const bytes = new Uint8Array(262144); for (;;) ctx.crypto.sha256(bytes)`,
  'signature checks without end': `const k = '00'.repeat(32), s = '00'.repeat(64); for (;;) ctx.crypto.verifyEd25519(k, 'x', s)`,
  'result that is a proxy': `return new Proxy([], { get() { throw new Error('trapped') } })`,
  'result that is too long': `return 'x'.repeat(100000)`,
  'key that is a proxy': `ctx.state.set(new Proxy({}, { get() { throw 1 } }), 1)`,
  'key that is a text object': `ctx.state.set(new String('k'), 1)`,
  'value with an endless getter': `ctx.state.set('k', { get a() { for (;;); } })`,
  'value whose toJSON writes': `ctx.state.set('k', { toJSON() { ctx.state.set('l', 1); return 2 } }); return [ctx.state.get('k'), ctx.state.get('l')]`,
  'options with getters': `ctx.state.scan('', { get after() { throw new Error('got') } })`,
  'options that change between looks': `let n = 0; return ctx.state.scan('', { get limit() { return n++ === 0 ? 1 : 'x' } })`,
  'arguments that are symbols': 'ctx.emit(Symbol.iterator, 1)',
  'arguments that are missing': 'ctx.state.set()',
  'array detached while it is hashed': `const a = new Uint8Array(100); const b = a.buffer; try { b.transfer() } catch {} return ctx.crypto.sha256(a)`,
  'subclass of Uint8Array': `class B extends Uint8Array { get length() { return 2 ** 31 } } return ctx.crypto.sha256(new B(4))`,
  'a resizable array': `const b = new ArrayBuffer(4, { maxByteLength: 64 }); const a = new Uint8Array(b); b.resize(2); return ctx.crypto.sha256(a)`,
  'function called on something else': `return [ctx.state.get.call(null, 'k'), Reflect.apply(ctx.state.get, {}, ['k'])]`,
  'host function as constructor': 'new ctx.state.get()',
  'trap after writes': `ctx.state.set('a', 1); ctx.emit('E', 1); for (;;);`,
  'throw after writes': `ctx.state.set('a', 1); ctx.emit('E', 1); throw new Error('after')`,
  'call of itself': `return ctx.call('self', 'run')`,
  'call of itself through another': `try { ctx.call('callee', 'back') } catch (error) { return [error.code, error.calleeCode] }`,
  'callee that traps': `try { ctx.call('callee', 'spin') } catch {} return 'survived'`,
  'callee that throws': `try { ctx.call('callee', 'fail') } catch (error) { return [error.code, error.message] }`,
  'callees without end': `for (;;) ctx.call('callee', 'add', 1)`,
  'call with a getter that calls': `return ctx.call('callee', 'add', { get a() { return ctx.call('callee', 'add', 2) } })`,
})

const loading: Attack[] = [
  {
    name: 'state of the top level kept in a closure',
    body: 'return [++counter, list.push(1)]',
    before: 'let counter = 0; const list = []',
  },
  {
    name: 'prototypes polluted at the top level',
    body: `return ctx.state.get('k') ?? [ctx.sender]`,
    before:
      'Object.prototype.then = () => {}; Array.prototype[Symbol.iterator] = null; JSON.parse = null; Function.prototype.call = null',
  },
  {
    name: 'getters on the handlers',
    body: 'return 1',
    before: `Object.defineProperty(Object.prototype, 'run', { get() { for (;;); } })`,
  },
  {
    name: 'log at the top level',
    body: `console.log('in'); return 1`,
    before: `console.log('out'); for (const level in console) console[level](level)`,
  },
  {
    name: 'microtasks of the top level',
    body: 'return counter',
    before: 'let counter = 0; Promise.resolve().then(() => { counter = 7 })',
  },
]

export const attacks: Attack[] = [
  ...[...interpreter, ...builtIns, ...regularExpressions, ...memory, ...stack, ...leaving, ...host, ...loading],
]
