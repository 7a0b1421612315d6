// When an honest node must sign nothing new and only follow (docs/protocol.md, rules 10 and 36): once it knows that a quorum contradicts a
// block of its ledger, and while its ledger is behind what its consensus log promised or has dropped.
import type { LogRecord } from '../consensus/record.ts'
import type { Message } from '../types/message.ts'
import { hasDiverged, type LedgerFile } from './ledger.ts'
import type { Rule } from './violation.ts'
import type { Keeping } from './vote-log.ts'

export interface FollowChecksOptions {
  windowBlocks: number
  ledgers: readonly LedgerFile[]
  report(rule: Rule, node: number | null, detail: string): void
}

export interface FollowChecks {
  /** Records of an honest node became durable. */
  onDurable(node: number, records: readonly LogRecord[], keeping: Keeping): void
  /** An honest node is about to send this. */
  onSend(node: number, message: Message): void
  /** It said that a quorum contradicts it. */
  onDiverged(node: number): void
  /** Blocks of its ledger are gone. */
  onLost(node: number): void
  /** Its ledger is behind what its log has promised or dropped. */
  isBehind(node: number): boolean
}

export function createFollowChecks({ windowBlocks, ledgers, report }: FollowChecksOptions): FollowChecks {
  /** The height from which on each node knows all that it promised. */
  const knowsFrom: number[] = ledgers.map(() => 0)
  /** The highest block that each diverged node had then: it signed an EXEC for each, and may still send those to who lacks them. */
  const diverged = new Map<number, number>()
  const execs = new Set<string>()

  function checkPromise(node: number, what: string): void {
    if (diverged.has(node)) report('divergence', node, `${what}, though a quorum contradicts its block`)
    const { certifiedHeight } = ledgers[node]!
    if (certifiedHeight < knowsFrom[node]!)
      report('recall', node, `${what} at height ${certifiedHeight}, and knows its promises from ${knowsFrom[node]} on`)
  }

  return {
    isBehind: (node) => ledgers[node]!.certifiedHeight < knowsFrom[node]!,
    onDurable(node, records, keeping) {
      // A rewrite drops what is certified.
      if (keeping === 'rewritten') knowsFrom[node] = Math.max(knowsFrom[node]!, ledgers[node]!.certifiedHeight)
      if (keeping === 'added') for (const { type } of records) checkPromise(node, `it added a ${type} to its log`)
      const highest = Math.max(0, ...records.map(voteSeq))
      knowsFrom[node] = Math.max(knowsFrom[node]!, highest - windowBlocks)
    },
    onSend(node, message) {
      if (message.type === 'suspect' && message.vote.signer === node) checkPromise(node, 'it sent a SUSPECT')
      if (message.type !== 'exec' || message.vote.signer !== node) return
      const { height, blockHash } = message.vote.body
      const exec = `${node} ${height} ${blockHash}`
      if (!execs.has(exec) && height > (diverged.get(node) ?? 0)) checkPromise(node, `it sent an EXEC for ${height}`)
      execs.add(exec)
    },
    onDiverged: (node) => void diverged.set(node, ledgers[node]!.blocks.length - 1),
    onLost(node) {
      if (!hasDiverged(ledgers[node]!)) diverged.delete(node)
    },
  }
}

/** The sequence that a record is a vote on; 0 for what is none. */
function voteSeq(record: LogRecord): number {
  if (record.type === 'proposal') return record.proposal.prePrepare.body.seq
  return record.type === 'prepare' || record.type === 'commit' ? record.vote.body.seq : 0
}
