// GET /v1/blocks, /v1/blocks/{height|latest}.
import { blockJson, readBlock, refusePruned } from '../blocks.ts'
import { awaitAskedHeight, type Routes } from '../context.ts'
import { parseHeight } from '../numbers.ts'
import { Problem } from '../problem.ts'
import {
  answers,
  block,
  height,
  listOf,
  nullable,
  object,
  parameters,
  path,
  READ_CODES,
  readQuery,
} from '../schemas.ts'

export const blockRoutes: Routes = (app, context) => {
  const { node, gates, limits } = context
  const { ledger } = node
  const preHandler = awaitAskedHeight(context)

  app.get<{ Querystring: { from?: number; limit: number } }>('/v1/blocks', {
    preHandler,
    schema: {
      summary: 'Certified blocks by rising height',
      description:
        'From height `from` on; without it, the page that ends with the latest. `next` is the `from` of the next page, null at the end.',
      querystring: readQuery({ from: parameters.height, limit: parameters.limit }),
      response: answers({ 200: object({ blocks: listOf(block), next: nullable(height) }) }, ...READ_CODES, 'PRUNED'),
    },
    handler: ({ query }) => gates.reads.run(() => listBlocks(query.from, query.limit)),
  })

  app.get<{ Params: { height: string } }>('/v1/blocks/:height', {
    preHandler,
    schema: {
      summary: 'One certified block',
      params: path({ height: { type: 'string', description: 'A height, or `latest`.' } }),
      querystring: readQuery(),
      response: answers({ 200: block }, ...READ_CODES, 'UNKNOWN_BLOCK', 'PRUNED'),
    },
    handler: ({ params }) =>
      gates.reads.run(async () => {
        const asked = params.height === 'latest' ? ledger.certifiedHeight() : parseHeight(params.height)
        if (asked !== undefined) return blockJson(await readBlock(ledger, asked))
        throw new Problem('BAD_PARAMETER', `${JSON.stringify(params.height)} is no height: give a number, or "latest".`)
      }),
  })

  async function listBlocks(from: number | undefined, limit: number) {
    const last = ledger.certifiedHeight()
    const oldest = ledger.oldestHeight?.() ?? 0
    const first = from ?? Math.max(oldest, last - limit + 1)
    if (first <= last) refusePruned(ledger, first)
    const blocks: ReturnType<typeof blockJson>[] = []
    let bytes = 0
    let at = first
    for (; at <= last && blocks.length < limit && bytes < limits.pageBytes; at++) {
      const found = blockJson(await readBlock(ledger, at))
      bytes += BLOCK_BYTES + found.transactions.length * ID_BYTES
      blocks.push(found)
    }
    return { blocks, next: at <= last ? at : null }
  }
}

/** What a block’s fixed part and one id of it come to, about, as JSON. */
const BLOCK_BYTES = 4_096
const ID_BYTES = 67
