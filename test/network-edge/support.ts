// A validator set with real keys, and what its members sign.

import { blockHash, epochHash } from '../../src/crypto/digest.ts'
import { createKeyPair, verify, verifyFast } from '../../src/crypto/signer.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { createEdge, type EdgeOptions, isLarge } from '../../src/network/edge.ts'
import { type Certificate, type Header, ZERO_HASH } from '../../src/types/block.ts'
import type { EpochRecord } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import {
  type Body,
  type BodyType,
  type Message,
  messageCodec,
  type Signed,
  signedBytes,
} from '../../src/types/message.ts'
import { quorumOf } from '../../src/types/quorum.ts'
import { encode } from '../../src/types/schema.ts'

export const GENESIS = 'ab'.repeat(32)
export const DIGEST = 'dd'.repeat(32)
/** One more key than the set has: the last is a stranger's. */
export const pairs = Array.from({ length: 5 }, (_, index) => createKeyPair(new Uint8Array(32).fill(index + 1)))
export const N = 4
export const STRANGER = 4

export const epoch: EpochRecord = {
  epoch: 0,
  start: 0,
  validators: pairs
    .slice(0, N)
    .map(({ publicKey }, index) => ({ name: `node-${index}`, key: toHex(publicKey), log: ZERO_HASH })),
  parameters: PARAMETER_DEFAULTS,
  proposers: new Uint8Array(),
}
export const domain = { genesisHash: GENESIS, epoch: 0, validatorsHash: epochHash(epoch) }
export const slot = { ...domain, view: 0, seq: 1, digest: DIGEST }

/** `by` signs; the message claims to be from `signer`. */
export function signed<T extends BodyType>(type: T, body: Body<T>, signer: number, by = signer): Signed<T> {
  return { type, body, signer, signature: pairs[by]!.sign(signedBytes(type, body)) }
}

export const headerAt = (height: number, changes: Partial<Header> = {}): Header => ({
  genesisHash: GENESIS,
  epoch: 0,
  height,
  parentHash: ZERO_HASH,
  batchDigest: DIGEST,
  txRoot: ZERO_HASH,
  receiptsRoot: ZERO_HASH,
  stateRoot: ZERO_HASH,
  time: height,
  proposer: epoch.validators[0]!.key,
  validatorsHash: domain.validatorsHash,
  nextValidatorsHash: domain.validatorsHash,
  epochEnd: 0,
  proposers: new Uint8Array(),
  ...changes,
})

/** A certificate of the given signers, each by its own key. */
export function certificateOf(header: Header, signers: number[], changes: Partial<Body<'exec'>> = {}): Certificate {
  const body = { ...domain, height: header.height, blockHash: blockHash(header), ...changes }
  const signatures = signers.map((signer) => ({ signer, signature: signed('exec', body, signer).signature }))
  return { height: header.height, blockHash: blockHash(header), signatures }
}

/** An edge that counts the signatures it had to verify. */
export function edgeWith(changes: Partial<EdgeOptions> = {}) {
  const counts = { verified: 0 }
  const edge = createEdge({
    genesisHash: GENESIS,
    epoch,
    validatorsHash: domain.validatorsHash,
    quorum: quorumOf(N),
    verify(...args) {
      counts.verified++
      return verify(...args)
    },
    verifyFast(...args) {
      counts.verified++
      return verifyFast(...args)
    },
    mayTakeLong: () => true,
    mayVerify: () => true,
    isWanted: () => true,
    ...changes,
  })
  const check = (message: Message) =>
    edge.checkFrame(encode(messageCodec, message), isLarge(message) ? 'proposals' : 'consensus')
  return { edge, counts, check }
}
