// `quorate contract new` as a user has it: the folder's own scripts are run, with quorate linked from this checkout and with quorate
// installed as a package. What npm install would bring is linked from here.
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, test } from 'vitest'
import { bundleContract } from '../../src/contract/bundle.ts'
import { createCli, withFolder } from './support.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const cli = createCli()

interface Ran {
  code: number
  output: string
}

/** A program's exit code and all it printed. */
async function ran(program: string, args: string[], cwd: string): Promise<Ran> {
  const { PATH, HOME } = process.env
  const env = { PATH: `${dirname(process.execPath)}:${PATH}`, HOME, NO_COLOR: '1', npm_config_update_notifier: 'false' }
  const ending = await run(program, args, { cwd, env }).catch((error) => error)
  return { code: ending.code ?? 0, output: `${ending.stdout}${ending.stderr}` }
}

/** What `npm install` makes of the dependency on this checkout. */
const linkCheckout = (modules: string) => symlink(root, join(modules, 'quorate'))

/** The package as it is published, its dependencies beside it. */
async function installPackage(modules: string): Promise<void> {
  const target = join(modules, 'quorate')
  const dist = join(target, 'dist')
  await run(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json', '--outDir', dist],
    {
      cwd: root,
    },
  )
  for (const part of ['package.json', 'bin', 'templates'])
    await cp(join(root, part), join(target, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'))
}

describe.each([
  ['a checkout', linkCheckout],
  ['an installed package', installPackage],
])('a new contract beside %s', (_, install) => {
  it('passes its tests, fails them when it is broken, type-checks and builds', async () => {
    await withFolder(async (folder) => {
      const modules = join(folder, 'node_modules')
      await mkdir(join(modules, '.bin'), { recursive: true })
      await install(modules)
      await symlink(join(root, 'node_modules/vitest'), join(modules, 'vitest'))
      await symlink('../vitest/vitest.mjs', join(modules, '.bin/vitest'))
      await symlink('../quorate/bin/quorate.js', join(modules, '.bin/quorate'))
      const hello = join(folder, 'hello')

      expect(await ran(join(modules, '.bin/quorate'), ['contract', 'new', 'hello'], folder)).toEqual({
        code: 0,
        output: expect.stringContaining('Next: cd hello && npm install && npm test'),
      })
      expect(await ran('npm', ['test'], hello)).toEqual({ code: 0, output: expect.stringMatching(/Tests +4 passed/) })
      expect(await ran(join(root, 'node_modules/.bin/tsc'), ['-p', '.'], hello)).toEqual({ code: 0, output: '' })
      const { codeHash } = await bundleContract(join(root, 'templates/contract'))
      expect(await ran('npm', ['run', 'build'], hello)).toEqual({ code: 0, output: expect.stringContaining(codeHash) })

      const index = join(hello, 'index.ts')
      await writeFile(index, (await readFile(index, 'utf8')).replace("registrar === ctx.sender, '", "true, '"))
      const broken = await ran('npm', ['test'], hello)
      expect([broken.code, broken.output]).toEqual([
        1,
        expect.stringMatching(/only the registrar(.|\n)*Tests +1 failed/),
      ])
    })
  })
})

describe('the folder', () => {
  test('has the name throughout, and depends on the checkout it was made by', async () => {
    await withFolder(async (folder) => {
      const { exitCode, json } = await cli('contract', 'new', 'deeds', '--dir', join(folder, 'a/b'), '--json')
      expect(exitCode).toBe(0)
      expect(json).toMatchObject({ name: 'deeds', folder: join(folder, 'a/b') })
      const files = (json.files as string[]).toSorted()
      expect(files).toEqual([
        'README.md',
        'index.test.ts',
        'index.ts',
        'package.json',
        'tsconfig.json',
        'vitest.config.ts',
      ])
      for (const file of files) expect(await readFile(join(folder, 'a/b', file), 'utf8')).not.toContain('my-contract')
      const manifest = JSON.parse(await readFile(join(folder, 'a/b/package.json'), 'utf8'))
      const [, path] = /^file:(\..*)$/.exec(manifest.dependencies.quorate)!
      expect(JSON.parse(await readFile(join(folder, 'a/b', path!, 'package.json'), 'utf8')).name).toBe('quorate')
      expect(manifest.name).toBe('deeds-contract')
    })
  })

  test('is never one that is there already', async () => {
    await withFolder(async (folder) => {
      const dir = join(folder, 'taken')
      await mkdir(dir)
      const { exitCode, err } = await cli('contract', 'new', 'deeds', '--dir', dir)
      expect([exitCode, err]).toEqual([
        1,
        expect.stringMatching(/taken is there already.*another --dir.*\(FOLDER_EXISTS\)\n$/),
      ])
      await rm(dir, { recursive: true })
      expect((await cli('contract', 'new', 'deeds', '--dir', dir)).exitCode).toBe(0)
    })
  })

  test.each(['Bad', 'x', 'system', 'under_score', '../up', 'a'.repeat(41)])(
    'is not made for the name %s',
    async (name) => {
      const { exitCode, err } = await cli('contract', 'new', name)
      expect([exitCode, err]).toEqual([2, expect.stringMatching(/cannot name a contract: use 2 to 40 .*\(USAGE\)\n$/)])
    },
  )
})
