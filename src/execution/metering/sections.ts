/** Takes a module apart into its sections and puts it together again (WebAssembly Core Specification 2.0, section 5.5). */
import {
  concatenate,
  createReader,
  ModuleRefused,
  type Reader,
  readByte,
  readName,
  readU32,
  readVector,
  skipBytes,
  u32,
} from './bytes.ts'

export const section = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const
/** The order the binary format demands. */
const order = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11]
const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

/** Contents by section id. Custom sections are left out: they change nothing that runs. */
export type Sections = Map<number, Uint8Array>

export function readSections(module: Uint8Array): Sections {
  if (PREAMBLE.some((byte, index) => module[index] !== byte)) {
    throw new ModuleRefused('the bytes do not begin as a WebAssembly module of version 1')
  }
  const sections: Sections = new Map()
  const reader = createReader(module, PREAMBLE.length)
  while (reader.offset < reader.end) {
    const id = readByte(reader)
    const length = readU32(reader)
    const start = reader.offset
    skipBytes(reader, length)
    if (id === 0) continue
    if (!order.includes(id)) throw new ModuleRefused(`section ${id} is none the metering takes`)
    sections.set(id, module.subarray(start, reader.offset))
  }
  return sections
}

export function writeSections(sections: Sections): Uint8Array<ArrayBuffer> {
  const parts: (Uint8Array | number[])[] = [PREAMBLE]
  for (const id of order) {
    const content = sections.get(id)
    if (content !== undefined) parts.push([id, ...u32(content.length)], content)
  }
  return concatenate(parts)
}

/** A section that is a vector, with more elements at its end. */
export function appendTo(sections: Sections, id: number, elements: readonly (Uint8Array | readonly number[])[]): void {
  const content = sections.get(id) ?? Uint8Array.of(0)
  const reader = createReader(content)
  const length = readU32(reader)
  sections.set(id, concatenate([u32(length + elements.length), content.subarray(reader.offset), ...elements]))
}

export const readSection = <T>(sections: Sections, id: number, readOne: (reader: Reader) => T): T[] => {
  const content = sections.get(id)
  return content === undefined ? [] : readVector(createReader(content), readOne)
}

export interface FunctionType {
  parameters: number[]
  results: number[]
}

export function readFunctionType(reader: Reader): FunctionType {
  const form = readByte(reader)
  if (form !== 0x60) throw new ModuleRefused(`a type of the form 0x${form.toString(16)} is no function type`)
  return { parameters: readVector(reader, readByte), results: readVector(reader, readByte) }
}

/** The kind of an import, 0 for functions and 3 for globals; imported memories cannot be virtualised. */
export function readImportKind(reader: Reader): number {
  readName(reader)
  readName(reader)
  const kind = readByte(reader)
  if (kind === 2) throw new ModuleRefused('the module imports its memory; the metering needs its own')
  if (kind === 0) readU32(reader)
  else if (kind === 1) {
    readByte(reader)
    readLimits(reader)
  } else if (kind === 3) skipBytes(reader, 2)
  else throw new ModuleRefused(`an import of kind ${kind} is none the metering takes`)
  return kind
}

export function readLimits(reader: Reader): { minimum: number; maximum: number | undefined } {
  const flags = readByte(reader)
  if (flags > 1) throw new ModuleRefused('shared and 64-bit memories and tables are not taken')
  const minimum = readU32(reader)
  return { minimum, maximum: flags === 1 ? readU32(reader) : undefined }
}

export interface Export {
  name: string
  kind: number
  index: number
}

export const readExport = (reader: Reader): Export => ({
  name: readName(reader),
  kind: readByte(reader),
  index: readU32(reader),
})

/** Where the code of one entry of the code section lies in it. */
export function readBody(reader: Reader): { from: number; to: number } {
  const length = readU32(reader)
  const from = reader.offset
  skipBytes(reader, length)
  return { from, to: reader.offset }
}
