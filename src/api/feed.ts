// What event streams carry: for each certified height one fixed sequence, the same on every node. First the block (position 0), then
// each transaction followed by its contract events. A filter leaves places out, it never renumbers them.

import { decodeTransaction } from '../types/transaction.ts'
import { wiresOf } from './blocks.ts'
import { errorJson, eventJson, senderAddress, timeText } from './json.ts'
import type { ApiNode, StoredBlock } from './port.ts'

export interface FeedItem {
  type: 'block' | 'transaction' | 'event'
  /** The contract called, or that emitted; empty for a block. */
  contract: string
  /** The event's name; empty for others. */
  name: string
  /** The document, as JSON without line breaks. */
  json: string
}

export interface EventFeed {
  /** The sequence of a certified height; undefined where this node does not have the block. */
  sequence(height: number): Promise<FeedItem[] | undefined>
  /** Resolves when a height above `height` is certified, after `timeoutMs`, or when the signal aborts. */
  awaitAbove(height: number, timeoutMs: number, signal: AbortSignal): Promise<void>
  close(): void
}

/** Live streams all read the same few heights; a stream that replays history shares less and drops out of it quickly. */
const CACHED_HEIGHTS_MAX = 4

export function createFeed(node: Pick<ApiNode, 'ledger' | 'onCertified' | 'explain'>): EventFeed {
  const cached = new Map<number, Promise<FeedItem[] | undefined>>()
  const sleepers = new Set<() => void>()
  const unsubscribe = node.onCertified(() => {
    for (const wake of sleepers) wake()
  })

  async function read(height: number): Promise<FeedItem[] | undefined> {
    // A slow stream may be overtaken by pruning: it ends, and resuming it says PRUNED.
    if (height < (node.ledger.oldestHeight?.() ?? 0)) return undefined
    const block = await node.ledger.block(height)
    return block === undefined ? undefined : itemsOf(block, node.explain)
  }

  return {
    sequence(height) {
      const known = cached.get(height)
      if (known !== undefined) return known
      const reading = read(height)
      cached.set(height, reading)
      const forget = () => cached.delete(height)
      // A block that is not here now may be fetched later.
      reading.then((items) => items ?? forget(), forget)
      if (cached.size > CACHED_HEIGHTS_MAX) cached.delete(cached.keys().next().value!)
      return reading
    },
    awaitAbove(height, timeoutMs, signal) {
      return new Promise((resolve) => {
        const wake = () => {
          if (node.ledger.certifiedHeight() <= height && !signal.aborted) return
          finish()
        }
        const finish = () => {
          clearTimeout(timer)
          sleepers.delete(wake)
          signal.removeEventListener('abort', finish)
          resolve()
        }
        const timer = setTimeout(finish, timeoutMs)
        signal.addEventListener('abort', finish, { once: true })
        // Joined before looking, so that no height is certified unnoticed in between.
        sleepers.add(wake)
        wake()
      })
    },
    close: unsubscribe,
  }
}

function itemsOf(block: StoredBlock, explain: (code: string) => string): FeedItem[] {
  const { header, blockHash, receipts } = block
  const { height } = header
  const wires = wiresOf(block)
  const blockEvent = { height, hash: blockHash, time: timeText(header.time), transactions: receipts.length }
  const items: FeedItem[] = [itemOf('block', '', '', blockEvent)]
  for (const [index, receipt] of receipts.entries()) {
    const { contract, method } = decodeTransaction(wires[index]!)
    const { txId, nonce, status, gasUsed } = receipt
    const sender = senderAddress(receipt.sender)
    const error = errorJson(receipt, explain)
    const outcome = { height, index, id: txId, sender, nonce, contract, method, status, gasUsed, error }
    items.push(itemOf('transaction', contract, '', outcome))
    for (const event of receipt.events) {
      items.push(itemOf('event', event.contract, event.name, { height, index, id: txId, ...eventJson(event) }))
    }
  }
  return items
}

function itemOf(type: FeedItem['type'], contract: string, name: string, document: object): FeedItem {
  return { type, contract, name, json: JSON.stringify({ type, ...document }) }
}
