/** What `ctx` offers, and what it refuses. */
import { generateKeyPairSync, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as limits from '../../../src/execution/sandbox/limits.ts'
import { addressOf, createMemoryNetwork } from '../../contract/memory-host.ts'
import { invocationOf as invocation, resultOf, runBody, scriptOf, scriptRunning, shared } from './script.ts'

/** The code of the error the expression throws inside, as the contract sees it. */
const codeOf = (expression: string) =>
  resultOf(`try { ${expression}; return 'no error' } catch (error) { return error.code }`)

describe('context', () => {
  it('says who, where and when', () => {
    const value = resultOf('return [ctx.sender, ctx.origin, ctx.contract, ctx.block, ctx.tx]')
    expect(value).toEqual(['alice', 'alice', 'test', { height: 2, time: 1_700_000_000_002 }, { id: 'ab'.repeat(32) }])
  })

  it('has no sender, origin or transaction in a view', () => {
    const network = createMemoryNetwork(shared)
    network.deploy('test', scriptOf('', 'look(ctx) { return [ctx.sender, ctx.origin, ctx.tx] }'))
    expect(network.view('test', 'look')).toMatchObject({ status: 'ok', result: '[null,null,null]' })
  })

  it('is frozen through and through', () => {
    const body = `'use strict'
      const attempts = [() => { ctx.sender = 'x' }, () => { ctx.block.height = 9 }, () => { ctx.tx.id = 'x' },
        () => { ctx.state.get = 1 }, () => { ctx.crypto.sha256 = 1 }, () => { ctx.state.get.x = 1 }, () => { ctx.emit.x = 1 }]
      return attempts.map((attempt) => { try { attempt(); return 'changed' } catch (error) { return error.name } })`
    expect(resultOf(body)).toEqual(Array(7).fill('TypeError'))
  })

  it('keeps values as the JSON text made inside', () => {
    const network = createMemoryNetwork(shared)
    network.deploy('test', scriptRunning('for (const key in args) ctx.state.set(key, args[key])'))
    const values = {
      text: 'ä\u2028"',
      number: 1e21,
      negativeZero: 5e-324,
      list: [null, true, { b: 1, a: 2 }],
      deep: { x: [] },
    }
    expect(network.call('alice', 'test', 'run', values)).toMatchObject({ status: 'ok' })
    for (const [key, value] of Object.entries(values)) expect(network.stored('test', key)).toBe(JSON.stringify(value))
  })

  it('writes any value as JSON.stringify does, whichever way it takes to the host', () => {
    const network = createMemoryNetwork(shared)
    network.deploy('test', scriptRunning(`args.forEach((value, index) => ctx.state.set('k' + index, value))`))
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\ud800', 'a\udc00', '\ufffd', 'null', '"\\\n\u2028'),
    )
    const fields = fc.dictionary(text, text, { maxKeys: 4 })
    const values = fc.array(fc.oneof(text, fields, fc.jsonValue()), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(values, (list) => {
        expect(network.call('alice', 'test', 'run', list)).toMatchObject({ status: 'ok' })
        const stored = list.map((_, index) => network.stored('test', `k${index}`))
        // Parsed first: of a number's digits and the order of keys, what the call is given is one text.
        expect(stored).toEqual((JSON.parse(JSON.stringify(list)) as unknown[]).map((value) => JSON.stringify(value)))
      }),
      { numRuns: 200 },
    )
  })

  it('refuses texts that only together are too long', () => {
    const half = limits.VALUE_BYTES_MAX / 2
    expect(codeOf(`ctx.state.set('k', { a: 'x'.repeat(${half}), b: 'x'.repeat(${half}) })`)).toBe('LIMIT')
    expect(codeOf(`ctx.state.set('k', '"'.repeat(${half}))`)).toBe('LIMIT')
  })

  it('reads, deletes and scans in byte order', () => {
    const body = `for (const key of ['b/2', 'b/1', 'b/10', 'a', 'b/\u{10000}', 'b/\uffff']) ctx.state.set(key, { key })
      ctx.state.delete('a')
      return [ctx.state.get('a') === undefined, ctx.state.get('b/1'), ctx.state.scan('b/').map((entry) => entry[0]),
        ctx.state.scan('b/', { after: 'b/1', limit: 1 })]`
    expect(resultOf(body)).toEqual([
      true,
      { key: 'b/1' },
      ['b/1', 'b/10', 'b/2', 'b/\uffff', 'b/\u{10000}'],
      [['b/10', { key: 'b/10' }]],
    ])
  })

  it.each([
    'NaN',
    'Infinity',
    '{ a: [-Infinity] }',
    '1n',
    '{ a: 1n }',
    'undefined',
    '() => 1',
    'Symbol()',
    'new Number(NaN)',
  ])('refuses the value %s', (value) => {
    expect(codeOf(`ctx.state.set('k', ${value})`)).toBe('BAD_VALUE')
    expect(codeOf(`ctx.emit('E', ${value})`)).toBe('BAD_VALUE')
  })

  it('refuses such a result as well, and lets null through', () => {
    expect(runBody('return { a: NaN }')).toMatchObject({ status: 'failed', code: 'BAD_VALUE', message: '' })
    expect(runBody('return [null, "null"]')).toMatchObject({ status: 'ok', result: '[null,"null"]' })
    expect(runBody('')).toMatchObject({ status: 'ok', result: null })
  })

  it.each([
    "''",
    "'k'.repeat(257)",
    "'\\u00e4'.repeat(129)",
    "'\\ud800'",
    '7',
    'null',
    'Symbol()',
    "['k']",
    'new Proxy({}, {})',
    "new String('k')",
  ])('refuses the key %s', (key) => {
    expect(codeOf(`ctx.state.set(${key}, 1)`)).toBe('BAD_KEY')
    expect(codeOf(`ctx.state.get(${key})`)).toBe('BAD_KEY')
    expect(codeOf(`ctx.state.delete(${key})`)).toBe('BAD_KEY')
  })

  it('takes keys of exactly 256 bytes and any well-formed text', () => {
    expect(codeOf(`ctx.state.set('k'.repeat(256), 1)`)).toBe('no error')
    expect(resultOf(`ctx.state.set('\\0\\n\u{1f600}', 1); return ctx.state.scan('')`)).toEqual([['\0\n\u{1f600}', 1]])
  })

  it('bounds values, events, names, scans and results', () => {
    const { VALUE_BYTES_MAX, EVENT_COUNT_MAX, EVENT_BYTES_MAX, EVENTS_BYTES_MAX, RESULT_BYTES_MAX } = limits
    expect(codeOf(`ctx.state.set('k', 'x'.repeat(${VALUE_BYTES_MAX - 2}))`)).toBe('no error')
    expect(codeOf(`ctx.state.set('k', 'x'.repeat(${VALUE_BYTES_MAX - 1}))`)).toBe('LIMIT')
    expect(codeOf(`ctx.emit('E', 'x'.repeat(${EVENT_BYTES_MAX}))`)).toBe('LIMIT')
    expect(codeOf(`ctx.emit('E'.repeat(65), 1)`)).toBe('LIMIT')
    expect(codeOf(`for (let i = 0; i < ${EVENT_COUNT_MAX}; i++) ctx.emit('E', 1)`)).toBe('no error')
    expect(codeOf(`for (let i = 0; i <= ${EVENT_COUNT_MAX}; i++) ctx.emit('E', 1)`)).toBe('LIMIT')
    const eventsToBound = Math.floor(EVENTS_BYTES_MAX / 10_000) + 1
    expect(codeOf(`for (let i = 0; i < ${eventsToBound}; i++) ctx.emit('E', 'x'.repeat(10000))`)).toBe('LIMIT')
    expect(codeOf(`ctx.state.scan('', { limit: 1001 })`)).toBe('LIMIT')
    expect(runBody(`return 'x'.repeat(${RESULT_BYTES_MAX})`)).toMatchObject({ status: 'failed', code: 'LIMIT' })
    const network = createMemoryNetwork(shared)
    network.deploy(
      'test',
      scriptOf(`fill(ctx, at) { ctx.state.set('k' + at, 'x'.repeat(65000)) }, scan(ctx) { ctx.state.scan('') }`),
    )
    for (let at = 0; at < 17; at++) expect(network.call('alice', 'test', 'fill', at)).toMatchObject({ status: 'ok' })
    expect(network.call('alice', 'test', 'scan')).toMatchObject({ status: 'failed', code: 'LIMIT' })
  })

  it.each(['{ limit: 0 }', '{ limit: 1.5 }', '{ limit: NaN }', "{ limit: '5' }", '{ limit: Symbol() }', 'null', '7'])(
    'refuses the scan options %s',
    (options) => {
      expect(codeOf(`ctx.state.scan('', ${options})`)).toBe('BAD_VALUE')
    },
  )

  it('refuses every way to write in a view', () => {
    const network = createMemoryNetwork(shared)
    const writers = [`ctx.state.set('k', 1)`, `ctx.state.delete('k')`, `ctx.emit('E', 1)`, `ctx.call('test', 'look')`]
    const views = writers.map((writer, index) => `look${index}(ctx) { ${writer} }`).join()
    network.deploy('test', scriptOf('', views))
    writers.forEach((_, index) => {
      expect(network.view('test', `look${index}`)).toMatchObject({ status: 'failed', code: 'READ_ONLY', message: '' })
    })
  })

  it('hashes text and bytes', () => {
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    const body = `const bytes = new Uint8Array([0, 97, 98, 99, 0])
      return [ctx.crypto.sha256(''), ctx.crypto.sha256('abc'), ctx.crypto.sha256(bytes.subarray(1, 4))]`
    expect(resultOf(body)).toEqual([empty, abc, abc])
  })

  it('verifies Ed25519 signatures', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const key = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('hex')
    const args = { key, signature: sign(null, Buffer.from('grüße'), privateKey).toString('hex') }
    const check = (expression: string) => resultOf(`return ctx.crypto.verifyEd25519(${expression})`, { args })
    expect(check(`args.key, 'grüße', args.signature`)).toBe(true)
    expect(check(`args.key, new Uint8Array([103, 114, 195, 188, 195, 159, 101]), args.signature`)).toBe(true)
    expect(check(`args.key, 'other', args.signature`)).toBe(false)
    expect(check(`args.key.toUpperCase() + 'g', 'x', 'zz'`)).toBe(false)
  })

  it.each([
    '7',
    'null',
    'Symbol()',
    'new Proxy(new Uint8Array(1), {})',
    'new ArrayBuffer(1)',
    'new Uint16Array(1)',
    "'\\ud800'",
  ])('refuses to hash %s', (value) => {
    expect(codeOf(`ctx.crypto.sha256(${value})`)).toBe('BAD_VALUE')
  })

  it('knows addresses and roles', () => {
    const address = addressOf('alice')
    const body = `const { address } = args
      return [ctx.isAddress(address), ctx.isAddress(address + 'x'), ctx.isAddress(7), ctx.isAddress(Symbol()),
      ctx.isAddress('\\ud800'), ctx.hasRole(address, 'admin')]`
    expect(resultOf(body, { args: { address } })).toEqual([true, false, false, false, false, false])
    expect(codeOf(`ctx.hasRole('a', {})`)).toBe('BAD_VALUE')
  })

  it('throws refusals that are errors, name their code and cannot be forged', () => {
    const body = `try { ctx.state.get(7) } catch (error) { return [error instanceof Error, error.code, error.message.length > 0] }`
    expect(resultOf(body)).toEqual([true, 'BAD_KEY', true])
    const forged = `try { ctx.state.get(7) } catch (error) {
      const other = new error.constructor('mine'); other.code = 'NESTED'; Object.setPrototypeOf(other, Object.getPrototypeOf(error)); throw other }`
    expect(runBody(forged)).toMatchObject({ status: 'failed', code: 'THROWN', message: 'mine' })
  })
})

describe('outcomes of a handler', () => {
  it.each([
    [`throw new Error('no funds')`, 'no funds'],
    [`throw 'plain text'`, 'plain text'],
    [`throw 7n`, '7'],
    [`throw Symbol('s')`, 'Symbol(s)'],
    [`throw null`, 'null'],
    [`throw { message: 'odd' }`, 'odd'],
    [`throw { get message() { throw 1 } }`, ''],
    [`throw { message: 7 }`, ''],
    [`throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })`, ''],
    [`throw new Error('\\ud800')`, '\ufffd'],
    [`throw new Error('x'.repeat(5000))`, 'x'.repeat(1024)],
    [`throw new Error('\u00e4'.repeat(1000))`, '\u00e4'.repeat(512)],
  ])('%s', (body, message) => {
    expect(runBody(body)).toMatchObject({ status: 'failed', code: 'THROWN', message })
  })

  it('meters what a thrown message does', () => {
    expect(runBody('throw { get message() { for (;;); } }')).toMatchObject({ status: 'trap', code: 'OUT_OF_GAS' })
  })

  it.each([
    '',
    '{',
    "{'a':1}",
    'undefined',
    '[1,]',
    '01',
    '"\u0001"',
    '['.repeat(5000),
    `{"a":"${'x'.repeat(300_000)}"}`,
  ])('refuses arguments that are not JSON (%#)', (args) => {
    expect(runBody('return 1', { args })).toMatchObject({ status: 'failed', code: 'BAD_ARGUMENTS', message: '' })
  })

  it('knows only own methods of the right kind', () => {
    const network = createMemoryNetwork(shared)
    network.deploy('test', scriptOf('act() {}', 'look() {}'))
    for (const method of ['look', 'init', 'toString', '__proto__', 'constructor', '']) {
      expect(network.call('alice', 'test', method)).toMatchObject({ status: 'failed', code: 'UNKNOWN_METHOD' })
    }
    expect(network.view('test', 'act')).toMatchObject({ status: 'failed', code: 'UNKNOWN_METHOD' })
  })

  it('refuses asynchronous handlers', () => {
    expect(runBody('return Promise.resolve(1)')).toMatchObject({ status: 'failed', code: 'PROMISE' })
    expect(runBody('return (async () => 1)()')).toMatchObject({ status: 'failed', code: 'PROMISE' })
  })

  it('rethrows a bug of the host and runs the next call as if fresh', () => {
    const network = createMemoryNetwork(shared)
    const code = scriptRunning(`try { ctx.isAddress('x') } catch { return 'caught' }`)
    network.deploy('test', code)
    const broken = () => {
      throw new RangeError('Invalid array length')
    }
    expect(() => shared.run({ ...invocation(code), host: { ...invocation(code).host, isAddress: broken } })).toThrow(
      'Invalid array length',
    )
    expect(network.call('alice', 'test', 'run')).toMatchObject({ status: 'ok', result: null })
  })
})
