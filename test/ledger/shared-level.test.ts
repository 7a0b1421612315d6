import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSharedLevel } from '../../src/ledger/shared-level.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-shared-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

it('keeps what was opened first open until its last user is gone', async () => {
  const first = await openSharedLevel(directory)
  const second = await openSharedLevel(directory)
  expect(second.level).toBe(first.level)
  await first.close()
  await first.close()
  expect(second.level.status).toBe('open')
  await second.level.put(Buffer.of(1), Buffer.of(2))
  await second.close()
  expect(second.level.status).toBe('closed')
})

it('opens anew once the last close is done', async () => {
  const first = await openSharedLevel(directory)
  await first.level.put(Buffer.of(1), Buffer.of(2))
  const [, second] = await Promise.all([first.close(), openSharedLevel(directory)])
  expect(second.level).not.toBe(first.level)
  expect([first.level.status, second.level.status]).toEqual(['closed', 'open'])
  expect(await second.level.get(Buffer.of(1))).toEqual(Buffer.of(2))
  await second.close()
})

it('can be opened after an attempt that failed', async () => {
  const other = join(directory, 'folder')
  writeFileSync(join(directory, 'CURRENT'), 'nonsense')
  await expect(openSharedLevel(directory)).rejects.toThrow()
  await rm(join(directory, 'CURRENT'))
  const opened = await openSharedLevel(directory)
  const elsewhere = await openSharedLevel(other)
  expect(elsewhere.level).not.toBe(opened.level)
  await Promise.all([opened.close(), elsewhere.close()])
})
