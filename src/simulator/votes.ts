// The registry of everything that correct nodes ever put on the wire, over all their incarnations: nobody contradicts itself, forgets,
// or says what its disk does not hold yet.
import type { State } from '../consensus/state.ts'
import { evidenceHashes } from '../consensus/view-change.ts'
import { ZERO_HASH } from '../types/block.ts'
import type { Message, NewView, Prepared, Signed, ViewChange } from '../types/message.ts'
import { addRecords, type DurableVotes, emptyVotes, slotKey } from './durable.ts'
import { createFollowChecks, type FollowChecks } from './following.ts'
import type { LedgerFile } from './ledger.ts'
import type { Rule } from './violation.ts'
import type { Keeping } from './vote-log.ts'

export interface VoteChecksOptions {
  size: number
  quorum: number
  /** Nodes that lie: their votes count for whatever they might say. */
  faulty: ReadonlySet<number>
  /** These too, and honest nodes whose disk or vote may be missing: what only they have may be lost. */
  unreliable: ReadonlySet<number>
  windowBlocks: number
  ledgers: readonly LedgerFile[]
  report(rule: Rule, node: number | null, detail: string): void
}

export interface VoteChecks extends Pick<FollowChecks, 'onDiverged'> {
  /** Records of a correct node became durable. */
  onDurable(node: number, records: readonly Uint8Array[], keeping: Keeping): void
  /** A correct node is about to send this. */
  onSend(node: number, message: Message, state: Readonly<State>): void
  /** A block became durable on a correct node. */
  onBlock(node: number, height: number, batchDigest: string): void
  /** A node's ledger lost its blocks. Those above `height` may come out otherwise the next time. */
  onLost(node: number, height: number): void
  /** After a crash: whatever may be committed can still be found. */
  checkRecoverable(): void
}

type SlotVote = Signed<'pre-prepare'> | Signed<'prepare'> | Signed<'commit'>

export function createVoteChecks(options: VoteChecksOptions): VoteChecks {
  const { size, quorum, faulty, unreliable, ledgers, report } = options
  const following = createFollowChecks(options)
  const durable: DurableVotes[] = Array.from({ length: size }, emptyVotes)
  /** By node: digest (or block hash) by "type view seq". */
  const said: Map<string, string>[] = Array.from({ length: size }, () => new Map())
  const commits: { view: number; seq: number }[][] = Array.from({ length: size }, () => [])
  const viewChanges: Map<number, Uint8Array>[] = Array.from({ length: size }, () => new Map())
  /** Correct signers by "type view seq", then by digest. */
  const signers = new Map<string, Map<string, Set<number>>>()
  /** What may be committed, by sequence. */
  const committed = new Map<number, { view: number; digest: string }>()
  /** By node and view: what the NEW-VIEW it took over obliges it to vote for again, by sequence. A liar may show each another one. */
  const fixed: Map<number, Map<number, string>>[] = Array.from({ length: size }, () => new Map())
  const isCertifiable = (voters: number) => voters + faulty.size >= quorum

  function onSend(node: number, message: Message, state: Readonly<State>): void {
    following.onSend(node, message)
    switch (message.type) {
      case 'proposal':
        if (message.prePrepare.signer !== node) return
        onVote(node, message.prePrepare, state)
        return onVote(node, message.prepare, state)
      case 'prepare':
      case 'commit':
        if (message.vote.signer === node) onVote(node, message.vote, state)
        return
      case 'exec':
        if (message.vote.signer === node) onExec(node, message.vote, state)
        return
      case 'view-change':
        if (message.change.vote.signer === node) onViewChange(node, message.change)
        return
      case 'new-view': {
        const { vote } = message.newView
        if (vote.signer !== node || durable[node]!.newViews.has(vote.body.view)) return
        return report('durability', node, `NEW-VIEW ${vote.body.view} left before it was on the disk`)
      }
    }
  }

  function onVote(node: number, vote: SlotVote, state: Readonly<State>): void {
    const { view, seq, digest } = vote.body
    checkDomain(node, vote, state, seq)
    // A node that follows gets back what it once said and has dropped since, and may hand it on.
    const isOld = following.isBehind(node) && said[node]!.get(`${vote.type} ${slotKey(view, seq)}`) === digest
    if (!isOld) checkDurable(node, vote)
    const again = vote.type === 'commit' ? undefined : fixed[node]!.get(view)?.get(seq)
    if (again !== undefined && again !== digest && seq > ledgers[node]!.certifiedHeight)
      report('certificate', node, `${vote.type} (${view}, ${seq}) for ${short(digest)}, NEW-VIEW fixes ${short(again)}`)
    const slot = slotKey(view, seq)
    if (!remember(node, `${vote.type} ${slot}`, digest)) return
    if (vote.type === 'pre-prepare') return
    if (vote.type === 'commit') {
      commits[node]!.push({ view, seq })
      countCommit(node, view, seq, digest)
    } else count(node, `${vote.type} ${slot}`, digest)
  }

  function countCommit(node: number, view: number, seq: number, digest: string): void {
    const voters = count(node, `commit ${slotKey(view, seq)}`, digest)
    if (isCertifiable(voters)) onCommitted(view, seq, digest)
  }

  /** False for what was said before; a contradiction is reported. */
  function remember(node: number, what: string, digest: string): boolean {
    const before = said[node]!.get(what)
    if (before === undefined) {
      said[node]!.set(what, digest)
      return true
    }
    if (before !== digest) report('double-sign', node, `${what}: ${short(before)}, then ${short(digest)}`)
    return false
  }

  /** How many correct nodes said so; two values that could both be certified are a violation. */
  function count(node: number, what: string, digest: string): number {
    const byDigest = signers.get(what) ?? new Map<string, Set<number>>()
    signers.set(what, byDigest)
    const voters = byDigest.get(digest) ?? new Set()
    byDigest.set(digest, voters)
    voters.add(node)
    if (!isCertifiable(voters.size)) return voters.size
    for (const [other, others] of byDigest) {
      if (other !== digest && isCertifiable(others.size))
        report('certifiable', null, `${what}: both ${short(other)} and ${short(digest)} can be certified`)
    }
    return voters.size
  }

  function onCommitted(view: number, seq: number, digest: string): void {
    const before = committed.get(seq)
    if (before === undefined) committed.set(seq, { view, digest })
    else if (before.digest !== digest) {
      const detail = `sequence ${seq}: ${short(before.digest)} in view ${before.view} and ${short(digest)} in view ${view} can be committed`
      return report('certifiable', null, detail)
    }
    checkOne(seq, { view, digest })
  }

  function onExec(node: number, vote: Signed<'exec'>, state: Readonly<State>): void {
    const { height, blockHash } = vote.body
    checkDomain(node, vote, state, height)
    if (ledgers[node]!.blocks[height]?.blockHash !== blockHash)
      report('durability', node, `EXEC ${height} left before its block was on the disk`)
    if (remember(node, `exec ${height}`, blockHash)) count(node, `exec ${height}`, blockHash)
  }

  function onViewChange(node: number, { vote, prepared }: ViewChange): void {
    const { newView, h } = vote.body
    const stored = durable[node]!.viewChanges.get(newView)
    if (stored === undefined || !isSame(stored, vote.signature))
      report('durability', node, `VIEW-CHANGE ${newView} left before these very bytes were on the disk`)
    const before = viewChanges[node]!.get(newView)
    viewChanges[node]!.set(newView, vote.signature)
    if (before !== undefined && !isSame(before, vote.signature))
      report('double-sign', node, `two different VIEW-CHANGEs to ${newView}`)
    for (const { view, seq } of commits[node]!) {
      if (view >= newView || seq <= h) continue
      const isRemembered = prepared.some((entry) => entry.seq === seq && entry.view >= view)
      if (!isRemembered)
        report(
          'amnesia',
          node,
          `COMMIT (${view}, ${seq}), then VIEW-CHANGE ${newView} from ${h} without sequence ${seq}`,
        )
    }
  }

  function checkDomain(node: number, vote: SlotVote | Signed<'exec'>, state: Readonly<State>, seq: number): void {
    const { epoch, genesisHash, validatorsHash } = vote.body
    const isOwn =
      epoch === state.epoch.epoch && genesisHash === state.genesisHash && validatorsHash === state.validatorsHash
    if (isOwn && seq <= state.h + state.epoch.parameters.windowBlocks && seq > 0) return
    report('domain', node, `${vote.type} for sequence ${seq} of epoch ${epoch} with ${state.h} certified`)
  }

  function checkDurable(node: number, vote: SlotVote): void {
    const { view, seq, digest } = vote.body
    // The log may have been rewritten without what is certified.
    if (seq <= ledgers[node]!.certifiedHeight) return
    const votes = durable[node]!
    // Nor does it keep what belongs to a view that this node has left for good, on the disk.
    if (view < Math.max(0, ...votes.viewChanges.keys(), ...votes.newViews)) return
    const slot = slotKey(view, seq)
    const missing = (what: string) =>
      report('durability', node, `${vote.type} (${view}, ${seq}) left before its ${what} was on the disk`)
    if (view > 0 && !votes.newViews.has(view)) missing('NEW-VIEW')
    if (vote.type === 'commit') {
      if (votes.commits.get(slot) !== digest) return missing('record')
      const prepared = votes.prepared.get(seq)
      if (
        prepared === undefined ||
        prepared.digest !== digest ||
        prepared.view < view ||
        signersOf(prepared).size < quorum
      )
        report('certificate', node, `COMMIT (${view}, ${seq}) without a quorum of PREPAREs for it`)
      return
    }
    const isExecuted = ledgers[node]!.blocks[seq]?.header.batchDigest === digest
    if (digest !== ZERO_HASH && !isExecuted && !votes.bodies.has(digest)) missing('batch')
    const isProposed = votes.proposals.get(slot) === digest
    if (vote.type === 'pre-prepare' ? !isProposed : votes.prepares.get(slot) !== digest) missing('record')
  }

  /** Any quorum less the unreliable must hold a witness: too few of the others are without one to form it alone. */
  function checkOne(seq: number, { view, digest }: { view: number; digest: string }): void {
    let without = 0
    let bodies = 0
    for (let node = 0; node < size; node++) {
      if (unreliable.has(node)) continue
      const executed = ledgers[node]!.blocks[seq]
      const prepared = durable[node]!.prepared.get(seq)
      const holds = executed?.header.batchDigest === digest || (prepared?.digest === digest && prepared.view >= view)
      if (!holds) without++
      if (digest === ZERO_HASH || executed !== undefined || durable[node]!.bodies.has(digest)) bodies++
    }
    if (without >= quorum - unreliable.size)
      report(
        'recoverability',
        null,
        `sequence ${seq} may be committed, yet ${without} correct nodes have no trace of it`,
      )
    if (bodies === 0) report('recoverability', null, `sequence ${seq} may be committed, yet its batch is on no disk`)
  }

  return {
    onDiverged: following.onDiverged,
    onLost(node, height) {
      following.onLost(node)
      for (const what of said[node]!.keys())
        if (what.startsWith('exec ') && Number(what.slice('exec '.length)) > height) said[node]!.delete(what)
    },
    onDurable(node, bytes, keeping) {
      if (keeping !== 'added') durable[node] = emptyVotes()
      const records = addRecords(durable[node]!, node, bytes)
      following.onDurable(node, records, keeping)
      for (const record of records) {
        const fault = record.type === 'new-view' ? newViewFault(record.newView, quorum) : undefined
        if (fault !== undefined) report('certificate', node, fault)
        if (record.type === 'new-view') fixed[node]!.set(record.newView.vote.body.view, proposedAgain(record.newView))
      }
    },
    onSend,
    onBlock(node, height, batchDigest) {
      // The node counts its own COMMIT from when it is durable, sent or not: after a crash it may never have been.
      const own = durable[node]!.prepared.get(height)
      if (own?.digest === batchDigest && durable[node]!.commits.get(slotKey(own.view, height)) === batchDigest)
        countCommit(node, own.view, height, batchDigest)
      if (committed.get(height)?.digest === batchDigest) return
      report(
        'certificate',
        node,
        `block ${height} was executed, but no quorum can have committed ${short(batchDigest)} there`,
      )
    },
    checkRecoverable() {
      for (const [seq, what] of committed) checkOne(seq, what)
    },
  }
}

/** A correct node takes over a view on q distinct validators' VIEW-CHANGEs to it, each with the very contents that it signed. */
function newViewFault({ vote, viewChanges }: NewView, quorum: number): string | undefined {
  const { view } = vote.body
  const right = viewChanges.filter((change) => {
    const { certificateHash, preparedHash } = evidenceHashes(change)
    const { body } = change.vote
    return body.newView === view && body.certificateHash === certificateHash && body.preparedHash === preparedHash
  })
  const signers = new Set(right.map((change) => change.vote.signer))
  if (signers.size < quorum) return `NEW-VIEW ${view} was accepted with ${signers.size} right VIEW-CHANGEs`
  const prepared = viewChanges.flatMap((change) => change.prepared)
  const isBacked = prepared.every((one) => signersOf(one).size >= quorum && one.view < view)
  return isBacked ? undefined : `NEW-VIEW ${view} was accepted with a prepared certificate that is none`
}

/** Of each sequence above the highest certified one, the digest prepared in the highest view; none where nothing was. */
function proposedAgain({ viewChanges }: NewView): Map<number, string> {
  const digests = new Map<number, string>()
  const views = new Map<number, number>()
  const min = Math.max(...viewChanges.map((change) => change.vote.body.h))
  for (const { seq, view, digest } of viewChanges.flatMap((change) => change.prepared)) {
    if (seq <= min || view <= (views.get(seq) ?? -1)) continue
    views.set(seq, view)
    digests.set(seq, digest)
  }
  return digests
}

const signersOf = ({ signatures }: Prepared) => new Set(signatures.map(({ signer }) => signer))
const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
export const short = (hash: string): string => hash.slice(0, 8)
