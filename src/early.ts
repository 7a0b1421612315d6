// Proposals that arrive a moment too early: before the NEW-VIEW of their view has been taken over, or just beyond the window of a replica
// that is a block behind. Dropped, they would wait for STATUS; held, they cost a view change and a slower replica nothing.
import { proposerOf } from './consensus/proposer.ts'
import type { State } from './consensus/state.ts'
import type { Body, Proposal } from './types/message.ts'

/** A frame, as it came, and who sent it. */
export interface EarlyFrame<Peer> {
  peer: Peer
  frame: Uint8Array
}

export interface EarlyProposals<Peer> {
  /** Keeps the frame when its proposal may be wanted in a moment. The sender must be the proposal's signer: relays are not waited for. */
  hold(early: EarlyFrame<Peer>, proposal: Proposal): void
  /** Takes out, lowest sequence first, the frames whose time has come. */
  release(isWanted: (proposal: Slot) => boolean): EarlyFrame<Peer>[]
}

type Slot = Pick<Body<'pre-prepare'>, 'view' | 'seq'>

/** What a frame holds besides its batch. */
const FRAME_EXTRA_BYTES = 64 * 1024

/** `state` is the core's, which says what is early. Bounds, by signer: the proposals in flight of one view, each of a block's size. */
export function createEarlyProposals<Peer>(state: Readonly<State>): EarlyProposals<Peer> {
  const held = new Map<number, { view: number; frames: Map<number, EarlyFrame<Peer>> }>()
  const { epoch } = state
  const { inFlightBlocks, windowBlocks, blockBytesMax } = epoch.parameters

  /** In this view or one of the next, as many as there are primaries. */
  function isEarly({ view, seq }: Slot): boolean {
    if (view < state.view || view > state.view + epoch.validators.length) return false
    return seq > state.h && seq <= state.h + windowBlocks + inFlightBlocks
  }

  return {
    hold(early, proposal) {
      const { signer, body } = proposal.prePrepare
      if (!isEarly(body) || signer !== proposerOf(epoch, body.view, body.seq)) return
      if (early.frame.length > blockBytesMax + FRAME_EXTRA_BYTES) return
      let own = held.get(signer)
      if (own === undefined || own.view < body.view) {
        own = { view: body.view, frames: new Map() }
        held.set(signer, own)
      }
      if (own.view > body.view || own.frames.has(body.seq) || own.frames.size >= inFlightBlocks) return
      own.frames.set(body.seq, early)
    },
    release(isWanted) {
      const due: EarlyFrame<Peer>[] = []
      for (const [signer, { view, frames }] of held) {
        for (const [seq, early] of [...frames].sort(([a], [b]) => a - b)) {
          const isDue = isWanted({ view, seq })
          if (isDue) due.push(early)
          if (isDue || !isEarly({ view, seq })) frames.delete(seq)
        }
        if (frames.size === 0) held.delete(signer)
      }
      return due
    },
  }
}
