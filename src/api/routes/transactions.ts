// GET /v1/transactions, /v1/transactions/{id}: what certified blocks say happened.
import { parseAddress } from '../../crypto/address.ts'
import { toHex } from '../../types/hex.ts'
import { readBlock, refusePruned, transactionOf, transactionProof, wiresOf } from '../blocks.ts'
import { type ApiContext, awaitAskedHeight, type Routes } from '../context.ts'
import type { TransactionJson } from '../json.ts'
import { parseHeight, parsePlace } from '../numbers.ts'
import type { LedgerReader, StoredBlock } from '../port.ts'
import { Problem } from '../problem.ts'
import * as schemas from '../schemas.ts'

const { answers, listOf, nullable, object, parameters, path, READ_CODES, readQuery } = schemas

interface ListQuery {
  sender?: string
  contract?: string
  from?: string
  limit: number
}

export const transactionRoutes: Routes = (app, context) => {
  const { gates } = context
  const preHandler = awaitAskedHeight(context)

  app.get<{ Querystring: ListQuery }>('/v1/transactions', {
    preHandler,
    schema: {
      summary: 'Executed transactions, newest first',
      description:
        'Of one sender, of one contract, of both, or all. `next` is the `from` of the next page, null at the end. A page may hold ' +
        'fewer than `limit`.',
      querystring: readQuery({
        sender: schemas.address,
        contract: parameters.contractName,
        from: {
          type: 'string',
          maxLength: 40,
          description: 'Where to begin: a height, or `height-index` for a place within its block; both inclusive.',
        },
        limit: parameters.limit,
      }),
      response: answers(
        { 200: object({ transactions: listOf(schemas.receipt), next: nullable({ type: 'string' }) }) },
        ...READ_CODES,
        'PRUNED',
      ),
    },
    handler: ({ query }) => gates.reads.run(() => listTransactions(context, query)),
  })

  app.get<{ Params: { id: string }; Querystring: { prove: boolean } }>('/v1/transactions/:id', {
    preHandler,
    schema: {
      summary: 'One transaction and its receipt, with a proof if asked',
      description: 'An executed receipt is preferred to any by which a block skipped the transaction.',
      params: path({ id: schemas.hash }),
      querystring: readQuery({ prove: parameters.prove }),
      response: answers({ 200: schemas.transaction }, ...READ_CODES, 'UNKNOWN_TRANSACTION', 'PRUNED'),
    },
    handler: ({ params, query }) => gates.reads.run(() => readTransaction(context, params.id, query.prove)),
  })
}

/** Where a certified block has the transaction. */
export async function placeOf(ledger: LedgerReader, id: string): Promise<{ height: number; index: number }> {
  const place = await ledger.findTransaction(id)
  const certifiedHeight = ledger.certifiedHeight()
  if (place !== undefined && place.height <= certifiedHeight) return place
  const oldestHeight = ledger.oldestHeight?.() ?? 0
  if (oldestHeight === 0) {
    throw new Problem(
      'UNKNOWN_TRANSACTION',
      `No block up to the certified height ${certifiedHeight} has transaction ${id}: submit it, or wait for it.`,
      { id, certifiedHeight },
    )
  }
  throw new Problem(
    'UNKNOWN_TRANSACTION',
    `No block from height ${oldestHeight} to ${certifiedHeight} has transaction ${id}, and earlier ones are pruned here: submit it, wait for it, or ask a node with a longer history.`,
    { id, certifiedHeight, oldestHeight },
  )
}

async function readTransaction({ node }: ApiContext, id: string, isProven: boolean) {
  const { ledger } = node
  const place = await placeOf(ledger, id)
  const block = await readBlock(ledger, place.height)
  const wires = wiresOf(block)
  const found = transactionOf(node, block, place.index, wires)
  return isProven ? { ...found, proof: transactionProof(block, place.index, wires) } : found
}

async function listTransactions({ node, limits }: ApiContext, { sender, contract, from, limit }: ListQuery) {
  const { ledger } = node
  const start = startOf(from, ledger.certifiedHeight())
  refusePruned(ledger, start.beforeIndex === undefined ? start.beforeHeight - 1 : start.beforeHeight)
  const key = sender === undefined ? undefined : parseAddress(sender)
  if (sender !== undefined && key === undefined) throw badAddress(sender)
  const places = await ledger.transactionsBy({ sender: key && toHex(key), contract, ...start, limit: limit + 1 })
  const transactions: TransactionJson[] = []
  let open: { block: StoredBlock; wires: Uint8Array[] } | undefined
  let bytes = 0
  for (const { height, index } of places) {
    // An index may for a moment say more than is kept.
    if (height < (ledger.oldestHeight?.() ?? 0)) break
    if (transactions.length === limit || bytes >= limits.pageBytes) return { transactions, next: `${height}-${index}` }
    if (open?.block.header.height !== height) {
      const block = await readBlock(ledger, height)
      open = { block, wires: wiresOf(block) }
    }
    const found = transactionOf(node, open.block, index, open.wires)
    bytes += JSON.stringify(found).length
    transactions.push(found)
  }
  return { transactions, next: null }
}

/** The ledger lists from just before a place, this API from a place on. */
function startOf(from: string | undefined, certifiedHeight: number): { beforeHeight: number; beforeIndex?: number } {
  const place = from === undefined ? undefined : parsePlace(from)
  const height = from === undefined ? certifiedHeight : (place?.height ?? parseHeight(from))
  if (height === undefined) {
    throw new Problem('BAD_PARAMETER', `${JSON.stringify(from)} is no place: give "height" or "height-index" as from.`)
  }
  if (height > certifiedHeight || place === undefined) return { beforeHeight: Math.min(height, certifiedHeight) + 1 }
  return { beforeHeight: height, beforeIndex: place.part + 1 }
}

export function badAddress(text: string): Problem {
  return new Problem(
    'BAD_PARAMETER',
    `${JSON.stringify(text)} is not an address, or it is mistyped: an address begins with qr1 and has a checksum; copy it again.`,
  )
}
