/** Evaluates a contract's top level on the base image and takes the contract's own image. Runs on a fixed allowance. */
import { type Image, takeImage } from './image.ts'
import type { LoadedContract } from './images.ts'
import { CODE_BYTES_MAX, ENGINE_CALLS_MAX, IMAGE_BYTES_MAX, METHOD_PATTERN } from './limits.ts'
import type { Machine } from './machine.ts'
import type { MachineSlot } from './machine-slot.ts'
import { readReply } from './outcome.ts'
import type { ContractShape, Inspection, InspectionCode } from './types.ts'

type Refusal = Inspection & { ok: false }

const refuse = (code: string, message: string): Refusal => ({ ok: false, code: code as InspectionCode, message })

export function loadContract(slot: MachineSlot, base: Image, code: string, gasLimit: number): LoadedContract | Refusal {
  const codeBytes = Buffer.byteLength(code)
  if (codeBytes > CODE_BYTES_MAX) {
    return refuse('TOO_LARGE', `the bundle has ${codeBytes} bytes; at most ${CODE_BYTES_MAX} are allowed`)
  }
  const budget = { gas: gasLimit, calls: ENGINE_CALLS_MAX }
  const loaded = slot.run(base, budget, (machine) => evaluate(machine, base, code))
  if (!('trap' in loaded)) return loaded
  return refuse(loaded.trap, 'the top level of the script does not come to an end within its allowance')
}

function evaluate(machine: Machine, base: Image, code: string): LoadedContract | Refusal {
  const { engine } = machine
  const { register, describeLoading } = base.handles
  const result = machine.evaluate(code, 'contract.js')
  if (engine.qjs_is_exception(result)) {
    const reply = readReply(machine, machine.call(describeLoading, [engine.qjs_get_exception()]))
    return 'code' in reply ? refuse(reply.code, reply.message.trim()) : refuse('THROWN', '')
  }
  engine.qjs_free_value(result)
  const reply = readReply(machine, machine.call(register, []))
  if ('code' in reply) return refuse(reply.code, reply.message)
  const shape = JSON.parse(reply.value ?? 'null') as ContractShape
  const badName = [...shape.calls, ...shape.views].find((name) => !METHOD_PATTERN.test(name))
  if (badName !== undefined) return refuse('BAD_SHAPE', `the method name ${JSON.stringify(badName)} is not allowed`)
  const image = takeImage(machine, base.handles)
  if (image.bytes.length > IMAGE_BYTES_MAX) {
    return refuse(
      'TOO_LARGE',
      `loading leaves ${image.bytes.length} bytes in memory; at most ${IMAGE_BYTES_MAX} are allowed`,
    )
  }
  return { image, shape }
}
