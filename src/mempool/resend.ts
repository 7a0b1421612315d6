// When a transaction that was admitted here is sent again to the validators: 1 s after admission, then after 2, 4 and every 8 s,
// until it has left the pool (docs/protocol.md, "Time, order, fairness").
import { Chain, createLink, type Link } from './chain.ts'
import type { Entry } from './lane.ts'

const INTERVALS_MS = [1_000, 2_000, 4_000, 8_000]

interface Waiting {
  entry: Entry
  step: number
  dueAt: number
}

export interface Resend {
  /** Starts an entry's schedule; one that has started goes on as it is. */
  add(entry: Entry, now: number): void
  has(entry: Entry): boolean
  remove(entry: Entry): void
  /** Entries whose time has come, at most so many and of so many wire bytes together, each put off to its next time. */
  due(now: number, max: number, bytesMax: number): Entry[]
  /** All that are waiting, oldest in their step first. */
  all(): Iterable<Entry>
}

export function createResend(): Resend {
  // Every entry of one step waits equally long, so each chain is in the order of its times and only its front is looked at.
  const steps = INTERVALS_MS.map(() => new Chain<Waiting>())
  const links = new Map<Entry, Link<Waiting>>()

  function schedule(entry: Entry, step: number, now: number): void {
    const link = createLink({ entry, step, dueAt: now + INTERVALS_MS[step]! })
    links.set(entry, link)
    steps[step]!.push(link)
  }

  function remove(entry: Entry): void {
    const link = links.get(entry)
    link?.chain?.remove(link)
    links.delete(entry)
  }

  return {
    add(entry, now) {
      if (!links.has(entry)) schedule(entry, 0, now)
    },
    has: (entry) => links.has(entry),
    remove,
    due(now, max, bytesMax) {
      const due: Waiting[] = []
      let bytes = 0
      for (const chain of steps) {
        for (let link = chain.first; link !== undefined && due.length < max && bytes < bytesMax; link = link.next) {
          if (link.value.dueAt > now) break
          bytes += link.value.entry.transaction.wire.length
          due.push(link.value)
        }
      }
      for (const { entry, step } of due) {
        remove(entry)
        schedule(entry, Math.min(step + 1, steps.length - 1), now)
      }
      return due.map(({ entry }) => entry)
    },
    all: () => links.keys(),
  }
}
