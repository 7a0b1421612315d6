/**
 * The host's side of the prelude's one host function: checks and charges each operation, then asks the ContractHost.
 * A refusal is answered as a number (its place in `refusals`), which the prelude throws as an error the contract can catch.
 */
import type { Pointer } from './engine.ts'
import { type Meter, price } from './gas.ts'
import * as limits from './limits.ts'
import { type HostCalls, type Machine, OutOfHeap } from './machine.ts'
import { CHECK_AGAIN, type Operation, operations, valueForms } from './prelude.ts'
import { Trap } from './trap.ts'
import { type ContractHost, type Invocation, type NestedOutcome, type RefusalCode, refusals } from './types.ts'

/** Thrown, but no Error: a trace of the stack takes longer than the call that is refused. */
class Refused {
  readonly code: RefusalCode

  constructor(code: RefusalCode) {
    this.code = code
  }
}

type Answer = string | number | boolean | undefined

/** What the host calls of one run have in common. */
interface Run {
  readonly host: ContractHost
  readonly meter: Meter
  readonly isView: boolean
  eventCount: number
  eventBytes: number
}

/** Typed access to the values of one host call. The prelude checks types; this checks them again. */
interface Arguments {
  text(index: number, bytesMax: number, refusal?: RefusalCode): string
  /** Undefined for half of a surrogate pair. */
  anyText(index: number, bytesMax: number, refusal?: RefusalCode): string | undefined
  optionalText(index: number, bytesMax: number, refusal?: RefusalCode): string | undefined
  /** A value as JSON text, from a form and what stands behind it; undefined where it has to be given again, checked. */
  json(index: number, bytesMax: number): string | undefined
  data(index: number): Uint8Array
}

const keyBytes = limits.KEY_BYTES_MAX

/** The host calls of one run. */
export function createHostCalls(machine: Machine, { kind, host }: Invocation, meter: Meter): HostCalls {
  const run: Run = { host, meter, isView: kind === 'view', eventCount: 0, eventBytes: 0 }
  let list: Pointer = 0
  let count = 0
  const args = argumentsOf(machine, (index) => (index + 1 < count ? machine.readPointer(list + 4 * (index + 1)) : 0))

  return function onHostCall(givenCount, given) {
    const { engine } = machine
    list = given
    count = givenCount
    const operation = operations[engine.qjs_get_float64(machine.readPointer(list))]
    if (operation === undefined) throw new Error('the contract prelude asked for an unknown operation')
    meter.charge(price.hostCall)
    try {
      return give(machine, handlers[operation](args, run))
    } catch (error) {
      if (error instanceof Refused) return engine.qjs_new_number(refusals.indexOf(error.code))
      // Null tells the engine that an exception, its out of memory, is already pending.
      if (error instanceof OutOfHeap) return 0
      throw error
    }
  }
}

function give({ engine, newText }: Machine, answer: Answer): Pointer {
  if (typeof answer === 'string') return newText(answer)
  if (typeof answer === 'number') return engine.qjs_new_number(answer)
  if (answer === undefined) return engine.qjs_get_undefined()
  return answer ? engine.qjs_get_true() : engine.qjs_get_false()
}

/** `pointerAt` gives 0 for what is missing. */
function argumentsOf(machine: Machine, pointerAt: (index: number) => Pointer): Arguments {
  const { engine } = machine

  function anyText(index: number, bytesMax: number, refusal: RefusalCode = 'LIMIT'): string | undefined {
    const pointer = pointerAt(index)
    if (pointer === 0 || engine.qjs_is_string(pointer) === 0) throw new Refused('BAD_VALUE')
    const value = machine.readText(pointer)
    if (value !== undefined && (value.length > bytesMax || Buffer.byteLength(value) > bytesMax)) {
      throw new Refused(refusal)
    }
    return value
  }

  function text(index: number, bytesMax: number, refusal: RefusalCode = 'LIMIT'): string {
    const value = anyText(index, bytesMax, refusal)
    if (value === undefined) throw new Refused(refusal === 'LIMIT' ? 'BAD_VALUE' : refusal)
    return value
  }

  function quoted(index: number, bytesMax: number): string | undefined {
    const value = anyText(index, bytesMax)
    return value === undefined ? undefined : JSON.stringify(value)
  }

  function quotedFields(first: number, bytesMax: number): string | undefined {
    let fields = ''
    for (let index = first; pointerAt(index) !== 0; index += 2) {
      const [name, value] = [quoted(index, bytesMax), quoted(index + 1, bytesMax)]
      if (name === undefined || value === undefined) return undefined
      fields += `${fields === '' ? '' : ','}${name}:${value}`
    }
    return `{${fields}}`
  }

  return {
    text,
    anyText,
    optionalText(index, bytesMax, refusal) {
      const pointer = pointerAt(index)
      return pointer === 0 || engine.qjs_is_undefined(pointer) !== 0 ? undefined : text(index, bytesMax, refusal)
    },
    json(index, bytesMax) {
      const form = engine.qjs_get_float64(pointerAt(index))
      if (form === valueForms.checked) return text(index + 1, bytesMax)
      if (form === valueForms.json) {
        const json = text(index + 1, bytesMax)
        // JSON.stringify writes a number that is not finite as null, so only a text with a null in it needs a second look.
        return json.includes('null') ? undefined : json
      }
      const json = form === valueForms.text ? quoted(index + 1, bytesMax) : quotedFields(index + 1, bytesMax)
      if (json !== undefined && Buffer.byteLength(json) > bytesMax) throw new Refused('LIMIT')
      return json
    },
    data(index) {
      const pointer = pointerAt(index)
      if (pointer === 0) throw new Refused('BAD_VALUE')
      const isText = engine.qjs_is_string(pointer) !== 0
      const text = isText ? machine.readText(pointer) : undefined
      if (isText && text === undefined) throw new Refused('BAD_VALUE')
      const data = text === undefined ? machine.readBytes(pointer) : Buffer.from(text, 'utf8')
      if (data.length > limits.CRYPTO_BYTES_MAX) throw new Refused('LIMIT')
      return data
    },
  }
}

function refuseInView({ isView }: Run): void {
  if (isView) throw new Refused('READ_ONLY')
}

function keyOf(args: Arguments): string {
  const key = args.text(0, keyBytes, 'BAD_KEY')
  if (key === '') throw new Refused('BAD_KEY')
  return key
}

const handlers: Record<Operation, (args: Arguments, run: Run) => Answer> = {
  get(args, { host, meter }) {
    const key = keyOf(args)
    meter.charge(price.read)
    const json = host.get(key)
    if (json !== undefined) meter.charge(0, Buffer.byteLength(json))
    return json
  },
  set(args, run) {
    refuseInView(run)
    const key = keyOf(args)
    const json = args.json(1, limits.VALUE_BYTES_MAX)
    if (json === undefined) return CHECK_AGAIN
    run.meter.charge(price.write + price.writtenByte * (Buffer.byteLength(key) + Buffer.byteLength(json)))
    run.host.set(key, json)
    return undefined
  },
  delete(args, run) {
    refuseInView(run)
    run.meter.charge(price.write)
    run.host.delete(keyOf(args))
    return undefined
  },
  scan: (args, { host, meter }) => scan(args, host, meter),
  emit: (args, run) => emit(args, run),
  call(args, run) {
    refuseInView(run)
    return nest(args, run.host.call, run.meter)
  },
  view: (args, { host, meter }) => nest(args, host.view, meter),
  sha256(args, { host, meter }) {
    const data = args.data(0)
    meter.charge(0, data.length)
    return Buffer.from(host.sha256(data)).toString('hex')
  },
  verifyEd25519: (args, { host, meter }) => verify(args, host, meter),
  isAddress(args, { host }) {
    const text = args.anyText(0, limits.VALUE_BYTES_MAX)
    return text !== undefined && host.isAddress(text)
  },
  hasRole: (args, { host }) => host.hasRole(args.text(0, limits.NAME_BYTES_MAX), args.text(1, limits.NAME_BYTES_MAX)),
  log(args, { host, meter }) {
    const [level, text] = [args.text(0, limits.NAME_BYTES_MAX), args.text(1, limits.LOG_BYTES_MAX)]
    meter.charge(price.log, Buffer.byteLength(text))
    host.log?.(level, text)
    return undefined
  },
}

function emit(args: Arguments, run: Run): Answer {
  refuseInView(run)
  const name = args.text(0, limits.EVENT_NAME_BYTES_MAX)
  const json = args.json(1, limits.EVENT_BYTES_MAX)
  if (json === undefined) return CHECK_AGAIN
  const bytes = Buffer.byteLength(name) + Buffer.byteLength(json)
  run.eventCount += 1
  run.eventBytes += bytes
  if (name === '') throw new Refused('BAD_VALUE')
  if (run.eventCount > limits.EVENT_COUNT_MAX || run.eventBytes > limits.EVENTS_BYTES_MAX) throw new Refused('LIMIT')
  run.meter.charge(price.emit + price.writtenByte * bytes)
  run.host.emit(name, json)
  return undefined
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
