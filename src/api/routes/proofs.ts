// GET /v1/events/range, /v1/epochs: what lets a client check that no event was left out, and follow changes of the validators.
import { readBlock } from '../blocks.ts'
import { type ApiContext, awaitAskedHeight, type Routes, readHeight } from '../context.ts'
import { Problem } from '../problem.ts'
import { epochLinkJson, rangeDocument } from '../proofs.ts'
import * as schemas from '../schemas.ts'

const { answers, height, listOf, nullable, object, parameters, READ_CODES, readQuery } = schemas

interface RangeRequest {
  Querystring: { from: number; to?: number }
}

export const proofRoutes: Routes = (app, context) => {
  const { gates, node, limits } = context
  const preHandler = awaitAskedHeight(context)

  app.get<RangeRequest>('/v1/events/range', {
    preHandler,
    schema: {
      summary: 'All receipts of a range of blocks, with a proof that none is left out',
      description:
        'Certified blocks from `from` to `to`, or to an earlier one where that is too much for one document or not certified yet: `next` ' +
        'is the height after the last of them. The headers are linked by hash and the last one is certified; ' +
        'each block’s receipts hash to its receiptsRoot. With `minHeight` it waits for blocks that are not there yet.',
      querystring: { ...readQuery({ from: parameters.height, to: parameters.height }), required: ['from'] },
      response: answers({ 200: schemas.eventRange }, ...READ_CODES, 'UNKNOWN_HEIGHT', 'UNKNOWN_BLOCK', 'PRUNED'),
    },
    handler: (request) => gates.reads.run(() => readRange(context, request.query)),
  })

  app.get<{ Querystring: { from: number } }>('/v1/epochs', {
    preHandler,
    schema: {
      summary: 'How the validators changed: the last header of each epoch, and the record of the next',
      description:
        'By which a client that trusts one epoch’s validators comes to trust the next’s. From the link to epoch `from` on; `next` is the ' +
        '`from` of the next page, null at the end. There are none as long as the first validators are the only ones.',
      querystring: readQuery({ from: { ...parameters.epoch, minimum: 1, default: 1 } }),
      response: answers({ 200: object({ epochs: listOf(schemas.epochLink), next: nullable(height) }) }, ...READ_CODES),
    },
    handler: ({ query }) =>
      gates.reads.run(async () => {
        const links = (await node.ledger.epochLinks?.(query.from, limits.epochLinksMax + 1)) ?? []
        const epochs = links.slice(0, limits.epochLinksMax).map(epochLinkJson)
        return { epochs, next: links.length > epochs.length ? query.from + epochs.length : null }
      }),
  })
}

async function readRange({ node, limits }: ApiContext, { from, to: asked }: RangeRequest['Querystring']) {
  readHeight(node, from)
  const certifiedHeight = node.ledger.certifiedHeight()
  const to = Math.min(asked ?? certifiedHeight, certifiedHeight)
  if (to < from)
    throw new Problem('BAD_PARAMETER', `The range ends at ${to}, before ${from}: give a height from ${from} on as to.`)
  const bounds = { blocks: limits.rangeBlocksMax, bytes: limits.pageBytes }
  return rangeDocument((height) => readBlock(node.ledger, height), { from, to }, bounds)
}
