/**
 * The host's side of the prelude's one host function: checks and charges each operation, then asks the ContractHost.
 * A refusal is answered as a number (its place in `refusals`), which the prelude throws as an error the contract can catch.
 */
import type { Pointer } from './engine.ts'
import { type Meter, price } from './gas.ts'
import * as limits from './limits.ts'
import { type HostCalls, type Machine, OutOfHeap } from './machine.ts'
import { type Operation, operations } from './prelude.ts'
import { Trap } from './trap.ts'
import { type ContractHost, type Invocation, type NestedOutcome, type RefusalCode, refusals } from './types.ts'

/** Thrown, but no Error: a trace of the stack takes longer than the call that is refused. */
class Refused {
  readonly code: RefusalCode

  constructor(code: RefusalCode) {
    this.code = code
  }
}

type Answer = string | boolean | undefined
type Handler = (args: Arguments) => Answer

/** Typed access to the values of one host call. The prelude checks types; this checks them again. */
interface Arguments {
  text(index: number, bytesMax: number, refusal?: RefusalCode): string
  optionalText(index: number, bytesMax: number, refusal?: RefusalCode): string | undefined
  data(index: number): Uint8Array
}

const keyBytes = limits.KEY_BYTES_MAX

/** The host calls of one run. */
export function createHostCalls(machine: Machine, scratch: Pointer, invocation: Invocation, meter: Meter): HostCalls {
  const handlers = createHandlers(invocation, meter)

  return function onHostCall(pointers) {
    const { engine } = machine
    const operation = operations[engine.qjs_get_float64(pointers[0] ?? 0)]
    if (operation === undefined) throw new Error('the contract prelude asked for an unknown operation')
    meter.charge(price.hostCall)
    try {
      return give(machine, handlers[operation](argumentsOf(machine, pointers, scratch)))
    } catch (error) {
      if (error instanceof Refused) return engine.qjs_new_number(refusals.indexOf(error.code))
      // Null tells the engine that an exception, its out of memory, is already pending.
      if (error instanceof OutOfHeap) return 0
      throw error
    }
  }
}

function give(machine: Machine, answer: Answer): Pointer {
  if (typeof answer === 'string') return machine.newText(answer)
  if (answer === undefined) return machine.engine.qjs_get_undefined()
  return answer ? machine.engine.qjs_get_true() : machine.engine.qjs_get_false()
}

function argumentsOf(machine: Machine, pointers: Pointer[], scratch: Pointer): Arguments {
  const { engine } = machine
  const isUndefined = (index: number) => {
    const pointer = pointers[index + 1]
    return pointer === undefined || engine.qjs_is_undefined(pointer) !== 0
  }
  const text = (index: number, bytesMax: number, refusal: RefusalCode = 'LIMIT') => {
    const pointer = pointers[index + 1]
    if (pointer === undefined || engine.qjs_is_string(pointer) === 0) throw new Refused('BAD_VALUE')
    const value = machine.readText(pointer, scratch)
    if (Buffer.byteLength(value) > bytesMax) throw new Refused(refusal)
    return value
  }
  return {
    text,
    optionalText: (index, bytesMax, refusal) => (isUndefined(index) ? undefined : text(index, bytesMax, refusal)),
    data(index) {
      const pointer = pointers[index + 1]
      if (pointer === undefined) throw new Refused('BAD_VALUE')
      const data =
        engine.qjs_is_string(pointer) !== 0
          ? Buffer.from(machine.readText(pointer, scratch), 'utf8')
          : machine.readBytes(pointer, scratch)
      if (data.length > limits.CRYPTO_BYTES_MAX) throw new Refused('LIMIT')
      return data
    },
  }
}

function createHandlers({ kind, host }: Invocation, meter: Meter): Record<Operation, Handler> {
  const refuseInView = () => {
    if (kind === 'view') throw new Refused('READ_ONLY')
  }
  const keyOf = (args: Arguments) => {
    const key = args.text(0, keyBytes, 'BAD_KEY')
    if (key === '') throw new Refused('BAD_KEY')
    return key
  }
  let eventCount = 0
  let eventBytes = 0
  return {
    get(args) {
      const key = keyOf(args)
      meter.charge(price.read)
      const json = host.get(key)
      if (json !== undefined) meter.charge(0, Buffer.byteLength(json))
      return json
    },
    set(args) {
      refuseInView()
      const key = keyOf(args)
      const json = args.text(1, limits.VALUE_BYTES_MAX)
      meter.charge(price.write + price.writtenByte * (Buffer.byteLength(key) + Buffer.byteLength(json)))
      host.set(key, json)
      return undefined
    },
    delete(args) {
      refuseInView()
      meter.charge(price.write)
      host.delete(keyOf(args))
      return undefined
    },
    scan: (args) => scan(args, host, meter),
    emit(args) {
      refuseInView()
      const name = args.text(0, limits.EVENT_NAME_BYTES_MAX)
      const json = args.text(1, limits.EVENT_BYTES_MAX)
      eventCount += 1
      eventBytes += name.length + Buffer.byteLength(json)
      if (name === '') throw new Refused('BAD_VALUE')
      if (eventCount > limits.EVENT_COUNT_MAX || eventBytes > limits.EVENTS_BYTES_MAX) throw new Refused('LIMIT')
      meter.charge(price.emit + price.writtenByte * (Buffer.byteLength(name) + Buffer.byteLength(json)))
      host.emit(name, json)
      return undefined
    },
    call(args) {
      refuseInView()
      return nest(args, host.call, meter)
    },
    view: (args) => nest(args, host.view, meter),
    sha256(args) {
      const data = args.data(0)
      meter.charge(0, data.length)
      return Buffer.from(host.sha256(data)).toString('hex')
    },
    verifyEd25519: (args) => verify(args, host, meter),
    isAddress: (args) => host.isAddress(args.text(0, limits.VALUE_BYTES_MAX)),
    hasRole: (args) => host.hasRole(args.text(0, limits.NAME_BYTES_MAX), args.text(1, limits.NAME_BYTES_MAX)),
    log(args) {
      const [level, text] = [args.text(0, limits.NAME_BYTES_MAX), args.text(1, limits.LOG_BYTES_MAX)]
      meter.charge(price.log, Buffer.byteLength(text))
      host.log?.(level, text)
      return undefined
    },
  }
}

function scan(args: Arguments, host: ContractHost, meter: Meter): string {
  const prefix = args.text(0, keyBytes, 'BAD_KEY')
  const after = args.optionalText(1, keyBytes, 'BAD_KEY')
  const limit = Number(args.optionalText(2, keyBytes, 'BAD_VALUE') ?? limits.SCAN_LIMIT_DEFAULT)
  if (!Number.isInteger(limit) || limit < 1) throw new Refused('BAD_VALUE')
  if (limit > limits.SCAN_LIMIT_MAX) throw new Refused('LIMIT')
  meter.charge(price.scan)
  const entries = host.scan(prefix, after, limit)
  let bytes = 0
  const texts: string[] = []
  for (const [key, json] of entries) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(json)
    meter.charge(price.scanEntry, Buffer.byteLength(key) + Buffer.byteLength(json))
    if (bytes > limits.SCAN_BYTES_MAX) throw new Refused('LIMIT')
    texts.push(`[${JSON.stringify(key)},${json}]`)
  }
  return `[${texts.join(',')}]`
}

function nest(args: Arguments, ask: ContractHost['call'], meter: Meter): string {
  const contract = args.text(0, limits.NAME_BYTES_MAX)
  const method = args.text(1, limits.NAME_BYTES_MAX)
  const json = args.text(2, limits.ARGUMENTS_BYTES_MAX)
  meter.charge(price.nestedCall, Buffer.byteLength(json))
  const outcome = ask(contract, method, json, meter.remaining)
  // A trap consumed everything; it must not be reported as this contract's own running out.
  if (outcome.kind === 'trap') throw new Trap(outcome.code)
  meter.charge(outcome.gasUsed)
  return nestedText(outcome)
}

/** The prelude's form of an outcome: 'u', 'v' and the JSON text, or 'e', the code, a line feed and the message. */
function nestedText(outcome: Exclude<NestedOutcome, { kind: 'trap' }>): string {
  if (outcome.kind === 'ok') return outcome.result === null ? 'u' : `v${outcome.result}`
  // Only a contract's own message is agreed text; for everything else the code is what there is to say.
  const hasMessage = outcome.code === 'THROWN' || outcome.code === 'NESTED'
  return `e${outcome.code}\n${hasMessage ? outcome.message : outcome.code}`
}

function verify(args: Arguments, host: ContractHost, meter: Meter): boolean {
  const publicKey = args.text(0, limits.VALUE_BYTES_MAX)
  const message = args.data(1)
  const signature = args.text(2, limits.VALUE_BYTES_MAX)
  meter.charge(price.verify + price.verifiedByte * message.length)
  if (!/^[0-9a-f]{64}$/.test(publicKey) || !/^[0-9a-f]{128}$/.test(signature)) return false
  return host.verifyEd25519(Buffer.from(publicKey, 'hex'), message, Buffer.from(signature, 'hex'))
}
