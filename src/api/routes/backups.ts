// GET and POST /v1/backups: for the owner of the node's home alone, who can read the secret in data/control.json.
import { createHash, timingSafeEqual } from 'node:crypto'
import { isAbsolute } from 'node:path'
import type { FastifyRequest } from 'fastify'
import type { Routes } from '../context.ts'
import { BACKUPS_URL } from '../origins.ts'
import { Problem } from '../problem.ts'
import { answers, hash, height, listOf, nullable, object, query, time } from '../schemas.ts'

const text = { type: 'string' }
const count = { type: 'integer', minimum: 0 }
const kind = { type: 'string', enum: ['full', 'incremental'] }

const backup = object({
  name: text,
  folder: text,
  id: { ...hash, description: 'SHA-256 of its manifest.' },
  kind,
  from: height,
  to: height,
  blockHash: hash,
  created: time,
  parent: { ...nullable(hash), description: 'The id of the backup that it continues.' },
  bytes: count,
})
const run = object({
  id: count,
  kind: { ...kind, description: 'What was asked for.' },
  state: { type: 'string', enum: ['running', 'made', 'unchanged', 'failed'] },
  phase: nullable({ type: 'string', enum: ['state', 'blocks', 'hashes'] }),
  done: count,
  total: { ...count, description: '0 where it is not known.' },
  startedAt: time,
  backup: nullable(backup),
  note: { ...text, description: 'Why it is not what was asked for; else empty.' },
  error: nullable(object({ code: text, message: text })),
})

const digest = (secret: string): Buffer => createHash('sha256').update(secret).digest()

export const backupRoutes: Routes = (app, { control }) => {
  /** Before the body is read. Digests have one length, so the time taken says nothing of where two secrets differ. */
  const onRequest = async ({ headers }: FastifyRequest): Promise<void> => {
    const [scheme, given = ''] = (headers.authorization ?? '').split(' ')
    if (control !== undefined && scheme === 'Bearer' && timingSafeEqual(digest(given), digest(control.token))) return
    throw new Problem(
      'UNAUTHORIZED',
      "Backups are for the owner of the node's home: run the command as the user who owns it, with --home.",
    )
  }

  app.get(BACKUPS_URL, {
    onRequest,
    schema: {
      summary: 'The backups in the node’s home, and how far the one is that is being made',
      description: 'Needs `Authorization: Bearer` with the secret in data/control.json.',
      querystring: query(),
      response: answers(
        { 200: object({ run: nullable(run), backups: listOf(backup) }) },
        'BAD_PARAMETER',
        'UNAUTHORIZED',
      ),
    },
    handler: () => control!.port.backups(),
  })

  app.post<{ Body: { kind: 'full' | 'incremental'; folder?: string } }>(BACKUPS_URL, {
    onRequest,
    schema: {
      summary: 'Begin a backup',
      description: 'Needs `Authorization: Bearer` with the secret in data/control.json. GET says how far it is.',
      body: {
        type: 'object',
        required: ['kind'],
        additionalProperties: false,
        properties: {
          kind,
          folder: {
            ...text,
            maxLength: 4096,
            description: 'An absolute path; the home’s own folder of backups without it.',
          },
        },
      },
      response: answers({ 202: object({ run }) }, 'MALFORMED', 'UNAUTHORIZED', 'BUSY', 'UNSUPPORTED_MEDIA_TYPE'),
    },
    handler: async ({ body }, reply) => {
      const { folder } = body
      if (folder !== undefined && !isAbsolute(folder))
        throw new Problem('MALFORMED', `The folder ${JSON.stringify(folder)} is not absolute: send its whole path.`)
      const started = control!.port.startBackup(body.kind, folder)
      if (started === undefined)
        throw new Problem(
          'BUSY',
          'A backup is being made already: wait until it is, GET /v1/backups says how far it is.',
        )
      return reply.code(202).send({ run: started })
    },
  })
}
