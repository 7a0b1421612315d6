// A ledger that begins in the middle: from the state at a certified height instead of from genesis. Snapshots and backups build on it.
//
// The height becomes the base (docs/data.md): header, certificate and state are there, blocks from the next height on are executed as
// on any ledger. Blocks up to that height may be put beside the state without being executed; the base is then below the first of
// them. The format entry is written last, together with the head, so a folder whose building was interrupted is never opened.
import { mkdir, readdir } from 'node:fs/promises'
import { blockHash } from '../crypto/digest.ts'
import { type Certificate, certificateCodec, type Header, headerCodec } from '../types/block.ts'
import { fromHex } from '../types/hex.ts'
import { encode } from '../types/schema.ts'
import { type BlockToCommit, blockOperations, type Head } from './blocks.ts'
import { LedgerOccupied } from './errors.ts'
import { formatOperation } from './format.ts'
import { historyBounds } from './history.ts'
import { certifiedKey, headKey, heightBytes, heightKey, historyKey, oldestKey, stateKey } from './keys.ts'
import { createStateRoot } from './state-root.ts'
import { type Operation, openStore } from './store.ts'

export interface CertifiedHeader {
  header: Header
  certificate: Certificate
}

/** `certificate` is null for block 0 alone. */
export type BlockToKeep = Omit<BlockToCommit, 'writes'> & { certificate: Certificate | null }

export interface LedgerBuilder {
  /** Adds state entries, `contract NUL key` with JSON text, in any order. Memory: about 130 bytes an entry for the tree. */
  putState(entries: Iterable<readonly [key: string, value: string]>): Promise<void>
  /** Of the entries so far, in hexadecimal. */
  root(): string
  /**
   * Adds whole blocks with their indexes, as they are: consecutive over all calls, the last one that of `finish`. What they did to the
   * state the entries say.
   */
  putBlocks(blocks: readonly BlockToKeep[]): Promise<void>
  /**
   * Makes the folder a ledger whose head this header is, in one synced write, and closes it. Its base is the height below the first
   * block put, whose header must then be in `boundaries`, or that of the head. Refuses a header whose state root is not that of the
   * entries. The signatures are the caller's to check, and so are `boundaries`: the last headers of the epochs before, which light
   * clients need.
   */
  finish(head: CertifiedHeader, boundaries?: CertifiedHeader[]): Promise<void>
  /** Closes without making a ledger. The folder is of no use then: remove it. */
  abandon(): Promise<void>
}

/** State entries in one write: bounded by number and by bytes. */
const BATCH_ENTRIES_MAX = 4_096
const BATCH_BYTES_MAX = 4 * 1024 * 1024

/** Throws LedgerOccupied where the folder has anything in it: what cannot be opened as a ledger may be one that is to be mended. */
export async function refuseOccupied(directory: string): Promise<void> {
  const entries = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (entries.length > 0) throw new LedgerOccupied(directory)
}

/** The folder must be empty or absent: LedgerOccupied otherwise. */
export async function openLedgerBuilder(directory: string, genesisHash: string): Promise<LedgerBuilder> {
  await refuseOccupied(directory)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const store = await openStore(directory)
  const state = createStateRoot()
  let entriesWritten = 0
  let first: Head | undefined
  let last: Head | undefined

  async function write(entries: [string, string][]): Promise<void> {
    if (entries.length === 0) return
    state.add(entries)
    await store.write(
      entries.map(([key, value]) => ({ type: 'put', key: stateKey(key), value: Buffer.from(value, 'utf8') })),
    )
    entriesWritten += entries.length
  }

  return {
    async putState(entries) {
      let batch: [string, string][] = []
      let bytes = 0
      for (const [key, value] of entries) {
        if (!key.isWellFormed() || !value.isWellFormed())
          throw new Error(`The state entry ${JSON.stringify(key)} has a lone surrogate.`)
        batch.push([key, value])
        bytes += key.length + value.length
        if (batch.length < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX) continue
        await write(batch)
        batch = []
        bytes = 0
      }
      await write(batch)
    },
    root: () => state.root(),
    async putBlocks(blocks) {
      const operations: Operation[] = []
      for (const block of blocks) {
        const { header, blockHash: hash, certificate } = block
        const { height } = header
        if (last !== undefined && (height !== last.height + 1 || header.parentHash !== last.blockHash))
          throw new Error(`Block ${height} does not follow block ${last.height}.`)
        if (header.genesisHash !== genesisHash) throw new Error(`Block ${height} is of another network.`)
        if (certificate === null && height > 0) throw new Error(`Block ${height} has no certificate.`)
        last = { height, blockHash: hash }
        first ??= last
        operations.push(...blockOperations(block))
        if (certificate !== null) operations.push(certificateOperation(certificate))
      }
      await store.write(operations)
    },
    async finish(head, boundaries = []) {
      const { height, stateRoot } = head.header
      if (last !== undefined && last.blockHash !== head.certificate.blockHash)
        throw new Error(`The last block put is block ${last.height}, the head is block ${height}.`)
      const base = first === undefined ? height : Math.max(0, first.height - 1)
      if (first !== undefined && first.height > 0 && !boundaries.some(({ header }) => header.height === base))
        throw new Error(`The header of block ${base}, which the blocks follow, is not there.`)
      if (height < 1) throw new Error('A ledger is built on a certified block, and block 0 has no certificate.')
      const root = state.root()
      if (root !== stateRoot) {
        throw new Error(
          `The state given for block ${height} has the root ${root}, ${entriesWritten} entries written, but its header says ${stateRoot}.`,
        )
      }
      for (const { header } of boundaries)
        if (header.height >= height)
          throw new Error(`The header of block ${header.height} is not below the base ${height}.`)
      const operations = [...boundaries, head].flatMap((one) => certifiedHeaderOperations(one, genesisHash))
      const at = heightBytes(height)
      await store.write([
        ...operations,
        { type: 'put', key: headKey, value: Buffer.concat([at, fromHex(blockHash(head.header))]) },
        { type: 'put', key: certifiedKey, value: at },
        ...(base === 0 ? [] : [{ type: 'put' as const, key: oldestKey, value: heightBytes(base) }]),
        { type: 'put', key: historyKey, value: historyBounds({ oldest: height, prunedTo: height + 1 }) },
        formatOperation(genesisHash),
      ])
      await store.close()
    },
    abandon: () => store.close(),
  }
}

function certifiedHeaderOperations({ header, certificate }: CertifiedHeader, genesisHash: string): Operation[] {
  const { height } = header
  const hash = blockHash(header)
  if (header.genesisHash !== genesisHash) throw new Error(`The header of block ${height} is of another network.`)
  if (certificate.height !== height || certificate.blockHash !== hash)
    throw new Error(`The certificate given for block ${height} is of another block.`)
  return [
    {
      type: 'put',
      key: heightKey('header', height),
      value: Buffer.concat([fromHex(hash), encode(headerCodec, header)]),
    },
    certificateOperation(certificate),
  ]
}

const certificateOperation = (certificate: Certificate): Operation => ({
  type: 'put',
  key: heightKey('certificate', certificate.height),
  value: encode(certificateCodec, certificate),
})
