// What nodes ask of one another, and the answers.
import * as divergence from '../../../src/types/divergence.ts'
import * as fetch from '../../../src/types/fetch.ts'
import type { Codec } from '../../../src/types/schema.ts'
import type { Source } from '../source.ts'
import { makeCertificate, makeHeader, nestCertificate, nestHeader } from './blocks.ts'
import { type Format, format, nestOptional, optional } from './format.ts'

const makeCertified = (s: Source): fetch.CertifiedBlock => ({
  header: makeHeader(s),
  certificate: makeCertificate(s),
  batch: s.bytes(1, 100),
})
const nestCertified = (b: fetch.CertifiedBlock) => [nestHeader(b.header), nestCertificate(b.certificate), b.batch]

type SnapshotRequestOf<T> = Extract<fetch.SnapshotRequest, { type: T }>
const snapshotRequestFormat = <T extends fetch.SnapshotRequest['type']>(
  type: T,
  make: (s: Source) => Omit<SnapshotRequestOf<T>, 'type'>,
  nested: (value: SnapshotRequestOf<T>) => unknown[],
) =>
  format(
    `snapshot request ${type}`,
    fetch.snapshotRequestCodec as Codec<SnapshotRequestOf<T>>,
    (s) => ({ type, ...make(s) }) as SnapshotRequestOf<T>,
    (value) => [type, nested(value)],
  )

export const requestFormats: Format[] = [
  format(
    'block request',
    fetch.blockRequestCodec,
    (s) => ({ from: s.uint(), limit: s.uint(256) }),
    ({ from, limit }) => ['quorate/blocks/1', from, limit],
  ),
  format(
    'block answer',
    fetch.blockAnswerCodec,
    (s) => s.list(() => makeCertified(s)),
    (blocks) => blocks.map(nestCertified),
  ),
  format(
    'effects request',
    divergence.effectsRequestCodec,
    (s) => ({ height: s.uint() }),
    ({ height }) => ['quorate/effects/1', height],
  ),
  format(
    'effects answer',
    divergence.effectsAnswerCodec,
    (s) => ({ header: makeHeader(s), receipts: s.bytes(0, 64), writes: s.bytes(0, 64) }),
    ({ header, receipts, writes }) => [nestHeader(header), receipts, writes],
  ),
  format(
    'effect request',
    divergence.effectRequestCodec,
    (s) => ({ height: s.uint(), index: s.uint() }),
    ({ height, index }) => ['quorate/effect/1', height, index],
  ),
  format(
    'effect answer',
    divergence.effectAnswerCodec,
    (s) => ({
      receipt: s.bytes(1, 100),
      writes: s.list(() => ({ key: s.text(4_096), value: optional(s, () => s.text(100)) })),
    }),
    ({ receipt, writes }) => [receipt, writes.map(({ key, value }) => [key, nestOptional(value, (text) => text)])],
  ),
  format(
    'transactions frame',
    fetch.transactionsFrameCodec,
    (s) => s.list(() => s.bytes(1, 100)),
    (wires) => wires,
  ),
  snapshotRequestFormat(
    'manifest',
    (s) => ({ height: s.uint() }),
    ({ height }) => ['quorate/manifest-request/1', height],
  ),
  snapshotRequestFormat(
    'chunk',
    (s) => ({ height: s.uint(), depth: s.uint(12), index: s.uint(4_095) }),
    ({ height, depth, index }) => ['quorate/chunk-request/1', height, depth, index],
  ),
]
