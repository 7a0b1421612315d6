// GET /v1/transactions/{id}/replay: what is needed to run a transaction again, exactly as it ran, on a machine without a ledger.
import { readBlock } from '../blocks.ts'
import type { ApiContext, Routes } from '../context.ts'
import { awaitAskedHeight } from '../context.ts'
import { headerJson, timeText } from '../json.ts'
import { Problem, refusalCode } from '../problem.ts'
import * as schemas from '../schemas.ts'
import { placeOf } from './transactions.ts'

const { answers, path, READ_CODES, readQuery } = schemas

export const replayRoutes: Routes = (app, context) => {
  app.get<{ Params: { id: string } }>('/v1/transactions/:id/replay', {
    preHandler: awaitAskedHeight(context),
    schema: {
      summary: 'What a transaction needed of the state, to run it again',
      description:
        'Every value that it read, that a scan found or that it wrote, as it was right before; and the code that ran. The values are ' +
        'this one node’s word: that they give the certified receipt again is what speaks for them. `/v1/transactions/{id}` has the ' +
        'transaction, its receipt and their proof. PRUNED where this node no longer keeps that state, TOO_LARGE where the run, or ' +
        'what it read, is more than a node does for one request.',
      params: path({ id: schemas.hash }),
      querystring: readQuery(),
      response: answers({ 200: schemas.replay }, ...READ_CODES, 'UNKNOWN_TRANSACTION', 'PRUNED', 'TOO_LARGE'),
    },
    handler: ({ params }) => context.gates.runs.run(() => readReplay(context, params.id)),
  })
}

async function readReplay({ node }: ApiContext, id: string) {
  const { ledger, genesis } = node
  const { height, index } = await placeOf(ledger, id)
  const { header } = await readBlock(ledger, height)
  const parent = await readBlock(ledger, height - 1)
  const result = await node.replay(height, index)
  if (!result.ok) throw new Problem(refusalCode(result.code), result.message)
  const { values, scans, code } = result
  return {
    id,
    height,
    index,
    time: timeText(header.time),
    parent: headerJson(parent.header),
    parameters: genesis.parameters,
    state: [...values].map(([key, value]) => ({ ...splitKey(key), value: value ?? null })),
    scans: scans.map(({ prefix, after, limit, keys }) => {
      const { contract, key } = splitKey(prefix)
      const ownKey = (full: string) => full.slice(contract.length + 1)
      return { contract, prefix: key, after: after === undefined ? null : ownKey(after), limit, keys: keys.map(ownKey) }
    }),
    code: [...code].map(([codeHash, text]) => ({ codeHash, code: text })),
  }
}

function splitKey(full: string): { contract: string; key: string } {
  const end = full.indexOf('\0')
  return { contract: full.slice(0, end), key: full.slice(end + 1) }
}
