// One line of progress on stderr: written over itself on a terminal, now and then a new one elsewhere.
import type { Io } from './io.ts'

export interface HeightProgress {
  height: number
  from: number
  to: number
  transactions: number
}

const TERMINAL_INTERVAL_MS = 200
const FILE_INTERVAL_MS = 5_000

export function createProgressLine(io: Io, verb: string, now: () => number = () => performance.now()) {
  const isTerminal = io.terminal !== undefined
  const intervalMs = isTerminal ? TERMINAL_INTERVAL_MS : FILE_INTERVAL_MS
  const startedAt = now()
  let saidAt = startedAt
  let isOpen = false

  function say(text: string): void {
    io.err(isTerminal ? `\r\u001b[K${text}` : `${text}\n`)
    isOpen = isTerminal
  }

  return {
    heights({ height, from, to, transactions }: HeightProgress): void {
      if (now() - saidAt < intervalMs) return
      saidAt = now()
      const seconds = (now() - startedAt) / 1_000
      const perSecond = (height - from + 1) / seconds
      const left = clock((to - height) / perSecond)
      say(
        `${verb} block ${height} of ${to}, ${Math.round(perSecond)} blocks/s, ${Math.round(transactions / seconds)} transactions/s, ${left} left`,
      )
    },
    step(text: string): void {
      if (now() - saidAt < intervalMs) return
      saidAt = now()
      say(text)
    },
    /** Leaves the terminal's line. */
    end(): void {
      if (isOpen) io.err('\r\u001b[K')
      isOpen = false
    },
  }
}

/** Seconds as 1:02:03 or 2:03. */
function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60]
  const rest = String(whole % 60).padStart(2, '0')
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`
}
