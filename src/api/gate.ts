// Bounded concurrency: what does not fit is refused at once, with 429, instead of queueing in memory.
import { Problem } from './problem.ts'

export interface Gate {
  /** Takes `weight` of the capacity, or throws TOO_BUSY; the returned function gives it back, once. */
  enter(weight?: number): () => void
  /** Holds a place while `work` runs, also where its client has left meanwhile. */
  run<T>(work: () => Promise<T>): Promise<T>
  inUse(): number
}

/** `what` names, in the plural, what is bounded. */
export function createGate(what: string, capacity: number): Gate {
  let used = 0
  function enter(weight = 1): () => void {
    if (used + weight > capacity) {
      throw new Problem(
        'TOO_BUSY',
        `The node is at its limit of ${capacity} ${what}: try again shortly, or ask another node.`,
      )
    }
    used += weight
    let isInside = true
    return () => {
      if (isInside) used -= weight
      isInside = false
    }
  }
  async function run<T>(work: () => Promise<T>): Promise<T> {
    const leave = enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }
  return { enter, run, inUse: () => used }
}
