/**
 * What the rewriter adds to a module: four globals behind those it has, three functions behind its own. Existing indexes stay,
 * so no reference to them has to change.
 */
import { signed, u32 } from './bytes.ts'
import { EMPTY_BLOCK, op, valueType } from './opcodes.ts'

/** The names the added globals are exported under. */
export const meteringExports = {
  /** i64: what is left. Below zero: out of gas. */
  gas: 'metering_gas',
  /** i32: calls that have not returned. Above the limit: the call was too deep. */
  depth: 'metering_depth',
  /** i32: what memory.size gives, in pages of 64 KiB. */
  pages: 'metering_pages',
  /** i32: the least value the stack pointer has had. */
  stackLow: 'metering_stack_low',
} as const

/** Until somebody sets a limit there is none to speak of; a start function runs on this. Exact as a double. */
export const GAS_UNLIMITED = 2 ** 47

/** Gas of one page that memory.grow adds: what the page costs to be cleared again, by the price of bulk bytes. */
export const PAGE_GAS = 32_768
/** memory.copy and memory.fill: gas for the call into the machine's own routine, and bytes for one gas beyond that. */
export const BULK_GAS = 32
export const BULK_BYTES_PER_GAS_LOG2 = 1
/** Integer division takes processors ten to forty times as long as most instructions. */
export const DIVISION_GAS = 8
/** A loop passes on what it has counted when it is more than this: the most that a limit is overrun by, besides one block. */
export const LOOP_SLACK_GAS = 2_048

export interface Layout {
  globals: { gas: number; depth: number; pages: number; stackLow: number }
  functions: { spend: number; bulk: number; grow: number }
  /** Absent where the module has none that is exported under the name asked for. */
  stackPointer: number | undefined
  callDepthMax: number
  pagesMax: number
}

/** The gas global less what is on the stack as an i64. */
const takeGas = ({ globals }: Layout, amount: readonly number[]) => [
  ...[op.globalGet, ...u32(globals.gas), ...amount, op.i64Sub, op.globalSet, ...u32(globals.gas)],
]

/** `unreachable` where the condition on the stack holds. */
export const TRAP_IF = [op.if, EMPTY_BLOCK, op.unreachable, op.end]

const trapIfSpent = ({ globals }: Layout) => [
  ...[op.globalGet, ...u32(globals.gas), op.i64Const, 0, op.i64LtS, ...TRAP_IF],
]

/** Takes the gas counted in a local; traps when it is more than there was. */
export const flush = (layout: Layout, local: number) => [
  ...takeGas(layout, [op.localGet, ...u32(local), op.i64ExtendI32U]),
  ...trapIfSpent(layout),
]

/** One more call that has not returned; traps when there are too many. */
export function enterCall({ globals, callDepthMax }: Layout): number[] {
  const depth = u32(globals.depth)
  const add = [op.globalGet, ...depth, op.i32Const, 1, op.i32Add, op.globalSet, ...depth]
  return [...add, op.globalGet, ...depth, op.i32Const, ...signed(callDepthMax), op.i32GtU, ...TRAP_IF]
}

export function leaveCall({ globals }: Layout): number[] {
  const depth = u32(globals.depth)
  return [op.globalGet, ...depth, op.i32Const, 1, op.i32Sub, op.globalSet, ...depth]
}

/** Behind each write of the stack pointer. */
export function recordStackLow({ globals }: Layout, stackPointer: number): number[] {
  const [pointer, low] = [u32(stackPointer), u32(globals.stackLow)]
  const isLower = [op.globalGet, ...pointer, op.globalGet, ...low, op.i32LtU]
  return [...isLower, op.if, EMPTY_BLOCK, op.globalGet, ...pointer, op.globalSet, ...low, op.end]
}

const body = (code: readonly number[]) => [...u32(code.length + 2), 0, ...code, op.end]

/** Types of the added functions: i32 to nothing, i32 to i32. */
export const helperTypes = [
  [0x60, 1, valueType.i32, 0],
  [0x60, 1, valueType.i32, 1, valueType.i32],
]

/** Which of them each added function has. */
export const helperTypeIndexes = [0, 1, 1]

/** Bodies of the added functions, in the order of their indexes. */
export function helperBodies(layout: Layout): number[][] {
  const spend = flush(layout, 0)
  // The length is passed through to the instruction that follows.
  const bulkGas = [op.localGet, 0, op.i32Const, BULK_BYTES_PER_GAS_LOG2, op.i32ShrU, op.i64ExtendI32U]
  const bulk = [...takeGas(layout, bulkGas), ...trapIfSpent(layout), op.localGet, 0]
  const pages = u32(layout.globals.pages)
  const left = [op.i32Const, ...signed(layout.pagesMax), op.globalGet, ...pages, op.i32Sub]
  const failed = [op.localGet, 0, ...left, op.i32GtU, op.if, EMPTY_BLOCK, op.i32Const, 0x7f, op.return, op.end]
  const pageGas = [op.localGet, 0, op.i64ExtendI32U, op.i64Const, ...signed(PAGE_GAS), op.i64Mul]
  const grow = [
    ...[...failed, ...takeGas(layout, pageGas), ...trapIfSpent(layout), op.globalGet, ...pages],
    ...[op.globalGet, ...pages, op.localGet, 0, op.i32Add, op.globalSet, ...pages],
  ]
  return [spend, bulk, grow].map(body)
}
