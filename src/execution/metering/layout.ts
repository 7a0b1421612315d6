/**
 * What the rewriter adds to a module: three globals behind those it has, functions behind its own. Existing indexes stay, so no
 * reference to them has to change.
 *
 * Gas and calls are kept in one global, the budget, because each call of a function changes both: what is left of the gas in its
 * upper bits, the calls that may still begin in the lower ones. Each falls below zero without disturbing the other's sign.
 */
import { signed, u32 } from './bytes.ts'
import { EMPTY_BLOCK, op, valueType } from './opcodes.ts'

/** The names of what is added to the module's exports. */
export const meteringExports = {
  /** (gas: f64, calls: i32): what may be used from now on. */
  begin: 'metering_begin',
  /** (gas: f64): takes gas from outside; traps where there is less. */
  spend: 'metering_spend',
  /** () → f64: the gas that is left. Below zero: out of gas. */
  gas: 'metering_gas',
  /** () → i32: calls that may still begin inside those that have not returned. Below zero: the call was too deep. */
  calls: 'metering_calls',
  /** i32: what memory.size gives, in pages of 64 KiB. */
  pages: 'metering_pages',
  /** i32: the least value the stack pointer has had. */
  stackLow: 'metering_stack_low',
} as const

/** Bits of the budget for calls, the last of them their sign. */
const CALL_BITS = 13
export const CALLS_MAX = 2 ** (CALL_BITS - 1) - 1
/** One gas in the budget's unit, and in that of the local a function counts in. */
const ONE_GAS = 2 ** CALL_BITS

/** Until somebody sets a limit there is none to speak of; a start function runs on this. As a budget it is exact as a double. */
const GAS_UNLIMITED = 2 ** 39

/** The budget before anything was begun. */
export const budgetAtStart = (callDepthMax: number): number => GAS_UNLIMITED * ONE_GAS + callDepthMax

/** Gas of one page that memory.grow adds: what the page costs to be cleared again, by the price of bulk bytes. */
export const PAGE_GAS = 32_768
/** memory.copy and memory.fill: gas for the call into the machine's own routine, and bytes for one gas beyond that. */
export const BULK_GAS = 32
export const BULK_BYTES_PER_GAS_LOG2 = 1
/** Integer division takes processors ten to forty times as long as most instructions. */
export const DIVISION_GAS = 8
/** Loading a pointer at the head of a loop: along a list nothing else can be done meanwhile, and in a large memory each one is waited for. */
export const LIST_STEP_GAS = 40
/** A loop passes on what it has counted when it is more than this: the most that a limit is overrun by, besides one block. */
export const LOOP_SLACK_GAS = 2_048

export interface Layout {
  globals: { budget: number; pages: number; stackLow: number }
  /** Those that metered code calls. */
  functions: { pass: number; bulk: number; grow: number }
  /** Absent where the module has none that is exported under the name asked for. */
  stackPointer: number | undefined
  pagesMax: number
}

/** The budget less what is on the stack, in its own unit. */
const take = ({ globals }: Layout, amount: readonly number[]) => [
  ...[op.globalGet, ...u32(globals.budget), ...amount, op.i64Sub, op.globalSet, ...u32(globals.budget)],
]

/** A number of gas on the stack, as an i64, in the budget's unit. */
const asGas = [op.i64Const, CALL_BITS, op.i64Shl]

/** `unreachable` where the condition on the stack holds. */
const TRAP_IF = [op.if, EMPTY_BLOCK, op.unreachable, op.end]

const trapIfSpent = ({ globals }: Layout) => [
  ...[op.globalGet, ...u32(globals.budget), op.i64Const, 0, op.i64LtS, ...TRAP_IF],
]

/** Adds gas to the local a function counts in, and leaves the sum on the stack. */
export const count = (local: number, gas: number) => [
  ...[op.localGet, ...u32(local), op.i64Const, ...signed(gas * ONE_GAS), op.i64Add],
]

/** At a loop header, with the sum on the stack: passes on what has gathered where that is much. */
export const passIfMuch = ({ functions }: Layout, local: number) => [
  ...[op.localTee, ...u32(local), op.i64Const, ...signed(LOOP_SLACK_GAS * ONE_GAS), op.i64GtS, op.if, EMPTY_BLOCK],
  ...[op.localGet, ...u32(local), op.call, ...u32(functions.pass), op.localSet, ...u32(local), op.end],
]

/** One more call that has not returned; traps when there are too many. The local starts at what gives the call back when it is taken. */
export function enterCall(layout: Layout, local: number): number[] {
  const sign = [
    op.globalGet,
    ...u32(layout.globals.budget),
    op.i32WrapI64,
    op.i32Const,
    ...signed(CALLS_MAX + 1),
    op.i32And,
  ]
  return [
    ...take(layout, [op.i64Const, 1]),
    ...sign,
    ...TRAP_IF,
    op.i64Const,
    ...signed(-1),
    op.localSet,
    ...u32(local),
  ]
}

/** At a function's end: takes what was counted, gives the call back; traps when the gas is more than there was. */
export const leave = (layout: Layout, local: number) => [
  ...take(layout, [op.localGet, ...u32(local)]),
  ...trapIfSpent(layout),
]

/** Behind each write of the stack pointer. */
export function recordStackLow({ globals }: Layout, stackPointer: number): number[] {
  const [pointer, low] = [u32(stackPointer), u32(globals.stackLow)]
  const isLower = [op.globalGet, ...pointer, op.globalGet, ...low, op.i32LtU]
  return [...isLower, op.if, EMPTY_BLOCK, op.globalGet, ...pointer, op.globalSet, ...low, op.end]
}

const { i32, i64, f64 } = valueType
const functionType = (parameters: readonly number[], results: readonly number[]) => [
  ...[0x60, parameters.length, ...parameters, results.length, ...results],
]

/** An added function; the exported ones are called from outside. */
interface Helper {
  type: readonly number[]
  code: readonly number[]
  exportName?: string
}

/** The functions that are added, in the order of their indexes: first those of `Layout.functions`. */
export function helpersOf(layout: Layout): Helper[] {
  const { budget, pages } = layout.globals
  const growth = [op.i32Const, ...signed(layout.pagesMax), op.globalGet, ...u32(pages), op.i32Sub]
  const failed = [op.localGet, 0, ...growth, op.i32GtU, op.if, EMPTY_BLOCK, op.i32Const, 0x7f, op.return, op.end]
  const pageGas = [op.localGet, 0, op.i64ExtendI32U, op.i64Const, ...signed(PAGE_GAS * ONE_GAS), op.i64Mul]
  // Whole gas only; the call that is still to be given back stays in the local.
  const counted = [op.localGet, 0, op.i64Const, CALL_BITS, op.i64ShrS, ...asGas]
  const bulkGas = [op.localGet, 0, op.i32Const, BULK_BYTES_PER_GAS_LOG2, op.i32ShrU, op.i64ExtendI32U, ...asGas]
  const given = [op.localGet, 0, op.i64TruncF64S, ...asGas]
  const callSignBits = [op.i32Const, 32 - CALL_BITS]
  return [
    {
      type: functionType([i64], [i64]),
      code: [...take(layout, counted), ...trapIfSpent(layout), op.localGet, 0, ...counted, op.i64Sub],
    },
    {
      // The length is passed through to the instruction that follows.
      type: functionType([i32], [i32]),
      code: [...take(layout, bulkGas), ...trapIfSpent(layout), op.localGet, 0],
    },
    {
      type: functionType([i32], [i32]),
      code: [
        ...[...failed, ...take(layout, pageGas), ...trapIfSpent(layout), op.globalGet, ...u32(pages)],
        ...[op.globalGet, ...u32(pages), op.localGet, 0, op.i32Add, op.globalSet, ...u32(pages)],
      ],
    },
    {
      type: functionType([f64, i32], []),
      code: [...given, op.localGet, 1, op.i64ExtendI32U, op.i64Add, op.globalSet, ...u32(budget)],
      exportName: meteringExports.begin,
    },
    {
      type: functionType([f64], []),
      code: [...take(layout, given), ...trapIfSpent(layout)],
      exportName: meteringExports.spend,
    },
    {
      // A call too many has borrowed one gas, so it is given back before the rest is cut off.
      type: functionType([], [f64]),
      code: [
        op.globalGet,
        ...u32(budget),
        op.i64Const,
        1,
        op.i64Add,
        op.i64Const,
        CALL_BITS,
        op.i64ShrS,
        op.f64ConvertI64S,
      ],
      exportName: meteringExports.gas,
    },
    {
      type: functionType([], [i32]),
      code: [op.globalGet, ...u32(budget), op.i32WrapI64, ...callSignBits, op.i32Shl, ...callSignBits, op.i32ShrS],
      exportName: meteringExports.calls,
    },
  ]
}

/** A function body without locals. */
export const helperBody = (code: readonly number[]) => [...u32(code.length + 2), 0, ...code, op.end]
