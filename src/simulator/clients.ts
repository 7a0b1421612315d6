// Clients: they hand each transaction to one node, and to another one when the first answers for it no more.
import type { BlockChecks } from './blocks.ts'
import type { Host } from './host.ts'
import type { ClientTransaction } from './network-setup.ts'
import type { Timeline } from './timeline.ts'

export interface ClientsOptions {
  timeline: Timeline
  transactions: ClientTransaction[]
  hosts: Host[]
  isCorrect(host: number): boolean
  chain: BlockChecks
}

export interface Clients {
  schedule(): void
  onHealed(): void
  areDone(): boolean
  missing(): number
  /** The height at which the last transaction ran. */
  lastHeight(): number
  wireOf(id: string): Uint8Array | undefined
}

const RETRY_US = 3_000_000

export function createClients({ timeline, transactions, hosts, isCorrect, chain }: ClientsOptions): Clients {
  const wires = new Map(transactions.map(({ id, wire }) => [id, wire]))
  let attempts = 0

  function submit(transaction: ClientTransaction, host: Host | undefined): void {
    host?.machine.interrupt(() => {
      // A refusal is an answer too; a client sees it and tries again later.
      host.node?.submit(transaction.wire).catch(() => undefined)
    })
  }

  const isOpen = ({ id, expires }: ClientTransaction) =>
    chain.heightOf(id) === undefined && (expires === 0 || chain.height() < expires)
  const isKept = ({ id }: ClientTransaction) =>
    hosts.some(({ number, node }) => isCorrect(number) && node?.answersFor(id))

  function retry(): void {
    const correct = hosts.filter(({ number, node }) => isCorrect(number) && node !== undefined)
    for (const transaction of transactions) {
      if (isOpen(transaction) && !isKept(transaction)) submit(transaction, correct[attempts++ % correct.length])
    }
    timeline.at(timeline.now() + RETRY_US, retry)
  }

  return {
    schedule() {
      for (const transaction of transactions)
        timeline.at(transaction.atMs * 1_000, () => submit(transaction, hosts[transaction.node]))
    },
    onHealed: retry,
    areDone: () => !transactions.some(isOpen),
    missing: () => transactions.filter(isOpen).length,
    lastHeight: () => Math.max(0, ...transactions.map(({ id }) => chain.heightOf(id) ?? 0)),
    wireOf: (id) => wires.get(id),
  }
}
