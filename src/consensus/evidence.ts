// Reporting contradictions that only a faulty validator signs. A report says what was signed; whoever keeps it checks it again.

import { forgets } from '../crypto/contradiction.ts'
import { type Accusation, placeOf } from '../types/evidence.ts'
import type { Signed, ViewChange } from '../types/message.ts'
import type { Context, State } from './state.ts'

/** Reported of one validator: one proves its guilt, and more than a few cost their checking. */
const ACCUSATIONS_MAX = 16

/** Whether a vote that contradicts an earlier one of its signer is still worth reading. */
export const isAccusable = (state: State, signer: number): boolean =>
  (state.accusations.get(signer) ?? 0) < ACCUSATIONS_MAX

export function accuse({ state, effects }: Context, accusation: Accusation): void {
  const { validator } = placeOf(accusation)
  if (!isAccusable(state, validator)) return
  state.accusations.set(validator, (state.accusations.get(validator) ?? 0) + 1)
  effects.deliver.push({ type: 'evidence', validator, ...accusation })
}

/** A COMMIT that came after its signer's VIEW-CHANGE. */
export function accuseForgottenCommit(context: Context, commit: Signed<'commit'>): void {
  const change = context.state.viewChanges.get(commit.signer)
  if (change !== undefined && forgets(commit, change))
    accuse(context, { kind: 'amnesia', first: commit, second: change })
}

/** A VIEW-CHANGE that came after COMMITs of its signer. */
export function accuseForgetfulChange(context: Context, change: ViewChange): void {
  for (const { commits } of context.state.slots.values()) {
    for (const inView of commits.values()) {
      const commit = inView.get(change.vote.signer)
      if (commit !== undefined && forgets(commit, change))
        accuse(context, { kind: 'amnesia', first: commit, second: change })
    }
  }
}
