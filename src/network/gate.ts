// Who may connect at all: bans, and room that strangers cannot take from validators.
import type { ConnectionGater } from '@libp2p/interface'

const BANS_MAX = 4096
/** Connections of one peer at a time; two are usual when both sides dial at once. */
const LINKS_PER_PEER = 4

export interface GateOptions {
  pendingMax: number
  /** A peer whose signed record, by a validator of the current set, is known. */
  isValidatorPeer(peerId: string): boolean
  linksOf(peerId: string): number
  /** Connections that have not said hello. */
  pending(): number
}

export interface Gate {
  gater: ConnectionGater
  ban(peerId: string, forMs: number): void
  isBanned(peerId: string): boolean
}

export function createGate(options: GateOptions): Gate {
  const bans = new Map<string, number>()

  function isBanned(peerId: string): boolean {
    const until = bans.get(peerId)
    if (until === undefined) return false
    if (until > Date.now()) return true
    bans.delete(peerId)
    return false
  }

  function ban(peerId: string, forMs: number): void {
    bans.delete(peerId)
    bans.set(peerId, Date.now() + forMs)
    if (bans.size > BANS_MAX) bans.delete(bans.keys().next().value!)
  }

  function refusesInbound(peerId: string): boolean {
    if (isBanned(peerId) || options.linksOf(peerId) >= LINKS_PER_PEER) return true
    return options.pending() >= options.pendingMax && !options.isValidatorPeer(peerId)
  }

  return {
    gater: {
      denyDialPeer: (peerId) => isBanned(peerId.toString()),
      denyOutboundEncryptedConnection: (peerId) => isBanned(peerId.toString()),
      denyInboundEncryptedConnection: (peerId) => refusesInbound(peerId.toString()),
    },
    ban,
    isBanned,
  }
}
