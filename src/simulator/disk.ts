// A disk that keeps what was synced and, of the write under way when the power goes, anything from nothing to all of it.
import type { Machine } from './machine.ts'
import type { Random } from './random.ts'
import type { Fault, Remains } from './scenario.ts'

export type WriteFault = Extract<Fault, { type: 'write' | 'sync-error' }>

export interface Disk {
  /** Resolves when it is durable. `keep` puts on the disk what remains of it. */
  write(keep: (remains: Remains) => void): Promise<void>
  /** The power goes: the writes under way end somewhere. */
  losePower(remains?: Remains): void
  /** 1 is its normal speed. */
  slowness: number
  /** Writes begun since the run began. */
  writes(): number
}

export interface DiskOptions {
  machine: Machine
  random: Random
  faults: WriteFault[]
  /** A write during which the scenario has the power go. */
  onPowerLoss(fault: WriteFault): void
}

/** A fast disk's sync. */
const WRITE_US = 400

export function createDisk({ machine, random, faults, onPowerLoss }: DiskOptions): Disk {
  const byWrite = new Map(faults.map((fault) => [fault.write, fault]))
  let underWay: ((remains: Remains) => void)[] = []
  let writes = 0

  const disk: Disk = {
    slowness: 1,
    writes: () => writes,
    losePower(remains) {
      const lost = underWay
      underWay = []
      for (const keep of lost) keep(remains ?? random.pick(['none', 'short', 'torn', 'misordered', 'all'] as const))
    },
    write(keep) {
      const fault = byWrite.get(++writes)
      underWay.push(keep)
      return new Promise((resolve, reject) => {
        machine.after(WRITE_US * (0.5 + random.next()) * disk.slowness, () => {
          if (fault?.type === 'write') return onPowerLoss(fault)
          underWay = underWay.filter((other) => other !== keep)
          if (fault?.type === 'sync-error') {
            keep(random.pick(['none', 'torn', 'all'] as const))
            reject(new Error('EIO: the simulated disk could not sync'))
            onPowerLoss(fault)
            return
          }
          keep('all')
          resolve()
        })
      })
    },
  }
  return disk
}
