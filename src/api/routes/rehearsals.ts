// POST /v1/contracts/{name}/rehearsals: what an upgrade would have changed in a block that is certified already.
import { readBlock, wiresOf } from '../blocks.ts'
import type { Routes } from '../context.ts'
import { timeText } from '../json.ts'
import { Problem, problemDocument, publicCode, sendProblem } from '../problem.ts'
import * as schemas from '../schemas.ts'
import { readContract } from './contracts.ts'

const { answers, anyJson, hash, height, listOf, object, parameters, path, query } = schemas

interface Body {
  code: string
  migrate?: unknown
  height: number
}

const text = { type: 'string' }
const count = { type: 'integer' }
const value = {
  type: ['string', 'null'],
  description: 'As text, shortened; of a write absent where it is not made, null where it deletes.',
}
const difference = {
  type: 'object',
  required: ['what'],
  properties: {
    what: { type: 'string', enum: ['status', 'error', 'result', 'gas', 'events', 'write'] },
    key: { ...text, description: 'Of a write: the full state key: contract, U+0000, key.' },
    before: value,
    after: value,
  },
}
const call = object({
  id: hash,
  index: count,
  contract: text,
  method: text,
  differences: listOf(difference),
  more: { ...count, description: 'Differences beyond those listed.' },
})
const upgrade = object({
  status: { type: 'string', enum: ['ok', 'failed'] },
  code: text,
  message: text,
  gasUsed: count,
})

export const rehearsalRoutes: Routes = (app, { node, gates }) => {
  app.post<{ Params: { name: string }; Body: Body }>('/v1/contracts/:name/rehearsals', {
    schema: {
      summary: 'Replay a certified block on new code for a contract',
      description:
        'Upgrades the contract, its migration included, over the state before the block, replays the block with and without that, and ' +
        'tells each call of the contract and what went differently. Nothing is kept or sent. It is this one node’s word.',
      params: path({ name: parameters.contractName }),
      querystring: query(),
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['code', 'height'],
        properties: {
          code: { ...text, description: 'The new code, as `quorate contract build` makes it.' },
          migrate: { ...anyJson, description: 'The argument of its migration; none is `{}`.' },
          height: { ...height, minimum: 1, description: 'The block to replay; its state must still be kept.' },
        },
      },
      response: answers(
        { 200: object({ height, time: schemas.time, upgrade, calls: listOf(call) }) },
        'MALFORMED',
        'BAD_PARAMETER',
        'TOO_BUSY',
        'TOO_LARGE',
        'UNSUPPORTED_MEDIA_TYPE',
        'UNKNOWN_BLOCK',
        'UNKNOWN_CONTRACT',
        'PRUNED',
        'NOT_SUPPORTED',
      ),
    },
    handler: ({ params, body }, reply) =>
      gates.rehearsals.run(async () => {
        const { rehearse } = node
        if (rehearse === undefined) throw new Problem('NOT_SUPPORTED', 'This node cannot rehearse: ask another node.')
        const block = await readBlock(node.ledger, body.height)
        await readContract(node.ledger.stateAt(body.height - 1), params.name)
        const { code, migrate = {} } = body
        const question = { contract: params.name, code, migrate: JSON.stringify(migrate) }
        const rehearsed = await rehearse({
          ...question,
          height: body.height,
          time: block.header.time,
          wires: wiresOf(block),
        })
        if ('refused' in rehearsed) {
          return sendProblem(reply, problemDocument(publicCode(rehearsed.refused), rehearsed.message))
        }
        const { gasUsed } = rehearsed
        const place = { height: body.height, time: timeText(block.header.time) }
        if (rehearsed.ok) {
          return { ...place, upgrade: { status: 'ok', code: '', message: '', gasUsed }, calls: rehearsed.calls }
        }
        const message = rehearsed.message === '' ? node.explain(rehearsed.code) : rehearsed.message
        return { ...place, upgrade: { status: 'failed', code: rehearsed.code, message, gasUsed }, calls: [] }
      }),
  })
}
