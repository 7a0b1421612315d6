/** Reads one instruction of an expression (WebAssembly Core Specification 2.0, section 5.4). */
import { ModuleRefused, type Reader, readByte, readU32, readVector, skipBytes, skipSigned } from './bytes.ts'
import { type Immediates, immediatesOf, nameRefused, op, SATURATING_LAST } from './opcodes.ts'

export interface Instruction {
  opcode: number
  /** What follows a prefix byte; undefined without one. */
  second: number | undefined
  /** The index, the depths of the labels, or nothing. */
  indexes: readonly number[]
  /** Where it begins; it ends where the reader stands. */
  start: number
}

const none: readonly number[] = []

export function readInstruction(reader: Reader): Instruction {
  const start = reader.offset
  const opcode = readByte(reader)
  let second: number | undefined
  let indexes = none
  if (opcode === op.prefixFc) {
    second = readU32(reader)
    const isBulk = second === op.memoryCopy || second === op.memoryFill
    if (second > SATURATING_LAST && !isBulk) refuse(nameRefused(opcode, second), start)
    if (isBulk) for (let left = second === op.memoryCopy ? 2 : 1; left > 0; left--) readMemoryIndex(reader)
  } else {
    const form = immediatesOf(opcode)
    if (form === undefined) refuse(nameRefused(opcode), start)
    indexes = readImmediates(reader, form)
  }
  return { opcode, second, indexes, start }
}

function refuse(what: string, offset: number): never {
  throw new ModuleRefused(`${what} at byte ${offset} is no instruction the metering takes`)
}

function readImmediates(reader: Reader, form: Immediates): readonly number[] {
  switch (form) {
    case 'none':
      return none
    case 'index':
      return [readU32(reader)]
    case 'twoIndexes':
      return [readU32(reader), readU32(reader)]
    case 'labels':
      return [...readVector(reader, readU32), readU32(reader)]
    case 'memory':
      readMemoryIndex(reader)
      return none
    case 'memoryArgument':
      // The bits above the alignment would name another memory.
      if (readU32(reader) > 3)
        throw new ModuleRefused(`a memory argument before byte ${reader.offset} is not of memory 0`)
      readU32(reader)
      return none
    case 'blockType':
      skipSigned(reader, 33)
      return none
    case 'i32':
      skipSigned(reader, 32)
      return none
    case 'i64':
      skipSigned(reader, 64)
      return none
    case 'f32':
      skipBytes(reader, 4)
      return none
    case 'f64':
      skipBytes(reader, 8)
      return none
    case 'types':
      readVector(reader, readByte)
      return none
  }
}

function readMemoryIndex(reader: Reader): void {
  if (readByte(reader) !== 0) throw new ModuleRefused(`an instruction before byte ${reader.offset} is not of memory 0`)
}
