// Static pages beside the API: the explorer's files, which the node hands in already built.
import type { FastifyInstance } from 'fastify'

export interface Page {
  /** Of the URL, such as `/`. */
  path: string
  contentType: string
  body: Uint8Array
  /** What the page may load and run, as a Content-Security-Policy. */
  contentSecurityPolicy?: string
}

export function pageRoutes(app: FastifyInstance, pages: Page[]): void {
  for (const { path, contentType, body, contentSecurityPolicy } of pages) {
    const bytes = Buffer.from(body)
    app.get(path, {
      schema: { hide: true },
      handler: async (_request, reply) => {
        if (contentSecurityPolicy !== undefined) reply.header('content-security-policy', contentSecurityPolicy)
        return reply.type(contentType).send(bytes)
      },
    })
  }
}
