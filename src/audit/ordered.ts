// Work in flight on several heights at once, its failures told in the order of heights.

export interface Ordered {
  /** Adds the work of the next height; waits while there are as many heights in flight as may be. Throws the lowest height's failure. */
  push(work: Promise<void>[]): Promise<void>
  /** Waits for all there is. */
  settle(): Promise<void>
}

export function createOrdered(heightsMax: number): Ordered {
  const heights: Promise<void>[][] = []

  async function finishFirst(): Promise<void> {
    for (const work of heights.shift()!) await work
  }

  return {
    async push(work) {
      // One that fails while a lower height is awaited is not unhandled: it is awaited later, or does not matter any more.
      for (const promise of work) promise.catch(() => undefined)
      heights.push(work)
      while (heights.length >= heightsMax) await finishFirst()
    },
    async settle() {
      while (heights.length > 0) await finishFirst()
    },
  }
}
