/** The shipped stream, by the execution code of a validator. */
import fc from 'fast-check'
import { account, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const [alice, bob] = ['alice', 'bob'].map((name) => account(name).address) as [string, string]
let deployed: TestChain
let chain: TestChain
/** Of the first reading: a whole number of windows. */
let start: number

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy(new URL('.', import.meta.url), { name: 'stream' })
  const args = { stream: 'heat', windowMs: 100, scale: 2, retentionMs: 1_000, aheadMs: 50, writers: [bob] }
  deployed.mustCall('stream', 'createStream', args)
  deployed.advance(5_000)
  start = Math.floor(deployed.time / 100) * 100
})
beforeEach(() => {
  chain = deployed.fork()
})

type Value = [timeAfterStart: number, value: string]
const append = (values: Value[], { from = 'alice', stream = 'heat', on = chain } = {}) => {
  const readings = values.map(([time, value]) => ({ time: start + time, value }))
  return on.call('stream', 'append', { stream, readings }, { from })
}
const view = (name: string, args: object = {}, on = chain) => on.view('stream', name, { stream: 'heat', ...args })
const range = (from: number, to: number) => ({ from: start + from, to: start + to })
const key = (kind: string, time: number) => `${kind}/heat/${String(start + time).padStart(16, '0')}`
const thrown = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { code: 'THROWN', message: expect.stringMatching(message) },
})

describe('stream', () => {
  it('takes readings, under the documented keys and with its event', () => {
    const { changes, events } = append([
      [-90, '-0.5'],
      [-95, '2.25'],
      [-90, '3'],
      [5, '1.00'],
    ])
    expect(changes.stream).toEqual({
      [key('reading', -95)]: { before: undefined, after: ['2.25'] },
      [key('reading', -90)]: { before: undefined, after: ['-0.50', '3.00'] },
      [key('reading', 5)]: { before: undefined, after: ['1.00'] },
      [key('window', -100)]: { before: undefined, after: { count: 3, sum: '4.75', min: '-0.50', max: '3.00' } },
      [key('window', 0)]: { before: undefined, after: { count: 1, sum: '1.00', min: '1.00', max: '1.00' } },
    })
    const data = { stream: 'heat', account: alice, count: 4, first: start - 95, last: start + 5 }
    expect(events).toEqual([{ contract: 'stream', name: 'Appended', data }])
  })

  it('aggregates whole windows', () => {
    append([
      [-150, '1'],
      [-90, '2'],
      [-1, '4.5'],
      [0, '8'],
    ])
    const aggregate = (from: number, to: number) => view('aggregate', range(from, to))
    const summary = { count: 3, sum: '7.50', min: '1.00', max: '4.50', mean: '2.50' }
    expect(aggregate(-200, 0)).toEqual({ ...range(-200, 0), ...summary })
    expect(aggregate(-100, 100)).toMatchObject({ count: 3, sum: '14.50' })
    const empty = { count: 0, sum: '0.00', min: null, max: null, mean: null }
    expect(aggregate(-400, -200)).toEqual({ ...range(-400, -200), ...empty })
    expect(() => aggregate(-150, 0)).toThrow(
      `from is ${start - 150}, inside a window: give ${start - 200} or ${start - 100}`,
    )
    expect(() => aggregate(-100, 50)).toThrow(`to is ${start + 50}, inside a window`)
    expect(() => aggregate(-100_100, 0)).toThrow('the range has 1001 windows: give at most 1000')
    expect(aggregate(-100_000, 0)).toMatchObject({ count: 3 })
    expect(() => aggregate(0, 0)).toThrow('is empty: give a from below to')
  })

  it.each([
    ['0.01', '0.02', '0.02'],
    ['0.02', '0.03', '0.02'],
    ['-0.01', '-0.02', '-0.02'],
    ['-0.02', '-0.03', '-0.02'],
    ['-0.01', '0.00', '0.00'],
    ['0.01', '0.01', '0.01'],
  ])('rounds the mean of %s and %s to %s: halves to the even', (one, other, mean) => {
    append([
      [0, one],
      [1, other],
    ])
    expect(view('aggregate', range(0, 100)).mean).toBe(mean)
  })

  it('keeps many digits exactly', () => {
    const largest = `${'9'.repeat(30)}.99`
    append([
      [0, largest],
      [1, largest],
      [2, `-${largest}`],
    ])
    expect(view('aggregate', range(0, 100))).toMatchObject({ sum: largest, max: largest, min: `-${largest}` })
    const mean = (BigInt(largest.replace('.', '')) / 3n).toString()
    expect(view('aggregate', range(0, 100)).mean).toBe(`${mean.slice(0, -2)}.${mean.slice(-2)}`)
  })

  it('keeps whole numbers without a point', () => {
    chain.mustCall('stream', 'createStream', { stream: 'count', windowMs: 100, scale: 0 })
    append(
      [
        [0, '7'],
        [1, '-2.000'],
      ],
      { stream: 'count' },
    )
    expect(chain.view('stream', 'aggregate', { stream: 'count', ...range(0, 100) })).toMatchObject({
      sum: '5',
      min: '-2',
      mean: '2',
    })
    expect(append([[0, '0.1']], { stream: 'count' })).toMatchObject(thrown('the stream keeps 0 decimals'))
  })

  it('takes late readings within the retention and early ones within what clocks may be ahead', () => {
    const at = (time: number) => {
      const now = chain.time + 1
      return append([[now + time - start, '1']])
    }
    expect(at(-1_001)).toMatchObject(
      thrown(/readings\[0\].time is \d+: the stream takes nothing older than \d+ any more/),
    )
    expect(at(-1_000).status).toBe('ok')
    expect(at(51)).toMatchObject(thrown('the stream takes nothing later than'))
    expect(at(50).status).toBe('ok')
  })

  it('takes all readings or none', () => {
    const outcome = append([
      [0, '1'],
      [1, '1.005'],
    ])
    expect(outcome).toMatchObject(thrown('readings\\[1\\].value is "1.005": the stream keeps 2 decimals, so round it'))
    const many = Array.from({ length: 17 }, (): Value => [0, '1'])
    expect(append(many)).toMatchObject(thrown(/has 16 readings at \d+ already/))
    expect(append(many.slice(1)).status).toBe('ok')
    expect(append([[0, '1']])).toMatchObject(thrown(/has 16 readings at \d+ already/))
  })

  it('pages through readings and windows in the order of time', () => {
    append([
      [-100, '1'],
      [-50, '2'],
      [-50, '3'],
      [10, '4'],
    ])
    const readings = (from: number, limit: number) => {
      const { readings, next } = view('readings', { ...range(from, 20), limit })
      return [
        readings.map(({ time, value }: { time: number; value: string }) => [time - start, value]),
        next && next - start,
      ]
    }
    expect(readings(-100, 2)).toEqual([[[-100, '1.00']], -50])
    expect(readings(-50, 1)).toEqual([
      [
        [-50, '2.00'],
        [-50, '3.00'],
      ],
      10,
    ])
    expect(readings(-99, 3)).toEqual([
      [
        [-50, '2.00'],
        [-50, '3.00'],
        [10, '4.00'],
      ],
      null,
    ])
    expect(view('readings', range(-100, -50)).readings).toHaveLength(1)
    const summary = { count: 3, sum: '6.00', min: '1.00', max: '3.00', mean: '2.00' }
    expect(view('windows', { ...range(-1_000, 100), limit: 1 })).toEqual({
      windows: [{ ...range(-100, 0), ...summary }],
      next: start,
    })
    expect(view('windows', range(0, 100))).toMatchObject({ windows: [{ from: start, count: 1 }], next: null })
  })

  it('prunes readings past the retention, so many at a time, and keeps their windows', () => {
    for (const time of [-300, -200, -100])
      append([
        [time, '1'],
        [time, '2'],
      ])
    chain.advance(start - 100 + 1_000 - chain.time - 1)
    const prune = () => chain.mustCall('stream', 'prune', { stream: 'heat', limit: 1 }, { from: 'dave' })
    const { result, events } = prune()
    expect(result).toEqual({ pruned: 2, more: true })
    const data = { stream: 'heat', before: start - 100, count: 2 }
    expect(events).toEqual([{ contract: 'stream', name: 'Pruned', data }])
    expect(chain.entries('stream', 'reading/').map(([key]) => key)).toEqual([
      key('reading', -200),
      key('reading', -100),
    ])
    chain.advance(1)
    expect(chain.mustCall('stream', 'prune', { stream: 'heat' }).result).toEqual({ pruned: 4, more: false })
    expect(chain.mustCall('stream', 'prune', { stream: 'heat' })).toMatchObject({
      result: { pruned: 0 },
      changes: {},
      events: [],
    })
    expect(view('aggregate', range(-300, 0))).toMatchObject({ count: 6, sum: '9.00' })
  })

  it('is written by its owner and its writers', () => {
    const one: Value[] = [[0, '1']]
    expect(append(one, { from: 'bob' }).status).toBe('ok')
    expect(append(one, { from: 'carol' })).toMatchObject(thrown('may not write to stream heat: ask its owner'))
    const call = (from: string, method: string, args: object) =>
      chain.call('stream', method, { stream: 'heat', ...args }, { from })
    expect(call('bob', 'setWriters', { writers: [] })).toMatchObject(thrown('only its owner'))
    const { events } = call('alice', 'setOwner', { owner: bob })
    expect(events).toEqual([
      { contract: 'stream', name: 'StreamChanged', data: { stream: 'heat', owner: bob, writers: [bob] } },
    ])
    expect(append(one).status).toBe('reverted')
    expect(view('stream')).toEqual({
      owner: bob,
      writers: [bob],
      windowMs: 100,
      scale: 2,
      retentionMs: 1_000,
      aheadMs: 50,
    })
    expect(view('stream', { stream: 'none' })).toBeNull()
    expect(() => view('readings', { stream: 'none', ...range(0, 1) })).toThrow('stream none does not exist')
  })

  const settings = { stream: 'x', windowMs: 100, scale: 2 }
  it.each([
    ['createStream', 'arguments must be a JSON object', null],
    ['createStream', 'stream heat exists already', { ...settings, stream: 'heat' }],
    ['createStream', 'stream is "": give 1 to 64', { ...settings, stream: '' }],
    ['createStream', 'windowMs is missing: give a whole number from 1', { stream: 'x', scale: 2 }],
    ['createStream', 'windowMs is 0', { ...settings, windowMs: 0 }],
    ['createStream', 'scale is 19: give a whole number from 0 to 18', { ...settings, scale: 19 }],
    ['createStream', 'retentionMs is "1d"', { ...settings, retentionMs: '1d' }],
    ['createStream', 'aheadMs is -1', { ...settings, aheadMs: -1 }],
    ['createStream', 'arguments: "window" is not known', { ...settings, window: 1 }],
    ['append', 'readings is missing: give a list of 1 to 100', { stream: 'heat' }],
    ['append', 'readings has 0 entries: give 1 to 100', { stream: 'heat', readings: [] }],
    ['append', 'readings has 101 entries', { stream: 'heat', readings: Array(101).fill(0) }],
    ['append', 'readings\\[0\\] must be a JSON object', { stream: 'heat', readings: [1] }],
    ['append', 'readings\\[0\\].time is "1"', { stream: 'heat', readings: [{ time: '1', value: '1' }] }],
    ['prune', 'limit is 501: give a whole number from 1 to 500', { stream: 'heat', limit: 501 }],
  ])('%s: %s', (method, message, args) => {
    expect(chain.call('stream', method, args)).toMatchObject(thrown(message))
  })

  it.each([1, null, '', '-', '+1', '01', '1.', '.5', '1e3', ' 1', '0x1', '1,5', '9'.repeat(31), ['1']])(
    'refuses the value %j',
    (value) => {
      expect(append([[0, value as string]])).toMatchObject(thrown('readings\\[0\\].value is .* give a decimal string'))
    },
  )

  it('has the aggregates that all accepted readings have, whatever their order, and whatever is pruned', () => {
    const value = fc.integer({ min: -500, max: 500 })
    const reading = fc.record({ ago: fc.integer({ min: -20, max: 1_040 }), units: value })
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          method: fc.constant('append' as const),
          readings: fc.array(reading, { minLength: 1, maxLength: 8 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ method: fc.constant('prune' as const), limit: fc.integer({ min: 1, max: 4 }) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ method: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }),
      },
    )
    const spans = fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), spans, (steps, asked) => {
        const run = deployed.fork()
        const taken: { time: number; units: number }[] = []
        let kept: typeof taken = []
        for (const step of steps) {
          if (step.method === 'wait') run.advance(step.ms)
          else if (step.method === 'prune') {
            const { result } = run.mustCall('stream', 'prune', { stream: 'heat', limit: step.limit })
            const old = [...new Set(kept.map(({ time }) => time))]
              .filter((time) => time < run.time - 1_000)
              .sort((a, b) => a - b)
            const gone = old.slice(0, step.limit)
            const before = kept.length
            kept = kept.filter(({ time }) => !gone.includes(time))
            expect(result).toEqual({ pruned: before - kept.length, more: old.length > gone.length })
          } else {
            const readings = step.readings.map(({ ago, units }) => ({ time: run.time + 1 - ago, units }))
            const values = readings.map(({ time, units }): Value => [time - start, text(units)])
            if (append(values, { on: run }).status === 'ok') {
              taken.push(...readings)
              kept.push(...readings)
            }
          }
        }
        for (const [first, length] of asked) {
          const from = start + 100 * (first - 10)
          const to = from + 100 * length
          const inside = ({ time }: { time: number }) => time >= from && time < to
          expectSummary(view('aggregate', { from, to }, run), taken.filter(inside))
          const sum = (view('windows', { from, to }, run).windows as Summary[]).reduce(
            (sum, { count }) => sum + count,
            0,
          )
          expect(sum).toBe(taken.filter(inside).length)
          const expected = kept.filter(inside).sort((a, b) => a.time - b.time)
          expect(view('readings', { from, to }, run).readings).toEqual(
            expected.map(({ time, units }) => ({ time, value: text(units) })),
          )
        }
      }),
      { numRuns: 60 },
    )
  })
})

interface Summary {
  count: number
  sum: string
  min: string | null
  max: string | null
  mean: string | null
}

const text = (units: number) => {
  const digits = String(Math.abs(units)).padStart(3, '0')
  return `${units < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}
const parse = (decimal: string) => BigInt(decimal.replace('.', ''))

/** All over again from the readings. The mean is held to what rounding means, not to how it is done. */
function expectSummary(found: Summary, readings: { units: number }[]): void {
  const units = readings.map(({ units }) => BigInt(units))
  expect(found.count).toBe(units.length)
  const sum = units.reduce((sum, unit) => sum + unit, 0n)
  expect(parse(found.sum)).toBe(sum)
  if (units.length === 0) return expect([found.min, found.max, found.mean]).toEqual([null, null, null])
  const sorted = [...units].sort((a, b) => (a < b ? -1 : 1))
  expect([parse(found.min!), parse(found.max!)]).toEqual([sorted[0], sorted.at(-1)])
  const mean = parse(found.mean!)
  const count = BigInt(units.length)
  const twiceOff = 2n * (mean * count - sum)
  expect(twiceOff <= count && -twiceOff <= count).toBe(true)
  if (twiceOff === count || -twiceOff === count) expect(mean % 2n).toBe(0n)
}
