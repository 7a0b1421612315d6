// What a proof proves, for people and as JSON: read from proven bytes alone.

import type { CertifiedHeader, Proven, TrustedEpoch } from '../light/index.ts'
import { type BlockItem, type EventItem, itemsOf, type LedgerItem, type TransactionItem } from '../light/items.ts'
import { parseOrText } from '../types/json.ts'
import { fields, plain, shortHash } from './table.ts'

/** Who vouches for it, in which block, agreed when. */
export function verifiedText({
  height,
  blockHash,
  time,
  signers,
  trust,
}: CertifiedHeader & { trust: TrustedEpoch }): string {
  const when = new Date(time).toISOString()
  return plain(
    `verified: block ${height} (${shortHash(blockHash)}…) of ${when}, signed by ${signers.length} of ${trust.validators.length} validators: ${signers.join(', ')}`,
  )
}

export async function provenDocument(proven: Proven): Promise<Record<string, unknown>> {
  const { kind, height, blockHash, time, signers, trust } = proven
  const certified = { height, blockHash, time: new Date(time).toISOString(), epoch: trust.epoch, signers }
  return { kind, genesisHash: trust.genesisHash, ...certified, ...(await contentOf(proven)) }
}

async function contentOf(proven: Proven): Promise<Record<string, unknown>> {
  switch (proven.kind) {
    case 'transaction': {
      const { transactionJson } = await import('../api/json.ts')
      const { transaction, receipt, height, index, isIndexProven } = proven
      // No node's explanation of a code: the message is the contract's own, or empty.
      return { ...transactionJson(transaction, receipt, { height, index }, () => ''), isIndexProven }
    }
    case 'state': {
      const { contract, key, value } = proven
      return { contract, key, present: value !== undefined, value: value === undefined ? null : parseOrText(value) }
    }
    case 'events': {
      const { from, to, blocks } = proven
      return { from, to, events: blocks.flatMap(itemsOf) }
    }
  }
}

export async function provenText(proven: Proven): Promise<string> {
  const { genesis, genesisHash } = proven.trust
  const network = fields([['network', `${genesis.chainId}, genesis hash ${genesisHash}`]])
  return [await contentText(proven), network, verifiedText(proven)].join('\n')
}

async function contentText(proven: Proven): Promise<string> {
  if (proven.kind === 'state') return stateText(proven)
  if (proven.kind === 'events') {
    const items = proven.blocks.flatMap(itemsOf)
    return [`blocks ${proven.from} to ${proven.to}, complete`, ...items.map(itemText)].join('\n')
  }
  const { receiptText } = await import('./receipt.ts')
  return receiptText((await contentOf(proven)) as never, proven)
}

function stateText({ contract, key, value }: { contract: string; key: string; value: string | undefined }): string {
  return fields([
    ['contract', contract],
    ['key', key],
    ['value', value === undefined ? 'none: there is no such key at this height' : value],
  ])
}

/** One line: its place, what it is, and what it says. */
export function itemText(item: LedgerItem): string {
  return plain(`${item.height}-${item.position}  ${bodyText(item)}`)
}

function bodyText(item: BlockItem | TransactionItem | EventItem): string {
  switch (item.type) {
    case 'block':
      return `block ${shortHash(item.hash)} of ${item.time}, transactions: ${item.transactions}`
    case 'transaction': {
      const called = item.contract === undefined ? '' : ` ${item.contract}.${item.method}`
      const error = item.error === null ? '' : ` (${[item.error.code, item.error.message].filter(Boolean).join(': ')})`
      return `transaction ${shortHash(item.id)}${called} ${item.status}${error} by ${item.sender}`
    }
    case 'event':
      return `${item.contract}.${item.name} ${JSON.stringify(item.data)}`
  }
}
