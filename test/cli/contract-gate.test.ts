// What `contract build`, `deploy` and `upgrade` refuse on the author's machine, and `contract check`.
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bundleContract } from '../../src/contract/bundle.ts'
import { parseSamples, runSamples, type Sample } from '../../src/testing/samples.ts'
import { serve } from '../api/support.ts'
import { root } from './linked.ts'
import { createCli, withFolder } from './support.ts'

const cli = createCli()
const IMPORT = `import { contract } from 'quorate/contract'`

async function write(folder: string, files: Record<string, string>): Promise<string> {
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}
const build = (lines: string[], samples: string | undefined, ...more: string[]) =>
  withFolder(async (folder) => {
    const files = { 'index.ts': [IMPORT, ...lines].join('\n'), ...(samples && { 'samples.json': samples }) }
    return cli('contract', 'build', await write(folder, files), '--json', ...more)
  })

describe('contract build', () => {
  test.each([
    [
      'a global that is absent',
      ['export default contract({ calls: {', '  a() { return fetch("x") },', '} })'],
      /index\.ts:3:\d+: fetch does not exist/,
    ],
    [
      'an async handler',
      ['export default contract({', '  views: { async look() { return 1 } },', '})'],
      /index\.ts:3:\d+: views\.look is async/,
    ],
    [
      'a generator',
      ['export default contract({ calls: { *a() { yield 1 } } })'],
      /index\.ts:2:\d+: calls\.a is a generator/,
    ],
    [
      'a top level that throws',
      ['const a: any = undefined', 'const b = a.x', 'export default contract({ calls: { a: () => b } })'],
      /index\.ts:3:\d+: its top level throws: cannot read/,
    ],
    [
      'a top level that takes too long',
      ['for (let i = 0; i < 1e9; i++);', 'export default contract({})'],
      /its top level takes more than the \d+ gas .*\(OUT_OF_GAS\)/,
    ],
    [
      'a top level that takes too much memory',
      ['const a = "x".repeat(2 ** 28) + "y"', 'export default contract({ calls: { a: () => a } })'],
      /it does not load as a contract: .*more memory.*\(OUT_OF_MEMORY\)/,
    ],
    ['no contract', ['export const x = contract({})'], /exports no contract.*\(NO_CONTRACT\)/],
    ['a wrong shape', ['export default contract({ migrate: 1 as any })'], /migrate must be a function \(BAD_SHAPE\)/],
  ])('refuses %s with its place and reason, or only warns', async (_, lines, told) => {
    const refused = await build(lines, undefined)
    expect([refused.exitCode, refused.out]).toEqual([1, ''])
    expect(refused.err).toMatch(told)
    expect(refused.err).toMatch(/--no-check \(CONTRACT_REFUSED\)\n$/)
    const warned = await build(lines, undefined, '--no-check')
    expect([warned.exitCode, warned.err]).toEqual([0, expect.stringMatching(/^warning: /)])
    expect(warned.json.code).toContain('quorateContract')
  })

  test('runs the samples beside it', async () => {
    const good = ['export default contract({ calls: { a: (ctx, args: { n: number }) => args.n + 1 } })']
    const samples = JSON.stringify([{ kind: 'call', method: 'a', args: { n: 1 } }])
    expect((await build(good, samples)).exitCode).toBe(0)
    expect((await build(good, '[{}]')).err).toMatch(/samples\.json: sample 1 has no kind/)
    const promising = ['export default contract({ calls: { a: () => Promise.resolve(1) } })']
    expect((await build(promising, samples)).err).toMatch(/samples\.json: sample 1 \(call a\) fails with PROMISE/)
  }, 120_000)
})

test('the shipped token passes with its samples, all but one of which it takes', async () => {
  const folder = join(root, 'contracts/token')
  expect(await cli('contract', 'build', folder, '--json')).toMatchObject({ exitCode: 0, err: '' })
  const samples = parseSamples(await readFile(join(folder, 'samples.json'), 'utf8')) as Sample[]
  const [run] = await runSamples((await bundleContract(folder)).code, samples)
  const refused = run!.outcomes.flatMap(({ error }, index) => (error === null ? [] : [[index, error.message]]))
  expect(refused).toEqual([[3, expect.stringMatching(/balance/)]])
  expect(run!.outcomes.slice(-3).map(({ result }) => result)).toEqual(['3', '1', '200'])
}, 120_000)

test('deploy and upgrade refuse before anything is signed', () =>
  withFolder(async (folder) => {
    const path = await write(folder, {
      'index.ts': `${IMPORT}\nexport default contract({ calls: { a: () => Date.now() } })`,
    })
    for (const command of ['deploy', 'upgrade']) {
      const { exitCode, err } = await cli('contract', command, path, '--name', 'shop', '--from', 'nobody')
      expect([exitCode, err]).toEqual([
        1,
        expect.stringMatching(/index\.ts:2:\d+: Date\.now .*\(CONTRACT_REFUSED\)\n$/),
      ])
    }
  }))

describe('contract check', () => {
  const source = `${IMPORT}\nexport default contract({\n  calls: { a: () => 'one' },\n  views: { b: () => 'two' },\n})`

  test('says whether the deployed code is made from the source, and where it first differs', () =>
    withFolder(async (folder) => {
      const served = await serve()
      try {
        const path = await write(join(folder, 'mine'), { 'index.ts': source })
        const other = await write(join(folder, 'other'), { 'index.ts': source.replace('two', 'three') })
        const { code, codeHash } = await bundleContract(path)
        served.test.setCode('notes', code)
        const check = (from: string, ...more: string[]) =>
          cli('contract', 'check', 'notes', '--source', from, '--node', served.url, ...more)
        const same = await check(path, '--json')
        expect([same.exitCode, same.json]).toEqual([0, { name: 'notes', version: 1, same: true, codeHash }])

        const different = await check(other, '--json')
        const builtHash = (await bundleContract(other)).codeHash
        expect([different.exitCode, different.json]).toMatchObject([1, { same: false, codeHash, builtHash }])
        const { position, built, deployed } = different.json.difference
        expect(position).toMatchObject({ file: expect.stringMatching(/other\/index\.ts$/), line: 4 })
        expect([built, deployed]).toEqual([expect.stringMatching(/^hree"/), expect.stringMatching(/^wo"/)])
        const text = (await check(other)).out
        for (const part of ['NOT built', codeHash, builtHash, 'index.ts:4:']) expect(text).toContain(part)
      } finally {
        await served.api.close()
      }
    }))

  test('trusts no hash that the code has not', () =>
    withFolder(async (folder) => {
      const served = await serve()
      try {
        const path = await write(folder, { 'index.ts': source })
        const { code, codeHash } = await bundleContract(path)
        served.test.setCode('notes', `${code};`, codeHash)
        const { exitCode, err } = await cli('contract', 'check', 'notes', '--source', path, '--node', served.url)
        const actual = createHash('sha256').update(`${code};`).digest('hex')
        expect([exitCode, err]).toEqual([1, expect.stringContaining(actual)])
      } finally {
        await served.api.close()
      }
    }))
})
