// A sandbox that evaluates nothing: a contract's code is the name of a script here. It pins execution's own part of a receipt, its
// bytes included, whatever the engine's gas becomes.
import type { Sandbox } from '../../src/execution/runtime.ts'
import { Trap } from '../../src/execution/sandbox/trap.ts'
import type { Invocation, Outcome } from '../../src/execution/sandbox/types.ts'

type Script = (invocation: Invocation) => Outcome

const scripts: Record<string, Script> = {
  counter({ host, kind, method, args, context, gasLimit }) {
    if (kind === 'init') {
      host.set('count', '0')
      return { status: 'ok', result: null, gasUsed: 11 }
    }
    if (method === 'add') {
      const count = Number(host.get('count')) + Number(args)
      host.set('count', String(count))
      host.emit('Added', JSON.stringify({ by: context.sender, count }))
      return { status: 'ok', result: String(count), gasUsed: 22 }
    }
    if (method === 'refuse') {
      host.set('count', '-1')
      return { status: 'failed', code: 'THROWN', message: 'nein: ö', gasUsed: 33 }
    }
    if (method === 'spin') return { status: 'trap', code: 'OUT_OF_GAS', gasUsed: gasLimit }
    return { status: 'failed', code: 'UNKNOWN_METHOD', message: 'not to be hashed', gasUsed: 1 }
  },
  // Adds through the counter twice, then lets it refuse, and goes on.
  caller({ host, gasLimit }) {
    const outcomes = ['add', 'add', 'refuse'].map((method) => host.call('counter', method, '5', gasLimit - 200))
    if (outcomes.some(({ kind }) => kind === 'trap')) throw new Trap('OUT_OF_GAS')
    host.emit('Called', JSON.stringify(outcomes))
    return { status: 'ok', result: null, gasUsed: outcomes.reduce((sum, { gasUsed }) => sum + gasUsed, 100) }
  },
  greedy: ({ gasLimit }) => ({ status: 'ok', result: '"paid too little"', gasUsed: gasLimit + 1 }),
}

export function createScriptedSandbox(): Sandbox {
  return {
    run: (invocation) => scripts[invocation.code]!(invocation),
    inspect: (code) =>
      Object.hasOwn(scripts, code)
        ? { ok: true, init: code === 'counter', migrate: false, calls: ['add'], views: [] }
        : { ok: false, code: 'SYNTAX', message: 'no such script' },
  }
}
