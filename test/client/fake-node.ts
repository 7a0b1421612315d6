// A node's HTTP API over a chain made by hand: it answers as the real one does, and misbehaves where a test asks it to.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { transactionJson } from '../../src/api/json.ts'
import { problemDocument } from '../../src/api/problem.ts'
import { addressOf } from '../../src/crypto/address.ts'
import { transactionId } from '../../src/crypto/digest.ts'
import { fromHex } from '../../src/types/hex.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'
import type { Chain, Outcome } from './chain.ts'

/** What a node does with one request; undefined lets the ordinary answer happen. */
export type Misdeed = (request: { method: string; path: string; body: string }) => Answer | 'hang up' | undefined
export interface Answer {
  status: number
  document: unknown
}

export interface FakeNode {
  url: string
  requests: { method: string; path: string; body: string }[]
  misdeed: Misdeed | undefined
  /** What executing a transaction makes of it. */
  outcome: Outcome
  close(): Promise<void>
}

export const problem = (code: string, detail = `refused with ${code}`): Answer => {
  const document = problemDocument(code, detail)
  return { status: document.status, document }
}

export async function startFakeNode(chain: Chain): Promise<FakeNode> {
  const server = createServer((request, response) => void onRequest(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const node: FakeNode = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    misdeed: undefined,
    outcome: {},
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }

  async function onRequest(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of message) body += chunk
    const request = { method: message.method!, path: message.url!, body }
    node.requests.push(request)
    const answer = node.misdeed?.(request) ?? answerOf(chain, request, node.outcome)
    if (answer === 'hang up') return void message.socket.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.document))
  }
  return node
}

export function answerOf(
  chain: Chain,
  { method, path, body }: { method: string; path: string; body: string },
  outcome: Outcome,
): Answer {
  const { pathname, searchParams } = new URL(path, 'http://node')
  const ok = (document: unknown): Answer => ({ status: 200, document })
  if (pathname === '/v1/genesis') {
    const genesis = { ...chain.genesis, time: new Date(chain.genesis.time).toISOString() }
    return ok({ genesisHash: chain.genesisHash, genesis })
  }
  if (pathname === '/v1/status') return ok({ genesisHash: chain.genesisHash, certifiedHeight: chain.height() })
  if (pathname.startsWith('/v1/accounts/')) {
    const address = pathname.slice('/v1/accounts/'.length)
    const nonce = nonceOf(chain, address)
    return ok({ address, nonce, pendingNonce: nonce, roles: [] })
  }
  if (pathname === '/v1/simulate') return ok(simulated(chain, wireOf(body)))
  if (pathname === '/v1/transactions' && method === 'POST') return submit(chain, body, outcome)
  if (pathname === '/v1/transactions') {
    return ok({
      transactions: documents(chain).filter(({ sender }) => sender === searchParams.get('sender')),
      next: null,
    })
  }
  const id = /^\/v1\/transactions\/([0-9a-f]{64})$/.exec(pathname)?.[1]
  if (id !== undefined) return chain.has(id) ? ok(chain.document(id)) : problem('UNKNOWN_TRANSACTION')
  if (pathname === '/v1/epochs')
    return ok({ epochs: chain.links().slice(Number(searchParams.get('from') ?? 1) - 1), next: null })
  const [, contract, key] = /^\/v1\/contracts\/([^/]+)\/state\/([^/]+)$/.exec(pathname) ?? []
  if (contract !== undefined && searchParams.get('prove') === 'true') {
    const document = chain.stateDocument(contract, decodeURIComponent(key!))
    return document.code === 'UNKNOWN_KEY' ? { status: 404, document } : ok(document)
  }
  if (pathname.startsWith('/v1/contracts/'))
    return ok({ key: 'k', result: '5', value: '5', height: chain.height(), gasUsed: 1 })
  return problem('NOT_FOUND')
}

const wireOf = (body: string) => new Uint8Array(Buffer.from((JSON.parse(body) as { tx: string }).tx, 'base64'))

function simulated(chain: Chain, wire: Uint8Array) {
  const transaction = decodeTransaction(wire)
  const receipt = { txId: transactionId(transaction.unsigned), sender: transaction.sender, nonce: transaction.nonce }
  const outcome = { status: 'ok', code: '', message: '', gasUsed: 100, result: new Uint8Array(), events: [] } as const
  return transactionJson(
    transaction,
    { ...receipt, ...outcome, events: [] },
    { height: chain.height() + 1, index: 0 },
    String,
  )
}

/** Runs what has its turn; what comes too early waits for the transactions before it, as in a mempool. */
function submit(chain: Chain, body: string, outcome: Outcome): Answer {
  const wire = wireOf(body)
  const { unsigned, sender, nonce } = decodeTransaction(wire)
  const id = transactionId(unsigned)
  const address = addressOf(fromHex(sender))
  if (chain.has(id)) return { status: 200, document: chain.document(id) }
  if (nonce < nonceOf(chain, address)) return problem('NONCE_USED')
  const waiting = pools.get(chain) ?? new Map<string, Uint8Array>()
  pools.set(chain, waiting)
  waiting.set(`${address}/${nonce}`, wire)
  for (let next = waiting.get(`${address}/${nonceOf(chain, address)}`); next !== undefined; ) {
    chain.append([{ wire: next, outcome }])
    next = waiting.get(`${address}/${nonceOf(chain, address)}`)
  }
  return chain.has(id) ? { status: 200, document: chain.document(id) } : problem('TIMEOUT')
}
const pools = new WeakMap<Chain, Map<string, Uint8Array>>()

const documents = (chain: Chain) =>
  chain.blocks.flatMap(({ receipts }) => receipts.map(({ txId }) => chain.document(txId))).reverse()

const nonceOf = (chain: Chain, address: string): number =>
  documents(chain).filter(({ sender, status }) => sender === address && status !== 'skipped').length
