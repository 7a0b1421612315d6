// GET /v1/status, /v1/validators, /v1/peers, /v1/genesis.
import { awaitAskedHeight, type Routes, readHeight } from '../context.ts'
import { timeText, validatorJson } from '../json.ts'
import type { ApiNode } from '../port.ts'
import { Problem } from '../problem.ts'
import * as schemas from '../schemas.ts'

const { answers, hash, height, listOf, nullable, object, parameters, READ_CODES, readQuery, time } = schemas
const text = { type: 'string' }
const count = { type: 'integer', minimum: 0 }

const status = object({
  network: text,
  genesisHash: hash,
  node: object({
    name: text,
    role: { type: 'string', enum: ['validator', 'observer'] },
    address: nullable(text),
    version: text,
  }),
  height,
  certifiedHeight: height,
  oldestHeight: { ...height, description: 'The lowest height whose block is kept.' },
  blockHash: hash,
  stateRoot: hash,
  epoch: count,
  view: count,
  primary: text,
  phase: text,
  voting: { type: 'boolean' },
  reason: { ...nullable(text), description: 'Why this node does not vote.' },
  syncing: nullable(object({ from: height, to: height, by: { type: 'string', enum: ['blocks', 'snapshot'] } })),
  peers: count,
  mempool: object({ count, bytes: count }),
})

const peer = object({
  id: text,
  validator: nullable(text),
  addresses: listOf(text),
  connected: { type: 'boolean' },
  state: { type: 'string', enum: ['ok', 'lagging', 'missing', 'diverged'] },
  suspectedSince: { ...nullable(time), description: 'Since when it is not heard of, behind or diverged.' },
  lastHeard: nullable(time),
  height: nullable(height),
  certifiedHeight: nullable(height),
  view: nullable(count),
  phase: { ...nullable(text), description: 'active, or view-change between two views.' },
  lag: nullable(count),
})

export const networkRoutes: Routes = (app, context) => {
  const { node } = context
  const preHandler = awaitAskedHeight(context)
  const genesis = genesisText(node)

  app.get('/v1/status', {
    preHandler,
    schema: {
      summary: 'Where this node and its network are',
      querystring: readQuery(),
      response: answers({ 200: status }, ...READ_CODES),
    },
    handler: async () => node.status(),
  })

  app.get<{ Querystring: { height?: number } }>('/v1/validators', {
    preHandler,
    schema: {
      summary: 'The validators that certify a height',
      querystring: readQuery({ height: parameters.height }),
      response: answers(
        { 200: object({ height, epoch: count, quorum: count, validators: listOf(schemas.validator) }) },
        ...READ_CODES,
        'UNKNOWN_HEIGHT',
        'PRUNED',
      ),
    },
    handler: async ({ query }) => {
      const at = readHeight(node, query.height)
      const found = node.validators(at)
      if (found === undefined)
        throw new Problem('UNKNOWN_HEIGHT', `This node does not know the validators of height ${at}: ask another.`)
      const { epoch, quorum, validators } = found
      return { height: at, epoch, quorum, validators: validators.map(validatorJson) }
    },
  })

  app.get('/v1/peers', {
    preHandler,
    schema: {
      summary: 'Every other validator, and the nodes connected: their liveness and lag',
      querystring: readQuery(),
      response: answers({ 200: object({ peers: listOf(peer) }) }, ...READ_CODES),
    },
    handler: async () => ({ peers: node.peers() }),
  })

  app.get('/v1/genesis', {
    preHandler,
    schema: {
      summary: 'The genesis document and its hash',
      description: 'The document as genesis.json may have it; `init` of a contract is JSON text, as it is hashed.',
      querystring: readQuery(),
      response: answers({ 200: object({ genesisHash: hash, genesis: { type: 'object' } }) }, ...READ_CODES),
    },
    handler: async (_request, reply) => reply.type('application/json').send(genesis),
  })
}

/** Made once: it never changes, and carries all the code of the first contracts. */
function genesisText({ genesis, genesisHash }: ApiNode): Buffer {
  return Buffer.from(JSON.stringify({ genesisHash, genesis: { ...genesis, time: timeText(genesis.time) } }))
}
