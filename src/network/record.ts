// Identity records: who a node is, signed. A record binds a node key (the peer id that the Noise handshake proves) to a validator key,
// in one network, with the addresses to reach it; the highest sequence of a validator key is the current one.
import { multiaddr } from '@multiformats/multiaddr'
import {
  bytes,
  type Codec,
  decode,
  encode,
  hex,
  list,
  optional,
  struct,
  text,
  uint,
  type ValueOf,
} from '../types/schema.ts'
import { reasonOf } from './port.ts'

const ADDRESSES_MAX = 8
const ADDRESS_BYTES_MAX = 256
const RECORD_BYTES_MAX = 4096
/** Envelopes in one hello message; more go out in the next one. */
export const ENVELOPES_MAX = 64
export const HELLO_BYTES_MAX = ENVELOPES_MAX * (RECORD_BYTES_MAX + 80) + 16

const recordCodec = struct('quorate/hello/1', {
  network: hex(32),
  peerId: text(128),
  validator: optional(hex(32)),
  addresses: list(text(ADDRESS_BYTES_MAX), ADDRESSES_MAX),
  sequence: uint(),
})
export type IdentityRecord = ValueOf<typeof recordCodec>

const envelopeCodec = struct('', { record: bytes(0, RECORD_BYTES_MAX), signature: optional(bytes(64)) })
/** A record as it travels: the bytes that were signed, never re-encoded. */
export type Envelope = ValueOf<typeof envelopeCodec>

const helloCodec: Codec<Envelope[]> = list(envelopeCodec, ENVELOPES_MAX)

export const encodeHello = (envelopes: Envelope[]): Uint8Array => encode(helloCodec, envelopes)
export const decodeHello = (message: Uint8Array): Envelope[] => decode(helloCodec, message)
export const encodeEnvelope = (envelope: Envelope): Uint8Array => encode(envelopeCodec, envelope)
export const decodeEnvelope = (message: Uint8Array): Envelope => decode(envelopeCodec, message)

export function sealRecord(record: IdentityRecord, sign: ((message: Uint8Array) => Uint8Array) | undefined): Envelope {
  const encoded = encode(recordCodec, { ...record, addresses: record.addresses.slice(0, ADDRESSES_MAX) })
  return { record: encoded, signature: sign === undefined ? null : sign(encoded) }
}

export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean

/** Reads the record without checking its signature, so that a known one costs no check; says why when it cannot. */
export function readRecord(envelope: Envelope, network: string): IdentityRecord | string {
  let record: IdentityRecord
  try {
    record = decode(recordCodec, envelope.record)
  } catch (error) {
    return `the record is malformed: ${reasonOf(error)}`
  }
  if (record.network !== network) return 'the record is of another network'
  if ((record.validator === null) !== (envelope.signature === null))
    return 'the record needs a signature exactly when it names a validator'
  return { ...record, addresses: record.addresses.flatMap((address) => dialable(address, record.peerId) ?? []) }
}

export function isRecordSigned(envelope: Envelope, record: IdentityRecord, verify: Verify): boolean {
  if (record.validator === null || envelope.signature === null) return false
  return verify(Buffer.from(record.validator, 'hex'), envelope.record, envelope.signature)
}

const HOSTS = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6'])

/** The address in full (`/p2p/` included) when it is plain TCP and leads to that peer, else undefined. */
export function dialable(address: string, peerId: string): string | undefined {
  try {
    const [host, transport, peer, ...rest] = multiaddr(address).getComponents()
    if (host === undefined || !HOSTS.has(host.name) || transport?.name !== 'tcp' || rest.length > 0) return undefined
    if (Number(transport.value) === 0) return undefined
    if (peer === undefined) return `${address}/p2p/${peerId}`
    return peer.name === 'p2p' && peer.value === peerId ? address : undefined
  } catch {
    return undefined
  }
}

/** The peer id in a multiaddr, or undefined. */
export function peerIdIn(address: string): string | undefined {
  return multiaddr(address)
    .getComponents()
    .findLast((component) => component.name === 'p2p')?.value
}
