// Reads of the ledger. Views, scans and values are one node's word; what has a proof is checked in light.ts.
import { ClientError } from '../light/error.ts'
import type { Nodes, Query } from './nodes.ts'

export interface ViewAnswer {
  result: unknown
  height: number
  gasUsed: number
}
export interface StateAnswer {
  key: string
  value: unknown
  height: number
}
export interface ScanAnswer {
  entries: { key: string; value: unknown }[]
  height: number
  /** The `after` of the next page, null at the end. */
  next: string | null
}
export interface AccountAnswer {
  address: string
  nonce: number
  pendingNonce: number
  roles: string[]
}

export interface Reader {
  /** `args` is JSON text. */
  view(contract: string, method: string, args: string): Promise<ViewAnswer>
  state(contract: string, key: string, options?: { height?: number }): Promise<StateAnswer>
  scan(contract: string, query: Query): Promise<ScanAnswer>
  account(address: string): Promise<AccountAnswer>
}

export function createReader(nodes: Nodes): Reader {
  const segment = encodeURIComponent

  /** Whoever saw this answer never sees an older one. */
  async function noted<T extends { height: number }>(answer: Promise<unknown>): Promise<T> {
    const value = (await answer) as T
    nodes.sawHeight(value.height)
    return value
  }

  return {
    view: (contract, method, args) =>
      noted(nodes.ask(`/v1/contracts/${segment(contract)}/views/${segment(method)}`, args)),
    async state(contract, key, { height } = {}) {
      const path = `/v1/contracts/${segment(contract)}/state/${segment(key)}`
      // An earlier height was asked for on purpose.
      return height === undefined ? noted(nodes.read(path)) : ((await nodes.read(path, { height })) as StateAnswer)
    },
    scan: (contract, query) => noted(nodes.read(`/v1/contracts/${segment(contract)}/state`, query)),
    async account(address) {
      const answer = (await nodes.read(`/v1/accounts/${segment(address)}`)) as AccountAnswer
      if (Number.isSafeInteger(answer.pendingNonce)) return answer
      throw new ClientError(
        'BAD_ANSWER',
        `the account ${address} came without its nonce: check that it is a Quorate node`,
      )
    },
  }
}
