// The highest level and its newest value, as values come, move and go.
import { expect, test } from 'vitest'
import { createLink } from '../../src/mempool/chain.ts'
import { Levels } from '../../src/mempool/levels.ts'

test('gives the newest of the highest level; putting one where it is keeps its place', () => {
  const levels = new Levels<string>()
  expect(levels.top()).toBeUndefined()
  const [a, b, c] = ['a', 'b', 'c'].map(createLink)
  levels.put(a!, 2)
  levels.put(b!, 2)
  levels.put(a!, 2)
  expect(levels.top()).toEqual({ level: 2, value: 'b' })
  levels.put(c!, 7)
  expect(levels.top()).toEqual({ level: 7, value: 'c' })
  levels.put(c!, 1)
  levels.put(b!, 0)
  expect(levels.top()).toEqual({ level: 2, value: 'a' })
  levels.put(a!, 0)
  levels.put(a!, 0)
  expect(levels.top()).toEqual({ level: 1, value: 'c' })
})
