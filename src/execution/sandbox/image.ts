/**
 * Memory images. The base image is the engine after its boot; a contract image is the base after the contract's top level
 * ran. Restoring one before every call is what makes a call see nothing of the calls before it, on any machine.
 *
 * Layout of the pinned binary: stack below STACK_TOP growing down, then data, then heap. An image holds data and heap up to
 * the last byte that is not zero; the stack and the rest are zero.
 */
import { createHash } from 'node:crypto'
import { meteringExports } from '../metering/index.ts'
import type { Pointer } from './engine.ts'
import { COLLECTION_BYTES, MEMORY_BYTES_MAX, STACK_BYTES_MAX } from './limits.ts'
import { createMachine, type Machine, SCRATCH_BYTES } from './machine.ts'
import { preludeText } from './prelude.ts'

export const STACK_TOP = 1024 * 1024
export const PAGE_BYTES = 64 * 1024

/** Date, eval (the engine's own entry to compile, taken from contracts by the prelude), RegExp, JSON, Proxy, Map, typed arrays, Promise, BigInt. */
const INTRINSICS = 0b1_1111_1111

/**
 * Compiled C may write so far below its stack pointer without moving it, in functions that call no others (LLVM's
 * WebAssemblyFrameLowering).
 */
const RED_ZONE_BYTES = 128

/** Pointers to what the prelude gave the host; addresses inside the image. */
export interface Handles {
  register: Pointer
  dispatch: Pointer
  describeLoading: Pointer
  scratch: Pointer
}

export interface Image {
  readonly bytes: Uint8Array
  /** What the engine takes for the size of its memory. */
  readonly pages: number
  readonly handles: Handles
}

/** Boots a machine and takes the base image; the same bytes in every process. */
export function bootBaseImage(): Image {
  const machine = createMachine()
  const { engine } = machine
  if (engine.__stack_pointer.value !== STACK_TOP) throw new Error('the contract engine has another memory layout')
  engine._initialize()
  if (engine.qjs_init2(INTRINSICS) !== 0) throw new Error('the contract engine did not start')
  engine.qjs_set_max_stack_size(STACK_BYTES_MAX)
  engine.qjs_set_memory_limit(MEMORY_BYTES_MAX)
  engine.qjs_set_gc_threshold(COLLECTION_BYTES)
  machine.scratch = engine.wasm_malloc(SCRATCH_BYTES)
  const prelude = machine.evaluate(preludeText, 'quorate')
  const host = engine.qjs_new_host_function(machine.newText('host'), 0, 0)
  const given = machine.call(prelude, [host])
  if (engine.qjs_is_exception(given)) {
    throw new Error(`the contract prelude failed: ${machine.readText(engine.qjs_get_exception())}`)
  }
  const handles = {
    register: machine.property(given, 'register'),
    dispatch: machine.property(given, 'dispatch'),
    describeLoading: machine.property(given, 'describeLoading'),
    scratch: machine.scratch,
  }
  // The outer function holds the whole text; what the prelude goes on using stays by itself.
  for (const value of [host, given, prelude]) engine.qjs_free_value(value)
  return takeImage(machine, handles)
}

/** Copies what is not zero. */
export function takeImage({ engine, memory }: Machine, handles: Handles): Image {
  const pages = engine[meteringExports.pages].value
  let end = pages * PAGE_BYTES
  while (end > STACK_TOP && memory[end - 1] === 0) end--
  // A copy: a Buffer's own slice would be a view of the machine's memory.
  return { bytes: new Uint8Array(memory.subarray(STACK_TOP, end)), pages, handles }
}

/** Makes the machine exactly what it was when the image was taken; what it has to clear, it knows from the machine's own marks. */
export function restoreImage(machine: Machine, { bytes, pages, handles }: Image): void {
  const { engine, memory } = machine
  // The mark is unsigned; a stack that left the memory wrapped around and wrote nothing there.
  const stackLow = engine[meteringExports.stackLow].value >>> 0
  if (stackLow < STACK_TOP) memory.fill(0, Math.max(0, stackLow - RED_ZONE_BYTES), STACK_TOP)
  memory.set(bytes, STACK_TOP)
  memory.fill(0, STACK_TOP + bytes.length, engine[meteringExports.pages].value * PAGE_BYTES)
  engine.__stack_pointer.value = STACK_TOP
  engine[meteringExports.stackLow].value = STACK_TOP
  engine[meteringExports.pages].value = pages
  machine.scratch = handles.scratch
}

/** SHA-256 over the whole memory, its size as the engine sees it and the stack pointer: equal for equal images, whatever ran before. */
export function hashMachine({ engine, memory }: Machine): string {
  const registers = [engine.__stack_pointer, engine[meteringExports.pages], engine[meteringExports.stackLow]]
  const text = registers.map(({ value }) => value).join(' ')
  return createHash('sha256').update(text).update(memory).digest('hex')
}
