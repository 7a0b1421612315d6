// The engine itself, as published and as metered: the same scripts give the same texts.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { EngineExports } from '../../../src/execution/sandbox/engine.ts'
import { createMachine } from '../../../src/execution/sandbox/machine.ts'
import { instantiatePublished, startEngine } from './engines.ts'

/** Evaluates a script in this engine to the text of its value, or of what it throws. */
function evaluatorOf(engine: EngineExports): (script: string) => string {
  const prepare = startEngine(engine)
  return (body) => {
    const script = prepare(`try { return String((() => { ${body} })()) } catch (error) { return String(error) }`)
    const text = script.text()
    script.free()
    return text
  }
}

const literal = fc.oneof(
  fc.double().map((number) => (Object.is(number, -0) ? '-0' : String(number))),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((number) => `${number}n`),
  fc.string({ maxLength: 12 }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    'null',
    'undefined',
    'true',
    '[]',
    '{}',
    '[3, 1, 2]',
    '{ a: 1, b: [2] }',
    '/a(b|c)+d?/g',
    '"abcabd"',
    'NaN',
  ),
)
const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    literal,
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('+', '-', '*', '/', '%', '**', '<<', '>>>', '&', '^', '<', '===', '??', ','),
        tie('expression'),
      )
      .map(([left, operator, right]) => `((${left}) ${operator} (${right}))`),
    fc
      .tuple(
        fc.constantFrom(
          'JSON.stringify',
          'String',
          'Number',
          'parseFloat',
          'Math.sqrt',
          'Math.pow',
          'Math.sin',
          'Math.exp',
          'Math.fround',
          'Object.keys',
          'Array.from',
          'encodeURIComponent',
          'BigInt',
          'Symbol',
          'typeof ',
        ),
        tie('expression'),
      )
      .map(([name, argument]) => `${name}(${argument})`),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom(
          '.toString(7)',
          '.toFixed(3)',
          '.length',
          '.at(-1)',
          '.sort()',
          '.map((x) => [x, x])',
          '.slice(1).split("a")',
          '.normalize("NFD")',
          '.replace(/b./g, "$&!")',
          '.padStart(9, "xy")',
          '.localeCompare("b")',
          '.reduce((a, b) => a + b)',
        ),
      )
      .map(([value, method]) => `(${value})${method}`),
  ),
}))

it('gives the same texts as the engine that was published, for random scripts', () => {
  const [plain, metered] = [evaluatorOf(instantiatePublished()), evaluatorOf(createMachine().engine)]
  let thrown = 0
  const runs = 3_000
  fc.assert(
    fc.property(expression, (script) => {
      const expected = plain(`return ${script}`)
      if (/Error/.test(expected)) thrown++
      expect(metered(`return ${script}`)).toBe(expected)
    }),
    { numRuns: runs },
  )
  // Most scripts compute something.
  expect(thrown).toBeLessThan(runs / 2)
})

it('gives the same texts for longer programs', () => {
  const [plain, metered] = [evaluatorOf(instantiatePublished()), evaluatorOf(createMachine().engine)]
  for (const script of [
    'const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)); return fib(15)',
    'let x = 1, out = []; for (let i = 0; i < 500; i++) { x = (x * 16807) % 2147483647; out.push(x) } return out.sort().join()',
    'const m = new Map(); for (let i = 0; i < 300; i++) m.set("k" + (i % 37), i); return JSON.stringify([...m])',
    'let s = ""; for (let i = 0; i < 400; i++) s += String.fromCharCode(97 + ((i * i) % 26)); return s.replace(/([aeiou])([^aeiou]+)/g, "$2$1")',
    'let n = 1n; for (let i = 1n; i < 120n; i++) n *= i; return n',
    'function* g() { let a = 0, b = 1; for (;;) { yield a; [a, b] = [b, a + b] } } const out = []; for (const v of g()) { if (v > 1e6) break; out.push(v) } return out',
    'const a = new Float64Array(64); for (let i = 0; i < 64; i++) a[i] = Math.sin(i) / (i - 7); return [...a].join()',
    'class A { #x = 1; get x() { return this.#x } static of(v) { const a = new A(); a.#x = v; return a } } return A.of(5).x + new A().x',
  ])
    expect(metered(script)).toBe(plain(script))
})
