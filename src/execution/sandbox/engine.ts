/**
 * The engine: QuickJS compiled to WebAssembly, metered, and driven through its raw exports. No WASI defaults are used; every import is
 * ours and answers with constants, so that a contract can observe neither time nor chance.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { meteringExports, meterModule } from '../metering/index.ts'
import { ENGINE_CALLS_MAX, ENGINE_SHA256, MEMORY_PAGES_MAX, METERED_SHA256 } from './limits.ts'

/** A pointer into the engine's memory; values are pointers to the engine's eight-byte boxes. */
export type Pointer = number

/** The exports used here. */
export interface EngineExports {
  memory: WebAssembly.Memory
  __stack_pointer: WebAssembly.Global<'i32'>
  [meteringExports.begin](gas: number, calls: number): void
  [meteringExports.spend](gas: number): void
  [meteringExports.gas](): number
  [meteringExports.calls](): number
  [meteringExports.pages]: WebAssembly.Global<'i32'>
  [meteringExports.stackLow]: WebAssembly.Global<'i32'>
  _initialize(): void
  qjs_init2(intrinsics: number): number
  qjs_set_memory_limit(bytes: number): void
  qjs_set_max_stack_size(bytes: number): void
  qjs_set_gc_threshold(bytes: number): void
  qjs_eval(code: Pointer, length: number, fileName: Pointer, flags: number): Pointer
  qjs_call(callee: Pointer, self: Pointer, count: number, args: Pointer): Pointer
  qjs_new_host_function(name: Pointer, length: number, parameters: number): Pointer
  qjs_new_string(text: Pointer, length: number): Pointer
  qjs_new_number(value: number): Pointer
  qjs_get_undefined(): Pointer
  qjs_get_null(): Pointer
  qjs_get_true(): Pointer
  qjs_get_false(): Pointer
  qjs_get_float64(value: Pointer): number
  qjs_get_prop_string(object: Pointer, name: Pointer): Pointer
  qjs_get_string_len(value: Pointer, lengthOut: Pointer): Pointer
  qjs_free_cstring(text: Pointer): void
  qjs_is_string(value: Pointer): number
  qjs_is_number(value: Pointer): number
  qjs_is_undefined(value: Pointer): number
  qjs_is_exception(value: Pointer): number
  qjs_get_exception(): Pointer
  qjs_get_typed_array_buffer(value: Pointer, offset: Pointer, length: Pointer, width: Pointer): Pointer
  qjs_get_array_buffer(value: Pointer, lengthOut: Pointer): Pointer
  qjs_free_value(value: Pointer): void
  wasm_malloc(bytes: number): Pointer
  wasm_free(pointer: Pointer): void
}

/** The prelude's one host function. */
export type OnHostCall = (count: number, args: Pointer) => Pointer

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

let compiled: WebAssembly.Module | undefined

/** Reads, checks, meters and compiles the pinned binary, once per thread. */
function compileEngine(): WebAssembly.Module {
  if (compiled !== undefined) return compiled
  const path = createRequire(import.meta.url).resolve('quickjs-wasi/quickjs.wasm')
  const bytes = readFileSync(path)
  const hash = sha256(bytes)
  if (hash !== ENGINE_SHA256) {
    throw new Error(`contract engine ${path} has SHA-256 ${hash}, not the pinned ${ENGINE_SHA256}: run npm ci`)
  }
  const metered = meterModule(bytes, {
    pagesMax: MEMORY_PAGES_MAX,
    callDepthMax: ENGINE_CALLS_MAX,
    stackPointer: '__stack_pointer',
  })
  const meteredHash = sha256(metered)
  if (meteredHash !== METERED_SHA256) {
    throw new Error(
      `metering gives an engine with SHA-256 ${meteredHash}, not the pinned ${METERED_SHA256}: gas would differ from other nodes'. Undo what was changed in src/execution/metering, or pin the new hash for a new network`,
    )
  }
  compiled = new WebAssembly.Module(metered)
  return compiled
}

/** A new instance, its memory as the binary declares it; `boot` or `restore` comes next. */
export function instantiateEngine(onHostCall: OnHostCall): EngineExports {
  const badDescriptor = () => 8
  const imports = {
    env: {
      host_call: (_name: Pointer, _length: number, _self: Pointer, count: number, args: Pointer) =>
        onHostCall(count, args),
      // Gas is counted in the engine's own instructions; this is never asked for.
      host_interrupt: () => 0,
      host_get_timezone_offset: () => 0,
      host_promise_rejection: () => {},
      host_module_normalize: () => 0,
      host_module_load: () => 0,
    },
    wasi_snapshot_preview1: {
      clock_time_get: (_clock: number, _precision: bigint, out: Pointer) => {
        new DataView(engine.memory.buffer).setBigUint64(out, 0n, true)
        return 0
      },
      random_get: (out: Pointer, length: number) => {
        new Uint8Array(engine.memory.buffer, out, length).fill(0)
        return 0
      },
      fd_close: badDescriptor,
      fd_fdstat_get: badDescriptor,
      fd_seek: badDescriptor,
      fd_write: badDescriptor,
    },
  }
  const instance = new WebAssembly.Instance(compileEngine(), imports)
  const engine = instance.exports as unknown as EngineExports
  return engine
}
