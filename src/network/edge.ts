// The edge: nothing unverified passes it. Consensus frames are decoded strictly, their domain compared, and every signature in them
// checked by the key of the validator they will count for. Cheap checks come first; a vote the core would not read costs no signature.
import { blockHash } from '../crypto/digest.ts'
import { isValidNewView, isValidViewChange } from '../crypto/view-change-rules.ts'
import type { Certificate, Header } from '../types/block.ts'
import type { EpochRecord } from '../types/epoch.ts'
import { fromHex, toHex } from '../types/hex.ts'
import {
  type AnySigned,
  type Message,
  messageCodec,
  type Prepared,
  signaturesOf,
  signedBytes,
} from '../types/message.ts'
import { DecodeError, decode } from '../types/schema.ts'

export interface EdgeOptions {
  genesisHash: string
  epoch: EpochRecord
  validatorsHash: string
  quorum: number
  verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean
  /**
   * The native check, which accepts all that honest software signs. What only the reference accepts costs forty times as much; directly
   * from its signer it is ignored. Inside certificates the full rule counts, as nodes differ in their native checks.
   */
  verifyFast: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean
  /** Whether there is time for the reference, to tell a wrong signature from a slow one. */
  mayTakeLong: () => boolean
  /** Whether this validator's message may have so many signatures checked now. */
  mayVerify: (signer: number, signatures: number) => boolean
  isWanted: (message: Message) => boolean
}

/** `unwanted` (late, early) and `ignored` (another epoch) cost their sender nothing; `bad` is a fault only a broken or lying peer commits. */
export type EdgeVerdict =
  | { ok: true; message: Message }
  /** Nothing in it was verified. */
  | { ok: false; fault: 'unwanted'; message: Message }
  | { ok: false; fault: 'ignored' | 'bad'; reason: string }

export interface Edge {
  checkFrame(frame: Uint8Array, channel: 'consensus' | 'proposals'): EdgeVerdict
  /** Why a certificate does not vouch for this header, or undefined when it does: q distinct validators signed its hash. */
  certificateFault(header: Header, certificate: Certificate): string | undefined
}

const ignored = (reason: string): EdgeVerdict => ({ ok: false, fault: 'ignored', reason })
const bad = (reason: string): EdgeVerdict => ({ ok: false, fault: 'bad', reason })

/** Messages with batches in them, and NEW-VIEW, which has to arrive before the proposals that follow it: they have a stream of their own. */
export const isLarge = ({ type }: Message): boolean => type === 'proposal' || type === 'new-view' || type === 'body'

/** Each signature once: the VIEW-CHANGEs of one NEW-VIEW mostly show the same prepared certificates. */
function distinct(signed: AnySigned[]): AnySigned[] {
  if (signed.length <= 1) return signed
  const seen = new Map<string, AnySigned>()
  for (const one of signed)
    seen.set(`${one.signer} ${one.type} ${toHex(one.signature)} ${JSON.stringify(one.body)}`, one)
  return [...seen.values()]
}

export function createEdge(options: EdgeOptions): Edge {
  const { windowBlocks } = options.epoch.parameters
  const rules = { epoch: options.epoch, quorum: options.quorum, epochEnd: 0 }
  const keys = options.epoch.validators.map((validator) => fromHex(validator.key))

  function isSigned(signed: AnySigned): boolean {
    const key = keys[signed.signer]
    return key !== undefined && options.verify(key, signedBytes(signed.type, signed.body), signed.signature)
  }

  /** For a signature that comes from its signer, or from whoever accepted it by this same check. */
  function directFault({ type, body, signer, signature }: AnySigned): EdgeVerdict | undefined {
    const key = keys[signer]
    if (key === undefined) return bad(`${type} with a wrong signature of validator ${signer}, who is not in the set`)
    const bytes = signedBytes(type, body)
    if (options.verifyFast(key, bytes, signature)) return undefined
    if (!options.mayTakeLong() || options.verify(key, bytes, signature))
      return ignored('a signature no software here makes')
    return bad(`${type} with a wrong signature of validator ${signer}`)
  }

  function checkFrame(frame: Uint8Array, channel: 'consensus' | 'proposals'): EdgeVerdict {
    let message: Message
    try {
      message = decode(messageCodec, frame)
    } catch (error) {
      if (error instanceof DecodeError) return bad(`malformed consensus frame: ${error.message}`)
      throw error
    }
    if (isLarge(message) !== (channel === 'proposals')) return bad(`a ${message.type} on the stream for ${channel}`)
    if (!options.isWanted(message)) return { ok: false, fault: 'unwanted', message }
    for (const signed of signaturesOf(message)) {
      const { genesisHash, epoch, validatorsHash } = signed.body
      if (genesisHash !== options.genesisHash) return bad(`${signed.type} of another network`)
      if (epoch !== options.epoch.epoch || validatorsHash !== options.validatorsHash) return ignored('of another epoch')
    }
    // The outer signature first: what it vouches for is read only when a validator does.
    const outer =
      message.type === 'view-change'
        ? message.change.vote
        : message.type === 'new-view'
          ? message.newView.vote
          : undefined
    for (const direct of outer === undefined ? signaturesOf(message) : [outer]) {
      const fault = directFault(direct)
      if (fault !== undefined) return fault
    }
    if (outer === undefined) return { ok: true, message }
    // Nobody sends a VIEW-CHANGE on for another. An invalid NEW-VIEW proves its signer's guilt without the signatures inside.
    if (message.type === 'view-change' && !isValidViewChange(rules, message.change))
      return bad('an invalid VIEW-CHANGE')
    if (message.type === 'new-view' && !isValidNewView(rules, message.newView)) return { ok: true, message }
    const fault = evidenceFault(message)
    if (fault !== undefined) return bad(fault)
    const inner = distinct(signaturesOf(message))
    if (!options.mayVerify(outer.signer, inner.length)) return ignored('more signatures than it may have checked')
    const forged = inner.find((signed) => !isSigned(signed))
    return forged === undefined
      ? { ok: true, message }
      : bad(`${forged.type} with a wrong signature of validator ${forged.signer}`)
  }

  function evidenceFault(message: Message): string | undefined {
    const changes =
      message.type === 'view-change' ? [message.change] : message.type === 'new-view' ? message.newView.viewChanges : []
    if (changes.length > keys.length) return 'more view changes than validators'
    for (const { header, certificate, prepared } of changes) {
      if (prepared.length > windowBlocks) return 'more prepared certificates than the window has sequences'
      if (prepared.some(({ seq }, index) => index > 0 && seq <= prepared[index - 1]!.seq))
        return 'prepared certificates out of order'
      if (prepared.some((one) => !isCoherent(one))) return 'a prepared certificate of repeated votes or too few'
      if ((header === null) !== (certificate === null)) return 'half a block certificate'
      const fault = header === null || certificate === null ? undefined : certificateFault(header, certificate)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  function isCoherent({ signatures }: Prepared): boolean {
    const signers = new Set(signatures.map(({ signer }) => signer))
    return signers.size === signatures.length && signers.size >= options.quorum
  }

  function certificateFault(header: Header, certificate: Certificate): string | undefined {
    const hash = blockHash(header)
    if (certificate.blockHash !== hash || certificate.height !== header.height)
      return 'the certificate is for another block'
    const signers = new Set(certificate.signatures.map(({ signer }) => signer))
    if (signers.size !== certificate.signatures.length) return 'a validator signed twice'
    if (signers.size < options.quorum) return `expected ${options.quorum} signatures, got ${signers.size}`
    const { genesisHash, validatorsHash } = options
    const body = { genesisHash, epoch: options.epoch.epoch, validatorsHash, height: header.height, blockHash: hash }
    for (const { signer, signature } of certificate.signatures) {
      if (!isSigned({ type: 'exec', body, signer, signature })) return `the signature of validator ${signer} is wrong`
    }
    return undefined
  }

  return { checkFrame, certificateFault }
}
