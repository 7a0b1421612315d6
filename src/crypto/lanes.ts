/** A queue of queues: lanes take turns, so that a long lane never keeps a short one waiting. Empty lanes hold no memory. */

export interface Lanes<Work> {
  push(lane: string, work: Work): void
  /** The oldest work of the lane whose turn it is; undefined where there is none. */
  take(): Work | undefined
  /** How much work waits in one lane. */
  waiting(lane: string): number
}

export function createLanes<Work>(): Lanes<Work> {
  // A Map iterates in order of insertion: the first lane is next, and a lane that was served goes to the back.
  const lanes = new Map<string, { work: Work[]; next: number }>()
  return {
    push(lane, work) {
      const queue = lanes.get(lane)
      if (queue === undefined) lanes.set(lane, { work: [work], next: 0 })
      else queue.work.push(work)
    },
    take() {
      for (const [lane, queue] of lanes) {
        const work = queue.work[queue.next++]
        lanes.delete(lane)
        if (queue.next < queue.work.length) lanes.set(lane, queue)
        return work
      }
      return undefined
    },
    waiting(lane) {
      const queue = lanes.get(lane)
      return queue === undefined ? 0 : queue.work.length - queue.next
    },
  }
}
