/** The machine of one call depth. It serves every contract: what one call left behind, the next restores. */
import { meteringExports } from '../metering/index.ts'
import { type Image, restoreImage } from './image.ts'
import { createMachine, type Machine } from './machine.ts'
import { trapOf } from './trap.ts'
import type { TrapCode } from './types.ts'

export interface Budget {
  gas: number
  calls: number
}

export interface MachineSlot {
  /** Restores the image and runs `use` on the machine, which may use so much gas and begin so many calls inside the engine. */
  run<T>(image: Image, budget: Budget, use: (machine: Machine) => T): T | { trap: TrapCode }
  /** Calls that the engine may still begin inside those that have not returned; undefined between runs. */
  callsLeft(): number | undefined
}

export function createMachineSlot(): MachineSlot {
  let machine: Machine | undefined
  let busy = false
  return {
    run(image, { gas, calls }, use) {
      if (busy) throw new Error('a contract call started at a depth that is already running: pass depth + 1')
      busy = true
      machine ??= createMachine()
      try {
        restoreImage(machine, image)
        machine.engine[meteringExports.begin](gas, calls)
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
    callsLeft: () => (busy ? machine?.engine[meteringExports.calls]() : undefined),
  }
}
