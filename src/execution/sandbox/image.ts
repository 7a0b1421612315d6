/**
 * Memory images. The base image is the engine after its boot; a contract image is the base after the contract's top level
 * ran. Restoring one before every call is what makes a call see nothing of the calls before it, on any machine.
 *
 * Layout of the pinned binary: stack below STACK_TOP growing down, then data, then heap. An image holds data and heap up to
 * the last byte that is not zero; the stack and the rest are zero.
 */
import { createHash } from 'node:crypto'
import type { Pointer } from './engine.ts'
import { COLLECTION_BYTES, HEAP_SLACK_BYTES, MEMORY_BYTES_MAX, STACK_BYTES_MAX } from './limits.ts'
import { createMachine, type Machine, SCRATCH_BYTES } from './machine.ts'
import { preludeText } from './prelude.ts'

export const STACK_TOP = 1024 * 1024
const PAGE_BYTES = 64 * 1024

/** Date, eval (the engine's own entry to compile, taken from contracts by the prelude), RegExp, JSON, Proxy, Map, typed arrays, Promise, BigInt. */
const INTRINSICS = 0b1_1111_1111

/** Zeroed before each call: the engine's stack limit and room for the frames below its last check. */
const STACK_BAND_BYTES = STACK_BYTES_MAX + 64 * 1024
/** Looked at below the band: frames are contiguous, so a stack that went deeper left something here. */
const SENTINEL_BYTES = 16 * 1024
const zeros = new Uint8Array(SENTINEL_BYTES)

/** Pointers to what the prelude gave the host; addresses inside the image. */
export interface Handles {
  register: Pointer
  dispatch: Pointer
  describeLoading: Pointer
  scratch: Pointer
}

export interface Image {
  readonly bytes: Uint8Array
  readonly pages: number
  readonly handles: Handles
}

export const pagesOf = (machine: Machine) => machine.bytes().length / PAGE_BYTES

/** Boots a new machine and takes the base image; the same bytes in every process. */
export function bootBaseImage(): { machine: Machine; image: Image } {
  const machine = createMachine()
  const { engine } = machine
  if (engine.__stack_pointer.value !== STACK_TOP) throw new Error('the contract engine has another memory layout')
  engine._initialize()
  if (engine.qjs_init2(INTRINSICS) !== 0) throw new Error('the contract engine did not start')
  engine.qjs_set_max_stack_size(STACK_BYTES_MAX)
  engine.qjs_set_memory_limit(MEMORY_BYTES_MAX)
  engine.qjs_set_gc_threshold(COLLECTION_BYTES)
  engine.qjs_set_interrupt_handler(1)
  machine.activation = { onPoll: () => {}, onHostCall: () => 0 }
  const scratch = engine.wasm_malloc(SCRATCH_BYTES)
  const prelude = machine.evaluate(preludeText, 'quorate')
  const host = engine.qjs_new_host_function(machine.newText('host'), 0, 0)
  const given = machine.call(prelude, [host])
  if (engine.qjs_is_exception(given)) {
    throw new Error(`the contract prelude failed: ${machine.readText(engine.qjs_get_exception(), scratch)}`)
  }
  const handles = {
    register: machine.property(given, 'register'),
    dispatch: machine.property(given, 'dispatch'),
    describeLoading: machine.property(given, 'describeLoading'),
    scratch,
  }
  machine.activation = undefined
  return { machine, image: takeImage(machine, handles) }
}

/** Leaves free heap at the end, so that ordinary calls never grow the memory, and copies what is not zero. */
export function takeImage(machine: Machine, handles: Handles): Image {
  machine.engine.wasm_free(machine.engine.wasm_malloc(HEAP_SLACK_BYTES))
  const memory = machine.bytes()
  let end = memory.length
  while (end > STACK_TOP && memory[end - 1] === 0) end--
  // A copy: a Buffer's own slice would be a view of the machine's memory.
  return { bytes: new Uint8Array(memory.subarray(STACK_TOP, end)), pages: memory.length / PAGE_BYTES, handles }
}

/** Grows a smaller machine to the image's pages. A larger one cannot shrink and must not be given. */
export function fitMachine(machine: Machine, image: Image): void {
  const missing = image.pages - pagesOf(machine)
  if (missing < 0) throw new Error('a machine with more memory than the image cannot run it')
  if (missing > 0) machine.engine.memory.grow(missing)
}

/** Makes memory and stack pointer exactly the image's. */
export function restoreImage(machine: Machine, image: Image): void {
  const memory = machine.bytes()
  const bandStart = STACK_TOP - STACK_BAND_BYTES
  memory.fill(0, bandStart, STACK_TOP)
  if (memory.compare(zeros, 0, SENTINEL_BYTES, bandStart - SENTINEL_BYTES, bandStart) !== 0)
    memory.fill(0, 0, bandStart)
  memory.set(image.bytes, STACK_TOP)
  memory.fill(0, STACK_TOP + image.bytes.length)
  machine.engine.__stack_pointer.value = STACK_TOP
}

/** SHA-256 over the whole memory, its size and the stack pointer: equal for equal images, whatever ran before. */
export function hashMachine(machine: Machine): string {
  const registers = `${machine.engine.__stack_pointer.value} ${pagesOf(machine)}`
  return createHash('sha256').update(registers).update(machine.bytes()).digest('hex')
}
