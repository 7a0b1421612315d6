// The parts of a stored block, read one by one, so that what is gone or unreadable is told with its height and part.
import { receiptsCodec } from '../ledger/blocks.ts'
import { LedgerDamaged } from '../ledger/errors.ts'
import { type HeightKind, heightKey } from '../ledger/keys.ts'
import type { Store } from '../ledger/store.ts'
import { type Certificate, certificateCodec, type Header, headerCodec, type Receipt } from '../types/block.ts'
import { toHex } from '../types/hex.ts'
import { DecodeError, decode } from '../types/schema.ts'
import { type Finding, finding } from './finding.ts'

export interface StoredHeader {
  header: Header
  blockHash: string
}

/** The value made of an entry, undefined where there is none, or why it cannot be read. */
function read<T>(store: Store, kind: HeightKind, height: number, make: (stored: Buffer) => T): T | Finding | undefined {
  try {
    const stored = store.getSync(heightKey(kind, height))
    return stored === undefined ? undefined : make(stored)
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    return finding(height, PARTS[kind], 'an intact entry', reason)
  }
}

const PARTS = {
  header: 'the header',
  batch: 'the batch',
  receipts: 'the receipts',
  certificate: 'the certificate',
} as const satisfies Record<HeightKind, string>

/** Why bytes of the ledger cannot be read; undefined for an error that is about something else. */
export function unreadable(error: unknown): string | undefined {
  if (error instanceof LedgerDamaged) return 'one that fails its checksum'
  return error instanceof DecodeError ? `one that is not in canonical form (${error.message})` : undefined
}

const orMissing = <T>(value: T | undefined, kind: HeightKind, height: number): T | Finding =>
  value ?? finding(height, PARTS[kind], 'an entry', 'none')

export function readHeader(store: Store, height: number): StoredHeader | Finding {
  const made = read(store, 'header', height, (stored) => ({
    header: decode(headerCodec, stored.subarray(32)),
    blockHash: toHex(stored.subarray(0, 32)),
  }))
  return orMissing(made, 'header', height)
}

export function readBody(store: Store, height: number): { batch: Uint8Array; receipts: Receipt[] } | Finding {
  const batch = orMissing(
    read(store, 'batch', height, (stored) => new Uint8Array(stored)),
    'batch',
    height,
  )
  if ('part' in batch) return batch
  const receipts = orMissing(
    read(store, 'receipts', height, (stored) => decode(receiptsCodec, stored)),
    'receipts',
    height,
  )
  return 'part' in receipts ? receipts : { batch, receipts }
}

/** Null where there is none and none has to be. */
export function readCertificate(store: Store, height: number, isNeeded: boolean): Certificate | Finding | null {
  const certificate = read(store, 'certificate', height, (stored) => decode(certificateCodec, stored))
  if (certificate !== undefined) return certificate
  return isNeeded ? finding(height, PARTS.certificate, 'an entry', 'none') : null
}
