import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { exampleGenesis } from '../../genesis/write-example.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import { parseGenesis } from '../../src/genesis/document.ts'

const read = () => readFile(new URL('../../genesis/example.json', import.meta.url), 'utf8')

it('the shipped example is sound for this engine', async () => {
  expect(parseGenesis(await read(), { engineHash: engineHash() })).toMatchObject({ ok: true, warnings: [] })
})

it('the shipped example is what `node genesis/write-example.ts` writes', async () => {
  expect(JSON.parse(await read())).toEqual(JSON.parse(await exampleGenesis()))
})
