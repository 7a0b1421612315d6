// Contradictions that only a faulty validator signs.
import type { BodyType, Signed } from '../types/message.ts'
import type { Delivery } from './event.ts'
import type { Context, State } from './state.ts'

/** Reported of one validator: one proves its guilt, and more than a few cost their checking. */
const ACCUSATIONS_MAX = 16

/** Whether a vote that contradicts an earlier one of its signer is still worth reading. */
export const isAccusable = (state: State, signer: number): boolean =>
  (state.accusations.get(signer) ?? 0) < ACCUSATIONS_MAX

type Kind = Extract<Delivery, { type: 'evidence' }>['kind']

/** Two messages of one signer for one slot that say different things; one message twice where it contradicts itself. */
export function reportConflict<T extends BodyType>(
  context: Context,
  kind: Kind,
  first: Signed<T>,
  second: Signed<T>,
): void {
  const { accusations } = context.state
  const count = accusations.get(first.signer) ?? 0
  if (count >= ACCUSATIONS_MAX) return
  accusations.set(first.signer, count + 1)
  context.effects.deliver.push({ type: 'evidence', validator: first.signer, kind, first, second } as Delivery)
}
