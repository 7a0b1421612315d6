// POST /v1/transactions, /v1/simulate.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { API_TRANSACTIONS_PER_REQUEST_MAX } from '../../limits.ts'
import { decodeTransaction } from '../../types/transaction.ts'
import type { ApiContext, Routes } from '../context.ts'
import { transactionJson } from '../json.ts'
import { documentOfError, Problem, type ProblemDocument } from '../problem.ts'
import * as schemas from '../schemas.ts'
import { bytesOrRefuse, receiptOf, refusalProblem, submit, type Wait, type Waiting } from '../submission.ts'

const { answers, listOf, object, parameters, query } = schemas

type Body = { tx: string } | { txs: string[] }
interface SubmitQuery {
  wait: Wait
  timeout?: number
}

const wireText = { type: 'string', contentEncoding: 'base64', description: 'The wire form of a signed transaction.' }
const body = {
  type: 'object',
  additionalProperties: false,
  properties: { tx: wireText, txs: { type: 'array', minItems: 1, items: wireText } },
  oneOf: [{ required: ['tx'] }, { required: ['txs'] }],
}
const results = (item: schemas.Schema) =>
  object({ results: listOf({ anyOf: [item, { type: 'object', description: 'A problem document.' }] }) })

export const submitRoutes: Routes = (app, context) => {
  const { limits } = context

  app.post<{ Body: Body; Querystring: SubmitQuery }>('/v1/transactions', {
    schema: {
      summary: 'Submit one transaction or several',
      description:
        'Idempotent: the same bytes again answer as before. Several are answered each for itself, in order, as `results` with the ' +
        'id or the receipt, or a problem document.',
      body,
      querystring: query({
        wait: { type: 'string', enum: ['none', 'executed', 'certified'], default: 'none' },
        timeout: { ...parameters.waitMs, maximum: limits.waitMaxMs, default: limits.waitDefaultMs },
      }),
      response: answers(
        {
          200: { description: 'The receipt.', anyOf: [schemas.receipt, results(schemas.receipt)] },
          202: { description: 'Taken.', anyOf: [object({ id: schemas.hash }), results(object({ id: schemas.hash }))] },
        },
        ...SUBMIT_CODES,
        'TIMEOUT',
      ),
    },
    handler: (request, reply) => answerSubmission(context, request, reply),
  })

  app.post<{ Body: Body }>('/v1/simulate', {
    schema: {
      summary: 'Run transactions now and change nothing',
      description: 'Each is run for itself, on the same state: the receipt it would get in the next block.',
      body,
      querystring: query(),
      response: answers({ 200: { anyOf: [schemas.receipt, results(schemas.receipt)] } }, ...SUBMIT_CODES),
    },
    handler: (request) => context.gates.runs.run(() => answerSimulation(context, request)),
  })
}

const SUBMIT_CODES = [
  'MALFORMED',
  'BAD_PARAMETER',
  'BAD_SIGNATURE',
  'WRONG_NETWORK',
  'EXPIRED',
  'GAS_LIMIT',
  'NOT_ALLOWED',
  'NONCE_USED',
  'NONCE_TAKEN',
  'NONCE_TOO_FAR',
  'TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'MEMPOOL_FULL',
  'TOO_BUSY',
  'DIVERGED',
] as const

async function answerSubmission(
  context: ApiContext,
  request: FastifyRequest<{ Body: Body; Querystring: SubmitQuery }>,
  reply: FastifyReply,
) {
  const { wait, timeout = context.limits.waitDefaultMs } = request.query
  const { body: asked, ip } = request
  refuseTooMany(asked, API_TRANSACTIONS_PER_REQUEST_MAX)
  if (wait === 'none') {
    reply.code(202)
    return answerEach(asked, async (text) => ({ id: await submit(context, bytesOrRefuse(text), ip) }))
  }
  const leave = context.gates.waits.enter()
  const gone = new AbortController()
  const onClose = () => gone.abort()
  reply.raw.once('close', onClose)
  try {
    const waiting: Waiting = { wait, timeoutMs: timeout, signal: AbortSignal.any([gone.signal, context.closing]) }
    return await answerEach(asked, async (text) => {
      const wire = bytesOrRefuse(text)
      const id = await submit(context, wire, ip)
      // What waits is in the pool, which counts its bytes itself.
      request.releaseBody()
      return receiptOf(context, id, wire, waiting)
    })
  } finally {
    reply.raw.removeListener('close', onClose)
    leave()
  }
}

async function answerSimulation(context: ApiContext, { body: asked }: { body: Body }) {
  refuseTooMany(asked, context.limits.simulationsPerRequestMax)
  let earlier: Promise<unknown> = Promise.resolve()
  // One after another: a request has one place among the runs, not one for each transaction.
  return answerEach(asked, (text) => {
    const run = earlier.then(() => simulate(context, bytesOrRefuse(text)))
    earlier = run.catch(() => undefined)
    return run
  })
}

async function simulate({ node }: ApiContext, wire: Uint8Array) {
  const outcome = await node.simulate(wire)
  if (!outcome.ok) throw refusalProblem(wire, outcome)
  const { height, receipt } = outcome
  return transactionJson(decodeTransaction(wire), receipt, { height, index: 0 }, node.explain)
}

function refuseTooMany(asked: Body, most: number): void {
  if ('tx' in asked || asked.txs.length <= most) return
  throw new Problem(
    'TOO_LARGE',
    `The request has ${asked.txs.length} transactions, at most ${most} are taken: send less at a time.`,
  )
}

/** One transaction's answer as it is; several each for itself, where one's refusal is its result and stops none of the others. */
async function answerEach<T>(asked: Body, answer: (text: string) => Promise<T>) {
  if ('tx' in asked) return answer(asked.tx)
  const orDocument = async (text: string): Promise<T | ProblemDocument> => {
    try {
      return await answer(text)
    } catch (error) {
      const document = documentOfError(error)
      if (document === undefined) throw error
      return document
    }
  }
  return { results: await Promise.all(asked.txs.map(orDocument)) }
}
