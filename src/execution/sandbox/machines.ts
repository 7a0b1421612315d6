/**
 * The machines of one call depth. A memory grows but never shrinks, so each machine serves the images of its own size; one
 * that grew during a call, or trapped, is dropped.
 */
import { fitMachine, type Image, pagesOf, restoreImage } from './image.ts'
import { INSTANCES_PER_DEPTH_MAX } from './limits.ts'
import { type Activation, createMachine, type Machine } from './machine.ts'

export interface MachinePool {
  /** Restores the image into a machine of this pool and runs `use` on it; keeps the machine only after a clean end. */
  run<T>(image: Image, activationOf: (machine: Machine) => Activation, use: (machine: Machine) => T): T
}

export function createMachinePool(): MachinePool {
  const idle = new Map<number, Machine>()
  let busy = false

  function take(image: Image): Machine {
    const kept = idle.get(image.pages)
    idle.delete(image.pages)
    const machine = kept ?? createMachine()
    fitMachine(machine, image)
    restoreImage(machine, image)
    return machine
  }

  function giveBack(machine: Machine, image: Image): void {
    if (pagesOf(machine) !== image.pages) return
    idle.set(image.pages, machine)
    const oldest = idle.keys().next()
    if (idle.size > INSTANCES_PER_DEPTH_MAX && !oldest.done) idle.delete(oldest.value)
  }

  return {
    run(image, activationOf, use) {
      if (busy) throw new Error('a contract call started at a depth that is already running: pass depth + 1')
      busy = true
      try {
        const machine = take(image)
        machine.activation = activationOf(machine)
        const result = use(machine)
        machine.activation = undefined
        giveBack(machine, image)
        return result
      } finally {
        busy = false
      }
    },
  }
}
