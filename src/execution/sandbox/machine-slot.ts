/** The machine of one call depth. It serves every contract: what one call left behind, the next restores. */
import { meteringExports } from '../metering/index.ts'
import { type Image, restoreImage } from './image.ts'
import { createMachine, type Machine } from './machine.ts'
import { trapOf } from './trap.ts'
import type { TrapCode } from './types.ts'

export interface MachineSlot {
  /** Restores the image and runs `use` on the machine, which starts at so many unfinished engine calls. */
  run<T>(image: Image, engineCalls: number, use: (machine: Machine) => T): T | { trap: TrapCode }
  /** Engine calls that have not returned; none between runs. */
  engineCalls(): number
}

export function createMachineSlot(): MachineSlot {
  let machine: Machine | undefined
  let busy = false
  return {
    run(image, engineCalls, use) {
      if (busy) throw new Error('a contract call started at a depth that is already running: pass depth + 1')
      busy = true
      machine ??= createMachine()
      try {
        restoreImage(machine, image)
        machine.engine[meteringExports.depth].value = engineCalls
        return use(machine)
      } catch (error) {
        const trap = trapOf(error, machine.engine)
        if (trap === undefined) throw error
        return { trap }
      } finally {
        machine.hostCalls = undefined
        busy = false
      }
    },
    engineCalls: () => (busy && machine !== undefined ? machine.engine[meteringExports.depth].value : 0),
  }
}
