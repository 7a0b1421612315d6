// Asking the node that runs on a home for a backup, where what data/control.json names is no such node.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { askNode } from '../../src/cli/backup-node.ts'
import { homePaths } from '../../src/home/home.ts'

let home: string
let server: Server | undefined
const paths = () => homePaths(home)
const ask = () => askNode(paths(), { kind: 'full', root: join(home, 'backups'), onProgress: () => {} })
const unknown = (reason: RegExp) => ({ code: 'NODE_UNKNOWN', message: expect.stringMatching(reason) })

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'quorate-ask-'))
  await mkdir(paths().data)
})
afterEach(async () => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
  await rm(home, { recursive: true })
})

async function answering(status: number, text: string): Promise<void> {
  server = createServer((_, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(text))
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await writeFile(paths().control, JSON.stringify({ url, token: 'old' }))
}

describe('asking the node for a backup', () => {
  it('says that another process has the ledger where no node has left its address', async () => {
    await expect(ask()).rejects.toMatchObject(unknown(/data\/ledger open.*wait until that command is done/))
  })

  it('says so too where the node that left it is gone', async () => {
    await answering(200, '{}')
    server?.close()
    await expect(ask()).rejects.toMatchObject(unknown(/data\/ledger open.*control\.json/))
  })

  it.each([
    ['knows no backups', 404, '{"code":"NOT_FOUND","message":"no"}'],
    ['answers otherwise', 202, '{}'],
    ['answers with a list', 202, '[]'],
    ['answers with text', 202, 'hello'],
    ['leaves things out', 202, '{"run":{"id":1}}'],
  ])('says so too where another server has its address, which %s', async (_, status, text) => {
    await answering(status, text)
    await expect(ask()).rejects.toMatchObject(unknown(/control\.json/))
  })

  it.each([
    [409, 'BUSY'],
    [401, 'UNAUTHORIZED'],
  ])('passes on what a node refuses: %d %s', async (status, code) => {
    await answering(status, JSON.stringify({ code, message: 'no' }))
    await expect(ask()).rejects.toMatchObject({ code })
  })
})
