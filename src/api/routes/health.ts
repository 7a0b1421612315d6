// GET /health, /ready, /metrics: for supervisors, load balancers and Prometheus.
import type { Routes } from '../context.ts'
import { problemDocument, sendProblem } from '../problem.ts'
import { answers, object } from '../schemas.ts'

export const healthRoutes: Routes = (app, { node }) => {
  app.get('/health', {
    schema: {
      summary: 'Whether the process lives',
      response: answers({ 200: object({ status: { type: 'string', enum: ['ok'] } }) }),
    },
    handler: async () => ({ status: 'ok' }),
  })

  app.get('/ready', {
    schema: {
      summary: 'Whether the node is caught up and the network can commit',
      description:
        'Else a problem document with `cause`, the `missing` and `diverged` validators, `phase`, `view`, `height` and `difference`: where ' +
        "this node's block above that height differs from the others', or null.",
      response: answers(
        { 200: object({ ready: { type: 'boolean' } }) },
        'SYNCING',
        'NO_QUORUM',
        'STALLED',
        'DIVERGED',
        'DISK',
      ),
    },
    handler: async (_request, reply) => {
      const found = node.ready()
      if (found.ready) return { ready: true }
      const { message, ...members } = found
      return sendProblem(reply, problemDocument(found.cause, message, members))
    },
  })

  app.get('/metrics', {
    schema: {
      summary: 'Metrics as Prometheus reads them',
      response: answers({
        200: { description: 'Prometheus text.', content: { 'text/plain': { schema: { type: 'string' } } } },
      }),
    },
    handler: async (_request, reply) => reply.type(METRICS_TYPE).send(await node.metrics()),
  })
}
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
