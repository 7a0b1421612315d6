// A computer in the simulator: it runs, stands still, loses power and comes back. What it had started before it lost power never
// happens; what was due while it stood still happens when it goes on.
import type { Timeline } from './timeline.ts'

export interface Machine {
  /** Runs something later; the returned function cancels it. */
  after(delayUs: number, happen: () => void): () => void
  /** Runs something now, or when the machine goes on; never when it is off. */
  interrupt(happen: () => void): void
  isOn(): boolean
  isPaused(): boolean
  /** Counts how often it was started. */
  incarnation(): number
  start(): void
  stop(): void
  pause(): void
  resume(): void
}

export function createMachine(timeline: Timeline): Machine {
  let incarnation = 0
  let isOn = false
  let isPaused = false
  let held: (() => void)[] = []

  function interrupt(happen: () => void): void {
    if (!isOn) return
    if (isPaused) held.push(happen)
    else happen()
  }

  return {
    after(delayUs, happen) {
      const born = incarnation
      let isCancelled = false
      timeline.at(timeline.now() + delayUs, () => {
        if (born !== incarnation || isCancelled) return
        interrupt(() => {
          if (!isCancelled) happen()
        })
      })
      return () => {
        isCancelled = true
      }
    },
    interrupt,
    isOn: () => isOn,
    isPaused: () => isPaused,
    incarnation: () => incarnation,
    start() {
      incarnation++
      isOn = true
      isPaused = false
    },
    stop() {
      incarnation++
      isOn = false
      held = []
    },
    pause() {
      isPaused = isOn
    },
    resume() {
      isPaused = false
      const due = held
      held = []
      for (const happen of due) happen()
    },
  }
}
