// genesis.json and its canonical form: nothing is lost between them, and the hash says so.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { genesisHash } from '../../src/crypto/digest.ts'
import {
  addValidator,
  createGenesis,
  formatGenesis,
  parseGenesis,
  readGenesisDraft,
} from '../../src/genesis/document.ts'
import { genesisJsonSchema } from '../../src/genesis/shape.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { ENGINE_HASH, soundGenesis, spoiled, validatorOf } from './support.ts'

describe('the readable form', () => {
  test('reads back to the same document and hash, without a warning', () => {
    const genesis = soundGenesis()
    expect(parseGenesis(formatGenesis(genesis), { engineHash: ENGINE_HASH, now: genesis.time })).toEqual({
      ok: true,
      genesis,
      hash: genesisHash(genesis),
      warnings: [],
    })
  })

  test('writes the time as RFC 3339 and init values as JSON, and may name its schema', () => {
    const document = JSON.parse(formatGenesis(soundGenesis()))
    expect(document.time).toBe('2026-01-31T12:00:00.000Z')
    expect(document.contracts[0].init.balances).toEqual([['x', 1]])
    const named = parseGenesis(spoiled((value) => Object.assign(value, { $schema: './schema.json' })))
    expect(named).toMatchObject({ ok: true, hash: genesisHash(soundGenesis()) })
  })

  test('keeps any init text exactly', () => {
    const texts = fc.oneof(
      fc.json(),
      fc.json().map((json) => ` ${json}\n`),
      fc.constantFrom('"text"', '""', '1e2', '{"b":1,"a":2,"10":3}', '{"__proto__":1}', '[1, 2]', 'null', '"\\u0041"'),
    )
    fc.assert(
      fc.property(texts, (init) => {
        const genesis = soundGenesis()
        genesis.contracts[0]!.init = init
        const parsed = parseGenesis(formatGenesis(genesis))
        expect(parsed).toMatchObject({ ok: true, hash: genesisHash(genesis) })
        if (parsed.ok) expect(parsed.genesis.contracts[0]!.init).toBe(init)
      }),
    )
  })

  test('takes init as a value, as JSON text, or leaves it out for null', () => {
    const initOf = (init: unknown) => {
      const parsed = parseGenesis(spoiled((document) => Object.assign(document.contracts[0], { init })))
      return parsed.ok ? parsed.genesis.contracts[0]!.init : parsed.faults[0]!.code
    }
    expect(initOf({ a: [1] })).toBe('{"a":[1]}')
    expect(initOf('{ "a": 1 }')).toBe('{ "a": 1 }')
    expect(initOf('"words"')).toBe('"words"')
    expect(initOf('words')).toBe('INIT')
    expect(initOf(undefined)).toBe('null')
  })
})

describe('building a document', () => {
  test('starts from the defaults', () => {
    const genesis = createGenesis({ chainId: 'a', engineHash: ENGINE_HASH, time: 0, parameters: { windowBlocks: 64 } })
    expect(genesis.parameters).toEqual({ ...PARAMETER_DEFAULTS, windowBlocks: 64 })
    expect(genesis.validators).toEqual([])
    expect(readGenesisDraft(formatGenesis(genesis))).toEqual({ ok: true, genesis })
    expect(parseGenesis(formatGenesis(genesis)).ok).toBe(false)
  })

  test('takes validators one by one from their public entries', () => {
    const draft = createGenesis({ chainId: 'a', engineHash: ENGINE_HASH, time: 0 })
    const first = addValidator(draft, validatorOf(1))
    if (!first.ok) throw new Error('a sound entry was refused')
    expect(first.genesis.validators).toEqual([validatorOf(1)])
    expect(draft.validators).toEqual([])
    const again = addValidator(first.genesis, validatorOf(1))
    expect(again).toMatchObject({
      ok: false,
      faults: [{ code: 'NAME_TWICE' }, { code: 'KEY_TWICE' }, { code: 'LOG_TWICE' }],
    })
  })

  test('says what is wrong with an entry', () => {
    const draft = createGenesis({ chainId: 'a', engineHash: ENGINE_HASH, time: 0 })
    const { name, key } = validatorOf(1)
    expect(addValidator(draft, { name, key, logs: 'x' })).toMatchObject({
      ok: false,
      faults: [
        { code: 'MISSING', path: 'validators[0].log' },
        { code: 'UNKNOWN_FIELD', path: 'validators[0].logs', mend: 'did you mean log?' },
      ],
    })
    expect(addValidator(draft, 'node')).toMatchObject({ ok: false, faults: [{ code: 'WRONG_TYPE' }] })
  })
})

test('the JSON schema in genesis/ is the one made from the shape', () => {
  const file = new URL('../../genesis/schema.json', import.meta.url)
  const kept = JSON.parse(readFileSync(file, 'utf8'))
  expect(kept, 'make it anew with the command in genesis/README.md').toEqual(
    JSON.parse(JSON.stringify(genesisJsonSchema())),
  )
  const { parameters } = kept.properties
  for (const name of Object.keys(PARAMETER_DEFAULTS)) expect(parameters.properties[name].description).toMatch(/\w+/)
  expect(parameters.required.sort()).toEqual(Object.keys(PARAMETER_DEFAULTS).sort())
})
