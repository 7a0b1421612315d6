/**
 * One NaN for all machines. The sign and payload of a NaN that arithmetic makes are the only results the specification leaves
 * open (WebAssembly Core Specification 2.0, section 4.3.3), and processors differ in them: x86-64 sets the sign, Arm does not.
 */
import { u32 } from './bytes.ts'
import { op } from './opcodes.ts'

const canonical = {
  f32: { nan: [op.f32Const, 0, 0, 0xc0, 0x7f], equal: op.f32Eq },
  f64: { nan: [op.f64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f], equal: op.f64Eq },
} as const

/** Puts the positive quiet NaN without payload in place of whichever is on the stack; only a NaN differs from itself. */
export function canonicaliseNan(type: 'f32' | 'f64', scratch: number): number[] {
  const { nan, equal } = canonical[type]
  const local = u32(scratch)
  return [op.localTee, ...local, ...nan, op.localGet, ...local, op.localGet, ...local, equal, op.select]
}
