// Nonces of senders with several transactions under way in this process: each gets the next one, whatever the nodes have heard of.

export interface Nonces {
  /** Reserves the next nonce. Every one taken is given back by `end`. */
  take(sender: string): Promise<number>
  /** `isUsed`: the transaction is settled or may still run. A nonce that was never used makes the next one ask the nodes again. */
  end(sender: string, isUsed: boolean): void
}

/** `pendingNonce` asks the nodes. */
export function createNonces(pendingNonce: (sender: string) => Promise<number>): Nonces {
  const senders = new Map<string, { next: number; open: number }>()

  return {
    async take(sender) {
      const pending = await pendingNonce(sender)
      const entry = senders.get(sender) ?? { next: 0, open: 0 }
      const nonce = Math.max(pending, entry.next)
      senders.set(sender, { next: nonce + 1, open: entry.open + 1 })
      return nonce
    },
    end(sender, isUsed) {
      const entry = senders.get(sender)
      if (entry === undefined) return
      const open = entry.open - 1
      // With nothing under way the nodes know best; this also bounds the map to what is under way.
      if (open <= 0) senders.delete(sender)
      else senders.set(sender, { next: isUsed ? entry.next : 0, open })
    },
  }
}
