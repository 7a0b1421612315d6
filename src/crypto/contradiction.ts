// Which signed messages contradict each other: pure rules, the same for the replica that sees them and for anyone who checks later
// what it kept. Signatures are checked elsewhere.
import type { Accusation } from '../types/evidence.ts'
import type { Signed, ViewChange } from '../types/message.ts'
import { evidenceHashes, hashOfViewChanges, isValidNewView, type ViewRules } from './view-change-rules.ts'

/** Whether no correct validator signs what this accusation shows. */
export function isContradiction(accusation: Accusation, rules: ViewRules): boolean {
  switch (accusation.kind) {
    case 'proposal':
    case 'prepare':
    case 'commit': {
      const { first, second } = accusation
      const isOneSlot = first.body.view === second.body.view && first.body.seq === second.body.seq
      return first.signer === second.signer && isOneSlot && first.body.digest !== second.body.digest
    }
    case 'exec': {
      const { first, second } = accusation
      const isOneHeight = first.body.height === second.body.height
      return first.signer === second.signer && isOneHeight && first.body.blockHash !== second.body.blockHash
    }
    case 'view-change': {
      const { first, second } = accusation
      return first.signer === second.signer && first.body.newView === second.body.newView && !saysSame(first, second)
    }
    case 'amnesia': {
      const { first, second } = accusation
      const { preparedHash } = second.vote.body
      return evidenceHashes(second).preparedHash === preparedHash && forgets(first, second)
    }
    case 'new-view': {
      const newView = accusation.first
      // Whoever passes it on may have put other VIEW-CHANGEs beside the vote: those are not its signer's.
      return (
        hashOfViewChanges(newView.viewChanges) === newView.vote.body.viewChangesHash && !isValidNewView(rules, newView)
      )
    }
  }
}

export function saysSame({ body: a }: Signed<'view-change'>, { body: b }: Signed<'view-change'>): boolean {
  return a.certificateHash === b.certificateHash && a.preparedHash === b.preparedHash && a.h === b.h
}

/**
 * Amnesia: a COMMIT rests on a prepared certificate, which every later VIEW-CHANGE of the same validator shows, or a newer one, until
 * the sequence is certified. It proves guilt whichever of the two came first: after the VIEW-CHANGE the COMMIT may not be signed.
 */
export function forgets(commit: Signed<'commit'>, { vote, prepared }: ViewChange): boolean {
  const { view, seq } = commit.body
  if (commit.signer !== vote.signer || view >= vote.body.newView || seq <= vote.body.h) return false
  return !prepared.some((one) => one.seq === seq && one.view >= view)
}
