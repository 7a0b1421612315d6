/**
 * Versions that only grow: the contract counts its changes under `revision`, and a thing's version is the count at its last change.
 * What is deleted needs no trace for that; what does not exist is at version 0.
 */
import type { CallContext, ReadableState } from 'quorate/contract'
import { refuse, wholeNumberOf } from './arguments.ts'

const REVISION_KEY = 'revision'

/** What the state keeps under a key. */
export interface Versioned {
  value: unknown
  version: number
}

export function revisionOf(state: ReadableState): number {
  return state.get<number>(REVISION_KEY) ?? 0
}

/** Counts one change and gives its version. */
export function countRevision(ctx: CallContext): number {
  const revision = revisionOf(ctx.state) + 1
  ctx.state.set(REVISION_KEY, revision)
  return revision
}

/** The version that the caller expects, where it gave one. `what` names the thing. */
export function assertVersion(what: string, current: Versioned | undefined | null, expected: unknown): void {
  if (expected === undefined) return
  const version = wholeNumberOf(expected, 'version', { min: 0, max: Number.MAX_SAFE_INTEGER })
  const found = current?.version ?? 0
  if (found !== version) refuse(`${what} is at version ${found}, not at ${version}: read it again and decide anew`)
}
