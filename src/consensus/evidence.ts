// Contradictions that only a faulty validator signs.
import type { BodyType, Signed } from '../types/message.ts'
import type { Delivery } from './event.ts'
import type { Context } from './state.ts'

type Kind = Extract<Delivery, { type: 'evidence' }>['kind']

/** Two messages of one signer for one slot that say different things. */
export function reportConflict<T extends BodyType>(
  context: Context,
  kind: Kind,
  first: Signed<T>,
  second: Signed<T>,
): void {
  context.effects.deliver.push({ type: 'evidence', validator: first.signer, kind, first, second } as Delivery)
}
