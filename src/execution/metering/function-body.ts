/**
 * Metering of one function. Instructions that can only run together, a basic block, are counted together: where the block
 * begins its number is added to a local. Loop headers and the function's end take the sum from the budget.
 */
import { ModuleRefused, type Piece, type Reader, readByte, readU32, readVector, u32 } from './bytes.ts'
import { canonicaliseNan } from './floats.ts'
import { type Instruction, readInstruction } from './instructions.ts'
import {
  BULK_GAS,
  count as countGas,
  DIVISION_GAS,
  enterCall,
  type Layout,
  LIST_STEP_GAS,
  leave,
  passIfMuch,
  recordStackLow,
} from './layout.ts'
import { floatResultOf, isDivision, op, valueType } from './opcodes.ts'

/** A block, loop or if that is open; the first is the function itself. */
interface Label {
  opcode: number
  /** Whether a branch goes to its end. */
  isTarget: boolean
}

const none: readonly number[] = []
/** Or local.tee at the end. */
const LIST_STEP = [op.loop, op.localGet, op.i32Load, op.localSet]

/** The metered body without its length, `blockType` being that of a block which leaves the function's results. */
export function meterBody(
  reader: Reader,
  parameterCount: number,
  blockType: readonly number[],
  layout: Layout,
): Piece[] {
  const groups = readVector(reader, (from) => ({ count: readU32(from), type: readByte(from) }))
  const spent = groups.reduce((sum, { count }) => sum + count, parameterCount)
  const writer = createCodeWriter(reader, spent, layout)
  while (!writer.isDone()) writer.take(readInstruction(reader))
  if (reader.offset !== reader.end) throw new ModuleRefused('a function goes on behind its end')
  const { code, hasCall, hasFloat } = writer.finish()
  const added = hasFloat ? [valueType.i64, valueType.f32, valueType.f64] : [valueType.i64]
  const locals = [...groups, ...added.map((type) => ({ count: 1, type }))]
  return [
    u32(locals.length),
    locals.flatMap(({ count, type }) => [...u32(count), type]),
    hasCall ? enterCall(layout, spent) : none,
    // Branches out of the function become branches to the end of this block, by the same numbers.
    [op.block, ...blockType],
    ...code,
    leave(layout, spent),
    [op.end],
  ]
}

/** Copies instructions, counting. `spent` is the index of the counting local; two for floats follow it. */
function createCodeWriter(reader: Reader, spent: number, layout: Layout) {
  const code: Piece[] = []
  /** What is copied as it stands and not yet in `code`. */
  let keptFrom = 0
  let keptTo = 0
  const labels: Label[] = [{ opcode: op.block, isTarget: false }]
  let count = 0
  let place = 0
  let isLoopHeader = false
  let hasCall = false
  let hasFloat = false
  /** How much of the beginning of a loop that walks along a list has just been read. */
  let listStep = 0
  /** Charges made before, by their count; those of loop headers by its complement. */
  const charges = new Map<number, readonly number[]>()
  /** Constructs open in code that cannot be reached; undefined in code that can. */
  let deadDepth: number | undefined

  /** Copies from here to where the reader stands. */
  function keep(start: number): void {
    if (start !== keptTo) {
      write(none)
      keptFrom = start
    }
    keptTo = reader.offset
  }

  function write(bytes: readonly number[]): void {
    if (keptFrom < keptTo) code.push({ from: keptFrom, to: keptTo })
    keptFrom = keptTo
    if (bytes.length > 0) code.push(bytes)
  }

  function beginBlock(header = false): void {
    write(none)
    place = code.push(none) - 1
    count = 0
    isLoopHeader = header
  }

  function endBlock(): void {
    if (count === 0 && !isLoopHeader) return
    const key = isLoopHeader ? -1 - count : count
    const bytes = charges.get(key) ?? charge(spent, count, isLoopHeader, layout)
    charges.set(key, bytes)
    code[place] = bytes
  }

  function splitBlock(header = false): void {
    endBlock()
    beginBlock(header)
  }

  /** Unreachable code is left out, so that no live block pays for it. */
  function passDead(opcode: number): boolean {
    if (deadDepth === undefined) return false
    if (opcode === op.block || opcode === op.loop || opcode === op.if) deadDepth++
    else if (opcode === op.end && deadDepth > 0) deadDepth--
    else if (deadDepth === 0 && (opcode === op.end || opcode === op.else)) return false
    return true
  }

  function takeEnd({ opcode, start }: Instruction): void {
    const label = opcode === op.end ? labels.pop()! : labels.at(-1)!
    const isJoin = deadDepth !== undefined || label.isTarget || label.opcode === op.if
    if (deadDepth === undefined && (isJoin || labels.length === 0)) endBlock()
    keep(start)
    if (isJoin && labels.length > 0) beginBlock()
    deadDepth = undefined
  }

  function takeBranch({ opcode, indexes, start }: Instruction): void {
    count++
    // A return goes where a branch out of all constructs goes: to where the sum is taken.
    if (opcode === op.return) write([op.br, ...u32(labels.length - 1)])
    else keep(start)
    for (const index of indexes) {
      const label = labels[labels.length - 1 - index]
      if (label === undefined) throw new ModuleRefused(`a branch leads ${index} constructs out of ${labels.length}`)
      label.isTarget = true
    }
    if (opcode === op.brIf) return splitBlock()
    endBlock()
    deadDepth = 0
  }

  /** Whether the instruction completes a list step, which compiled code begins its loops along lists with. */
  function completesListStep(opcode: number): boolean {
    const isNext = opcode === LIST_STEP[listStep] || (listStep === 3 && opcode === op.localTee)
    listStep = isNext ? listStep + 1 : opcode === op.loop ? 1 : 0
    return listStep === LIST_STEP.length
  }

  function takePlain({ opcode, second, indexes, start }: Instruction): void {
    count += isDivision(opcode) ? DIVISION_GAS : 1
    if (opcode === op.call || opcode === op.callIndirect) hasCall = true
    if (opcode === op.memorySize) write([op.globalGet, ...u32(layout.globals.pages)])
    else if (opcode === op.memoryGrow) write([op.call, ...u32(layout.functions.grow)])
    else if (second === op.memoryCopy || second === op.memoryFill) {
      count += BULK_GAS
      write([op.call, ...u32(layout.functions.bulk)])
      keep(start)
    } else keep(start)
    if (opcode === op.globalSet && indexes[0] === layout.stackPointer) write(recordStackLow(layout, indexes[0]!))
    const float = floatResultOf(opcode)
    if (float !== undefined) write(canonicaliseNan(float, float === 'f32' ? spent + 1 : spent + 2))
    hasFloat ||= float !== undefined
  }

  function take(instruction: Instruction): void {
    const { opcode, start } = instruction
    const isListStep = completesListStep(opcode)
    if (passDead(opcode)) return
    if (isListStep) count += LIST_STEP_GAS
    switch (opcode) {
      case op.nop:
        return
      case op.block:
      case op.if:
        // Only the decision costs something. Counting what has no code of its own would make an interpreter's dispatch, two hundred
        // blocks around one br_table, twenty times too dear.
        if (opcode === op.if) count++
        keep(start)
        labels.push({ opcode, isTarget: false })
        if (opcode === op.if) splitBlock()
        return
      case op.loop:
        endBlock()
        keep(start)
        labels.push({ opcode, isTarget: false })
        return beginBlock(true)
      case op.else:
      case op.end:
        return takeEnd(instruction)
      case op.br:
      case op.brIf:
      case op.brTable:
      case op.return:
      case op.unreachable:
        return takeBranch(instruction)
      default:
        return takePlain(instruction)
    }
  }

  function finish() {
    write(none)
    return { code, hasCall, hasFloat }
  }

  beginBlock()
  return { take, isDone: () => labels.length === 0, finish }
}

/** Adds a block's count; a loop header also passes on what has gathered. */
function charge(spent: number, gas: number, isLoopHeader: boolean, layout: Layout): number[] {
  const sum = countGas(spent, gas)
  return isLoopHeader ? [...sum, ...passIfMuch(layout, spent)] : [...sum, op.localSet, ...u32(spent)]
}
