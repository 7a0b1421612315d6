/**
 * What a contract uses of the outside that the sandbox does not have: found in its source before it is deployed. The bundler itself
 * looks, since it knows which names are the contract's own: each global that is absent is built as a mark, and the marks are found
 * in what comes out.
 */
import { bundleWithMap } from './bundle.ts'
import { createPositions, type Position } from './positions.ts'

export interface Finding {
  /** Absent where no line of the source is to blame. */
  position?: Position
  reason: string
}

/** Globals of Node and browsers that a contract may be written with by mistake; the sandbox says which of them it has not. */
export const OUTSIDE_GLOBALS = [
  ...[
    'process',
    'require',
    'module',
    'exports',
    '__dirname',
    '__filename',
    'global',
    'Buffer',
    'fetch',
    'Headers',
    'Request',
  ],
  ...[
    'Response',
    'XMLHttpRequest',
    'WebSocket',
    'EventSource',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
  ],
  ...['clearInterval', 'clearImmediate', 'queueMicrotask', 'structuredClone', 'performance', 'crypto', 'TextEncoder'],
  ...[
    'TextDecoder',
    'URL',
    'URLSearchParams',
    'Intl',
    'WebAssembly',
    'Worker',
    'SharedArrayBuffer',
    'Atomics',
    'WeakRef',
  ],
  ...[
    'FinalizationRegistry',
    'window',
    'document',
    'self',
    'navigator',
    'localStorage',
    'sessionStorage',
    'eval',
    'atob',
  ],
  ...['btoa', 'escape', 'unescape', 'console', 'alert', 'Event', 'EventTarget', 'AbortController', 'Deno', 'Bun'],
]

const MENDS: Record<string, string> = {
  'Date.now': 'use ctx.block.time',
  Date: 'give it a time, such as ctx.block.time',
  'Math.random': 'no chance is the same on every validator',
  Function: 'code made from text does not run',
  eval: 'code made from text does not run',
  require: 'import what is to be bundled',
  crypto: 'use ctx.crypto',
}
/** Kept, and refused in some uses alone. */
const PINNED = ['Date', 'Date.now', 'Math.random', 'Function']
const MARK = /(typeof )?(new )?quorateAbsent(\d+)_(.?)/gs

/** The uses of globals that `absent` names, and of what is there and throws: the time, chance, code made from text. */
export async function findAbsent(path: string, absent: readonly string[]): Promise<Finding[]> {
  const names = [...absent, ...PINNED]
  const define = Object.fromEntries(names.map((name, index) => [name, `quorateAbsent${index}_`]))
  const marked = await bundleWithMap(path, define)
  const positions = createPositions(marked)
  const uses = [...marked.bundle.code.matchAll(MARK)].map(
    ({ 0: text, 1: asked, 2: made, 3: index, 4: next, index: at }) => ({
      name: names[Number(index)]!,
      isAsked: asked !== undefined,
      isMade: made !== undefined,
      isCalled: next === '(',
      position: positions.at(at + text.indexOf('quorateAbsent')),
    }),
  )
  // Who asks `typeof process` first, as packages for several platforms do, has thought of its absence.
  const guarded = new Set(
    uses.filter(({ isAsked }) => isAsked).map(({ name, position }) => `${name} ${position?.file}`),
  )
  const refused = uses.filter(
    (use) => !use.isAsked && isRefused(use) && !guarded.has(`${use.name} ${use.position?.file}`),
  )
  return refused.map(({ name, position }) => {
    const what = name === 'Date' ? 'the current time' : name
    const mend = MENDS[name]
    return { position, reason: `${what} does not exist in a contract${mend === undefined ? '' : `: ${mend}`}` }
  })
}

function isRefused({ name, isMade, isCalled }: { name: string; isMade: boolean; isCalled: boolean }): boolean {
  // The bundler writes `new Date()` without its brackets; those with arguments keep them.
  if (name === 'Date') return isMade !== isCalled
  if (name === 'Function') return isMade || isCalled
  return true
}
