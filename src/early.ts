// Proposals that arrive a moment too early: before the NEW-VIEW of their view has been taken over, or just beyond the window of a replica
// that is a block behind. Dropped, they would wait for STATUS; held, they cost a view change and a slower replica nothing.
import type { State } from './consensus/state.ts'
import type { Proposal } from './types/message.ts'

/** A frame, as it came, and who sent it. */
export interface EarlyFrame<Peer> {
  peer: Peer
  frame: Uint8Array
}

export interface EarlyProposals<Peer> {
  /** Keeps the frame when its proposal may be wanted in a moment. The sender must be the proposal's signer: relays are not waited for. */
  hold(early: EarlyFrame<Peer>, proposal: Proposal): void
  /** Takes out, lowest sequence first, the frames whose time has come. */
  release(isWanted: (proposal: Proposal) => boolean): EarlyFrame<Peer>[]
}

/** `state` is the core's, which says what is early. Bounds, by signer: the proposals in flight of one view, each of the largest size. */
export function createEarlyProposals<Peer>(state: Readonly<State>): EarlyProposals<Peer> {
  const held = new Map<number, { view: number; frames: Map<number, EarlyFrame<Peer> & { proposal: Proposal }> }>()
  const { inFlightBlocks, windowBlocks } = state.epoch.parameters

  function isEarly({ prePrepare }: Proposal): boolean {
    const { view, seq } = prePrepare.body
    return view >= state.view && seq > state.h && seq <= state.h + windowBlocks + inFlightBlocks
  }

  return {
    hold(early, proposal) {
      const { signer, body } = proposal.prePrepare
      if (!isEarly(proposal)) return
      let own = held.get(signer)
      if (own === undefined || own.view < body.view) {
        own = { view: body.view, frames: new Map() }
        held.set(signer, own)
      }
      if (own.view > body.view || own.frames.has(body.seq) || own.frames.size >= inFlightBlocks) return
      own.frames.set(body.seq, { ...early, proposal })
    },
    release(isWanted) {
      const due: EarlyFrame<Peer>[] = []
      for (const [signer, { frames }] of held) {
        for (const [seq, { peer, frame, proposal }] of [...frames].sort(([a], [b]) => a - b)) {
          const isDue = isWanted(proposal)
          if (isDue) due.push({ peer, frame })
          if (isDue || !isEarly(proposal)) frames.delete(seq)
        }
        if (frames.size === 0) held.delete(signer)
      }
      return due
    },
  }
}
