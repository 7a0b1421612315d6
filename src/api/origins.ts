// Which pages a browser lets read this API (CORS).
//
// Everything that is read here is public to whoever reaches the port, and no cookie or password is ever looked at, so any origin may
// read: GET, and the POST that runs a view, which changes nothing. Submitting is not opened: a page of another origin cannot make a
// visitor's browser hand transactions to a node that only that browser reaches. JSON is the only body taken, so such a request always
// needs the preflight that is refused here; without one a browser sends only forms and plain text, which end as 415.
const VIEW_URL = '/v1/contracts/:name/views/:method'
/** Not public: it needs a secret. */
export const BACKUPS_URL = '/v1/backups'

/** Whether pages of other origins may use this method of this route. */
export function isOpenToAll(method: string, url: string | undefined): boolean {
  if (url === BACKUPS_URL) return false
  return method === 'GET' || method === 'HEAD' || (method === 'POST' && url === VIEW_URL)
}

export function openToAllOrigins(set: (name: string, value: string) => unknown): void {
  set('access-control-allow-origin', '*')
  set('access-control-expose-headers', 'Retry-After')
}

/** The answer to a preflight, for the open methods among those that the route has. */
export function preflightHeaders(methods: readonly string[], url: string): Record<string, string> {
  const open = methods.filter((method) => isOpenToAll(method, url))
  if (open.length === 0) return {}
  return {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': open.join(', '),
    'access-control-allow-headers': 'Content-Type, Last-Event-ID',
    'access-control-max-age': '86400',
  }
}
