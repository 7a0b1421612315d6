/**
 * Random programs compute the same with and without metering, for exactly the gas that an independent count gives; and what the
 * rewriter does not know, it refuses by name.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { name, signed } from '../../../src/execution/metering/bytes.ts'
import { meteringExports, meterModule } from '../../../src/execution/metering/index.ts'
import { encodeProgram, section } from './encode.ts'
import { GLOBALS, type Program, programOf } from './program.ts'
import { initialState, runReference, type Verdict } from './reference.ts'

const FUEL = 30_000
const depthMax = 40
/** Each has three instances, whose memories V8 gives gigabytes of address space. */
const RUNS = 400
const pagesMax = 4
const options = { pagesMax, callDepthMax: depthMax }
const ARGS = [5, -3]

type Exports = Record<string, WebAssembly.Global & WebAssembly.Memory & ((...args: number[]) => number | number[])>
const instantiate = (bytes: Uint8Array<ArrayBuffer>) =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports as Exports

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

interface Seen {
  values?: number[]
  trap?: string
  /** SHA-256 of its first page. */
  memory: string
  globals: number[]
  pages?: number
}

function observe(exports: Exports, run: () => number | number[]): Seen {
  const look = () => ({
    memory: hashOf(new Uint8Array(exports.memory!.buffer, 0, 65_536)),
    globals: Array.from({ length: GLOBALS }, (_, index) => exports[`g${index}`]!.value as number),
  })
  try {
    const given = run() as number | number[] | undefined
    return { values: given === undefined ? [] : [given].flat(), ...look() }
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error
    return { trap: error.message, ...look() }
  }
}

function runMetered(bytes: Uint8Array<ArrayBuffer>, args: number[], gas: number) {
  const exports = instantiate(meterModule(bytes, options))
  exports[meteringExports.begin]!(gas, depthMax)
  const seen = observe(exports, () => exports.f0!(...args))
  const [left, calls] = [exports[meteringExports.gas]!(), exports[meteringExports.calls]!()] as [number, number]
  return { seen: { ...seen, pages: exports[meteringExports.pages]!.value }, left, calls }
}

const countOf = (verdict: Verdict) => (verdict.kind === 'values' ? verdict.count : FUEL)

describe('metering', () => {
  const tally = { values: 0, fuel: 0, depth: 0, unreachable: 0, division: 0 }

  function check(program: Program): void {
    const bytes = encodeProgram(program)
    const args = ARGS.slice(0, program.procedures[0]!.parameters)
    const state = initialState()
    const verdict = runReference(program, 0, args, { state, fuel: FUEL, depthMax, pagesMax })
    tally[verdict.kind === 'values' ? 'values' : verdict.why]++
    if (verdict.kind === 'trap' && (verdict.why === 'fuel' || verdict.why === 'depth')) {
      const { seen, left, calls } = runMetered(bytes, args, verdict.why === 'fuel' ? FUEL : 2 ** 40)
      expect(seen.trap).toBe('unreachable')
      // Calls that have not returned have not passed on what they counted, so recursion may end as too deep before it runs out.
      expect(calls < 0 || (verdict.why === 'fuel' && left < 0)).toBe(true)
      return
    }
    const plain = instantiate(bytes)
    const expected = observe(plain, () => plain.f0!(...args))
    const { seen, left, calls } = runMetered(bytes, args, countOf(verdict))
    expect(seen).toEqual({ ...expected, pages: state.pages })
    expect(plain.memory!.buffer.byteLength).toBe(state.pages * 65_536)
    if (verdict.kind === 'trap') {
      expect(seen.trap).toMatch(verdict.why === 'division' ? /zero/ : /unreachable/)
      return
    }
    expect(seen.values).toEqual(verdict.values)
    expect(seen.globals).toEqual(state.globals)
    expect(seen.memory).toBe(hashOf(state.memory.subarray(0, 65_536)))
    expect({ left, calls }).toEqual({ left: 0, calls: depthMax })
    // The limit is exact: one gas less, and the same call ends in a trap.
    if (verdict.count === 0) return
    const short = runMetered(bytes, args, verdict.count - 1)
    expect(short.left).toBeLessThan(0)
    expect(short.seen.trap).toBe('unreachable')
  }

  it('changes no result and counts every instruction, in random programs', () => {
    const choices = fc.array(fc.nat(2 ** 20), { minLength: 20, maxLength: 400, size: 'max' })
    fc.assert(
      fc.property(choices, (list) => check(programOf(list))),
      { numRuns: RUNS, seed: 1 },
    )
    // A generator that only makes trivial programs would prove nothing.
    expect(tally.values).toBeGreaterThan(RUNS / 3)
    expect(Math.min(tally.fuel, tally.depth, tally.unreachable, tally.division)).toBeGreaterThan(3)
  })
})

/** A module of one function without parameters. */
const moduleOf = (code: number[], { results = [] as number[], locals = [0], more = [] as number[][] } = {}) =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, 0, results.length, ...results]]),
    ...section(3, [[0]]),
    ...section(5, [[0, 1]]),
    ...section(6, [[0x7f, 1, 0x41, ...signed(5_000), 0x0b]]),
    ...section(7, [[...name('f0'), 0, 0], [...name('memory'), 2, 0], [...name('sp'), 3, 0], ...more]),
    ...section(10, [[...signed(locals.length + code.length + 1), ...locals, ...code, 0x0b]]),
  ])

function gasOf(code: number[], more: Parameters<typeof moduleOf>[1] = {}): number {
  const exports = instantiate(meterModule(moduleOf(code, more), options))
  exports[meteringExports.begin]!(1e9, depthMax)
  exports.f0!()
  return 1e9 - (exports[meteringExports.gas]!() as number)
}

describe('what is counted', () => {
  it('leaves code that cannot be reached out of the live block around it', () => {
    expect(gasOf([0x41, 1, 0x1a])).toBe(2)
    expect(gasOf([0x41, 1, 0x1a, 0x0f, 0x41, 1, 0x1a, 0x41, 1, 0x1a])).toBe(3)
    // block; br 0; (dead: loop, block and if); end; const; drop
    const dead = [0x03, 0x40, 0x02, 0x40, 0x41, 1, 0x04, 0x40, 0x05, 0x0b, 0x0b, 0x0b]
    expect(gasOf([0x02, 0x40, 0x0c, 0, ...dead, 0x0b, 0x41, 1, 0x1a])).toBe(3)
  })

  it('counts only the arm that runs', () => {
    const ifElse = (condition: number) => [
      0x41,
      condition,
      0x04,
      0x40,
      0x41,
      1,
      0x1a,
      0x05,
      0x41,
      1,
      0x41,
      1,
      0x1a,
      0x1a,
      0x0b,
    ]
    expect([gasOf(ifElse(1)), gasOf(ifElse(0))]).toEqual([4, 6])
  })

  it('counts forty more for each step of a loop along a list', () => {
    // The memory is zero, so the list ends at once: local.get, i32.load, local.tee or set and get, br_if.
    const walking = (store: number[]) => [0x03, 0x40, 0x20, 0, 0x28, 2, 0, ...store, 0x0d, 0, 0x0b]
    const locals = [1, 1, 0x7f]
    expect(gasOf(walking([0x22, 0]), { locals })).toBe(4 + 40)
    expect(gasOf(walking([0x21, 0, 0x20, 0]), { locals })).toBe(5 + 40)
    const block = [0x02, 0x40, 0x20, 0, 0x28, 2, 0, 0x22, 0, 0x0d, 0, 0x0b]
    expect(gasOf(block, { locals })).toBe(4)
    const later = [0x03, 0x40, 0x20, 0, 0x1a, 0x20, 0, 0x28, 2, 0, 0x22, 0, 0x0d, 0, 0x0b]
    expect(gasOf(later, { locals })).toBe(6)
  })

  it('counts nothing for a dispatch’s blocks, whatever their number', () => {
    const blocks = Array.from({ length: 200 }, () => [0x02, 0x40]).flat()
    expect(gasOf([...blocks, 0x41, 0, 0x0e, 1, 0, 0, ...Array(200).fill(0x0b)])).toBe(2)
  })
})

describe('the memory', () => {
  it('has one size and grows only in count', () => {
    const grow = (pages: number) => [0x41, ...signed(pages), 0x40, 0]
    const exports = instantiate(
      meterModule(moduleOf([...grow(2), 0x1a, ...grow(9), 0x1a, 0x3f, 0], { results: [0x7f] }), options),
    )
    expect(exports.memory!.buffer.byteLength).toBe(pagesMax * 65_536)
    expect(exports.f0!()).toBe(3)
    expect(() => exports.memory!.grow(1)).toThrow(RangeError)
    expect(exports[meteringExports.pages]!.value).toBe(3)
    exports[meteringExports.pages]!.value = 1
    expect(exports.f0!()).toBe(3)
  })

  it('is paid for by the page', () => {
    expect(gasOf([0x41, 2, 0x40, 0, 0x1a])).toBe(3 + 2 * 32_768)
  })

  it('fails to grow past the end, also by a number that wraps around', () => {
    const exports = instantiate(meterModule(moduleOf([0x41, 0x7f, 0x40, 0], { results: [0x7f] }), options))
    expect(exports.f0!()).toBe(-1)
    expect(exports[meteringExports.pages]!.value).toBe(1)
  })
})

describe('the budget', () => {
  const budgetOf = (code: number[] = []) => {
    const exports = instantiate(meterModule(moduleOf(code), options)) as Record<string, (...args: number[]) => number>
    const { begin, spend, gas, calls } = meteringExports
    return {
      begin: exports[begin]!,
      spend: exports[spend]!,
      run: exports.f0!,
      look: () => [exports[gas]!(), exports[calls]!()],
    }
  }

  it('keeps gas and calls apart, up to the highest limits', () => {
    const { begin, spend, look } = budgetOf()
    expect(look()[1]).toBe(depthMax)
    for (const [gas, calls] of [
      [0, 0],
      [1, 4_095],
      [1e15, 4_000],
    ] as const) {
      begin(gas, calls)
      expect(look()).toEqual([gas, calls])
      spend(gas)
      expect(look()).toEqual([0, calls])
      expect(() => spend(1)).toThrow(WebAssembly.RuntimeError)
      expect(look()).toEqual([-1, calls])
    }
  })

  it('tells a call too many from too little gas', () => {
    const { begin, run, look } = budgetOf([0x10, 0])
    begin(0, 5)
    expect(run).toThrow(WebAssembly.RuntimeError)
    expect(look()).toEqual([0, -1])
  })

  it('has room for so many calls only', () => {
    expect(() => meterModule(moduleOf([]), { ...options, callDepthMax: 4_096 })).toThrow('4096 unfinished calls')
  })
})

describe('the stack pointer', () => {
  it('leaves its lowest value behind', () => {
    const set = (value: number) => [0x41, ...signed(value), 0x24, 0]
    const bytes = moduleOf([...set(4_000), ...set(1_000), ...set(5_000)])
    const exports = instantiate(meterModule(bytes, { ...options, stackPointer: 'sp' }))
    exports.f0!()
    expect(exports[meteringExports.stackLow]!.value).toBe(1_000)
    const without = instantiate(meterModule(bytes, options))
    without.f0!()
    expect(without[meteringExports.stackLow]!.value).toBe(-1)
  })
})

describe('a NaN', () => {
  const f64 = (value: number) => [0x44, ...new Uint8Array(new Float64Array([value]).buffer)]
  const signedNan = [0x44, 1, 0, 0, 0, 0, 0, 0xf8, 0xff]
  it.each([
    ['0 / 0', [...f64(0), ...f64(0), 0xa3]],
    ['the root of -1', [...f64(-1), 0x9f]],
    ['infinity less infinity', [...f64(Infinity), ...f64(Infinity), 0xa1]],
    ['a NaN with sign and payload, plus 1', [...signedNan, ...f64(1), 0xa0]],
    ['its minimum with 1', [...signedNan, ...f64(1), 0xa4]],
    ['it rounded', [...signedNan, 0x9e]],
    ['it demoted and promoted', [...signedNan, 0xb6, 0xbb]],
  ])('is the same on every machine: %s', (_name, code) => {
    const exports = instantiate(meterModule(moduleOf([...code, 0xbd], { results: [0x7e] }), options))
    expect(BigInt.asUintN(64, exports.f0!() as never)).toBe(0x7ff8_0000_0000_0000n)
  })
})

describe('what is refused', () => {
  it.each([
    ['throw', [0x08, 0]],
    ['try_table', [0x1f, 0x40, 0, 0x0b]],
    ['return_call', [0x12, 0]],
    ['return_call_indirect', [0x13, 0, 0]],
    ['a vector instruction', [0xfd, 12, ...Array(16).fill(0), 0x1a]],
    ['an atomic memory instruction', [0xfe, 3, 0]],
    ['a garbage collection instruction', [0xfb, 1, 0]],
    ['memory.init', [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 0, 0]],
    ['table.grow', [0xfc, 15, 0]],
    ['ref.null', [0xd0, 0x70, 0x1a]],
    ['table.get', [0x41, 0, 0x25, 0, 0x1a]],
    ['the unknown opcode 0x27', [0x27]],
    ['the unknown opcode 0xfc 0x7f', [0xfc, 0x7f]],
    ['the unknown opcode 0xff', [0x0f, 0xff]],
    ['not of memory 0', [0x41, 0, 0x28, 0x42, 0, 0, 0x1a]],
    ['a function goes on behind its end', [0x0b]],
    ['a branch leads 3 constructs out of 1', [0x0c, 3]],
    ['ends early', [0x41]],
  ])('%s', (what, code) => {
    expect(() => meterModule(moduleOf(code), options)).toThrow(what)
  })

  it('a module that begins otherwise, has sections or imports of other kinds, or a memory that does not fit', () => {
    const start = [...moduleOf([])]
    expect(() => meterModule(Uint8Array.from([0, 1, ...start.slice(2)]), options)).toThrow('do not begin as')
    expect(() => meterModule(Uint8Array.from([...start, 13, 1, 0]), options)).toThrow('section 13')
    const importing = (kind: number[]) => [...start.slice(0, 8), ...section(2, [[...name('a'), ...name('b'), ...kind]])]
    expect(() => meterModule(Uint8Array.from(importing([2, 0, 1])), options)).toThrow('imports its memory')
    expect(() => meterModule(Uint8Array.from(importing([4, 0, 0])), options)).toThrow('kind 4')
    expect(() => meterModule(moduleOf([]), { ...options, pagesMax: 0 })).toThrow('does not fit 0 pages')
    expect(() => meterModule(Uint8Array.from([...start.slice(0, 8), ...section(1, [[0x5f, 0]])]), options)).toThrow(
      '0x5f',
    )
  })

  it('any cut of the engine, without running on', () => {
    const path = createRequire(import.meta.url).resolve('quickjs-wasi/quickjs.wasm')
    const engine = readFileSync(path)
    for (const length of [0, 4, 9, 1_000, 12_000, 200_000, 520_000]) {
      expect(() => meterModule(new Uint8Array(engine.subarray(0, length)), { pagesMax: 160, callDepthMax: 9 })).toThrow(
        /./,
      )
    }
  })
})
