// GET /v1/contracts/{name}/state, /v1/contracts/{name}/state/{key}: values as the contract stored them.

import { parseOrText } from '../../types/json.ts'
import { readCertifiedHeader } from '../blocks.ts'
import { type ApiContext, awaitAskedHeight, type Routes, readHeight } from '../context.ts'
import { KEY_BYTES_MAX } from '../limits.ts'
import { Problem } from '../problem.ts'
import { signedHeader, stateProof } from '../proofs.ts'
import * as schemas from '../schemas.ts'
import { readContract } from './contracts.ts'

const { answers, anyJson, height, listOf, nullable, object, parameters, path, READ_CODES, readQuery } = schemas

/** The native contract has state, which everyone may read, and no record of its own. */
const SYSTEM = 'system'
const text = parameters.text
const codes = [...READ_CODES, 'UNKNOWN_CONTRACT', 'UNKNOWN_HEIGHT', 'PRUNED'] as const

interface KeyRequest {
  Params: { name: string; key: string }
  Querystring: { height?: number; prove: boolean }
}
interface ScanRequest {
  Params: { name: string }
  Querystring: { prefix: string; after?: string; limit: number; height?: number }
}

export const stateRoutes: Routes = (app, context) => {
  const { gates } = context
  const preHandler = awaitAskedHeight(context)

  app.get<KeyRequest>('/v1/contracts/:name/state/:key', {
    preHandler,
    schema: {
      summary: 'One value, with a proof if asked',
      description: 'An absent key is 404 UNKNOWN_KEY, with a proof of absence if asked.',
      params: path({ name: parameters.contractName, key: parameters.key }),
      querystring: readQuery({ height: parameters.height, prove: parameters.prove }),
      response: answers(
        {
          200: {
            type: 'object',
            required: ['key', 'value', 'height'],
            properties: { key: text, value: anyJson, height, proof: schemas.statePath },
          },
        },
        ...codes,
        'UNKNOWN_KEY',
      ),
    },
    handler: (request) => gates.reads.run(() => readKey(context, request)),
  })

  app.get<ScanRequest>('/v1/contracts/:name/state', {
    preHandler,
    schema: {
      summary: 'Keys with a prefix and their values',
      description:
        'In the order of the keys’ bytes, after the key `after`; `next` is the `after` of the next page, null at the end. A page may ' +
        'hold fewer than `limit`. What a scan leaves out is not proven: it is this one node’s word.',
      params: path({ name: parameters.contractName }),
      querystring: readQuery({
        prefix: { ...text, default: '' },
        after: text,
        limit: parameters.limit,
        height: parameters.height,
      }),
      response: answers(
        { 200: object({ entries: listOf(object({ key: text, value: anyJson })), height, next: nullable(text) }) },
        ...codes,
      ),
    },
    handler: (request) => gates.reads.run(() => scan(context, request)),
  })
}

async function readKey(
  { node }: ApiContext,
  { params, query }: { params: KeyRequest['Params']; query: KeyRequest['Querystring'] },
) {
  const { name, key } = params
  const keyBytes = Buffer.byteLength(key)
  if (keyBytes > KEY_BYTES_MAX) {
    throw new Problem('BAD_PARAMETER', `The key has ${keyBytes} bytes, a key has at most ${KEY_BYTES_MAX}: shorten it.`)
  }
  const at = readHeight(node, query.height)
  const state = node.ledger.stateAt(at)
  const value = await state.get(`${name}\0${key}`)
  const proof = query.prove ? await proveKey(node, at, `${name}\0${key}`, value) : undefined
  if (value !== undefined) return { key, value: parseOrText(value), height: at, ...(proof && { proof }) }
  if (name !== SYSTEM && proof === undefined) await readContract(state, name)
  throw new Problem('UNKNOWN_KEY', `Contract ${name} has no value under this key at height ${at}: check the key.`, {
    key,
    height: at,
    ...(proof && { proof }),
  })
}

async function proveKey(node: ApiContext['node'], at: number, key: string, value: string | undefined) {
  if (node.ledger.proveState === undefined) {
    throw new Problem('NOT_SUPPORTED', 'This node keeps no state tree and cannot prove values: ask another node.')
  }
  const path = await node.ledger.proveState(at, key)
  const proof = stateProof(await readCertifiedHeader(node.ledger, at), key, value, path)
  // Nobody signs block 0: the block that names it as its parent proves it, once there is one.
  if (at > 0 || node.ledger.certifiedHeight() === 0) return proof
  return { ...proof, next: signedHeader(await readCertifiedHeader(node.ledger, 1)) }
}

async function scan(
  { node, limits }: ApiContext,
  { params, query }: { params: ScanRequest['Params']; query: ScanRequest['Querystring'] },
) {
  const { name } = params
  const { prefix, after, limit } = query
  const at = readHeight(node, query.height)
  const state = node.ledger.stateAt(at)
  const start = `${name}\0`
  const found = await state.scan(start + prefix, after === undefined ? undefined : start + after, limit + 1)
  if (found.length === 0 && name !== SYSTEM) await readContract(state, name)
  const entries: { key: string; value: unknown }[] = []
  let bytes = 0
  for (const [key, json] of found) {
    if (entries.length === limit || bytes >= limits.pageBytes) return { entries, height: at, next: entries.at(-1)!.key }
    bytes += key.length + json.length
    entries.push({ key: key.slice(start.length), value: parseOrText(json) })
  }
  return { entries, height: at, next: null }
}
