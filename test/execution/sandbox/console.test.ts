/** What contracts write to their console: texts for a host that listens, the same gas for one that does not. */
import { describe, expect, it } from 'vitest'
import { LOG_BYTES_MAX } from '../../../src/execution/sandbox/limits.ts'
import { invocationOf, scriptOf, scriptRunning, shared } from './script.ts'

function logOf(code: string, overrides: object = {}) {
  const lines: [level: string, text: string][] = []
  const invocation = { ...invocationOf(code), ...overrides }
  const host = { ...invocation.host, log: (level: string, text: string) => void lines.push([level, text]) }
  const outcome = shared.run({ ...invocation, host })
  return { lines, outcome, silent: shared.run(invocation) }
}
const linesOf = (body: string) => logOf(scriptRunning(body)).lines

describe('console', () => {
  it.each(['log', 'info', 'warn', 'error', 'debug'])('passes on the level %s', (level) => {
    expect(linesOf(`console.${level}('text', 1)`)).toEqual([[level, 'text 1']])
  })

  it.each([
    [`'a', '', 'b'`, 'a  b'],
    ['', ''],
    [`1.5, -0, NaN, true, null, undefined`, '1.5 0 NaN true null undefined'],
    [`12n, Symbol('s'), () => 1, class A {}`, '12 Symbol(s) [function] [function]'],
    [`{ a: [1, { b: 'x' }], n: 5n }, [undefined]`, '{"a":[1,{"b":"x"}],"n":"5n"} [null]'],
    [`new TypeError('bad')`, 'TypeError: bad'],
    [`(() => { const loop = {}; loop.loop = loop; return loop })()`, '[unprintable]'],
    [`{ toJSON() { throw 1 } }, new Proxy({}, { get() { throw 1 } })`, '[unprintable] [unprintable]'],
    [`'\\ud800'`, '\ufffd'],
    [`'line\\nline'`, 'line\nline'],
  ])('writes %s', (given, text) => {
    expect(linesOf(`console.log(${given})`)).toEqual([['log', text]])
  })

  it('cuts what is long, between characters and within the bound', () => {
    for (const unit of ['x', '\u20ac', '\u{1f600}']) {
      const text = linesOf(`console.log(${JSON.stringify(unit)}.repeat(9000), 'more')`)[0]![1]
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LOG_BYTES_MAX)
      expect(text.replaceAll(unit, '')).toMatch(/^\ufffd?$/)
      expect(text.length).toBeGreaterThan(LOG_BYTES_MAX / 3 - 2)
    }
    expect(linesOf(`console.log(...new Array(5000).fill('ab'))`)[0]![1]).toHaveLength(Math.floor(LOG_BYTES_MAX / 3))
  })

  it('costs the same whether anybody listens', () => {
    const { outcome, silent, lines } = logOf(
      scriptRunning(`console.log('a'.repeat(100)); return console.error('b', {})`),
    )
    expect(outcome).toEqual(silent)
    expect(lines).toHaveLength(2)
    const quiet = logOf(scriptRunning('return 1')).outcome
    expect(outcome.gasUsed).toBeGreaterThan(quiet.gasUsed + 20_000)
  })

  it('works in views', () => {
    const code = scriptOf('', `run() { console.info('looked') }`)
    expect(logOf(code, { kind: 'view' }).lines).toEqual([['info', 'looked']])
  })

  it('says nothing while the top level runs, whoever loads it', () => {
    const code = scriptRunning(`console.log('inside')`, `console.log('outside'); var log = console.log; log('outside')`)
    expect(logOf(code).lines).toEqual([['log', 'inside']])
  })

  it('cannot be used to reach the host', () => {
    const body = `const { log } = console; console = null; try { log.x = 1 } catch {}; log.call(7, Object.isFrozen(log)); return log.name`
    expect(logOf(scriptRunning(body))).toMatchObject({ lines: [['log', 'true']], outcome: { result: '"log"' } })
  })
})
