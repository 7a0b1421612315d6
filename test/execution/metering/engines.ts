// The engine as published, without metering, and scripts run in either one by its raw exports: tests compare texts, the bench times.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { EngineExports } from '../../../src/execution/sandbox/engine.ts'

/** The whole language; nothing is taken from it here. */
const INTRINSICS = 0b1_1111_1111

export function instantiatePublished(): EngineExports {
  const path = createRequire(import.meta.url).resolve('quickjs-wasi/quickjs.wasm')
  const module = new WebAssembly.Module(readFileSync(path))
  const imports: WebAssembly.Imports = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] = { ...imports[from], [name]: () => 0 }
  }
  return new WebAssembly.Instance(module, imports).exports as unknown as EngineExports
}

export interface Script {
  run(): void
  /** Runs it and gives its value as text. */
  text(): string
  free(): void
}

/** Starts an engine; a script is the body of a function. */
export function startEngine(engine: EngineExports): (body: string) => Script {
  engine._initialize()
  if (engine.qjs_init2(INTRINSICS) !== 0) throw new Error('the engine did not start')
  const length = engine.wasm_malloc(4)
  return (body) => {
    const bytes = Buffer.from(`(() => { ${body} })()\0`)
    const code = engine.wasm_malloc(bytes.length)
    new Uint8Array(engine.memory.buffer).set(bytes, code)
    const evaluate = () => engine.qjs_eval(code, bytes.length - 1, code + bytes.length - 1, 0)
    return {
      run: () => engine.qjs_free_value(evaluate()),
      text() {
        const value = evaluate()
        const text = engine.qjs_get_string_len(value, length)
        const size = new DataView(engine.memory.buffer).getUint32(length, true)
        const result = Buffer.from(engine.memory.buffer, text, size).toString('utf8')
        engine.qjs_free_cstring(text)
        engine.qjs_free_value(value)
        return result
      },
      free: () => engine.wasm_free(code),
    }
  }
}
