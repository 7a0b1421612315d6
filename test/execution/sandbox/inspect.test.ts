/** What `inspect` says of good and bad bundles. */
import { describe, expect, it } from 'vitest'
import { CODE_BYTES_MAX, IMAGE_BYTES_MAX } from '../../../src/execution/sandbox/limits.ts'
import { scriptOf, scriptRunning, shared } from './script.ts'

const inspect = (code: string, gas = 200_000_000) => shared.inspect(code, gas)

describe('inspect', () => {
  it('lists what a contract offers', () => {
    const code = scriptOf('b() {}, a() {}', 'look() {}', '', 'init() {}, migrate() {},')
    expect(inspect(code)).toEqual({ ok: true, init: true, migrate: true, calls: ['b', 'a'], views: ['look'] })
  })

  it('takes a contract with nothing but init', () => {
    expect(inspect('var quorateContract = { default: { init() {} } }')).toEqual({
      ok: true,
      init: true,
      migrate: false,
      calls: [],
      views: [],
    })
  })

  it('says where a syntax error is', () => {
    const found = inspect('var a = 1\nvar b = ;')
    expect(found).toMatchObject({ ok: false, code: 'SYNTAX', message: expect.stringContaining('contract.js:2') })
  })

  it.each(['', 'var x = 1', 'var quorateContract = 7', 'var quorateContract = { default: null }'])(
    'finds no contract in %j',
    (code) => {
      expect(inspect(code)).toMatchObject({ ok: false, code: 'NO_CONTRACT' })
    },
  )

  it.each([
    ['{ init: 7 }', 'init must be a function'],
    ['{ migrate: {} }', 'migrate must be a function'],
    ['{ calls: 7 }', 'calls must be an object'],
    ['{ calls: { a: 7 } }', 'calls.a must be a function'],
    ['{ views: { a: null } }', 'views.a must be a function'],
    ['{ calls: { a() {} }, views: { a() {} } }', 'a is both a call and a view'],
    [`{ calls: { 'a b'() {} } }`, 'method name "a b"'],
    ['{ get calls() { throw new Error("mine") } }', 'mine'],
  ])('refuses the shape %s', (definition, message) => {
    const found = inspect(`var quorateContract = { default: ${definition} }`)
    expect(found).toMatchObject({ ok: false, code: 'BAD_SHAPE', message: expect.stringContaining(message) })
  })

  it('refuses a top level that throws, does not end, or takes too much', () => {
    expect(inspect('throw new Error("early")')).toEqual({ ok: false, code: 'THROWN', message: 'early' })
    expect(inspect('for (;;);')).toMatchObject({ ok: false, code: 'OUT_OF_GAS' })
    expect(inspect('const all = []; for (;;) all.push(new ArrayBuffer(1 << 20))')).toMatchObject({
      code: 'OUT_OF_MEMORY',
    })
    expect(inspect(scriptRunning('', `var kept = new Uint8Array(${IMAGE_BYTES_MAX}).fill(1)`))).toMatchObject({
      code: 'TOO_LARGE',
    })
    expect(inspect(`/*${'x'.repeat(CODE_BYTES_MAX)}*/`)).toMatchObject({ ok: false, code: 'TOO_LARGE' })
  })

  it('answers alike for a known contract and for less gas than a rebuild has', () => {
    const code = scriptRunning('', 'let n = 0; for (let index = 0; index < 50000; index++) n++')
    expect(inspect(code, 1)).toMatchObject({ ok: false, code: 'OUT_OF_GAS' })
    expect(inspect(code)).toMatchObject({ ok: true })
    expect(inspect(code)).toMatchObject({ ok: true })
  })
})
