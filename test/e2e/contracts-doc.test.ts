// docs/contracts.md, done as it says: its commands in a shell against a devnet, its code in the folder they make.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { link, linkCheckout, ran, root } from '../cli/linked.ts'
import { withFolder } from '../cli/support.ts'
import { createDevnet, type Devnet } from './devnet.ts'

const text = await readFile(join(root, 'docs/contracts.md'), 'utf8')
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, code]) => code!)

let devnet: Devnet

beforeAll(async () => {
  devnet = await createDevnet()
  await devnet.up()
}, 120_000)
afterAll(() => devnet?.close())

describe('docs/contracts.md', () => {
  it('has commands that lead from nothing to a deployed and upgraded contract', async () => {
    const script = blocks('sh').join('')
    // The folder is one in which npm install has run: there is no network here.
    const commands = script.replace('npm install\n', '')
    expect(commands.length).toBeLessThan(script.length)
    await withFolder(async (folder) => {
      await link(folder, linkCheckout)
      const environment = { QUORATE_NODE: devnet.url(0, ''), QUORATE_KEYSTORE: join(devnet.directory, 'keystore') }
      const { code, output } = await ran('sh', ['-ec', commands], folder, environment)
      expect([code, output]).toEqual([0, expect.stringMatching(/Tests +4 passed/)])
      const built = /code hash +([0-9a-f]{64})/.exec(output)![1]
      const shown = await devnet.json('contract', 'show', 'hello')
      expect(shown).toMatchObject({ version: 2, codeHash: built })
      const bob = (await devnet.json('keys', 'show', 'bob')).address
      expect(output).toContain(`"title":"Deed","by":"${bob}"`)
    })
  }, 120_000)

  it('has code that does what it says', async () => {
    const [index, test] = blocks('ts') as [string, string]
    await withFolder(async (folder) => {
      await link(folder, linkCheckout)
      const names = join(folder, 'names')
      const quorate = join(folder, 'node_modules/.bin/quorate')
      expect(await ran(quorate, ['contract', 'new', 'names'], folder)).toMatchObject({ code: 0 })
      await writeFile(join(names, 'index.ts'), index)
      await writeFile(join(names, 'index.test.ts'), test)
      expect(await ran('npm', ['test'], names)).toEqual({ code: 0, output: expect.stringMatching(/Tests +1 passed/) })
      expect(await ran(join(root, 'node_modules/.bin/tsc'), ['-p', '.'], names)).toEqual({ code: 0, output: '' })
    })
  })
})
