/**
 * The instructions the rewriter knows (WebAssembly Core Specification 2.0, section 5.4), by the form of their immediates, and
 * the names of those it does not take. What is in neither list is refused as well.
 */

/** The opcodes that are looked at or written. */
export const op = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  select: 0x1b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Load: 0x28,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  i32LtU: 0x49,
  i32GtU: 0x4b,
  i64LtS: 0x53,
  i64GtS: 0x55,
  f32Eq: 0x5b,
  f64Eq: 0x61,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i32And: 0x71,
  i32Shl: 0x74,
  i32ShrS: 0x75,
  i32ShrU: 0x76,
  i64Add: 0x7c,
  i64Sub: 0x7d,
  i64Mul: 0x7e,
  i64Shl: 0x86,
  i64ShrS: 0x87,
  i32WrapI64: 0xa7,
  i64ExtendI32U: 0xad,
  i64TruncF64S: 0xb0,
  f64ConvertI64S: 0xb9,
  /** The first byte of saturating truncations and of bulk memory and table instructions. */
  prefixFc: 0xfc,
  memoryCopy: 10,
  memoryFill: 11,
} as const

export const valueType = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c } as const
export const EMPTY_BLOCK = 0x40

export type Immediates =
  | 'none'
  | 'index'
  | 'blockType'
  | 'labels'
  | 'twoIndexes'
  | 'memory'
  | 'memoryArgument'
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'types'

const forms: (Immediates | undefined)[] = []
const from = (first: number, last: number, form: Immediates) => {
  for (let opcode = first; opcode <= last; opcode++) forms[opcode] = form
}
from(0x00, 0x01, 'none')
from(0x02, 0x04, 'blockType')
from(0x05, 0x05, 'none')
from(0x0b, 0x0b, 'none')
from(0x0c, 0x0d, 'index')
from(0x0e, 0x0e, 'labels')
from(0x0f, 0x0f, 'none')
from(0x10, 0x10, 'index')
from(0x11, 0x11, 'twoIndexes')
from(0x1a, 0x1b, 'none')
from(0x1c, 0x1c, 'types')
from(0x20, 0x24, 'index')
from(0x28, 0x3e, 'memoryArgument')
from(0x3f, 0x40, 'memory')
from(0x41, 0x41, 'i32')
from(0x42, 0x42, 'i64')
from(0x43, 0x43, 'f32')
from(0x44, 0x44, 'f64')
from(0x45, 0xc4, 'none')

/** How the immediates of an instruction are read; undefined for one that is not taken. */
export const immediatesOf = (opcode: number): Immediates | undefined => forms[opcode]

/** Of the instructions after 0xFC only saturating truncations (0 to 7), memory.copy and memory.fill are taken. */
export const SATURATING_LAST = 7

const refused: Record<number, string> = {
  6: 'try',
  7: 'catch',
  8: 'throw',
  9: 'rethrow',
  10: 'throw_ref',
  18: 'return_call',
  19: 'return_call_indirect',
  20: 'call_ref',
  21: 'return_call_ref',
  24: 'delegate',
  25: 'catch_all',
  31: 'try_table',
  37: 'table.get',
  38: 'table.set',
  208: 'ref.null',
  209: 'ref.is_null',
  210: 'ref.func',
  251: 'a garbage collection instruction (0xFB)',
  253: 'a vector instruction (0xFD)',
  254: 'an atomic memory instruction (0xFE)',
}
const refusedAfterFc: Record<number, string> = {
  8: 'memory.init',
  9: 'data.drop',
  12: 'table.init',
  13: 'elem.drop',
  14: 'table.copy',
  15: 'table.grow',
  16: 'table.size',
  17: 'table.fill',
}

/** The name of an instruction that is not taken, for the message that refuses it. */
export function nameRefused(opcode: number, second?: number): string {
  const known = second === undefined ? refused[opcode] : refusedAfterFc[second]
  const hex = [opcode, ...(second === undefined ? [] : [second])].map((byte) => byte.toString(16).padStart(2, '0'))
  return known ?? `the unknown opcode 0x${hex.join(' 0x')}`
}

/** div_s, div_u, rem_s and rem_u of both integer types. */
export const isDivision = (opcode: number) => (opcode >= 0x6d && opcode <= 0x70) || (opcode >= 0x7f && opcode <= 0x82)

/**
 * Instructions whose result may be a NaN of any sign and payload (section 4.3.3): rounding, arithmetic, minimum, maximum,
 * demotion and promotion. abs, neg, copysign and reinterpretation only move bits and are the same everywhere.
 */
export function floatResultOf(opcode: number): 'f32' | 'f64' | undefined {
  if ((opcode >= 0x8d && opcode <= 0x97) || opcode === 0xb6) return 'f32'
  if ((opcode >= 0x9b && opcode <= 0xa5) || opcode === 0xbb) return 'f64'
  return undefined
}
