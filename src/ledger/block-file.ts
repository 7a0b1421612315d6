// Block files: consecutive blocks of one network in one file, for moving them between homes and for backups. docs/data.md has the bytes.
//
// File: "QUORBLK1" (8), genesis hash (32), frames. Frame: payload length (4, big-endian), CRC-32 of the payload (4), payload: one
// block in canonical form. The checksum tells an accident; whether a block is the network's only its certificate and its execution
// tell. A file cut off between two frames is a shorter file: nothing in it says how many blocks it was to have.
import { existsSync } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { blockHash } from '../crypto/digest.ts'
import {
  BATCH_TRANSACTIONS_MAX,
  type Certificate,
  certificateCodec,
  type Header,
  headerCodec,
  type Receipt,
  receiptCodec,
} from '../types/block.ts'
import { fromHex, toHex } from '../types/hex.ts'
import { bytes, DecodeError, decode, encode, list, optional, struct } from '../types/schema.ts'

export interface FiledBlock {
  header: Header
  blockHash: string
  /** Null where none was there when the file was written: of block 0, and of the last blocks of a running node. */
  certificate: Certificate | null
  batch: Uint8Array
  receipts: Receipt[]
}

export type BlockFileErrorCode =
  | 'BLOCK_FILE_EXISTS'
  | 'BLOCK_FILE_FOREIGN'
  | 'BLOCK_FILE_TRUNCATED'
  | 'BLOCK_FILE_DAMAGED'

/** `height` is that of the block that could not be read, where blocks before it say which that is. */
export class BlockFileError extends Error {
  readonly code: BlockFileErrorCode
  readonly height: number | undefined
  constructor(code: BlockFileErrorCode, message: string, height?: number) {
    super(message)
    this.name = 'BlockFileError'
    this.code = code
    this.height = height
  }
}

const MAGIC = Buffer.from('QUORBLK1', 'latin1')
const HEAD_BYTES = MAGIC.length + 32
const FRAME_HEAD_BYTES = 8
const BATCH_BYTES_MAX = 16 * 1024 * 1024
/** Receipts are bounded by the gas of a block, far below this. A reader takes no more memory than the file has bytes, in any case. */
const PAYLOAD_BYTES_MAX = 256 * 1024 * 1024
const WRITE_BYTES = 1024 * 1024
const READ_BYTES = 1024 * 1024

export const filedBlockCodec = struct('quorate/block/1', {
  header: headerCodec,
  certificate: optional(certificateCodec),
  batch: bytes(1, BATCH_BYTES_MAX),
  receipts: list(receiptCodec, BATCH_TRANSACTIONS_MAX),
})

export interface BlockFileWriter {
  /** The next block; throws where it does not follow the one before. */
  append(block: Omit<FiledBlock, 'blockHash'>): Promise<void>
  /** Puts the file under its name, synced. Until then it is called `PATH.partial`. */
  finish(): Promise<{ blocks: number; bytes: number }>
  /** Closes without giving the file its name. */
  abandon(): Promise<void>
}

/** Writes a new file. What an interrupted attempt left is written anew; a file that is there already is refused. */
export async function createBlockFile(path: string, genesisHash: string): Promise<BlockFileWriter> {
  if (existsSync(path)) {
    throw new BlockFileError(
      'BLOCK_FILE_EXISTS',
      `There is a file at ${path} already: remove it, or choose another name.`,
    )
  }
  const partial = `${path}.partial`
  const file = await open(partial, 'w')
  let pending: Uint8Array[] = [MAGIC, fromHex(genesisHash)]
  let pendingBytes = HEAD_BYTES
  let written = 0
  let blocks = 0
  let next: number | undefined

  async function flush(): Promise<void> {
    // Not `write`, which may write less than it is given, as on a disk that is nearly full, and says so only in its result.
    await file.appendFile(Buffer.concat(pending))
    written += pendingBytes
    pending = []
    pendingBytes = 0
  }

  return {
    async append(block) {
      const { header } = block
      if (header.genesisHash !== genesisHash) throw new Error(`Block ${header.height} is of another network.`)
      if (next !== undefined && header.height !== next)
        throw new Error(`Block ${header.height} was put into a block file that expects block ${next}.`)
      next = header.height + 1
      const payload = encode(filedBlockCodec, block)
      if (payload.length > PAYLOAD_BYTES_MAX) throw new Error(`Block ${header.height} is too large for a block file.`)
      const head = Buffer.alloc(FRAME_HEAD_BYTES)
      head.writeUInt32BE(payload.length, 0)
      head.writeUInt32BE(crc32(payload), 4)
      pending.push(head, payload)
      pendingBytes += FRAME_HEAD_BYTES + payload.length
      blocks++
      if (pendingBytes >= WRITE_BYTES) await flush()
    },
    async finish() {
      await flush()
      await file.sync()
      await file.close()
      await rename(partial, path)
      return { blocks, bytes: written }
    },
    async abandon() {
      await file.close()
      await rm(partial, { force: true })
    },
  }
}

/** The blocks of a file in order, each checked for its bytes and its height, not for what it says. Throws BlockFileError. */
export async function* readBlockFile(path: string, genesisHash: string): AsyncGenerator<FiledBlock, void, undefined> {
  const file = await open(path, 'r')
  try {
    const source = createSource(file, (await file.stat()).size)
    await checkHead(source, path, genesisHash)
    let next: number | undefined
    while (source.left() > 0) {
      const block = await readFrame(source, path, next)
      if (block.header.genesisHash !== genesisHash) throw foreign(path, block.header.genesisHash, genesisHash)
      next = block.header.height + 1
      yield block
    }
  } finally {
    await file.close()
  }
}

async function checkHead(source: Source, path: string, genesisHash: string): Promise<void> {
  if (source.left() < HEAD_BYTES) throw truncated(path, 'its head', undefined)
  const head = await source.take(HEAD_BYTES)
  if (!head.subarray(0, MAGIC.length).equals(MAGIC)) {
    const reason = `The file ${path} is no block file: it does not begin with ${MAGIC.toString('latin1')}.`
    throw new BlockFileError(
      'BLOCK_FILE_FOREIGN',
      `${reason} Give one that \`quorate ledger export\` or a backup wrote.`,
    )
  }
  const found = toHex(head.subarray(MAGIC.length))
  if (found !== genesisHash) throw foreign(path, found, genesisHash)
}

/** `expected` is the height that must follow, undefined for the first. */
async function readFrame(source: Source, path: string, expected: number | undefined): Promise<FiledBlock> {
  const which = expected === undefined ? 'its first block' : `block ${expected}`
  const damaged = (reason: string) =>
    new BlockFileError(
      'BLOCK_FILE_DAMAGED',
      `The file ${path} is damaged at ${which}: ${reason}. ${FETCH_AGAIN}`,
      expected,
    )
  if (source.left() < FRAME_HEAD_BYTES) throw truncated(path, which, expected)
  const head = await source.take(FRAME_HEAD_BYTES)
  const length = head.readUInt32BE(0)
  if (length > PAYLOAD_BYTES_MAX)
    throw damaged(`its length says ${length} bytes, at most ${PAYLOAD_BYTES_MAX} are possible`)
  if (source.left() < length) throw truncated(path, which, expected)
  const payload = await source.take(length)
  if (crc32(payload) !== head.readUInt32BE(4)) throw damaged('its checksum does not fit its bytes')
  try {
    const block = decode(filedBlockCodec, payload)
    const { height } = block.header
    if (expected !== undefined && height !== expected) throw damaged(`expected height ${expected}, got ${height}`)
    return { ...block, blockHash: blockHash(block.header) }
  } catch (error) {
    if (error instanceof DecodeError) throw damaged(`it is no block in canonical form (${error.message})`)
    throw error
  }
}

const FETCH_AGAIN = 'Make it again, or copy it again from where it came.'

function truncated(path: string, which: string, height: number | undefined): BlockFileError {
  return new BlockFileError('BLOCK_FILE_TRUNCATED', `The file ${path} ends within ${which}. ${FETCH_AGAIN}`, height)
}

function foreign(path: string, found: string, genesisHash: string): BlockFileError {
  const reason = `its genesis hash is ${found}, expected ${genesisHash}`
  return new BlockFileError(
    'BLOCK_FILE_FOREIGN',
    `The file ${path} holds blocks of another network: ${reason}. Give one of this network.`,
  )
}

/** The bytes of a file from its beginning, read in large pieces. */
interface Source {
  left(): number
  /** Exactly so many; the caller has looked that they are left. What it gives stays valid. */
  take(length: number): Promise<Buffer>
}

function createSource(file: FileHandle, size: number): Source {
  let piece = Buffer.alloc(0)
  let at = 0
  let taken = 0
  return {
    left: () => size - taken,
    async take(length) {
      if (piece.length - at < length) {
        const rest = piece.subarray(at)
        const fresh = Buffer.allocUnsafe(Math.min(Math.max(length, READ_BYTES), size - taken))
        rest.copy(fresh)
        let filled = rest.length
        while (filled < fresh.length) {
          const { bytesRead } = await file.read(fresh, filled, fresh.length - filled)
          if (bytesRead === 0) throw new Error('The file became shorter while it was read.')
          filled += bytesRead
        }
        piece = fresh
        at = 0
      }
      taken += length
      at += length
      return piece.subarray(at - length, at)
    },
  }
}
