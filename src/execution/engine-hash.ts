// The identity of the contract engine: genesis names it, and a node with another engine refuses to start rather than to differ later.
import { createHash } from 'node:crypto'
import * as cost from './cost.ts'
import * as limits from './limits.ts'
import * as gas from './sandbox/gas.ts'
import * as sandboxLimits from './sandbox/limits.ts'
import { preludeText } from './sandbox/prelude.ts'

/** SHA-256, hexadecimal, over the engine's binary (by its own hash), its prelude and every constant that gas or outcomes depend on. */
export function engineHash(): string {
  const constants = [cost, limits, sandboxLimits, gas].map((module) =>
    Object.entries(module)
      .filter(([, value]) => typeof value !== 'function')
      .map(([name, value]) => `${name}=${value instanceof RegExp ? value.source : JSON.stringify(value)}`)
      .sort(),
  )
  return createHash('sha256')
    .update(JSON.stringify(['quorate/engine/1', preludeText, constants]))
    .digest('hex')
}
