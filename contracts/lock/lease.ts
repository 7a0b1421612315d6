/** Leases on one lock and who waits for it: plain data, changed in place, judged at a block time that is given. */

export const MODES = ['exclusive', 'shared'] as const
export type Mode = (typeof MODES)[number]

interface Ask {
  account: string
  mode: Mode
  ttlMs: number
  /** Block time in ms from which on it counts for nothing. */
  expiresAt: number
}

/** Of who holds the lock. */
export interface Lease extends Ask {
  token: number
}

/** Of who waits for it. A claim that is not repeated in time is passed over. */
export type Claim = Ask

export interface Lock {
  holders: Lease[]
  /** The first is the next to hold. */
  queue: Claim[]
}

/** All of a lock is one entry of the state, read whole at every call. */
export const HOLDERS_MAX = 32
export const QUEUE_MAX = 32

/** Takes out what has expired, and gives it. */
export function dropExpired(lock: Lock, time: number): { leases: Lease[]; claims: Claim[] } {
  const isOver = ({ expiresAt }: Ask) => expiresAt <= time
  const leases = lock.holders.filter(isOver)
  const claims = lock.queue.filter(isOver)
  lock.holders = lock.holders.filter((lease) => !isOver(lease))
  lock.queue = lock.queue.filter((claim) => !isOver(claim))
  return { leases, claims }
}

/** Whether one more may hold it in this mode, of those who hold it; who waits must be asked about apart. */
export function hasRoom({ holders }: Lock, mode: Mode): boolean {
  if (holders.length === 0) return true
  return mode === 'shared' && holders[0]!.mode === 'shared' && holders.length < HOLDERS_MAX
}

/** Takes the next claim out of the queue, if it can hold the lock now. Nobody overtakes the first in it. */
export function nextClaim(lock: Lock): Claim | undefined {
  const [first] = lock.queue
  return first !== undefined && hasRoom(lock, first.mode) ? lock.queue.shift() : undefined
}
