// Nonces of transactions under way: one each, and none left out.
import { expect, test } from 'vitest'
import { createNonces } from '../../src/client/nonces.ts'

test('those under way get the following ones, though nodes have not heard of them', async () => {
  const nonces = createNonces(async () => 5)
  expect(await Promise.all([nonces.take('a'), nonces.take('a'), nonces.take('b')])).toEqual([5, 6, 5])
})

test('nodes that know of more are believed', async () => {
  const pending = [5, 9]
  const nonces = createNonces(async () => pending.shift()!)
  expect([await nonces.take('a'), await nonces.take('a')]).toEqual([5, 9])
})

test('one that was never used is asked for again, and with none under way the nodes know best', async () => {
  const nonces = createNonces(async () => 5)
  await nonces.take('a')
  await nonces.take('a')
  nonces.end('a', true)
  expect(await nonces.take('a')).toBe(7)
  nonces.end('a', false)
  expect(await nonces.take('a')).toBe(5)
  nonces.end('a', true)
  nonces.end('a', true)
  expect(await nonces.take('a')).toBe(5)
})
