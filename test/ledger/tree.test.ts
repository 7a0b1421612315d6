import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStateTree } from '../../src/ledger/tree.ts'
import { naiveRoot } from './naive-tree.ts'

type Entry = [key: string, value: string | null]
const apply = (state: Map<string, string>, entries: Iterable<Entry>) => {
  for (const [key, value] of entries) value === null ? state.delete(key) : state.set(key, value)
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/state-tree.json', import.meta.url), 'utf8')) as {
  cases: { name: string; state: [string, string][]; root: string }[]
}

describe('state tree', () => {
  it.each(vectors.cases)('gives the published root: $name', ({ state, root }) => {
    const tree = createStateTree()
    tree.adopt(tree.prepare(state))
    expect(tree.root()).toBe(root)
    expect(naiveRoot(new Map(state))).toBe(root)
  })

  it('meets its naive twin over long histories of writes and deletes, tentative ones between', () => {
    const key = fc.integer({ min: 0, max: 60 }).map((n) => `contract\0${n}`)
    const value = fc.option(fc.integer({ min: 0, max: 3 }).map(String), { nil: null, freq: 2 })
    const batch = fc.record({ writes: fc.array(fc.tuple(key, value), { maxLength: 40 }), keep: fc.boolean() })
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 40 }), (batches) => {
        const tree = createStateTree()
        const state = new Map<string, string>()
        for (const { writes, keep } of batches) {
          const unique = new Map(writes)
          const next = new Map(state)
          apply(next, unique)
          const before = tree.root()
          const change = tree.prepare(unique)
          expect(change.root).toBe(naiveRoot(next))
          expect(tree.root()).toBe(before)
          if (!keep) {
            tree.drop(change)
            continue
          }
          tree.adopt(change)
          apply(state, unique)
        }
        expect(tree.root()).toBe(naiveRoot(state))
      }),
      { numRuns: 100 },
    )
  })

  it('does not depend on the order or the grouping of writes', () => {
    const entries = fc.uniqueArray(fc.tuple(fc.string(), fc.string()), { selector: ([key]) => key, maxLength: 50 })
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 10 }), (all, size) => {
        const once = createStateTree()
        once.adopt(once.prepare(all))
        const pieces = createStateTree()
        const reversed = all.toReversed()
        for (let at = 0; at < reversed.length; at += size) pieces.adopt(pieces.prepare(reversed.slice(at, at + size)))
        expect(pieces.root()).toBe(once.root())
      }),
    )
  })

  it('frees what it replaces and what is dropped', () => {
    const tree = createStateTree()
    const fill = Array.from({ length: 1000 }, (_, n): Entry => [`key ${n}`, 'a'])
    tree.adopt(tree.prepare(fill))
    const full = tree.nodes()
    for (let round = 0; round < 20; round++) {
      tree.drop(tree.prepare(fill.map(([key]): Entry => [key, `dropped ${round}`])))
      tree.adopt(tree.prepare(fill.slice(0, 100).map(([key]): Entry => [key, `kept ${round}`])))
    }
    expect(tree.nodes()).toBe(full)
    tree.adopt(tree.prepare(fill.map(([key]): Entry => [key, null])))
    expect(tree.nodes()).toBe(0)
    expect(tree.root()).toBe('0'.repeat(64))
  })

  it('refuses a change that was prepared against another tree', () => {
    const tree = createStateTree()
    const first = tree.prepare([['a', '1']])
    const second = tree.prepare([['b', '1']])
    tree.adopt(first)
    expect(() => tree.adopt(second)).toThrow('another tree')
  })
})
