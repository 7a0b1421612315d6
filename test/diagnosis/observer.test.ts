/** The observer: what a contract logs reaches the test under its contract's name, bounded; everything else passes through. */
import { expect, it } from 'vitest'
import { observe } from '../../src/diagnosis/observer.ts'
import type { Sandbox } from '../../src/execution/runtime.ts'
import type { ContractHost, Invocation } from '../../src/execution/sandbox/types.ts'

/** A sandbox whose contract is a function of its host. */
const scripted = (script: (host: ContractHost) => void): Sandbox => ({
  run({ host }) {
    script(host)
    return { status: 'ok', result: '"done"', gasUsed: 7 }
  },
  inspect: () => ({ ok: false, code: 'SYNTAX', message: 'line 1' }),
})
const invocation = (contract: string, host: Partial<ContractHost> = {}) =>
  ({ context: { contract }, host }) as unknown as Invocation

it('keeps logs with their contract and level, a thousand at most', () => {
  const observer = observe(scripted((host) => host.log!('warn', 'careful')))
  for (let run = 0; run < 1_001; run++) observer.sandbox.run(invocation(run === 0 ? 'first' : 'second'))
  expect(observer.logs.slice(0, 2)).toEqual([
    { contract: 'first', level: 'warn', text: 'careful' },
    { contract: 'second', level: 'warn', text: 'careful' },
  ])
  expect(observer.logs).toHaveLength(1_000)
})

it('notes keys that were read or scanned, and hands on what was answered', () => {
  const answers: unknown[] = []
  const script = (host: ContractHost) => answers.push(host.get('a'), host.scan('b', undefined, 9), host.get('a'))
  const observer = observe(scripted(script))
  const host = { get: () => '1', scan: () => [['b1', '2'] as [string, string]] }
  expect(observer.sandbox.run(invocation('keys', host))).toEqual({ status: 'ok', result: '"done"', gasUsed: 7 })
  expect(answers).toEqual(['1', [['b1', '2']], '1'])
  expect([...observer.reads.get('keys')!]).toEqual(['a', 'b1'])
})

it('remembers why code is no contract', () => {
  const observer = observe(scripted(() => {}))
  expect(observer.sandbox.inspect('x', 1)).toEqual(observer.refusedCode)
  expect(observer.refusedCode).toMatchObject({ code: 'SYNTAX', message: 'line 1' })
})
