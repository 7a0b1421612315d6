// Where a contract threw. A receipt says what was thrown, not where, so a call that failed runs once more, over the same state and
// to no effect, as a copy of its code in which each handler tells the stack of what it throws. What is seen of the call itself, its gas
// above all, comes from the first run alone.
import { createHash } from 'node:crypto'
import type { StackFrame } from '../contract/positions.ts'
import type { Sandbox } from '../execution/runtime.ts'
import type { ContractHost } from '../execution/sandbox/types.ts'
import type { PositionsOf } from './execute.ts'

export interface Diagnosis {
  /** For a run that leads to the same error. */
  readonly sandbox: Sandbox
  /** Frames of what left the outermost handler, innermost first, through the contracts it called. */
  frames(): StackFrame[]
}

/** No contract has a name like this one, and only the wrapped handlers ask for it. */
const LISTENER = '(diagnosis)'

/** Wraps every handler of the bundle before it. The contract's code ran already, but may have replaced any built-in. */
const WRAPPER = `
;(() => {
  const given = quorateContract.default
  const tell = (ctx, error) => { try { ctx.view('${LISTENER}', 'thrown', { stack: '' + error.stack, code: error.code }) } catch {} }
  const wrap = (handler) => typeof handler !== 'function' ? handler : (ctx, args) => {
    try { return handler(ctx, args) } catch (error) { tell(ctx, error); throw error }
  }
  const wrapAll = (table) => {
    const wrapped = { __proto__: null }
    for (const name of Object.keys(table ?? {})) wrapped[name] = wrap(table[name])
    return wrapped
  }
  quorateContract = { default: { init: wrap(given.init), migrate: wrap(given.migrate), calls: wrapAll(given.calls), views: wrapAll(given.views) } }
})()`

export function diagnose(sandbox: Sandbox, positionsOf: PositionsOf): Diagnosis {
  /** By depth, the error that left the contract running there; deeper ones are of the last call that one made. */
  const thrown: StackFrame[][] = []
  // A deploy runs at depth 0 outside the sandbox, its init at depth 1 inside.
  let outermost = Number.POSITIVE_INFINITY

  function onThrown(depth: number, codeHash: string, report: string): void {
    const { stack, code } = JSON.parse(report) as { stack: string; code?: unknown }
    const own = positionsOf(codeHash)?.stackFrames(stack) ?? []
    const inner = code === 'NESTED' ? (thrown.slice(depth + 1).find((frames) => frames !== undefined) ?? []) : []
    thrown[depth] = [...inner, ...own]
  }

  return {
    sandbox: {
      inspect: sandbox.inspect,
      run(invocation) {
        const { code, codeHash, depth } = invocation
        outermost = Math.min(outermost, depth)
        const forgetDeeper = () => {
          thrown.length = Math.min(thrown.length, depth + 1)
        }
        const host: ContractHost = {
          ...invocation.host,
          call(...call) {
            forgetDeeper()
            return invocation.host.call(...call)
          },
          view(...call) {
            if (call[0] === LISTENER) {
              onThrown(depth, codeHash, call[2])
              return { kind: 'ok', result: null, gasUsed: 0 }
            }
            forgetDeeper()
            return invocation.host.view(...call)
          },
        }
        const telling = code + WRAPPER
        const tellingHash = createHash('sha256').update(telling, 'utf8').digest('hex')
        return sandbox.run({ ...invocation, host, code: telling, codeHash: tellingHash })
      },
    },
    frames: () => thrown[outermost] ?? [],
  }
}
