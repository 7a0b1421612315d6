// Who may propose. Safety never depends on it; everything that asks "whose turn is it" asks here.
import type { EpochRecord } from '../types/epoch.ts'

/** Index of the validator that leads `view`: the turn starts at the epoch's first height and passes on with each view. */
export function primaryOf(epoch: EpochRecord, view: number): number {
  return (epoch.start + view) % epoch.validators.length
}

/** Index of the validator that proposes sequence `_seq` in `view`. Without rotation it is the view's primary for every sequence. */
export function proposerOf(epoch: EpochRecord, view: number, _seq: number): number {
  return primaryOf(epoch, view)
}
