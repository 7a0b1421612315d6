/** Bundles: the same bytes from anywhere, runnable in the sandbox, errors that say where. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BundleError, bundleContract } from '../../src/contract/bundle.ts'
import { createSandbox, hashCode } from '../../src/execution/sandbox/index.ts'
import { createMemoryNetwork } from './memory-host.ts'

const contracts = fileURLToPath(new URL('../../contracts', import.meta.url))
const source = `import { assert, contract } from 'quorate/contract'
import { double } from './double.ts'
export default contract({
  init(ctx, args: { start: number }) { ctx.state.set('n', args.start) },
  calls: { twice(ctx) { const n = ctx.state.get<number>('n') ?? 0; assert(n < 100, 'too large: ä'); ctx.state.set('n', double(n)) } },
  views: { value(ctx) { return ctx.state.get('n') } },
})`
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-bundle-'))
  for (const name of ['one', 'other place']) {
    await mkdir(join(folder, name))
    await writeFile(join(folder, name, 'index.ts'), source)
    await writeFile(join(folder, name, 'double.ts'), 'export const double = (n: number) => n * 2 // a comment\n')
  }
})
afterAll(() => rm(folder, { recursive: true }))

async function write(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

describe('bundleContract', () => {
  it('makes a script that runs', async () => {
    const { code, codeHash, bytes } = await bundleContract(join(folder, 'one'))
    expect([codeHash, bytes]).toEqual([hashCode(code), Buffer.byteLength(code)])
    const network = createMemoryNetwork(createSandbox())
    expect(network.sandbox.inspect(code, 20_000_000)).toEqual({
      ok: true,
      init: true,
      migrate: false,
      calls: ['twice'],
      views: ['value'],
    })
    expect(network.deploy('n', code, { start: 60 })).toMatchObject({ status: 'ok' })
    expect(network.call('alice', 'n', 'twice')).toMatchObject({ status: 'ok' })
    expect(network.view('n', 'value')).toMatchObject({ status: 'ok', result: '120' })
    expect(network.call('alice', 'n', 'twice')).toMatchObject({ status: 'failed', message: 'too large: ä' })
  })

  it('gives the same bytes wherever the source lies, as folder or file', async () => {
    const first = await bundleContract(join(folder, 'one'))
    expect(await bundleContract(join(folder, 'other place'))).toEqual(first)
    expect(await bundleContract(join(folder, 'one', 'index.ts'))).toEqual(first)
    await cp(contracts, join(folder, 'contracts'), { recursive: true })
    expect(await bundleContract(join(folder, 'contracts/token'))).toEqual(
      await bundleContract(join(contracts, 'token')),
    )
    expect(first.code).not.toContain('double.ts')
  })

  it('gives the same bytes for the same project in another folder, packages of every kind included', async () => {
    const makeProject = async (name: string) => {
      const project = join(folder, name)
      await mkdir(join(project, 'contracts/shop'), { recursive: true })
      for (const [file, text] of [
        ['node_modules/left/index.js', 'module.exports = (x) => x + 1'],
        ['node_modules/right/package.json', '{"type":"module","main":"main.js"}'],
        ['node_modules/right/main.js', 'export const right = (x) => x + 2'],
        [
          'contracts/shop/index.ts',
          `import { contract } from 'quorate/contract'
           import left from 'left'
           import { right } from 'right'
           export default contract({ calls: { a() { return left(1) + right(2) } } })`,
        ],
      ] as const) {
        await mkdir(join(project, file, '..'), { recursive: true })
        await writeFile(join(project, file), text)
      }
      return bundleContract(join(project, 'contracts/shop'))
    }
    const [here, there] = [await makeProject('here'), await makeProject('a longer/way there')]
    expect(there).toEqual(here)
    const network = createMemoryNetwork(createSandbox())
    network.deploy('n', here.code)
    expect(network.call('alice', 'n', 'a')).toMatchObject({ result: '6' })
  })

  it('names file, line and reason', async () => {
    const broken = await write('broken.ts', 'const a = 1\nexport default {\n  a: ,\n}\n')
    const missing = await write('missing.ts', `\nimport { x } from './nowhere.ts'\nexport default x\n`)
    const node = await write('node.ts', `import fs from 'node:fs'\nexport default fs\n`)
    const unknown = await write('unknown.ts', `import { nope } from 'quorate/contract'\nexport default nope\n`)
    await expect(bundleContract(broken)).rejects.toThrow(/broken\.ts:3:6: Unexpected ","/)
    await expect(bundleContract(missing)).rejects.toThrow(/missing\.ts:2:19: Could not resolve ".\/nowhere.ts"/)
    await expect(bundleContract(node)).rejects.toThrow(/node\.ts:1:\d+: Could not resolve "node:fs"/)
    await expect(bundleContract(unknown)).rejects.toThrow(/unknown\.ts:1:10: No matching export/)
    await expect(bundleContract(broken)).rejects.toMatchObject({ code: 'SOURCE_INVALID' })
  })

  it('says when there is no source', async () => {
    await expect(bundleContract(join(folder, 'absent'))).rejects.toThrow(BundleError)
    await expect(bundleContract(folder)).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND' })
  })
})
