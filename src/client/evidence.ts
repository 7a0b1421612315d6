// Whether an entry of GET /v1/evidence proves its validator faulty, from the genesis document alone. Runs in Node and in browsers.
import { isContradiction } from '../crypto/contradiction.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { fromBase64 } from '../light/base64.ts'
import { ClientError } from '../light/error.ts'
import type { TrustedEpoch } from '../light/genesis.ts'
import type { VerifySignature } from '../light/header.ts'
import { shown } from '../light/read.ts'
import type { Validator } from '../types/epoch.ts'
import { type Accusation, accusationOf, type EvidenceKind, evidenceKinds, placeOf } from '../types/evidence.ts'
import { fromHex } from '../types/hex.ts'
import { type AnySigned, signedBytes } from '../types/message.ts'

/** What the entry proves: this validator signed what no correct one signs. */
export interface ProvenEvidence {
  validator: Validator
  accusation: Accusation
  epoch: number
  view: number
  height: number
}

/**
 * Checks both signatures and that the messages contradict each other, and that the entry says the same of them. Throws ClientError
 * `BAD_PROOF` that says what does not hold. `seenAt` is the node's word.
 */
export function verifyEvidence(
  entry: unknown,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): ProvenEvidence {
  const given = (typeof entry === 'object' && entry !== null ? entry : refuse('it is none')) as Record<string, unknown>
  const accusation = readAccusation(given)
  const place = placeOf(accusation)
  const validator = trust.validators[place.validator]
  if (validator === undefined) refuse(`it names validator ${place.validator} of ${trust.validators.length}`)
  const plain = { validator: validator.name, epoch: place.epoch, view: place.view, height: place.height }
  for (const [name, value] of Object.entries(plain)) {
    if (given[name] !== value) refuse(`${name} says ${shown(given[name])}, signed is ${shown(value)}`)
  }
  for (const { type, body, signer, signature } of signedIn(accusation)) {
    if (body.genesisHash !== trust.genesisHash) refuse(`its ${type} is of another network`)
    if (body.epoch !== trust.epoch || body.validatorsHash !== trust.validatorsHash) {
      refuse(`its ${type} is of another epoch than ${trust.epoch}, the one known here`)
    }
    if (signer !== place.validator) refuse(`its ${type} is of another validator`)
    if (!verify(fromHex(validator.key), signedBytes(type, body as never), signature))
      refuse(`its ${type} has a signature that is not ${validator.name}'s`)
  }
  const rules = { epoch: trust, quorum: trust.quorum, epochEnd: 0 }
  if (!isContradiction(accusation, rules)) refuse('a correct validator may sign what it shows')
  return { ...place, validator, accusation }
}

/** What the accused signed. What others signed inside does not matter: a correct validator vouches for it with its own signature. */
function signedIn(accusation: Accusation): AnySigned[] {
  switch (accusation.kind) {
    case 'new-view':
      return [accusation.first.vote]
    case 'amnesia':
      return [accusation.first, accusation.second.vote]
    default:
      return [accusation.first, accusation.second]
  }
}

function readAccusation(given: Record<string, unknown>): Accusation {
  const kind = given.kind as EvidenceKind
  if (!evidenceKinds.includes(kind)) refuse(`its kind is ${shown(given.kind)}`)
  const first = fromBase64(given.first) ?? refuse('its first message is not base64')
  const second = fromBase64(given.second) ?? refuse('its second message is not base64')
  try {
    return accusationOf({ kind, first, second })
  } catch (cause) {
    return refuse(`its messages are not canonical (${cause instanceof Error ? cause.message : cause})`, cause)
  }
}

function refuse(reason: string, cause?: unknown): never {
  throw new ClientError('BAD_PROOF', `the evidence does not hold: ${reason}; it proves nothing against anyone`, {
    cause,
  })
}
