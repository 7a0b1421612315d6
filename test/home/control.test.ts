// data/control.json: only its owner can read it, and it leads to the node.
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newToken, readControl, removeControl, writeControl } from '../../src/home/control.ts'

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-control-'))
  path = join(folder, 'control.json')
})
afterAll(() => rm(folder, { recursive: true }))

test('is read back, private, and gone when it is removed', async () => {
  const control = { url: 'http://127.0.0.1:4600', token: newToken() }
  expect(control.token).toMatch(/^[0-9a-f]{64}$/)
  expect(newToken()).not.toBe(control.token)
  // One that others can read, left by whatever, does not pass its mode on.
  await writeFile(`${path}.new`, '', { mode: 0o644 })
  await writeFile(path, '', { mode: 0o644 })
  await writeControl(path, control)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readControl(path)).toEqual(control)
  expect(await readdir(folder)).toEqual(['control.json'])
  await removeControl(path)
  await removeControl(path)
  expect(await readControl(path)).toBeUndefined()
})

test('names an address that can be asked where the node listens on all', async () => {
  for (const [url, expected] of [
    ['http://0.0.0.0:1', 'http://127.0.0.1:1'],
    ['http://[::]:1', 'http://[::1]:1'],
    ['http://10.0.0.0:1', 'http://10.0.0.0:1'],
  ]) {
    await writeControl(path, { url: url!, token: '' })
    expect((await readControl(path))!.url).toBe(expected)
  }
})

test('says nothing where it is not one', async () => {
  for (const text of ['', '{', '{}', '{"url":1,"token":"x"}', 'null']) {
    await writeFile(path, text)
    expect(await readControl(path)).toBeUndefined()
  }
})
