// Pending transactions by the last height at which they may run.
import type { Entry } from './lane.ts'

/** Whether a transaction can no longer run once `height` has been executed. */
export function isExpired(expires: number, height: number): boolean {
  return expires !== 0 && expires <= height
}

export interface Expiry {
  add(entry: Entry): void
  remove(entry: Entry): void
  /** Every entry that cannot run after `height`. The caller removes them. */
  expired(height: number): Entry[]
}

export function createExpiry(): Expiry {
  const byHeight = new Map<number, Set<Entry>>()
  let checked = 0
  return {
    add(entry) {
      const { expires } = entry.transaction
      if (expires === 0) return
      const entries = byHeight.get(expires)
      if (entries === undefined) byHeight.set(expires, new Set([entry]))
      else entries.add(entry)
    },
    remove(entry) {
      const { expires } = entry.transaction
      const entries = byHeight.get(expires)
      if (entries?.delete(entry) && entries.size === 0) byHeight.delete(expires)
    },
    expired(height) {
      const found: Entry[] = []
      const collect = (at: number) => {
        for (const entry of byHeight.get(at) ?? []) found.push(entry)
      }
      // Block after block only the new height is looked up; after a jump, looking through what there is may be shorter.
      if (height - checked <= byHeight.size) for (let at = checked + 1; at <= height; at++) collect(at)
      else for (const at of byHeight.keys()) if (at <= height) collect(at)
      checked = Math.max(checked, height)
      return found
    },
  }
}
