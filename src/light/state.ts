// Whether a value, or its absence, is what the network's state holds at a height: a path in the state tree up to a certified header's
// state root (docs/proofs.md, "State").
import { blockHash } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { verifyStatePath } from '../crypto/state-proof.ts'
import { fromHex } from '../types/hex.ts'
import type { TrustedEpoch } from './genesis.ts'
import { type CertifiedHeader, readHeader, type VerifySignature, verifyHeader } from './header.ts'
import {
  type Json,
  refuse,
  requireHash,
  requireJson,
  requireObject,
  requirePath,
  requireSame,
  requireText,
  shown,
} from './read.ts'

export interface ProvenState extends CertifiedHeader {
  contract: string
  key: string
  /** JSON text as the contract stored it; undefined: the key has no value at this height. */
  value: string | undefined
}

/**
 * Checks an answer of `GET /v1/contracts/{name}/state/{key}?prove=true`: the value's document, or the problem document that says there
 * is none (its code; its words are the server's own). `asked` is the key that was asked for; without it the proof says which it is.
 * Throws ClientError `BAD_PROOF`.
 */
export function verifyState(
  document: unknown,
  asked: { contract: string; key: string } | undefined,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): ProvenState {
  const given = requireObject(document, 'the document')
  const proof = requireObject(given.proof, 'its proof')
  const certified = verifyBlock(proof, trust, verify)
  const stateKey = requireText(proof.key, 'the key of its proof')
  const end = stateKey.indexOf('\0')
  if (end === -1) refuse('the key of its proof names no contract')
  const contract = stateKey.slice(0, end)
  const key = stateKey.slice(end + 1)
  if (asked !== undefined && (asked.contract !== contract || asked.key !== key)) {
    refuse(
      `it is about ${shown(key)} of ${shown(contract)}, asked for was ${shown(asked.key)} of ${shown(asked.contract)}`,
    )
  }
  const value = proof.value === null ? undefined : requireText(proof.value, 'the value of its proof')
  const claim = {
    key: stateKey,
    value,
    siblings: requirePath(proof.siblings, 'its path'),
    other: readOther(proof.other),
  }
  if (!verifyStatePath(claim, fromHex(certified.header.stateRoot))) {
    refuse(`its path does not lead to the state root of block ${certified.height}`)
  }
  compareFields(given, { ...certified, key, value })
  return { ...certified, contract, key, value }
}

/** The block whose state it is. Nobody signs block 0: the certified block after it names it as its parent. */
function verifyBlock(proof: Json, trust: TrustedEpoch, verify: VerifySignature): CertifiedHeader {
  const header = readHeader(proof.header)
  if (header.height !== 0) return verifyHeader(header, proof.certificate, trust, verify)
  if (proof.certificate !== null) refuse('it has a certificate for block 0, which nobody signs')
  const next = requireObject(proof.next, 'block 1, by which block 0 is proven,')
  const successor = verifyHeader(readHeader(next.header), next.certificate, trust, verify)
  const hash = blockHash(header)
  if (successor.height !== 1 || successor.header.parentHash !== hash)
    refuse('its block 1 does not follow on its block 0')
  return { ...successor, height: 0, time: header.time, blockHash: hash, header }
}

function readOther(value: unknown) {
  if (value === undefined) return undefined
  const { path, valueHash } = requireObject(value, 'the other leaf')
  return {
    path: requireHash(path, 'the other leaf’s path'),
    valueHash: requireHash(valueHash, 'the other leaf’s value hash'),
  }
}

function compareFields(given: Json, { key, value, height }: Pick<ProvenState, 'key' | 'value' | 'height'>): void {
  requireSame('key', given.key, key)
  requireSame('height', given.height, height)
  if (value !== undefined) {
    if (given.code !== undefined) refuse('it is a problem document, proven is that the key has a value')
    return requireJson('value', given.value, value)
  }
  // A bundle says null, a server's problem document says nothing.
  if (given.value !== undefined && given.value !== null) refuse('value is there, proven is that the key has none')
  if (given.code !== undefined) requireSame('code', given.code, 'UNKNOWN_KEY')
}
