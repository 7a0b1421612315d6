/** Contract scripts in the form the sandbox evaluates, written out by hand so that these tests need no bundler. */
import {
  createSandbox,
  hashCode,
  type Invocation,
  type Outcome,
  type Sandbox,
} from '../../../src/execution/sandbox/index.ts'
import { createMemoryNetwork } from '../../contract/memory-host.ts'

/** A script whose calls and views are given as the bodies of object literals; `before` runs at its top level. */
export const scriptOf = (calls: string, views = '', before = '', init = '') =>
  `${before}\nvar quorateContract = { default: { ${init} calls: { ${calls} }, views: { ${views} } } }`

/** A script with one call, `run(ctx, args)`, of the given body. */
export const scriptRunning = (body: string, before = '') => scriptOf(`run(ctx, args) { ${body} }`, '', before)

export const shared: Sandbox = createSandbox()

/** Runs the body as a call on an empty state and gives the outcome. */
export function runBody(body: string, options: { args?: unknown; gas?: number; before?: string } = {}): Outcome {
  const network = createMemoryNetwork(shared)
  const deployed = network.deploy('test', scriptRunning(body, options.before))
  if (deployed.status !== 'ok') return deployed
  return network.call('alice', 'test', 'run', options.args, options.gas)
}

/** What the body returns, or its outcome where it did not end well. */
export function resultOf(body: string, options?: Parameters<typeof runBody>[1]): unknown {
  const outcome = runBody(body, options)
  if (outcome.status !== 'ok') return outcome
  return outcome.result === null ? undefined : JSON.parse(outcome.result)
}

const refuse = () => {
  throw new Error('this host offers nothing')
}

/** An invocation of `run` with a host that offers nothing. */
export function invocationOf(code: string, gasLimit = 300_000_000): Invocation {
  return {
    code,
    codeHash: hashCode(code),
    kind: 'call',
    method: 'run',
    args: '{}',
    context: { sender: 'a', origin: 'a', contract: 'test', block: { height: 1, time: 1 }, tx: { id: '00' } },
    gasLimit,
    host: {
      get: refuse,
      set: refuse,
      delete: refuse,
      scan: refuse,
      emit: refuse,
      call: refuse,
      view: refuse,
      sha256: refuse,
      verifyEd25519: refuse,
      isAddress: refuse,
      hasRole: refuse,
    },
    depth: 0,
  }
}
