// What an operator sees of catching up: a line at the start, every few seconds, and at the end. Following live says nothing.

export interface SyncProgress {
  from: number
  height: number
  to: number
  blocksPerSecond: number
}
export type ReportProgress = (progress: SyncProgress, message: string) => void

/** A smaller gap is what following live leaves behind. */
const WORTH_SAYING_BLOCKS = 64
const EVERY_MS = 5_000

export function createProgress(report: ReportProgress | undefined, now: () => number) {
  let start: { height: number; at: number } | undefined
  let saidAt = 0
  let last = 0

  function say(message: string, height: number): void {
    const seconds = (now() - start!.at) / 1_000
    const blocksPerSecond = seconds === 0 ? 0 : Math.round((height - start!.height) / seconds)
    report?.({ from: start!.height, height, to: Math.max(last, height), blocksPerSecond }, message)
    saidAt = now()
  }

  return {
    /** Asked after every answer and every applied range. */
    step(height: number, target: number | undefined): void {
      if (target !== undefined) last = target
      if (start === undefined) {
        if (target === undefined || target - height < WORTH_SAYING_BLOCKS) return
        start = { height, at: now() }
        say('catching up: fetching blocks from peers', height)
      } else if (now() - saidAt >= EVERY_MS) say('catching up', height)
    },
    end(height: number): void {
      if (start !== undefined) say(height >= last ? 'caught up' : 'catching up was interrupted', height)
      start = undefined
      last = 0
    },
  }
}
