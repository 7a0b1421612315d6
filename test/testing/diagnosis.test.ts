/** Errors say where in the TypeScript they were thrown, whatever the contract does with its errors. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { CallFailed, type TestChain, testChain } from '../../src/testing/index.ts'
import { COUNTER, lineOf } from './contracts.ts'

let chain: TestChain

beforeAll(async () => {
  chain = await testChain()
  for (const name of ['counter', 'second']) await chain.deploy({ source: COUNTER }, { name, init: { start: 5 } })
})

const linesOf = (method: string, args?: unknown) =>
  chain.call('counter', method, args).error!.stack.map(({ name, at }) => [name, at?.file, at?.line])

describe('where a contract threw', () => {
  it('is the line that called assert, not assert itself', () => {
    const { error } = chain.call('counter', 'add', { by: 0 })
    expect(error!.at).toMatchObject({ file: 'counter.ts', line: lineOf('only upwards') })
    expect(linesOf('add', { by: 0 })).toEqual([
      ['add', 'counter.ts', lineOf('only upwards')],
      ['add', 'counter.ts', lineOf('add(ctx, args')],
    ])
  })

  it('is found behind characters of several bytes', () => {
    expect(chain.call('counter', 'grab').error!.at).toMatchObject({ line: lineOf('args.missing.field'), column: 21 })
  })

  it('goes through the contracts that called one another', () => {
    expect(linesOf('through', { to: 'second', method: 'add' })).toEqual([
      ['add', 'second.ts', lineOf('only upwards')],
      ['add', 'second.ts', lineOf('add(ctx, args')],
      ['through', 'counter.ts', lineOf('return ctx.call')],
    ])
    expect(linesOf('through', { to: 'absent', method: 'add' })).toEqual([
      ['through', 'counter.ts', lineOf('return ctx.call')],
    ])
  })

  it('is that of the last error, not of one that was caught', () => {
    expect(linesOf('caught', { next: 'throw' })).toEqual([['caught', 'counter.ts', lineOf('after the catch')]])
    expect(linesOf('caught', { next: 'call' })).toEqual([['caught', 'counter.ts', lineOf("ctx.call('absent'")]])
  })

  it('is found where a contract deploys another whose init throws', async () => {
    const source = `import { contract } from 'quorate/contract'
export default contract({ calls: {
  make(ctx, { code }: { code: string }) {
    return ctx.call('system', 'deploy', { name: 'made', code, init: { start: -1 } })
  },
} })`
    await chain.deploy({ source }, { name: 'maker' })
    const code = chain.get('system', `code/${chain.contract('counter')!.codeHash}`)
    expect(chain.call('maker', 'make', { code }).error).toMatchObject({
      code: 'NESTED',
      message: 'start below zero',
      stack: [
        { name: 'init', at: { file: 'counter.ts', line: lineOf('start below zero') } },
        { name: 'make', at: { file: 'maker.ts', line: 4 } },
      ],
    })
  })

  it('is known for what the sandbox itself refuses, and for views', () => {
    expect(chain.tryView('counter', 'writes').error!.at).toMatchObject({ line: lineOf("state.set('count', 1)") })
  })

  it('is found though the call has no gas to spare, and not where its gas ran out before', () => {
    const spin = (times: number, gasLimit?: number) => chain.call('counter', 'spin', { times }, { gasLimit })
    const { gasUsed } = spin(1)
    expect(spin(1, gasUsed).error).toMatchObject({ code: 'THROWN', at: { line: lineOf('after the loop') } })
    expect(spin(1_000_000, gasUsed + 1_000).error).toMatchObject({ code: 'OUT_OF_GAS', at: undefined })
  })

  it('is absent where nothing with a stack was thrown', () => {
    expect(chain.call('counter', 'plain').error).toMatchObject({ message: 'no error object', at: undefined, stack: [] })
    expect(chain.call('counter', 'nope').error).toMatchObject({ at: undefined, stack: [] })
  })

  it('is absent for a ready bundle, whose failure is otherwise the same', async () => {
    const code = `var quorateContract = { default: { calls: { go() { throw new Error('from a bundle') } } } }`
    await chain.deploy({ code }, { name: 'bundle' })
    expect(chain.call('bundle', 'go').error).toMatchObject({ code: 'THROWN', message: 'from a bundle', at: undefined })
  })

  it('is found though the contract replaced what errors are told with', async () => {
    const source = `import { contract } from 'quorate/contract'
JSON.stringify = () => 'replaced'
Object.prototype.code = 'polluted'
export default contract({ calls: {
  go() {
    throw new Error('found')
  },
} })`
    await chain.deploy({ source }, { name: 'rude' })
    expect(chain.call('rude', 'go').error).toMatchObject({ message: 'found', at: { file: 'rude.ts', line: 6 } })
  })
})

describe('mustCall', () => {
  it('throws code, message and TypeScript line, and keeps the outcome', () => {
    const failure = caught(() => chain.mustCall('counter', 'add', { by: 0 }))
    expect(failure).toBeInstanceOf(CallFailed)
    expect(failure).toMatchObject({ code: 'THROWN', at: { file: 'counter.ts' }, outcome: { status: 'reverted' } })
    expect(failure.message).toBe(
      `counter.add failed with THROWN: only upwards: ä (counter.ts:${lineOf('only upwards')}:10)`,
    )
  })

  it('has the contract’s frames before those of the test', () => {
    const [head, first, second, ...rest] = caught(() => chain.mustCall('counter', 'add', { by: 0 })).stack!.split('\n')
    expect(head).toMatch(/^CallFailed: counter\.add failed/)
    expect(first).toContain(`at add (${join(process.cwd(), 'counter.ts')}:${lineOf('only upwards')}:`)
    expect(second).toContain('counter.ts:')
    expect(rest.join('\n')).toContain('diagnosis.test.ts')
  })

  it('tells of the init of a deploy', async () => {
    const deploy = chain.deploy({ source: COUNTER }, { name: 'third', init: { start: -1 } })
    await expect(deploy).rejects.toMatchObject({ at: { file: 'third.ts', line: lineOf('start below zero') } })
  })
})

describe('a contract of several files', () => {
  it('has its errors in the file they are thrown in', async () => {
    const folder = join(tmpdir(), `quorate-kit-${process.pid}`)
    await mkdir(folder)
    try {
      await writeFile(
        join(folder, 'index.ts'),
        `import { contract } from 'quorate/contract'\nimport { fail } from './fail.ts'\nexport default contract({ calls: { go: () => fail() } })\n`,
      )
      await writeFile(join(folder, 'fail.ts'), `\n\nexport function fail() {\n  throw new Error('here')\n}\n`)
      await chain.deploy(pathToFileURL(folder), { name: 'folder' })
      const { at } = chain.call('folder', 'go').error!
      expect(at).toEqual({ file: relative(process.cwd(), join(folder, 'fail.ts')), line: 4, column: 13 })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

function caught(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not throw')
}
