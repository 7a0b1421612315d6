// A backup's manifest: which blocks of which network it holds, and the hash of every file (docs/data.md, "Backups").
//
// Its text has one form. `sha256` at its end covers all before it, so an edited manifest shows; the next incremental names the hash of
// the whole text, so the last backup of a chain vouches for all before it. Whether the network made any of it, the certificates tell.
import { z } from 'zod'
import { sha256 } from '../crypto/hash.ts'
import { toHex } from '../types/hex.ts'
import { BackupError } from './error.ts'

export type BackupKind = 'full' | 'incremental'

export const FORMAT = 'quorate/backup/1'
export const MANIFEST = 'manifest.json'
/** One file of a snapshot's chunks each, a few beside them. */
const FILES_MAX = 5_000

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const height = z.int().min(0)
const shape = z.strictObject({
  format: z.literal(FORMAT),
  kind: z.enum(['full', 'incremental']),
  network: z.string().max(64),
  genesisHash: hash,
  from: height,
  to: height,
  blockHash: hash,
  created: z.iso.datetime(),
  parent: hash.nullable(),
  files: z
    .array(
      z.strictObject({
        // Relative, in the folder or one below: nothing that could lead out of it.
        name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,63}(\/[A-Za-z0-9][\w.-]{0,63})?$/),
        bytes: z.int().min(0),
        sha256: hash,
      }),
    )
    .max(FILES_MAX),
  sha256: hash,
})

/**
 * `from` and `to` are the first and the last height of its block file; a full one of a ledger that keeps no block up to `to` has
 * `from` = `to` + 1. `blockHash` is that of block `to`. `parent` is the id of the backup that an incremental one continues.
 */
export type Manifest = z.infer<typeof shape>
export type FiledPart = Manifest['files'][number]

const checksumOf = ({ sha256: _, ...rest }: Manifest): string => hashOfText(JSON.stringify(rest))
const hashOfText = (text: string): string => toHex(sha256(new TextEncoder().encode(text)))

export function sealManifest(parts: Omit<Manifest, 'format' | 'sha256'>): Manifest {
  const { kind, network, genesisHash, from, to, blockHash, created, parent, files } = parts
  const manifest: Manifest = {
    format: FORMAT,
    kind,
    network,
    genesisHash,
    from,
    to,
    blockHash,
    created,
    parent,
    files: files.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
    sha256: '',
  }
  return { ...manifest, sha256: checksumOf(manifest) }
}

export const formatManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`

/** What the next incremental names as its parent. */
export const manifestId = (text: string): string => hashOfText(text)

/** Throws BackupError; `folder` is what to call it by. */
export function parseManifest(text: string, folder: string): Manifest {
  const unreadable = (reason: string) =>
    new BackupError(
      'BACKUP_UNREADABLE',
      `The backup ${folder} cannot be read: ${reason}. Name the folder of a backup that \`quorate backup create\` of this version wrote.`,
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw unreadable(`its ${MANIFEST} is not JSON`)
  }
  const result = shape.safeParse(value)
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw unreadable(`its ${MANIFEST} is not one, at ${path.join('.') || 'the top'}: ${message}`)
  }
  const manifest = result.data
  if (checksumOf(manifest) !== manifest.sha256 || formatManifest(manifest) !== text) {
    const mend = 'Restore another backup, or an untouched copy of this one'
    throw new BackupError(
      'BACKUP_EDITED',
      `The manifest of the backup ${folder} was changed after it was written. ${mend}.`,
    )
  }
  return manifest
}
