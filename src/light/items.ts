// The sequence of things that happened in a proven block: the same, in the same places, as `GET /v1/events` streams them. First the
// block (position 0), then each transaction followed by its contract events.
import { addressOf } from '../crypto/address.ts'
import type { Receipt } from '../types/block.ts'
import { fromHex } from '../types/hex.ts'
import type { ProvenBlock } from './events.ts'
import { jsonValue } from './read.ts'

interface Item {
  height: number
  /** Within the height's whole sequence: with the height, the place to go on from. */
  position: number
}

export interface BlockItem extends Item {
  type: 'block'
  hash: string
  /** RFC 3339, in UTC. */
  time: string
  /** How many. */
  transactions: number
}

export interface TransactionItem extends Item {
  type: 'transaction'
  index: number
  id: string
  sender: string
  nonce: number
  status: Receipt['status']
  gasUsed: number
  /** The message is the contract's own where it is proven, and may be a server's explanation where it is not. */
  error: { code: string; message: string } | null
  /** What was called: only where a server's word is taken, since no receipt says it. */
  contract?: string
  method?: string
}

export interface EventItem extends Item {
  type: 'event'
  /** Of the transaction, and its index in the block. */
  index: number
  id: string
  contract: string
  name: string
  data: unknown
}

export type LedgerItem = BlockItem | TransactionItem | EventItem

export function itemsOf({ header, blockHash, receipts }: ProvenBlock): LedgerItem[] {
  const { height } = header
  const time = new Date(header.time).toISOString()
  const items: LedgerItem[] = [
    { type: 'block', height, position: 0, hash: blockHash, time, transactions: receipts.length },
  ]
  for (const [index, receipt] of receipts.entries()) {
    const { txId: id, nonce, status, gasUsed, code, message } = receipt
    const sender = addressOf(fromHex(receipt.sender))
    const error = status === 'ok' ? null : { code, message }
    items.push({
      type: 'transaction',
      height,
      position: items.length,
      index,
      id,
      sender,
      nonce,
      status,
      gasUsed,
      error,
    })
    for (const { contract, name, data } of receipt.events) {
      items.push({ type: 'event', height, position: items.length, index, id, contract, name, data: jsonValue(data) })
    }
  }
  return items
}
