/**
 * A node's id on the network, as libp2p writes it: base58btc of the identity multihash of the Ed25519 public key in protobuf
 * (libp2p specification "Peer Ids and Keys"). For those who name a node's address without running libp2p.
 */
import { base58 } from '@scure/base'
import { publicKeyBytes } from './ed25519.ts'

// Identity multihash of 36 bytes; protobuf field 1, key type Ed25519; field 2, 32 bytes.
const prefix = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20]

/** The id of a node by its node key's public half. */
export function nodeIdOf(publicKey: Uint8Array): string {
  if (publicKey.length !== publicKeyBytes) {
    throw new RangeError(
      `A node id is made of a ${publicKeyBytes}-byte public key, but ${publicKey.length} bytes came.`,
    )
  }
  return base58.encode(Uint8Array.of(...prefix, ...publicKey))
}
