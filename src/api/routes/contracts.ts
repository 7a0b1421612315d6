// GET /v1/contracts, /v1/contracts/{name}, /v1/contracts/{name}/code; POST /v1/contracts/{name}/views/{method}.
import { API_PAGE_MAX } from '../../limits.ts'
import { parseOrText } from '../../types/json.ts'
import { type ApiContext, awaitAskedHeight, type Routes } from '../context.ts'
import { VIEW_BODY_BYTES_MAX } from '../limits.ts'
import type { StateReader } from '../port.ts'
import { Problem, problemDocument, publicCode, sendProblem } from '../problem.ts'
import * as schemas from '../schemas.ts'

const { answers, anyJson, hash, height, listOf, nullable, object, parameters, path, READ_CODES, readQuery } = schemas

const CONTRACTS = 'system\0contract/'
const VERSIONS = 'system\0version/'
const NO_ARGUMENTS = '{}'
const name = parameters.contractName

export const contractRoutes: Routes = (app, context) => {
  const { node, gates } = context
  const preHandler = awaitAskedHeight(context)
  const certifiedState = () => node.ledger.stateAt(node.ledger.certifiedHeight())

  app.get<{ Querystring: { after?: string; limit: number } }>('/v1/contracts', {
    preHandler,
    schema: {
      summary: 'Deployed contracts by name',
      description: 'Those after the name `after`. `next` is the `after` of the next page, null at the end.',
      querystring: readQuery({ after: name, limit: parameters.limit }),
      response: answers({ 200: object({ contracts: listOf(schemas.contract), next: nullable(name) }) }, ...READ_CODES),
    },
    handler: ({ query }) =>
      gates.reads.run(async () => {
        const after = query.after === undefined ? undefined : CONTRACTS + query.after
        const entries = await certifiedState().scan(CONTRACTS, after, query.limit + 1)
        const contracts = entries.slice(0, query.limit).map(([, json]) => JSON.parse(json) as { name: string })
        return { contracts, next: entries.length > query.limit ? contracts.at(-1)!.name : null }
      }),
  })

  app.get<{ Params: { name: string } }>('/v1/contracts/:name', {
    preHandler,
    schema: {
      summary: 'One contract and its history',
      params: path({ name }),
      querystring: readQuery(),
      response: answers({ 200: schemas.contractWithHistory }, ...READ_CODES, 'UNKNOWN_CONTRACT'),
    },
    handler: ({ params }) =>
      gates.reads.run(async () => {
        const state = certifiedState()
        const contract = await readContract(state, params.name)
        return { ...contract, history: await readHistory(state, contract) }
      }),
  })

  app.get<{ Params: { name: string } }>('/v1/contracts/:name/code', {
    preHandler,
    schema: {
      summary: 'The code of a contract, as it was deployed',
      params: path({ name }),
      querystring: readQuery(),
      response: answers(
        { 200: object({ name, codeHash: hash, version: { type: 'integer' }, code: { type: 'string' } }) },
        ...READ_CODES,
        'UNKNOWN_CONTRACT',
      ),
    },
    handler: ({ params }) =>
      gates.reads.run(async () => {
        const state = certifiedState()
        const { codeHash, version } = await readContract(state, params.name)
        const json = await state.get(`system\0code/${codeHash}`)
        if (json === undefined) throw new Error(`The code ${codeHash} of contract ${params.name} is not in the state.`)
        return { name: params.name, codeHash, version, code: JSON.parse(json) as string }
      }),
  })

  viewRoute(app, context)
}

/** In a scope of its own, whose bodies stay text: arguments are parsed in the sandbox, not here. */
function viewRoute(parent: Parameters<Routes>[0], context: ApiContext): void {
  const { node, gates } = context
  parent.register(async (app) => {
    app.removeContentTypeParser('application/json')
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
      try {
        done(null, jsonTextOf(bytes as Buffer))
      } catch (error) {
        done(error as Error)
      }
    })
    app.post<{ Params: { name: string; method: string }; Body: string | undefined }>(
      '/v1/contracts/:name/views/:method',
      {
        bodyLimit: Math.min(VIEW_BODY_BYTES_MAX, context.limits.bodyBytesMax),
        preHandler: awaitAskedHeight(context),
        schema: {
          summary: 'Run a view at the certified height',
          description: 'The body is the arguments’ JSON; none is `{}`. What a view says is this one node’s word.',
          params: path({ name, method: { type: 'string', minLength: 1, maxLength: 64 } }),
          querystring: readQuery(),
          body: anyJson,
          response: answers(
            { 200: object({ result: anyJson, height, gasUsed: { type: 'integer' } }), 422: VIEW_FAILED },
            ...READ_CODES,
            'MALFORMED',
            'TOO_LARGE',
            'UNSUPPORTED_MEDIA_TYPE',
            'UNKNOWN_CONTRACT',
            'UNKNOWN_METHOD',
          ),
        },
        handler: async ({ params, body }, reply) => {
          const outcome = await gates.runs.run(() => node.view(params.name, params.method, body ?? NO_ARGUMENTS))
          if (!outcome.ok) {
            const { code, message } = outcome
            return sendProblem(reply, problemDocument(publicCode(code), message === '' ? node.explain(code) : message))
          }
          const { result, height: at, gasUsed } = outcome
          return { result: result === null ? null : parseOrText(result), height: at, gasUsed }
        },
      },
    )
  })
}
const VIEW_FAILED = schemas.problemAnswer('The contract refused or failed: `code` is that of a receipt.')

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function jsonTextOf(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return undefined
  try {
    const text = utf8.decode(bytes)
    JSON.parse(text)
    return text
  } catch (error) {
    const reason = (error as Error).message
    throw new Problem('MALFORMED', `The body is not JSON: ${reason}: send the arguments as one JSON document in UTF-8.`)
  }
}

interface ContractRecord {
  name: string
  codeHash: string
  version: number
}

/** As many digits as the system contract writes a version with. */
const VERSION_DIGITS = 16

async function readHistory(state: StateReader, { name: contract, version }: ContractRecord): Promise<unknown[]> {
  const prefix = `${VERSIONS}${contract}/`
  const before = Math.max(version - API_PAGE_MAX, 0)
  const after = prefix + String(before).padStart(VERSION_DIGITS, '0')
  const entries = await state.scan(prefix, after, API_PAGE_MAX)
  return entries.map(([, json]) => JSON.parse(json))
}

export async function readContract(state: StateReader, contract: string): Promise<ContractRecord> {
  const json = await state.get(CONTRACTS + contract)
  if (json !== undefined) return JSON.parse(json) as ContractRecord
  throw new Problem(
    'UNKNOWN_CONTRACT',
    `No contract ${contract} is deployed: list them at /v1/contracts and check the name.`,
    {
      contract,
    },
  )
}
