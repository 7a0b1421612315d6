// What a node keeps beside its blocks, and the parts of what leaves it as files: snapshots, block files, backups.
import { headersCodec } from '../../../src/backup/parts.ts'
import { filedBlockCodec } from '../../../src/ledger/block-file.ts'
import * as divergence from '../../../src/types/divergence.ts'
import { evidenceCodec, evidenceKinds } from '../../../src/types/evidence.ts'
import { chunkCodec, manifestCodec } from '../../../src/types/snapshot.ts'
import type { Source } from '../source.ts'
import { makeCertificate, makeHeader, makeReceipt, nestCertificate, nestHeader, nestReceipt } from './blocks.ts'
import { type Format, format, nestOptional, optional, raw } from './format.ts'

const makeDifference = (s: Source): divergence.Difference => ({
  height: s.uint(),
  ours: s.hash(),
  theirs: s.hash(),
  fields: s.list(() => s.text(512)),
  transaction: optional(s, () => ({ index: s.uint(), id: s.hash(), contract: s.text(512), method: s.text(512) })),
  isProven: s.flag(),
  receipt: s.list(() => s.text(2_048)),
  key: optional(s, () => ({
    contract: s.text(512),
    key: s.text(512),
    ours: optional(s, () => s.text(512)),
    theirs: optional(s, () => s.text(512)),
  })),
  confirmedBy: s.list(() => s.text(512)),
  answered: s.uint(),
  note: s.text(1_024),
})
const nestDifference = (d: divergence.Difference) => [
  d.height,
  raw(d.ours),
  raw(d.theirs),
  d.fields,
  nestOptional(d.transaction, ({ index, id, contract, method }) => [index, raw(id), contract, method]),
  d.isProven ? 1 : 0,
  d.receipt,
  nestOptional(d.key, ({ contract, key, ours, theirs }) => [
    contract,
    key,
    nestOptional(ours, (value) => value),
    nestOptional(theirs, (value) => value),
  ]),
  d.confirmedBy,
  d.answered,
  d.note,
]

export const storedFormats: Format[] = [
  format(
    'divergence',
    divergence.divergenceCodec,
    (s) => ({ certificate: makeCertificate(s), ours: s.hash(), difference: optional(s, () => makeDifference(s)) }),
    ({ certificate, ours, difference }) => [
      'quorate/divergence/1',
      nestCertificate(certificate),
      raw(ours),
      nestOptional(difference, nestDifference),
    ],
  ),
  format(
    'evidence',
    evidenceCodec,
    (s) => ({
      validator: s.uint(100),
      kind: s.pick(...evidenceKinds),
      epoch: s.uint(),
      view: s.uint(),
      height: s.uint(),
      first: s.bytes(1, 100),
      second: s.bytes(0, 100),
      seenAt: s.uint(),
    }),
    (e) => ['quorate/evidence/1', e.validator, e.kind, e.epoch, e.view, e.height, e.first, e.second, e.seenAt],
  ),
  format(
    'snapshot manifest',
    manifestCodec,
    (s) => ({
      header: makeHeader(s),
      certificate: makeCertificate(s),
      depth: s.uint(12),
      subtrees: s.list(() => ({ kind: s.uint(2), hash: s.hash() })),
    }),
    ({ header, certificate, depth, subtrees }) => [
      'quorate/snapshot/1',
      nestHeader(header),
      nestCertificate(certificate),
      depth,
      subtrees.map(({ kind, hash }) => [kind, raw(hash)]),
    ],
  ),
  format(
    'snapshot chunk',
    chunkCodec,
    (s) => ({
      height: s.uint(),
      index: s.uint(4_095),
      entries: s.list(() => ({ key: s.text(100), value: s.text(100) })),
    }),
    ({ height, index, entries }) => ['quorate/chunk/1', height, index, entries.map(({ key, value }) => [key, value])],
  ),
  format(
    'block of a block file',
    filedBlockCodec,
    (s) => ({
      header: makeHeader(s),
      certificate: optional(s, () => makeCertificate(s)),
      batch: s.bytes(1, 100),
      receipts: s.list(() => makeReceipt(s)),
    }),
    ({ header, certificate, batch, receipts }) => [
      'quorate/block/1',
      nestHeader(header),
      nestOptional(certificate, nestCertificate),
      batch,
      receipts.map(nestReceipt),
    ],
  ),
  format(
    'headers of a backup',
    headersCodec,
    (s) => ({ headers: s.list(() => ({ header: makeHeader(s), certificate: makeCertificate(s) })) }),
    ({ headers }) => [
      'quorate/headers/1',
      headers.map(({ header, certificate }) => [nestHeader(header), nestCertificate(certificate)]),
    ],
  ),
]
