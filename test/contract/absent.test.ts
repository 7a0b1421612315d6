/** Uses of what a contract does not have, by line. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findAbsent } from '../../src/contract/absent.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-absent-'))
})
afterAll(() => rm(folder, { recursive: true }))

const ABSENT = ['process', 'fetch', 'eval', 'require']
async function found(...lines: string[]): Promise<string[]> {
  const file = join(folder, 'index.ts')
  await writeFile(file, lines.join('\n'))
  const findings = await findAbsent(file, ABSENT)
  return findings.map(({ position, reason }) => `${basename(position!.file)}:${position!.line} ${reason.split(' ')[0]}`)
}

it.each([
  ['process.env.X', 'process'],
  ['fetch("x")', 'fetch'],
  ['require(given)', 'require'],
  ['eval("1")', 'eval'],
  ['Date.now()', 'Date.now'],
  ['[Math.random]', 'Math.random'],
  ['new Date()', 'the'],
  ['new Date', 'the'],
  ['Date()', 'the'],
  ['new Function("1")', 'Function'],
  ['Function("1")', 'Function'],
])('refuses %s, with its line', async (use, name) => {
  expect(await found('// one', 'export default (given: any) =>', `  ${use}`)).toEqual([`index.ts:3 ${name}`])
})

it.each([
  'new Date(5).getTime()',
  'Date.UTC(1)',
  'given instanceof Date',
  'given instanceof Function',
  'Math.max(1, 2)',
  'given.process.fetch',
  '({ process: 1 }).process',
  'typeof process',
  '"process fetch()"',
  '((process: any) => process.x)(1)',
])('takes %s', async (use) => {
  expect(await found('export default (given: any) =>', `  ${use} // process`)).toEqual([])
})

it('takes a use that its file has guarded, and no other file’s', async () => {
  await writeFile(join(folder, 'other.ts'), 'export const other = () => process.pid')
  const guarded = `export default () => [typeof process === 'undefined' ? 0 : process.pid, other()]`
  expect(await found(`import { other } from './other.ts'`, guarded)).toEqual(['other.ts:1 process'])
})
