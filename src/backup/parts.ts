// What lies in a backup's folder beside the manifest (docs/data.md, "Backups").
import type { CertifiedHeader } from '../ledger/builder.ts'
import { certificateCodec, headerCodec } from '../types/block.ts'
import { decode, encode, list, struct } from '../types/schema.ts'
import { CHUNK_BYTES_MAX } from '../types/snapshot.ts'
import type { BackupKind } from './manifest.ts'

export const GENESIS = 'genesis.json'
/** Of every backup: a block file. */
export const BLOCKS = 'blocks'
/** Of full ones alone: the state at the last block, as a snapshot; and certified headers of blocks that are pruned themselves. */
export const SNAPSHOT = 'snapshot'
export const HEADERS = 'headers'
export const README = 'README.md'

const PART_BYTES_MAX = 256 * 1024 * 1024

/** What can be read as a whole; the blocks are read one by one. */
export const partBytesMax = (name: string): number =>
  name === BLOCKS ? Number.POSITIVE_INFINITY : name.startsWith(`${SNAPSHOT}/`) ? CHUNK_BYTES_MAX : PART_BYTES_MAX

export const headersCodec = struct('quorate/headers/1', {
  headers: list(struct('', { header: headerCodec, certificate: certificateCodec }), 1_000_000),
})
export const encodeHeaders = (headers: CertifiedHeader[]): Uint8Array => encode(headersCodec, { headers })
export const decodeHeaders = (bytes: Uint8Array): CertifiedHeader[] => decode(headersCodec, bytes).headers

export function readmeText(kind: BackupKind, from: number, to: number): string {
  const holds =
    kind === 'full'
      ? `the state after block ${to}, and the blocks ${from} to ${to} with receipts and certificates`
      : `the blocks ${from} to ${to} with receipts and certificates. It continues the backup whose manifest has the SHA-256 that \`parent\` in manifest.json names; keep the two beside each other`
  return `# A backup of a Quorate ledger

It holds ${holds}.

To restore it, make a home with \`quorate init --home DIR --genesis genesis.json\` and run
\`quorate backup restore --home DIR --from THIS_FOLDER\`.

Left out on purpose: the node's keys, its consensus log, its settings, and its list of other nodes. Whoever has this backup cannot
sign with it. A validator that ran with an old copy of its consensus log could contradict votes it has forgotten, and be proven
faulty. Keep copies of \`keys/\` and \`config.toml\` elsewhere, and never one of \`data/consensus.log\`.
`
}
