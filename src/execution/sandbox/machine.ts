/**
 * One engine instance with the few operations the sandbox needs: texts in and out, evaluate, call. A machine holds no state
 * of its own between calls beyond what its memory image restores.
 */
import { isUtf8 } from 'node:buffer'
import { type EngineExports, instantiateEngine, type Pointer } from './engine.ts'

/** What the engine's one host function reaches while a call runs: so many values, whose pointers stand from `args` on. */
export type HostCalls = (count: number, args: Pointer) => Pointer

export interface Machine {
  readonly engine: EngineExports
  /** Absent between runs. */
  hostCalls: HostCalls | undefined
  /** The whole memory, which never moves. */
  readonly memory: Buffer
  /** Where the machine may write SCRATCH_BYTES; allocated at boot, part of every image. */
  scratch: Pointer
  newText(text: string): Pointer
  /** Undefined where it holds half of a surrogate pair, which has no form in UTF-8. */
  readText(value: Pointer): string | undefined
  /** A copy of a Uint8Array's bytes. */
  readBytes(value: Pointer): Uint8Array
  readPointer(address: Pointer): Pointer
  evaluate(code: string, fileName: string): Pointer
  call(callee: Pointer, args: Pointer[]): Pointer
  property(object: Pointer, name: string): Pointer
}

/** Four lengths, then twelve arguments of a call, then a short text. */
const SCRATCH_LIST_AT = 16
const SCRATCH_TEXT_AT = 64
const SCRATCH_TEXT_BYTES = 448
export const SCRATCH_BYTES = SCRATCH_TEXT_AT + SCRATCH_TEXT_BYTES

export function createMachine(): Machine {
  const engine = instantiateEngine((count, args) => {
    if (machine.hostCalls === undefined) throw new Error('the contract engine called its host outside a run')
    return machine.hostCalls(count, args)
  })
  const memory = Buffer.from(engine.memory.buffer)
  const view = new DataView(engine.memory.buffer)
  const readPointer = (address: Pointer) => view.getUint32(address, true)

  function withCText<T>(text: string, use: (pointer: Pointer, length: number) => T): T {
    const length = Buffer.byteLength(text)
    const pointer = allocate(length + 1)
    memory.write(text, pointer, length, 'utf8')
    memory[pointer + length] = 0
    const result = use(pointer, length)
    engine.wasm_free(pointer)
    return result
  }

  function allocate(length: number): Pointer {
    const pointer = engine.wasm_malloc(length)
    // The limits on texts are far below the address space; only a broken engine gets here.
    if (pointer === 0) throw new WebAssembly.RuntimeError('the engine has no memory left')
    return pointer
  }

  /** Puts a short ASCII text in the scratch space, without the calls that others need; false for all others. */
  function writeShort(text: string, address: Pointer): boolean {
    if (text.length > SCRATCH_TEXT_BYTES) return false
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) return false
      memory[address + index] = unit
    }
    return true
  }

  const machine: Machine = {
    engine,
    hostCalls: undefined,
    memory,
    scratch: 0,
    newText(text) {
      const short = machine.scratch + SCRATCH_TEXT_AT
      if (writeShort(text, short)) return engine.qjs_new_string(short, text.length)
      return withCText(text, (pointer, length) => engine.qjs_new_string(pointer, length))
    },
    readText(value) {
      const pointer = engine.qjs_get_string_len(value, machine.scratch)
      if (pointer === 0) throw new OutOfHeap()
      const end = pointer + readPointer(machine.scratch)
      const text = memory.toString('utf8', pointer, end)
      // What is no UTF-8 was decoded to replacement characters.
      const isWhole = !text.includes('\ufffd') || isUtf8(memory.subarray(pointer, end))
      engine.qjs_free_cstring(pointer)
      return isWhole ? text : undefined
    },
    readBytes(value) {
      const { scratch } = machine
      const buffer = engine.qjs_get_typed_array_buffer(value, scratch, scratch + 4, scratch + 8)
      const [offset, length] = [readPointer(scratch), readPointer(scratch + 4)]
      const start = engine.qjs_get_array_buffer(buffer, scratch + 12)
      const copy = new Uint8Array(length)
      copy.set(memory.subarray(start + offset, start + offset + length))
      engine.qjs_free_value(buffer)
      return copy
    },
    readPointer,
    evaluate: (code, fileName) =>
      withCText(fileName, (name) => withCText(code, (pointer, length) => engine.qjs_eval(pointer, length, name, 0))),
    call(callee, args) {
      const list = machine.scratch + SCRATCH_LIST_AT
      for (let index = 0; index < args.length; index++) view.setUint32(list + 4 * index, args[index]!, true)
      return engine.qjs_call(callee, engine.qjs_get_undefined(), args.length, list)
    },
    property: (object, name) => withCText(name, (pointer) => engine.qjs_get_prop_string(object, pointer)),
  }
  return machine
}

/**
 * A text could not be copied out because the engine's heap limit is reached; an exception is pending in the engine. Thrown, but
 * no Error: a contract can make this happen in a loop, and a trace of the stack is dear.
 */
export class OutOfHeap {}
