// /v1/backups: for whoever has the secret of the node's home, and for nobody else.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BackupRunView, ControlPort } from '../../src/api/port.ts'
import { problemOf, type Served, serve } from './support.ts'

const token = 'ab'.repeat(32)
const run: BackupRunView = {
  id: 1,
  kind: 'full',
  state: 'running',
  phase: 'blocks',
  done: 3,
  total: 9,
  startedAt: '2026-01-01T00:00:00.000Z',
  backup: null,
  note: '',
  error: null,
}
let served: Served
let asked: Parameters<ControlPort['startBackup']>[]
let isBusy: boolean

beforeEach(async () => {
  asked = []
  isBusy = false
  const port: ControlPort = {
    startBackup(...question) {
      asked.push(question)
      return isBusy ? undefined : run
    },
    backups: async () => ({ run, backups: [] }),
  }
  served = await serve({ control: { token, port } })
})
afterEach(() => served.api.close())

const as = (secret: string) => ({ 'content-type': 'application/json', authorization: `Bearer ${secret}` })
const post = (body: unknown, headers: Record<string, string> = as(token)) =>
  served.post('/v1/backups', body, { headers })

describe('with the secret', () => {
  it('begins a backup and says how far it is', async () => {
    expect(await post({ kind: 'full' })).toMatchObject({ status: 202, body: { run } })
    await post({ kind: 'incremental', folder: '/srv/backups' })
    expect(asked).toEqual([
      ['full', undefined],
      ['incremental', '/srv/backups'],
    ])
    expect(await served.get('/v1/backups', { headers: as(token) })).toMatchObject({
      status: 200,
      body: { run, backups: [] },
    })
  })

  it('is told when one is being made already', async () => {
    isBusy = true
    expect(problemOf(await post({ kind: 'full' }))).toEqual({ status: 409, code: 'BUSY' })
  })

  it.each([[{}], [{ kind: 'half' }], [{ kind: 'full', folder: 'here' }], [{ kind: 'full', to: '/x' }]])(
    'refuses %j',
    async (body) => {
      expect(problemOf(await post(body))).toEqual({ status: 400, code: 'MALFORMED' })
      expect(asked).toEqual([])
    },
  )
})

describe('without the secret', () => {
  const wrong: Record<string, string>[] = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: `Bearer ${token.slice(1)}c` },
    { authorization: `Bearer ${token}0` },
    { authorization: `Basic ${token}` },
    { authorization: token },
  ]
  it.each(wrong)('nothing is told or begun: %j', async (headers) => {
    const answers = [
      await served.get('/v1/backups', { headers }),
      await post({ kind: 'full' }, { 'content-type': 'application/json', ...headers }),
    ]
    for (const answer of answers) {
      expect(problemOf(answer)).toEqual({ status: 401, code: 'UNAUTHORIZED' })
      expect(answer.body.detail).toContain('--home')
    }
    expect(asked).toEqual([])
  })

  it('no web page of another origin may ask, even one that knows it', async () => {
    const answer = await served.get('/v1/backups', { headers: { ...as(token), origin: 'https://example.org' } })
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    const preflight = await served.get('/v1/backups', { method: 'OPTIONS', headers: { origin: 'https://example.org' } })
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('there is none where the node gave none out', async () => {
    const other = await serve()
    try {
      expect(problemOf(await other.get('/v1/backups', { headers: as(token) })).code).toBe('UNAUTHORIZED')
      expect(problemOf(await other.get('/v1/backups', { headers: as('') })).code).toBe('UNAUTHORIZED')
    } finally {
      await other.api.close()
    }
  })
})
