// GET /v1/evidence: the entries as they are kept, in base64.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { problemOf, type Served, serve } from './support.ts'

let served: Served
beforeEach(async () => {
  served = await serve()
})
afterEach(() => served.api.close())

it('lists what the node holds against validators', async () => {
  expect((await served.get('/v1/evidence')).body).toEqual({ evidence: [] })
  const place = { validator: 'east', kind: 'exec', epoch: 0, view: 0, height: 5 } as const
  served.test.knobs.evidence = [{ ...place, first: Uint8Array.of(1, 2, 3), second: new Uint8Array(), seenAt: 1_000 }]
  const { status, body } = await served.get('/v1/evidence')
  expect(status).toBe(200)
  expect(body).toEqual({ evidence: [{ ...place, first: 'AQID', second: '', seenAt: '1970-01-01T00:00:01.000Z' }] })
})

it('is described, and takes no parameters', async () => {
  const { body } = await served.get('/openapi.json')
  const { schema } = body.paths['/v1/evidence'].get.responses['200'].content['application/json']
  expect(Object.keys(schema.properties.evidence.items.properties)).toEqual([
    'validator',
    'kind',
    'epoch',
    'view',
    'height',
    'first',
    'second',
    'seenAt',
  ])
  expect(problemOf(await served.get('/v1/evidence?limit=1')).code).toBe('BAD_PARAMETER')
})
