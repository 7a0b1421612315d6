// `quorate contract new` as a user has it: the folder's own scripts are run, with quorate linked from this checkout and with quorate
// installed as a package. What npm install would bring is linked from here.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { bundleContract } from '../../src/contract/bundle.ts'
import { installPackage, link, linkCheckout, ran, root } from './linked.ts'
import { createCli, withFolder } from './support.ts'

const cli = createCli()

describe.each([
  ['a checkout', linkCheckout],
  ['an installed package', installPackage],
])('a new contract beside %s', (_, install) => {
  it('passes its tests, fails them when it is broken, type-checks and builds', async () => {
    await withFolder(async (folder) => {
      const modules = join(folder, 'node_modules')
      await link(folder, install)
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
