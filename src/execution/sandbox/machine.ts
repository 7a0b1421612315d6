/**
 * One engine instance with the few operations the sandbox needs: texts in and out, evaluate, call. A machine holds no state
 * of its own between calls beyond what its memory image restores.
 */
import { type EngineExports, instantiateEngine, type Pointer } from './engine.ts'

/** What the engine's one host function reaches while a call runs. */
export type HostCalls = (args: Pointer[]) => Pointer

export interface Machine {
  readonly engine: EngineExports
  /** Absent between runs. */
  hostCalls: HostCalls | undefined
  /** The whole memory, which never moves. */
  readonly memory: Buffer
  newText(text: string): Pointer
  readText(value: Pointer, scratch: Pointer): string
  /** A copy of a Uint8Array's bytes. */
  readBytes(value: Pointer, scratch: Pointer): Uint8Array
  evaluate(code: string, fileName: string): Pointer
  call(callee: Pointer, args: Pointer[]): Pointer
  property(object: Pointer, name: string): Pointer
}

/** Scratch words a machine writes lengths to; allocated at boot, part of every image. */
export const SCRATCH_BYTES = 16

export function createMachine(): Machine {
  const engine = instantiateEngine((count, args) => {
    if (machine.hostCalls === undefined) throw new Error('the contract engine called its host outside a run')
    const pointers: Pointer[] = []
    for (let index = 0; index < count; index++) pointers.push(memory.readUInt32LE(args + index * 4))
    return machine.hostCalls(pointers)
  })
  const memory = Buffer.from(engine.memory.buffer)

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

  const machine: Machine = {
    engine,
    hostCalls: undefined,
    memory,
    newText: (text) => withCText(text, (pointer, length) => engine.qjs_new_string(pointer, length)),
    readText(value, scratch) {
      const pointer = engine.qjs_get_string_len(value, scratch)
      if (pointer === 0) throw new OutOfHeap()
      const text = memory.toString('utf8', pointer, pointer + memory.readUInt32LE(scratch))
      engine.qjs_free_cstring(pointer)
      return text
    },
    readBytes(value, scratch) {
      const buffer = engine.qjs_get_typed_array_buffer(value, scratch, scratch + 4, scratch + 8)
      const offset = memory.readUInt32LE(scratch)
      const length = memory.readUInt32LE(scratch + 4)
      const start = engine.qjs_get_array_buffer(buffer, scratch + 12)
      const copy = new Uint8Array(length)
      copy.set(memory.subarray(start + offset, start + offset + length))
      engine.qjs_free_value(buffer)
      return copy
    },
    evaluate: (code, fileName) =>
      withCText(fileName, (name) => withCText(code, (pointer, length) => engine.qjs_eval(pointer, length, name, 0))),
    call(callee, args) {
      const list = allocate(args.length * 4)
      args.forEach((value, index) => {
        memory.writeUInt32LE(value, list + index * 4)
      })
      const self = engine.qjs_get_undefined()
      return engine.qjs_call(callee, self, args.length, list)
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
