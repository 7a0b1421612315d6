// How far a backup is and whether it is to stop, in memory that the thread that makes it shares with the one that asks.
import type { Phase } from './create.ts'

export const PROGRESS_BYTES = 32
const PHASES: readonly (Phase | undefined)[] = [undefined, 'state', 'blocks', 'hashes']
const words = { stopped: 0, phase: 1 } as const

export interface Progress {
  /** Undefined before the first report. */
  phase: Phase | undefined
  done: number
  /** 0 where it is not known. */
  total: number
}

export function createProgress(shared: SharedArrayBuffer) {
  const flags = new Int32Array(shared, 0, 2)
  const counts = new Float64Array(shared, 8, 2)
  return {
    report(phase: Phase, done: number, total: number): void {
      counts[0] = done
      counts[1] = total
      Atomics.store(flags, words.phase, PHASES.indexOf(phase))
    },
    read(): Progress {
      return { phase: PHASES[Atomics.load(flags, words.phase)], done: counts[0]!, total: counts[1]! }
    },
    stop: () => void Atomics.store(flags, words.stopped, 1),
    isStopped: () => Atomics.load(flags, words.stopped) === 1,
  }
}
