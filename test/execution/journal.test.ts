import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Journal } from '../../src/execution/journal.ts'
import { compareUtf8, truncateUtf8 } from '../../src/execution/utf8.ts'
import { MemoryStore } from './support.ts'

// Few letters, so that prefixes and collisions happen; U+E000, U+FF61 and U+1F600 order differently as UTF-16 and as UTF-8.
const key = fc.string({
  unit: fc.constantFrom('a', 'b', '/', 'é', '\ue000', '｡', '😀', '🦊'),
  minLength: 0,
  maxLength: 4,
})
const text = fc.string({ unit: 'binary', maxLength: 6 }).map((value) => value.toWellFormed())

type Step = { kind: 'set' | 'delete' | 'open' | 'merge' | 'drop' | 'scan'; key: string; after?: string; limit: number }
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'delete', 'delete', 'open', 'merge', 'drop', 'scan', 'scan'),
  key,
  after: fc.option(key, { nil: undefined }),
  limit: fc.integer({ min: 1, max: 5 }),
})

describe('compareUtf8', () => {
  it('orders texts as their bytes are ordered', () => {
    const sign = (number: number) => Math.sign(number)
    fc.assert(
      fc.property(fc.oneof(key, text), fc.oneof(key, text), (a, b) => {
        expect(sign(compareUtf8(a, b))).toBe(sign(Buffer.compare(Buffer.from(a), Buffer.from(b))))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('truncateUtf8', () => {
  it('cuts between characters, and no more than it must', () => {
    expect(truncateUtf8('aé😀', 7)).toBe('aé😀')
    expect(truncateUtf8('aé😀', 6)).toBe('aé')
    expect(truncateUtf8('aé😀', 2)).toBe('a')
    expect(truncateUtf8('\ud800x', 100)).toBe('\ufffdx')
  })
})

describe('journal', () => {
  it('does what copying the whole state for each layer does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, text), { maxLength: 8 }),
        fc.array(step, { maxLength: 40 }),
        (initial, steps) => {
          const store = new MemoryStore()
          for (const [name, value] of initial) store.entries.set(name, value)
          const journals = [new Journal(store)]
          const models = [copyOf(store)]
          steps.forEach((action, index) => {
            act(journals, models, action, `${index}`)
            const model = models.at(-1)!
            expect(journals.at(-1)!.get(action.key)).toBe(model.get(action.key))
          })
          while (journals.length > 1) act(journals, models, { kind: 'merge', key: '', limit: 1 }, '')
          const result = copyOf(store)
          result.apply(journals[0]!.writes())
          expect(new Map(result.entries)).toEqual(new Map(models[0]!.entries))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('lists its writes in byte order and leaves out deletions of nothing', () => {
    const store = new MemoryStore()
    store.entries.set('gone', '1')
    const journal = new Journal(store)
    for (const name of ['😀', '｡', 'b', 'a']) journal.set(name, name)
    journal.delete('gone')
    journal.delete('never')
    expect([...journal.writes()]).toEqual([
      ['a', 'a'],
      ['b', 'b'],
      ['gone', null],
      ['｡', '｡'],
      ['😀', '😀'],
    ])
  })

  it('counts the deleted keys that a scan passes, however they are layered', () => {
    const store = new MemoryStore()
    for (let i = 0; i < 300; i++) store.entries.set(`k${String(i).padStart(3, '0')}`, '1')
    const journal = new Journal(store)
    const layer = journal.open()
    for (let i = 0; i < 200; i++) (i % 2 === 0 ? journal : layer).delete(`k${String(i).padStart(3, '0')}`)
    layer.delete('k000')
    const { entries, skipped } = layer.scanCounted('k', undefined, 1)
    expect(entries).toEqual([['k200', '1']])
    expect(skipped).toBe(200)
  })

  it('cannot be merged into the store', () => {
    expect(() => new Journal(new MemoryStore()).merge()).toThrow('nothing to merge into')
  })
})

function copyOf(store: MemoryStore): MemoryStore {
  const copy = new MemoryStore()
  for (const [name, value] of store.entries) copy.entries.set(name, value)
  return copy
}

function act(journals: Journal[], models: MemoryStore[], action: Step, value: string): void {
  const journal = journals.at(-1)!
  const model = models.at(-1)!
  if (action.kind === 'set') {
    journal.set(action.key, value)
    model.entries.set(action.key, value)
  } else if (action.kind === 'delete') {
    journal.delete(action.key)
    model.entries.delete(action.key)
  } else if (action.kind === 'open') {
    journals.push(journal.open())
    models.push(copyOf(model))
  } else if (action.kind === 'scan') {
    const { key: prefix, after, limit } = action
    expect(journal.scan(prefix, after, limit)).toEqual(model.scan(prefix, after, limit))
  } else if (journals.length > 1) {
    journals.pop()
    models.pop()
    if (action.kind === 'merge') {
      journal.merge()
      models[models.length - 1] = model
    }
  }
}
