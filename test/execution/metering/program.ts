/**
 * Small programs for the metering tests, as trees: generated from a list of numbers, so that fast-check can shrink them. Values are
 * i32; every program is valid, most end, and much of what can be written in WebAssembly's control flow occurs.
 */

export type Expression =
  | { kind: 'const'; value: number }
  | { kind: 'local' | 'global'; index: number }
  | { kind: 'tee'; index: number; value: Expression }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  | { kind: 'quotient'; left: Expression; right: Expression }
  | { kind: 'select'; left: Expression; right: Expression; condition: Expression }
  | { kind: 'load'; address: Expression }
  | { kind: 'size' }
  | { kind: 'grow'; pages: Expression }
  | { kind: 'call' | 'indirect'; callee: number; args: Expression[] }
  | { kind: 'block' | 'ifElse'; condition?: Expression; body: Statement[]; result: Expression; otherwise?: Arm }

/** The second arm of an if that has a result. */
export interface Arm {
  body: Statement[]
  result: Expression
}

export type Statement =
  | { kind: 'set' | 'setGlobal'; index: number; value: Expression }
  | { kind: 'drop'; value: Expression }
  | { kind: 'store'; address: Expression; value: Expression }
  | { kind: 'fill' | 'copy'; to: Expression; from: Expression; length: number }
  | { kind: 'nested'; opcode: 'block' | 'loop'; body: Statement[] }
  | { kind: 'if'; condition: Expression; body: Statement[]; otherwise?: Statement[] }
  | { kind: 'branch'; depth: number; value?: Expression }
  | { kind: 'branchIf'; depth: number; condition: Expression; value?: Expression }
  | { kind: 'table'; depths: number[]; index: Expression }
  | { kind: 'return'; values: Expression[] }
  | { kind: 'nop' | 'unreachable' }

export const binaryOperators = ['add', 'sub', 'mul', 'xor', 'ltS', 'eq', 'divU', 'remS'] as const
export type BinaryOperator = (typeof binaryOperators)[number]

export interface Procedure {
  parameters: number
  locals: number
  results: number
  body: Statement[]
  values: Expression[]
}

export interface Program {
  procedures: Procedure[]
}

export const GLOBALS = 2
/** Addresses are taken modulo this, so that no access leaves the memory. */
export const ADDRESS_MASK = 0x3fff

/** What is in scope: the arities of the labels around, the innermost last. */
interface Scope {
  labels: number[]
  locals: number
  shapes: { parameters: number; results: number }[]
  /** Code that cannot be reached; it has no calls, so that whether a function calls can be told from its live code. */
  isDead: boolean
}

export function programOf(choices: readonly number[]): Program {
  let next = 0
  /** A number below `limit`; 0, the simplest, once the choices have run out. */
  const pick = (limit: number) => (next < choices.length ? choices[next++]! % limit : 0)
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
  const shapes = times(1 + pick(4), () => ({ parameters: pick(3), results: pick(3) }))

  function expression(scope: Scope, depth = 0): Expression {
    const sub = () => expression(scope, depth + 1)
    switch (depth > 4 ? pick(3) : pick(14)) {
      case 1:
        return scope.locals === 0 ? { kind: 'size' } : { kind: 'local', index: pick(scope.locals) }
      case 2:
        return { kind: 'global', index: pick(GLOBALS) }
      case 3:
      case 4:
        return { kind: 'binary', operator: binaryOperators[pick(binaryOperators.length)]!, left: sub(), right: sub() }
      case 5:
        return { kind: 'select', left: sub(), right: sub(), condition: sub() }
      case 6:
        return { kind: 'load', address: sub() }
      case 7:
        return { kind: 'size' }
      case 8:
        return { kind: 'grow', pages: sub() }
      case 9:
        return scope.locals === 0 ? { kind: 'size' } : { kind: 'tee', index: pick(scope.locals), value: sub() }
      case 10:
        return call(scope, depth)
      case 11: {
        const inner = { ...scope, labels: [...scope.labels, 1] }
        return { kind: 'block', ...arm(inner, depth + 1) }
      }
      case 12: {
        const condition = sub()
        const inner = { ...scope, labels: [...scope.labels, 1] }
        return { kind: 'ifElse', condition, ...arm(inner, depth + 1), otherwise: arm(inner, depth + 1) }
      }
      case 13:
        return { kind: 'quotient', left: sub(), right: sub() }
      default:
        return { kind: 'const', value: (pick(1_000) - 500) * (pick(8) === 7 ? 4_000_037 : 1) }
    }
  }

  function call(scope: Scope, depth: number): Expression {
    const callees = shapes.map((_, index) => index).filter((index) => shapes[index]!.results === 1)
    if (scope.isDead || callees.length === 0) return { kind: 'const', value: 7 }
    const callee = callees[pick(callees.length)]!
    const args = times(shapes[callee]!.parameters, () => expression(scope, depth + 1))
    return { kind: pick(2) === 0 ? 'call' : 'indirect', callee, args }
  }

  const arm = (scope: Scope, depth: number): Arm => {
    const body = statements(scope, depth)
    const isDead = scope.isDead || endsEarly(body)
    return { body, result: expression({ ...scope, isDead }, depth + 1) }
  }

  function statements(scope: Scope, depth: number): Statement[] {
    const list: Statement[] = []
    let inner = scope
    for (let left = depth > 4 ? pick(2) : pick(5); left > 0; left--) {
      list.push(statement(inner, depth + 1))
      if (endsEarly(list)) inner = { ...scope, isDead: true }
    }
    return list
  }

  function statement(scope: Scope, depth: number): Statement {
    const value = () => expression(scope, depth)
    const within = (arity: number) => statements({ ...scope, labels: [...scope.labels, arity] }, depth)
    const depthOf = (arity?: number) => {
      const fitting = scope.labels.map((of, index) => ({ of, depth: scope.labels.length - 1 - index }))
      const usable = fitting.filter(({ of }) => (arity === undefined ? of < 2 : of === arity))
      return usable.length === 0 ? undefined : usable[pick(usable.length)]!
    }
    switch (pick(15)) {
      case 1:
        return { kind: 'setGlobal', index: pick(GLOBALS), value: value() }
      case 2:
        return { kind: 'store', address: value(), value: value() }
      case 3:
        return { kind: pick(2) === 0 ? 'fill' : 'copy', to: value(), from: value(), length: pick(2_000) }
      case 4:
        return { kind: 'nested', opcode: 'block', body: within(0) }
      case 5:
      case 6:
        return { kind: 'nested', opcode: 'loop', body: within(0) }
      case 7:
        return { kind: 'if', condition: value(), body: within(0) }
      case 8:
        return { kind: 'if', condition: value(), body: within(0), otherwise: within(0) }
      case 9: {
        const label = depthOf()
        if (label === undefined) return { kind: 'nop' }
        return { kind: 'branch', depth: label.depth, ...(label.of === 1 ? { value: value() } : {}) }
      }
      case 10:
      case 11: {
        const label = depthOf()
        if (label === undefined) return { kind: 'nop' }
        const operand = label.of === 1 ? { value: value() } : {}
        return { kind: 'branchIf', depth: label.depth, ...operand, condition: value() }
      }
      case 12: {
        const depths = times(1 + pick(4), () => depthOf(0)?.depth)
        return depths.includes(undefined)
          ? { kind: 'nop' }
          : { kind: 'table', depths: depths as number[], index: value() }
      }
      case 13:
        return { kind: 'return', values: times(scope.labels[0]!, value) }
      case 14:
        return pick(6) === 5 ? { kind: 'unreachable' } : { kind: 'nop' }
      default:
        return scope.locals === 0
          ? { kind: 'drop', value: value() }
          : { kind: 'set', index: pick(scope.locals), value: value() }
    }
  }

  const procedures = shapes.map(({ parameters, results }) => {
    const locals = pick(3)
    const scope: Scope = { labels: [results], locals: parameters + locals, shapes, isDead: false }
    const body = statements(scope, 0)
    const after = { ...scope, isDead: endsEarly(body) }
    return { parameters, results, locals, body, values: times(results, () => expression(after, 3)) }
  })
  return { procedures }
}

/** Whether what follows in the same list cannot be reached. */
export const endsEarly = (body: Statement[]) =>
  body.some(({ kind }) => kind === 'branch' || kind === 'table' || kind === 'return' || kind === 'unreachable')
