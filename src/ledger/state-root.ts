// The root of a whole state, from its entries alone: what a stored state or one that somebody sent is checked by.
import { createStateTree } from './tree.ts'

export interface StateRoot {
  /** Further entries, in any order; a later value takes an earlier one's place, and null removes it. */
  add(entries: Iterable<readonly [key: string, value: string | null]>): void
  /** In hexadecimal. */
  root(): string
}

/** Memory: about 130 bytes an entry. */
export function createStateRoot(): StateRoot {
  const tree = createStateTree()
  return {
    add: (entries) => tree.adopt(tree.prepare(entries)),
    root: () => tree.root(),
  }
}
