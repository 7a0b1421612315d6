// Sample calls under several surroundings: what they compare, and that they really run there.
import { describe, expect, it } from 'vitest'
import { faultsOfRuns, parseSamples, runSamples, type Sample, type SampleOutcome } from '../../src/testing/samples.ts'

const outcome = (more: Partial<SampleOutcome> = {}): SampleOutcome => {
  return { status: 'ok', result: 1, gasUsed: 5, error: null, events: [], changes: {}, ...more }
}
const call: Sample = { kind: 'call', method: 'add' }
const runsOf = (...outcomes: SampleOutcome[]) => outcomes.map((one, index) => ({ where: `w${index}`, outcomes: [one] }))

describe('samples', () => {
  it.each([
    ['gasUsed', { gasUsed: 6 }, '5 under w0, 6 under w2'],
    ['result', { result: '1' }, '1 under w0, "1" under w2'],
    ['status', { status: 'reverted' }, '"ok" under w0, "reverted" under w2'],
    ['events', { events: [1] }, '[] under w0, [1] under w2'],
    ['changes', { changes: { a: 1 } }, '{} under w0, {"a":1} under w2'],
  ])('are refused where runs differ in %s', (part, more, told) => {
    const runs = runsOf(outcome(), outcome(), outcome(more))
    expect(faultsOfRuns([call], runs)).toEqual([`sample 1 (call add) differs in ${part}: ${told}`])
  })

  it('may fail as they like, but not to start, nor by a promise', () => {
    const failed = (code: string) => outcome({ status: 'reverted', error: { code, message: 'm' } })
    const faults = (sample: Sample, code: string) => faultsOfRuns([sample], runsOf(failed(code), failed(code)))
    expect(faults(call, 'THROWN')).toEqual([])
    expect(faults(call, 'PROMISE')).toEqual(['sample 1 (call add) fails with PROMISE: m'])
    expect(faults({ kind: 'init' }, 'THROWN')).toEqual(['sample 1 (init) fails with THROWN: m'])
  })

  it.each([
    ['[', /^it is not JSON/],
    ['{}', /^it is no list/],
    [JSON.stringify(Array(101).fill(call)), /^it is no list of up to 100/],
    ['[null]', /^sample 1 has no kind/],
    ['[{"kind":"call","method":"a"},{"kind":"toString"}]', /^sample 2 has no kind/],
    ['[{"kind":"view"}]', /^sample 1 names no method/],
    ['[{"kind":"view","method":"a","from":7}]', /^sample 1 has a from/],
    ['[{"kind":"view","method":"a"},{"kind":"init"}]', /^sample 2 is an init/],
  ])('are not %s', (json, fault) => {
    expect(parseSamples(json)).toEqual({ fault: expect.stringMatching(fault) })
  })

  it('run in order, each chain twice in each of three processes, with addresses for names', async () => {
    const code = `var quorateContract = { default: {
      init(ctx, { owner }) { ctx.state.set('owner', owner) },
      migrate(ctx, { to }) { ctx.state.set('owner', to) },
      calls: { add(ctx, { by }) { if (ctx.sender !== ctx.state.get('owner')) throw new Error('no'); ctx.emit('Added', by); return by } },
      views: { text(ctx, { n }) { return [n.toLocaleString(), new Date(0).toString(), 'I'.toLocaleLowerCase()] } },
    } }`
    const runs = await runSamples(code, [
      { kind: 'init', args: { owner: '@bob' } },
      { kind: 'call', method: 'add', args: { by: 2 }, from: 'bob' },
      { kind: 'call', method: 'add', args: { by: 2 }, from: 'carol' },
      { kind: 'migrate', args: { to: '@carol' } },
      { kind: 'call', method: 'add', args: { by: 3 }, from: 'carol' },
      { kind: 'view', method: 'text', args: { n: 1234.5 } },
    ])
    expect(runs.map(({ where }) => where)).toEqual([
      expect.stringMatching(/^LC_ALL=C TZ=UTC, run 1$/),
      expect.stringMatching(/run 2$/),
      expect.stringMatching(/Kathmandu --liftoff-only, run 1$/),
      expect.stringMatching(/run 2$/),
      expect.stringMatching(/St_Johns --no-liftoff, run 1$/),
      expect.stringMatching(/run 2$/),
    ])
    expect(runs[5]!.outcomes.map(({ status, result }) => [status, result]).slice(0, 5)).toEqual([
      ['ok', null],
      ['ok', 2],
      ['reverted', null],
      // The owner of the contract is alice, who deployed as nobody else was named.
      ['ok', null],
      ['ok', 3],
    ])
    expect(runs[0]!.outcomes[1]!.events).toEqual([{ contract: 'sample', name: 'Added', data: 2 }])
    for (const { outcomes } of runs) expect(outcomes).toEqual(runs[0]!.outcomes)
  }, 60_000)

  it('say why they did not run', async () => {
    await expect(runSamples('', [{ kind: 'call', method: 'a', from: '' }])).rejects.toThrow(
      /under LC_ALL=C.*cannot sign/s,
    )
  }, 60_000)
})
