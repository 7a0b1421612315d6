// Which node is asked next.
import { describe, expect, test } from 'vitest'
import { createEndpoints } from '../../src/client/endpoints.ts'

const urls = ['http://a', 'http://b', 'http://c']
const names = (endpoints: { url: string }[]) => endpoints.map(({ url }) => url.at(-1)).join('')

describe('balance', () => {
  test('round-robin takes turns', () => {
    const endpoints = createEndpoints(urls)
    expect([1, 2, 3, 4].map(() => names(endpoints.order()))).toEqual(['abc', 'bca', 'cab', 'abc'])
  })

  test('random begins where the dice say', () => {
    const dice = [0.9, 0, 0.5]
    const endpoints = createEndpoints(urls, { balance: 'random', random: () => dice.shift()! })
    expect([1, 2, 3].map(() => names(endpoints.order()))).toEqual(['cab', 'abc', 'bca'])
  })

  test('least-connections prefers the idle', () => {
    const endpoints = createEndpoints(urls, { balance: 'least-connections' })
    endpoints.all[0]!.open = 2
    endpoints.all[1]!.open = 1
    expect(names(endpoints.order())).toBe('cba')
  })

  test('consistent-hash keeps a sender at its node, and moves only those of a node that is gone', () => {
    const senders = Array.from({ length: 60 }, (_, index) => `sender-${index}`)
    const all = createEndpoints(urls, { balance: 'consistent-hash' })
    const fewer = createEndpoints(urls.slice(0, 2), { balance: 'consistent-hash' })
    const firstOf = (endpoints: typeof all, sender: string) => endpoints.order(sender)[0]!.url
    for (const sender of senders) {
      if (firstOf(all, sender) !== 'http://c') expect(firstOf(fewer, sender)).toBe(firstOf(all, sender))
    }
    expect(new Set(senders.map((sender) => firstOf(all, sender))).size).toBe(3)
  })

  test.each([[['nonsense']], [['ftp://a']], [['http://a?x=1']]])('refuses %j', (bad) => {
    expect(() => createEndpoints(bad)).toThrow(/is not a node's URL/)
  })
})

test('a node that fails is set aside, longer each time, and tried again', () => {
  let now = 0
  const endpoints = createEndpoints(urls, { now: () => now })
  const [a] = endpoints.all
  endpoints.onFailure(a!)
  expect(names(endpoints.order())).toBe('bca')
  now = 249
  expect(names(endpoints.order()).at(-1)).toBe('a')
  now = 250
  expect(names(endpoints.order())).toBe('cab')
  endpoints.onFailure(a!)
  expect(a!.asideUntil).toBe(750)
  for (let failure = 0; failure < 20; failure++) endpoints.onFailure(a!)
  expect(a!.asideUntil - now).toBe(30_000)
  endpoints.onSuccess(a!)
  expect(names(endpoints.order())).toBe('abc')
})

test('with every node set aside, the one due first is asked', () => {
  let now = 0
  const endpoints = createEndpoints(urls, { now: () => now })
  for (const endpoint of [...endpoints.all].reverse()) {
    endpoints.onFailure(endpoint)
    now += 10
  }
  expect(names(endpoints.order())).toBe('cba')
})
