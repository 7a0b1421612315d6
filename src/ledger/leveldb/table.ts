// LevelDB's tables (leveldb, doc/table_format.md): data blocks, a filter, an index of the data blocks, a footer; each block with a
// CRC-32C.
//
// LevelDB checks none of these checksums unless asked, and the binding has no option to ask. A flipped bit in a filter, in an index
// or in a block's restart points makes keys unfindable though they are there, and a value's own checksum cannot tell of a value that
// was not found.
import { maskedCrc32c } from './crc32c.ts'
import { unpackSnappy } from './snappy.ts'
import { createFields, Malformed } from './varint.ts'

const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
/** Behind each block: how it is packed (1) and its checksum (4). */
const TRAILER_BYTES = 5

interface Handle {
  offset: number
  bytes: number
}

/** A data block: no key in it is above `last`, which is an internal key. */
export interface DataBlock extends Handle {
  last: Buffer
}

export interface TableIndex {
  blocks: DataBlock[]
}

/** What is wrong with a table, as the end of a sentence. */
export class TableFault extends Error {}

/**
 * The data blocks of a table whose footer, index, list of filters and filter are all intact; throws a TableFault otherwise. Whoever
 * reads entries one after the other needs no filter.
 */
export function readTableIndex(file: Buffer, { needsFilter = true }: { needsFilter?: boolean } = {}): TableIndex {
  return readable(() => {
    const { filters, index } = readFooter(file)
    for (const [, value] of needsFilter ? entriesOf(readBlock(file, filters, 'the list of filters')) : [])
      checkBlock(file, handleOf(value), 'the filter')
    const blocks = [...entriesOf(readBlock(file, index, 'the index'))].map(([last, value]) => {
      return { last: Buffer.from(last), ...handleOf(value) }
    })
    if (blocks.length === 0) throw new TableFault('its index is empty')
    return { blocks }
  })
}

/** Where the list of filters and the index are: behind the data, and behind the filter itself. */
function readFooter(file: Buffer): { filters: Handle; index: Handle } {
  if (file.length < FOOTER_BYTES) throw new TableFault(`it has ${file.length} bytes, fewer than a table's end`)
  const footer = file.subarray(file.length - FOOTER_BYTES)
  if (!footer.subarray(40).equals(MAGIC)) throw new TableFault("its end is not a table's")
  const fields = createFields(footer)
  const filters = { offset: fields.number(), bytes: fields.number() }
  const index = { offset: fields.number(), bytes: fields.number() }
  return { filters, index }
}

/**
 * A table of which only the first and the last data block are read, and all that is behind the data; zeros stand for the rest.
 * `read` fills these bytes of it from the file.
 */
export async function readEnds(bytes: number, read: (file: Buffer, from: number, to: number) => Promise<void>) {
  const file = Buffer.alloc(bytes)
  await read(file, Math.max(0, bytes - FOOTER_BYTES), bytes)
  const { filters } = readable(() => readFooter(file))
  if (filters.offset > bytes - FOOTER_BYTES) throw new TableFault('the list of filters reaches behind its end')
  await read(file, filters.offset, bytes - FOOTER_BYTES)
  const { blocks } = readTableIndex(file, { needsFilter: false })
  for (const block of blocks)
    if (block.offset + block.bytes > filters.offset) throw new TableFault('its index is wrong')
  await read(file, 0, blocks[0]!.offset + blocks[0]!.bytes + TRAILER_BYTES)
  await read(file, blocks.at(-1)!.offset, filters.offset)
  return file
}

/** All entries of one data block, by internal key. */
export const readEntries = (file: Buffer, block: Handle): Generator<[key: Buffer, value: Buffer]> =>
  entriesOf(readBlock(file, block, `the block at byte ${block.offset}`))

export const checkDataBlock = (file: Buffer, block: Handle): void =>
  checkBlock(file, block, `the block at byte ${block.offset}`)

function handleOf(value: Buffer): Handle {
  const fields = createFields(value)
  return { offset: fields.number(), bytes: fields.number() }
}

function checkBlock(file: Buffer, { offset, bytes }: Handle, name: string): void {
  const end = offset + bytes
  if (end + TRAILER_BYTES > file.length) throw new TableFault(`${name} reaches behind its end`)
  if (file.readUInt32LE(end + 1) !== maskedCrc32c(file, offset, end + 1))
    throw new TableFault(`${name} fails its checksum`)
}

function readBlock(file: Buffer, handle: Handle, name: string): Buffer {
  checkBlock(file, handle, name)
  const end = handle.offset + handle.bytes
  const contents = file.subarray(handle.offset, end)
  const packing = file[end]!
  if (packing > 1) throw new TableFault(`${name} is packed in a way that is unknown here (${packing})`)
  const plain = packing === 0 ? contents : unpackSnappy(contents)
  if (plain === undefined) throw new TableFault(`${name} cannot be unpacked`)
  return plain
}

/** Each key shares its beginning with the one before it. The restart points, for searching, follow the entries. */
function* entriesOf(block: Buffer): Generator<[key: Buffer, value: Buffer]> {
  const restarts = block.length < 4 ? 0 : block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restarts
  if (end < 0) throw new TableFault('a block is shorter than its own restart points')
  const fields = createFields(block.subarray(0, end))
  let key = Buffer.alloc(0)
  while (!fields.isAtEnd()) {
    const shared = fields.number()
    const added = fields.number()
    const valueBytes = fields.number()
    if (shared > key.length) throw new TableFault('a key shares more than there is')
    key = Buffer.concat([key.subarray(0, shared), fields.take(added)])
    yield [key, fields.take(valueBytes)]
  }
}

function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof Malformed) throw new TableFault(`it cannot be read: ${error.message}`)
    throw error
  }
}
