/**
 * Meters a WebAssembly module: gives the module that computes the same and besides counts its instructions, exactly and alike
 * on every machine, ends with `unreachable` where the count passes what it was given, bounds its calls, and lives in a memory
 * of one size. Every instruction is one gas, but for those that only delimit: `block`, `loop`, `else`,
 * `end` and `nop`.
 * Pure functions over bytes; terms and sections are those of the WebAssembly Core Specification 2.0.
 */
import { createReader, createSink, lengthOfAll, ModuleRefused, name, readU32, signed, u32 } from './bytes.ts'
import { meterBody } from './function-body.ts'
import { budgetAtStart, CALLS_MAX, helperBody, helpersOf, type Layout, meteringExports } from './layout.ts'
import { EMPTY_BLOCK, op, valueType } from './opcodes.ts'
import {
  appendTo,
  type FunctionType,
  readBody,
  readExport,
  readFunctionType,
  readImportKind,
  readLimits,
  readSection,
  readSections,
  type Sections,
  section,
  writeSections,
} from './sections.ts'

export { ModuleRefused } from './bytes.ts'
export { meteringExports } from './layout.ts'

export interface MeteringOptions {
  /** The size the memory has from the start, in pages of 64 KiB. memory.grow only moves a count below it. */
  pagesMax: number
  /** Calls of the module's own functions that have not returned, until `begin` sets it anew; at most CALLS_MAX. */
  callDepthMax: number
  /** The exported global that is the stack pointer of compiled C. */
  stackPointer?: string
}

/** Throws ModuleRefused for what it does not know. The module must be valid (section 3); that is not checked here. */
export function meterModule(module: Uint8Array, options: MeteringOptions): Uint8Array<ArrayBuffer> {
  const sections = readSections(module)
  const types = readSection(sections, section.type, readFunctionType)
  const imports = readSection(sections, section.import, readImportKind)
  const typeOf = readSection(sections, section.function, readU32)
  const bodies = readSection(sections, section.code, readBody)
  if (bodies.length !== typeOf.length) throw new ModuleRefused('the module declares other functions than it defines')
  const layout = layoutOf(sections, { imports, functionCount: typeOf.length, options })
  const helpers = helpersOf(layout)
  const addedTypes = helpers.map(({ type }) => type)

  /** That of a block which leaves a function's results (section 5.4.1). */
  function blockTypeOf({ results }: FunctionType): number[] {
    if (results.length === 0) return [EMPTY_BLOCK]
    if (results.length === 1) return [results[0]!]
    addedTypes.push([0x60, 0, results.length, ...results])
    return signed(types.length + addedTypes.length - 1)
  }

  const source = sections.get(section.code) ?? new Uint8Array()
  const sink = createSink(2 * source.length)
  sink.write([u32(bodies.length + helpers.length)], source)
  for (const [index, { from, to }] of bodies.entries()) {
    const type = types[typeOf[index]!]
    if (type === undefined) throw new ModuleRefused(`function ${index} has a type that is not there`)
    const reader = createReader(source, from, to)
    const code = meterBody(reader, type.parameters.length, blockTypeOf(type), layout)
    sink.write([u32(lengthOfAll(code))], source)
    sink.write(code, source)
  }
  sink.write(
    helpers.map(({ code }) => helperBody(code)),
    source,
  )
  sections.set(section.code, sink.finish())
  appendTo(
    sections,
    section.function,
    helpers.map((_, index) => u32(types.length + index)),
  )
  appendTo(sections, section.type, addedTypes)
  addGlobals(sections, layout, { pages: fixMemory(sections, options.pagesMax), calls: options.callDepthMax })
  for (const [index, { exportName }] of helpers.entries()) {
    if (exportName === undefined) continue
    appendTo(sections, section.export, [[...name(exportName), 0, ...u32(layout.functions.pass + index)]])
  }
  return writeSections(sections)
}

function layoutOf(
  sections: Sections,
  { imports, functionCount, options }: { imports: number[]; functionCount: number; options: MeteringOptions },
): Layout {
  const countOf = (kind: number) => imports.filter((imported) => imported === kind).length
  const content = sections.get(section.global)
  const firstGlobal = countOf(3) + (content === undefined ? 0 : readU32(createReader(content)))
  const firstFunction = countOf(0) + functionCount
  const { stackPointer, pagesMax, callDepthMax } = options
  if (callDepthMax > CALLS_MAX) throw new ModuleRefused(`${callDepthMax} unfinished calls are more than ${CALLS_MAX}`)
  const exported = readSection(sections, section.export, readExport)
  return {
    globals: { budget: firstGlobal, pages: firstGlobal + 1, stackLow: firstGlobal + 2 },
    functions: { pass: firstFunction, bulk: firstFunction + 1, grow: firstFunction + 2 },
    stackPointer: exported.find((entry) => entry.kind === 3 && entry.name === stackPointer)?.index,
    pagesMax,
  }
}

/** Gives the memory its one size; answers the size it had at the start, or 0 where there is none. */
function fixMemory(sections: Sections, pagesMax: number): number {
  const memories = readSection(sections, section.memory, readLimits)
  if (memories.length === 0) return 0
  const { minimum, maximum = pagesMax } = memories[0]!
  if (memories.length > 1 || minimum > pagesMax || maximum < pagesMax) {
    throw new ModuleRefused(`the module's memory does not fit ${pagesMax} pages`)
  }
  sections.set(section.memory, Uint8Array.from([1, 1, ...u32(pagesMax), ...u32(pagesMax)]))
  return minimum
}

function addGlobals(sections: Sections, { globals }: Layout, { pages, calls }: { pages: number; calls: number }): void {
  const variable = (type: number, opcode: number, value: number) => [type, 1, opcode, ...signed(value), op.end]
  appendTo(sections, section.global, [
    variable(valueType.i64, op.i64Const, budgetAtStart(calls)),
    variable(valueType.i32, op.i32Const, pages),
    variable(valueType.i32, op.i32Const, -1),
  ])
  const exports = (['pages', 'stackLow'] as const).map((key) => [
    ...name(meteringExports[key]),
    3,
    ...u32(globals[key]),
  ])
  appendTo(sections, section.export, exports)
}
