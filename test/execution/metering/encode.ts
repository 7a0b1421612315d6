/** Writes a program as a WebAssembly module: functions f0, f1 … exported, with a memory, globals and a table of the functions. */
import { name, signed, u32 } from '../../../src/execution/metering/bytes.ts'
import { ADDRESS_MASK, type BinaryOperator, type Expression, GLOBALS, type Program, type Statement } from './program.ts'

const I32 = 0x7f
const EMPTY = 0x40
const binary: Record<BinaryOperator, number> = {
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  xor: 0x73,
  ltS: 0x48,
  eq: 0x46,
  divU: 0x6e,
  remS: 0x6f,
}
const mask = [0x41, ...signed(ADDRESS_MASK), 0x71]

export function encodeProgram({ procedures }: Program): Uint8Array<ArrayBuffer> {
  const type = (parameters: number, results: number) => [
    ...[0x60, parameters, ...Array(parameters).fill(I32)],
    ...[results, ...Array(results).fill(I32)],
  ]
  const bodies = procedures.map(({ locals, body, values }) => {
    const code = [
      ...(locals === 0 ? [0] : [1, locals, I32]),
      ...body.flatMap(statement),
      ...values.flatMap(expression),
      0x0b,
    ]
    return [...u32(code.length), ...code]
  })
  const exports = [
    ...procedures.map((_, index) => [...name(`f${index}`), 0, index]),
    [...name('memory'), 2, 0],
    ...Array.from({ length: GLOBALS }, (_, index) => [...name(`g${index}`), 3, index]),
  ]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(
      1,
      procedures.map(({ parameters, results }) => type(parameters, results)),
    ),
    ...section(
      3,
      procedures.map((_, index) => [index]),
    ),
    ...section(4, [[0x70, 0, procedures.length]]),
    ...section(5, [[1, 1, 4]]),
    ...section(
      6,
      Array.from({ length: GLOBALS }, () => [I32, 1, 0x41, 0, 0x0b]),
    ),
    ...section(7, exports),
    ...section(9, [[0, 0x41, 0, 0x0b, procedures.length, ...procedures.keys()]]),
    ...section(10, bodies),
  ])
}

export function section(id: number, elements: number[][]): number[] {
  const content = [...u32(elements.length), ...elements.flat()]
  return [id, ...u32(content.length), ...content]
}

function expression(node: Expression): number[] {
  switch (node.kind) {
    case 'const':
      return [0x41, ...signed(node.value)]
    case 'local':
      return [0x20, node.index]
    case 'global':
      return [0x23, node.index]
    case 'tee':
      return [...expression(node.value), 0x22, node.index]
    case 'binary':
      return [...expression(node.left), ...expression(node.right), binary[node.operator]]
    case 'quotient':
      // f64.convert_i32_s twice, f64.div, i32.trunc_sat_f64_s
      return [...expression(node.left), 0xb7, ...expression(node.right), 0xb7, 0xa3, 0xfc, 2]
    case 'select':
      return [...expression(node.left), ...expression(node.right), ...expression(node.condition), 0x1b]
    case 'load':
      return [...expression(node.address), ...mask, 0x28, 2, 0]
    case 'size':
      return [0x3f, 0]
    case 'grow':
      return [...expression(node.pages), 0x40, 0]
    case 'call':
      return [...node.args.flatMap(expression), 0x10, node.callee]
    case 'indirect':
      return [...node.args.flatMap(expression), 0x41, node.callee, 0x11, node.callee, 0]
    case 'block':
      return [0x02, I32, ...node.body.flatMap(statement), ...expression(node.result), 0x0b]
    case 'ifElse': {
      const { condition, body, result, otherwise } = node
      const arms = [...body.flatMap(statement), ...expression(result), 0x05, ...otherwise!.body.flatMap(statement)]
      return [...expression(condition!), 0x04, I32, ...arms, ...expression(otherwise!.result), 0x0b]
    }
  }
}

function statement(node: Statement): number[] {
  switch (node.kind) {
    case 'set':
      return [...expression(node.value), 0x21, node.index]
    case 'setGlobal':
      return [...expression(node.value), 0x24, node.index]
    case 'drop':
      return [...expression(node.value), 0x1a]
    case 'store':
      return [...expression(node.address), ...mask, ...expression(node.value), 0x36, 2, 0]
    case 'fill':
    case 'copy': {
      const from = node.kind === 'copy' ? [...expression(node.from), ...mask] : expression(node.from)
      const opcode = node.kind === 'copy' ? [0xfc, 10, 0, 0] : [0xfc, 11, 0]
      return [...expression(node.to), ...mask, ...from, 0x41, ...signed(node.length), ...opcode]
    }
    case 'nested':
      return [node.opcode === 'block' ? 0x02 : 0x03, EMPTY, ...node.body.flatMap(statement), 0x0b]
    case 'if': {
      const second = node.otherwise === undefined ? [] : [0x05, ...node.otherwise.flatMap(statement)]
      return [...expression(node.condition), 0x04, EMPTY, ...node.body.flatMap(statement), ...second, 0x0b]
    }
    case 'branch':
      return [...(node.value === undefined ? [] : expression(node.value)), 0x0c, node.depth]
    case 'branchIf': {
      const value = node.value === undefined ? [] : expression(node.value)
      // A value that was not taken along stays on the stack.
      return [...value, ...expression(node.condition), 0x0d, node.depth, ...(node.value === undefined ? [] : [0x1a])]
    }
    case 'table': {
      const [last, ...others] = node.depths
      return [...expression(node.index), 0x0e, others.length, ...others, last!]
    }
    case 'return':
      return [...node.values.flatMap(expression), 0x0f]
    case 'nop':
      return [0x01]
    case 'unreachable':
      return [0x00]
  }
}
