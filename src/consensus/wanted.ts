// Which messages the core would read: asked before their signatures are checked, so that what is late, repeated or far ahead costs none.
import type { Body, Message } from '../types/message.ts'
import { isAccusable } from './evidence.ts'
import { primaryOf } from './proposer.ts'
import { inWindow, type State } from './state.ts'

/** No honest validator is that far ahead: each view takes at least a timeout. */
const VIEWS_AHEAD_MAX = 1_000_000

/** A first vote, or one that contradicts the first: evidence, as long as more of it tells anything. */
function isNews(state: State, signer: number, earlier: string | undefined, hash: string): boolean {
  return earlier === undefined || (earlier !== hash && isAccusable(state, signer))
}

export function isWanted(state: State, message: Message): boolean {
  switch (message.type) {
    case 'prepare': {
      const { signer, body } = message.vote
      if (body.view < state.view || body.view > state.view + VIEWS_AHEAD_MAX || !inWindow(state, body.seq)) return false
      return isNews(
        state,
        signer,
        state.slots.get(body.seq)?.prepares.get(body.view)?.get(signer)?.body.digest,
        body.digest,
      )
    }
    case 'commit': {
      const { signer, body } = message.vote
      if ((body.view < state.view && body.view !== state.lastLeftView) || !inWindow(state, body.seq)) return false
      if (body.view > state.view + VIEWS_AHEAD_MAX) return false
      return isNews(
        state,
        signer,
        state.slots.get(body.seq)?.commits.get(body.view)?.get(signer)?.body.digest,
        body.digest,
      )
    }
    case 'exec': {
      const { signer, body } = message.vote
      if (!inWindow(state, body.height)) return false
      return isNews(state, signer, state.slots.get(body.height)?.execs.get(signer)?.body.blockHash, body.blockHash)
    }
    case 'proposal':
      return isProposalWanted(state, message.prePrepare.body)
    case 'suspect':
      return message.vote.body.view >= state.view && message.vote.body.view <= state.view + VIEWS_AHEAD_MAX
    case 'view-change': {
      const { signer, body } = message.change.vote
      const earlier = state.viewChanges.get(signer)?.vote.body
      if (body.newView < state.view || body.newView > state.view + VIEWS_AHEAD_MAX) return false
      if (earlier === undefined || body.newView > earlier.newView) return true
      return body.newView === earlier.newView && isNews(state, signer, contentOf(earlier), contentOf(body))
    }
    case 'new-view': {
      const { signer, body } = message.newView.vote
      if (signer !== primaryOf(state.epoch, body.view)) return false
      return body.view > state.view || (body.view === state.view && !state.active)
    }
    case 'status':
    case 'body-request':
    case 'body':
      return true
  }
}

export function isProposalWanted(state: State, { view, seq }: { view: number; seq: number }): boolean {
  return view === state.view && state.active && inWindow(state, seq) && seq > state.reproposals.max
}

const contentOf = ({ h, certificateHash, preparedHash }: Body<'view-change'>) =>
  `${h} ${certificateHash} ${preparedHash}`
