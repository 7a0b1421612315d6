/**
 * After each attack the machine, restored for another contract, is to the last byte what it is in a fresh instance, and that
 * contract gives the same result for the same gas. What becomes of the attacks, and for how much gas, is pinned, and is the same
 * in fresh processes whatever V8 makes of the engine.
 */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createSandbox } from '../../../../src/execution/sandbox/index.ts'
import { invocationOf, scriptOf } from '../script.ts'
import { attacks } from './list.ts'
import { codeOf, pinOf, runAttack } from './run.ts'

const sandbox = createSandbox()
const witness = scriptOf(
  `run(ctx) {
    const list = []
    for (let index = 0; index < 300; index++) list.push({ index, text: 'n' + index })
    return [list.length, JSON.stringify(list).length, ++counter, Object.keys(Object.prototype), typeof JSON.parse('{}')]
  }`,
  '',
  'let counter = 0',
)
/** Depth 1 too, where the callees of attacks run. */
const look = (from: typeof sandbox) =>
  [0, 1].map((depth) => [from.hashRestoredState(witness, depth), from.run({ ...invocationOf(witness), depth })])
const fresh = look(createSandbox())
/** UPDATE_VECTORS=1 writes it again; a person reads the difference. */
const vectors = new URL('../../../vectors/attacks.json', import.meta.url)
const pins: Record<string, unknown> = {}

describe('an attack', () => {
  it('is one of at least eighty, each with a name of its own', () => {
    expect(attacks.length).toBeGreaterThanOrEqual(80)
    expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length)
  })

  it('has a witness whose call ends well', () => {
    expect(fresh[0]![1]).toMatchObject({ status: 'ok', result: '[300,8181,1,[],"object"]' })
    expect(fresh[1]).toEqual(fresh[0])
  })

  it.each(attacks)('leaves nothing behind: $name', (attack) => {
    const ran = runAttack(sandbox, attack)
    expect(look(sandbox)).toEqual(fresh)
    // The images of both are in memory by now, which must not show, nor whether anybody listens to the console.
    expect(runAttack(sandbox, attack, { shown: false })).toEqual({ ...ran, log: [] })
    pins[attack.name] = pinOf(ran)
  })

  it('ends as it is pinned', () => {
    expect(Object.keys(pins)).toHaveLength(attacks.length)
    if (process.env.UPDATE_VECTORS !== undefined) writeFileSync(vectors, `${JSON.stringify(pins, null, 2)}\n`)
    expect(pins).toEqual(JSON.parse(readFileSync(vectors, 'utf8')))
  })

  it.each([[[]], [['--liftoff-only']], [['--no-liftoff']]])('ends so in a fresh process, node %j', async (flags) => {
    const run = promisify(execFile)
    const script = new URL('print.ts', import.meta.url).pathname
    const { stdout } = await run(process.execPath, [...flags, '--conditions=quorate-source', script], {
      maxBuffer: 2 ** 24,
    })
    expect(JSON.parse(stdout)).toEqual(pins)
  })
})

it('restores the stack exactly, however deep a call went', () => {
  const dive = codeOf({
    name: '',
    body: `const f = (n) => { try { return f(n + 1) } catch { return n } }; return f(0)`,
  })
  const before = sandbox.hashRestoredState(dive, 0)
  expect(sandbox.run(invocationOf(dive))).toMatchObject({ status: 'ok' })
  expect(sandbox.hashRestoredState(dive, 0)).toBe(before)
})
