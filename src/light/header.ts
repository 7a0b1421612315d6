// Headers and the certificates over them: a quorum of an epoch's validators signed EXEC(height, block hash) (docs/protocol.md, rule 9).
import { blockHash } from '../crypto/digest.ts'
import { verifyReference } from '../crypto/ed25519.ts'
import { type Certificate, type Header, headerCodec } from '../types/block.ts'
import { VALIDATORS_MAX } from '../types/epoch.ts'
import { fromHex } from '../types/hex.ts'
import { signedBytes } from '../types/message.ts'
import { decode, encode } from '../types/schema.ts'
import type { TrustedEpoch } from './genesis.ts'
import { headerMembers } from './members.ts'
import { attempt, refuse, requireList, requireObject } from './read.ts'

export type VerifySignature = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** A header that a quorum signed. */
export interface CertifiedHeader {
  height: number
  /** Milliseconds since 1970, as the validators agreed. */
  time: number
  blockHash: string
  header: Header
  /** Names of the validators whose signatures were checked. */
  signers: string[]
}

/** The header's fields as JSON, brought back into canonical bytes: only the one true form of each passes. Throws ClientError `BAD_PROOF`. */
export function readHeader(value: unknown, name = 'its header'): Header {
  const given = requireObject(value, name)
  const odd = headerMembers.find((field) => typeof given[field] !== 'string' && typeof given[field] !== 'number')
  if (odd !== undefined) refuse(`${name} is not one (${odd} is no text and no number)`)
  return attempt(`${name} is not one`, () => {
    const header = {
      ...given,
      time: Date.parse(given.time as string),
      proposers: fromHex(given.proposers as string),
    } as unknown as Header
    if (new Date(header.time).toISOString() !== given.time) throw new RangeError('time is not RFC 3339')
    return decode(headerCodec, encode(headerCodec, header))
  })
}

/** That a quorum of the trusted epoch signed this header. Throws ClientError `BAD_PROOF`. */
export function verifyHeader(
  header: Header,
  certificate: unknown,
  trust: TrustedEpoch,
  verify: VerifySignature = verifyReference,
): CertifiedHeader {
  requireEpoch(header, trust)
  const { height, blockHash: hash, signatures } = readCertificate(certificate)
  if (height !== header.height || hash !== blockHash(header)) refuse('its certificate is for another header')
  const { genesisHash, epoch, validatorsHash } = header
  const message = signedBytes('exec', { genesisHash, epoch, validatorsHash, height, blockHash: hash })
  const signers = new Set<string>()
  for (const { signer, signature } of signatures) {
    const validator = trust.validators[signer]
    if (validator === undefined) refuse(`its certificate names validator ${signer} of ${trust.validators.length}`)
    if (signers.has(validator.key)) refuse(`its certificate counts ${validator.name} twice`)
    if (!verify(fromHex(validator.key), message, signature))
      refuse(`its certificate has a signature that is not ${validator.name}'s`)
    signers.add(validator.key)
  }
  if (signers.size < trust.quorum) refuse(`its certificate has ${signers.size} signatures, a quorum is ${trust.quorum}`)
  const names = signatures.map(({ signer }) => trust.validators[signer]!.name)
  return { height, time: header.time, blockHash: hash, header, signers: names }
}

function requireEpoch(header: Header, trust: TrustedEpoch): void {
  if (header.genesisHash !== trust.genesisHash)
    refuse(`its header is of network ${header.genesisHash}, expected ${trust.genesisHash}`)
  if (header.epoch !== trust.epoch || header.validatorsHash !== trust.validatorsHash) {
    refuse(
      `its header is of epoch ${header.epoch} and another validator set than the one of epoch ${trust.epoch} known here`,
    )
  }
  const { height, epochEnd } = header
  if (height <= trust.start) refuse(`its header has height ${height}, epoch ${trust.epoch} begins above ${trust.start}`)
  // Validators that were replaced may have lost their keys since.
  const end = trust.end ?? (epochEnd || height)
  if (height > end) refuse(`its header has height ${height}, epoch ${trust.epoch} ends with ${end}`)
}

function readCertificate(value: unknown): Certificate {
  const given = requireObject(value, 'its certificate')
  const signatures = requireList(given.signatures, 'the signatures of its certificate', VALIDATORS_MAX)
  return attempt('its certificate is not one', () => ({
    height: given.height as number,
    blockHash: given.blockHash as string,
    signatures: signatures.map((entry) => {
      const { signer, signature } = requireObject(entry, 'a signature')
      if (!Number.isSafeInteger(signer)) throw new RangeError('a signer is no whole number')
      if (typeof signature !== 'string') throw new RangeError('a signature is no text')
      return { signer: signer as number, signature: fromHex(signature) }
    }),
  }))
}
