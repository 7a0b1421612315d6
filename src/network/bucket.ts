// A bucket that refills with time: what bounds how often, or how much, a peer may do a thing.

/** A function that takes `cost` out of the bucket, or says false when there is not that much in it. */
export function createBucket(perSecond: number, burst: number): (cost: number, now: number) => boolean {
  let level = burst
  let filledAt = 0
  return (cost, now) => {
    level = Math.min(burst, level + (Math.max(0, now - filledAt) / 1000) * perSecond)
    filledAt = now
    if (level < cost) return false
    level -= cost
    return true
  }
}
