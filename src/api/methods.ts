// For every route, the methods it does not have: 405 with Allow (RFC 9110, section 15.5.6), before any body is read. OPTIONS answers
// what there is.
import type { FastifyInstance } from 'fastify'
import { preflightHeaders } from './origins.ts'
import { problemDocument, sendProblem } from './problem.ts'

/** Call before the routes are added; the returned function adds the rest once they all are. */
export function watchMethods(app: FastifyInstance): () => void {
  const urls = new Set<string>()
  let isOwn = false
  app.addHook('onRoute', ({ url }) => {
    if (!isOwn) urls.add(url)
  })

  return function refuseOtherMethods(): void {
    isOwn = true
    for (const url of urls) {
      const known = app.supportedMethods.filter((method) => app.hasRoute({ method, url }))
      addOthers(url, [...new Set([...known, 'OPTIONS'])].sort())
    }
  }

  function addOthers(url: string, allow: string[]): void {
    const missing = app.supportedMethods.filter((method) => method === 'OPTIONS' || !allow.includes(method))
    app.route({
      method: missing,
      url,
      schema: { hide: true },
      exposeHeadRoute: false,
      onRequest: async (request, reply) => {
        reply.header('allow', allow.join(', '))
        if (request.method === 'OPTIONS') return reply.headers(preflightHeaders(allow, url)).code(204).send()
        const path = request.url.split('?', 1)[0]
        return sendProblem(
          reply,
          problemDocument('METHOD_NOT_ALLOWED', `${path} does not take ${request.method}: use ${allow.join(' or ')}.`),
        )
      },
      handler: async () => undefined,
    })
  }
}
