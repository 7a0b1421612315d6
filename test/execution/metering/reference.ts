/**
 * Runs a program the slow and obvious way and counts what it executes, by the rule in src/execution/metering: one for each
 * instruction, nothing for block, loop, else, end and nop, more for divisions, pages and bulk bytes. It shares no code with it.
 */
import { ADDRESS_MASK, type Expression, GLOBALS, type Procedure, type Program, type Statement } from './program.ts'

const DIVISION = 8
const PAGE = 32_768
const BULK = 32
const PAGE_BYTES = 65_536

export interface State {
  memory: Uint8Array
  pages: number
  globals: number[]
}

interface Limits {
  depthMax: number
  pagesMax: number
}

export type Verdict =
  | { kind: 'values'; values: number[]; count: number }
  | { kind: 'trap'; why: 'division' | 'unreachable' | 'depth' | 'fuel' }

class Branch {
  readonly depth: number
  readonly values: number[]
  constructor(depth: number, values: number[]) {
    this.depth = depth
    this.values = values
  }
}
class Trap {
  readonly why: 'division' | 'unreachable' | 'depth' | 'fuel'
  constructor(why: Trap['why']) {
    this.why = why
  }
}

export const initialState = (): State => ({
  memory: new Uint8Array(4 * PAGE_BYTES),
  pages: 1,
  globals: Array(GLOBALS).fill(0),
})

export function runReference(
  program: Program,
  entry: number,
  args: number[],
  { state, fuel, depthMax, pagesMax }: Limits & { state: State; fuel: number },
): Verdict {
  let count = 0
  let depth = 0
  const view = new DataView(state.memory.buffer)
  const spend = (amount: number) => {
    count += amount
    if (count > fuel) throw new Trap('fuel')
  }

  function call(index: number, given: number[]): number[] {
    const procedure = program.procedures[index]!
    const counts = callsOthers(procedure)
    if (counts) depth++
    // Such a chain of calls of which none counts cannot be longer than one, so this is where recursion ends.
    if (depth > depthMax) throw new Trap('depth')
    const locals = [...given, ...Array(procedure.locals).fill(0)]
    let values: number[]
    try {
      for (const node of procedure.body) run(node, locals)
      values = procedure.values.map((node) => evaluate(node, locals))
    } catch (branch) {
      if (!(branch instanceof Branch)) throw branch
      values = branch.values
    }
    if (counts) depth--
    return values
  }

  /** The result of a body as a construct: undefined at its end, or where a branch goes to it. */
  function enter<T>(body: () => T): T | Branch {
    try {
      return body()
    } catch (branch) {
      if (!(branch instanceof Branch)) throw branch
      if (branch.depth > 0) throw new Branch(branch.depth - 1, branch.values)
      return branch
    }
  }

  const evaluateArm = (body: Statement[], result: Expression, locals: number[]): number => {
    const value = enter(() => {
      for (const node of body) run(node, locals)
      return evaluate(result, locals)
    })
    return value instanceof Branch ? value.values[0]! : value
  }

  function evaluate(node: Expression, locals: number[]): number {
    const of = (inner: Expression) => evaluate(inner, locals)
    switch (node.kind) {
      case 'const':
        spend(1)
        return node.value | 0
      case 'local':
        spend(1)
        return locals[node.index]!
      case 'global':
        spend(1)
        return state.globals[node.index]!
      case 'tee': {
        const value = of(node.value)
        spend(1)
        locals[node.index] = value
        return value
      }
      case 'binary': {
        const [left, right] = [of(node.left), of(node.right)]
        spend(node.operator === 'divU' || node.operator === 'remS' ? DIVISION : 1)
        return compute(node.operator, left, right)
      }
      case 'quotient': {
        const left = of(node.left)
        spend(1)
        const right = of(node.right)
        spend(3)
        const quotient = left / right
        return Number.isNaN(quotient) ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, quotient)) | 0
      }
      case 'select': {
        const [left, right, condition] = [of(node.left), of(node.right), of(node.condition)]
        spend(1)
        return condition !== 0 ? left : right
      }
      case 'load': {
        const address = of(node.address) & ADDRESS_MASK
        spend(3)
        return view.getInt32(address, true)
      }
      case 'size':
        spend(1)
        return state.pages
      case 'grow': {
        const pages = of(node.pages) >>> 0
        spend(1)
        if (pages > pagesMax - state.pages) return -1
        spend(pages * PAGE)
        state.pages += pages
        return state.pages - pages
      }
      case 'call':
      case 'indirect': {
        const args = node.args.map(of)
        spend(node.kind === 'call' ? 1 : 2)
        return call(node.callee, args)[0]!
      }
      case 'block':
        return evaluateArm(node.body, node.result, locals)
      case 'ifElse': {
        const condition = of(node.condition!)
        spend(1)
        const arm = condition !== 0 ? node : node.otherwise!
        return evaluateArm(arm.body, arm.result, locals)
      }
    }
  }

  function run(node: Statement, locals: number[]): void {
    const of = (inner: Expression) => evaluate(inner, locals)
    const runAll = (body: Statement[]) =>
      enter(() => {
        for (const inner of body) run(inner, locals)
      })
    switch (node.kind) {
      case 'set':
      case 'setGlobal': {
        const value = of(node.value)
        spend(1)
        if (node.kind === 'set') locals[node.index] = value
        else state.globals[node.index] = value
        return
      }
      case 'drop':
        of(node.value)
        return spend(1)
      case 'store': {
        const address = of(node.address) & ADDRESS_MASK
        spend(2)
        const value = of(node.value)
        spend(1)
        return view.setInt32(address, value, true)
      }
      case 'fill':
      case 'copy': {
        const to = of(node.to) & ADDRESS_MASK
        spend(2)
        const from = of(node.from)
        // The mask, the length, the instruction with its bytes.
        spend((node.kind === 'copy' ? 4 : 2) + BULK + Math.floor(node.length / 2))
        if (node.kind === 'fill') state.memory.fill(from & 0xff, to, to + node.length)
        else state.memory.copyWithin(to, from & ADDRESS_MASK, (from & ADDRESS_MASK) + node.length)
        return
      }
      case 'nested':
        while (runAll(node.body) instanceof Branch && node.opcode === 'loop');
        return
      case 'if': {
        const condition = of(node.condition)
        spend(1)
        runAll(condition !== 0 ? node.body : (node.otherwise ?? []))
        return
      }
      case 'branch': {
        const values = node.value === undefined ? [] : [of(node.value)]
        spend(1)
        throw new Branch(node.depth, values)
      }
      case 'branchIf': {
        const values = node.value === undefined ? [] : [of(node.value)]
        const condition = of(node.condition)
        spend(1)
        if (condition !== 0) throw new Branch(node.depth, values)
        return spend(values.length)
      }
      case 'table': {
        const [last, ...others] = node.depths
        const index = of(node.index) >>> 0
        spend(1)
        throw new Branch(others[index] ?? last!, [])
      }
      case 'return': {
        const values = node.values.map(of)
        spend(1)
        throw new Branch(Number.POSITIVE_INFINITY, values)
      }
      case 'nop':
        return
      case 'unreachable':
        throw new Trap('unreachable')
    }
  }

  try {
    return { kind: 'values', values: call(entry, args), count }
  } catch (error) {
    if (error instanceof Trap) return { kind: 'trap', why: error.why }
    throw error
  }
}

function compute(operator: string, left: number, right: number): number {
  if ((operator === 'divU' || operator === 'remS') && right === 0) throw new Trap('division')
  switch (operator) {
    case 'add':
      return (left + right) | 0
    case 'sub':
      return (left - right) | 0
    case 'mul':
      return Math.imul(left, right)
    case 'xor':
      return left ^ right
    case 'ltS':
      return left < right ? 1 : 0
    case 'eq':
      return left === right ? 1 : 0
    case 'divU':
      return ((left >>> 0) / (right >>> 0)) | 0
    default:
      return (left % right) | 0
  }
}

/** Whether live code of the procedure calls; a look at its JSON, since the generator puts no call into dead code. */
const callsOthers = (procedure: Procedure) => /"kind":"(call|indirect)"/.test(JSON.stringify(procedure))
