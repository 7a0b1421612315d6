// Virtual time: a queue of things to happen, in order of their time and then of their entry. Whole microseconds, so that sums are exact.

export interface Timeline {
  /** Microseconds since the run began. */
  now(): number
  at(timeUs: number, happen: () => void): void
  /** Lets the next thing happen; false when there is none up to `limitUs`. */
  advance(limitUs: number): boolean
  pending(): number
}

interface Entry {
  timeUs: number
  order: number
  happen: () => void
}

const isBefore = (a: Entry, b: Entry) => a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.order < b.order)

export function createTimeline(): Timeline {
  const heap: Entry[] = []
  let nowUs = 0
  let order = 0

  function rise(entry: Entry): void {
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  function takeFirst(): Entry {
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }

  return {
    now: () => nowUs,
    at(timeUs, happen) {
      rise({ timeUs: Math.max(nowUs, Math.floor(timeUs)), order: order++, happen })
    },
    advance(limitUs) {
      if (heap.length === 0 || heap[0]!.timeUs > limitUs) return false
      const entry = takeFirst()
      nowUs = entry.timeUs
      entry.happen()
      return true
    },
    pending: () => heap.length,
  }
}
