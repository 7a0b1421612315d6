/**
 * Contract images as bytes that outlast memory. One that is read back is the evaluated one to the byte, or it counts as absent: an image
 * of another engine or of other code, one cut short or with a flipped bit.
 *
 * CRC-32 of all that follows (4) ‖ version (4) ‖ origin (32) ‖ code hash (32) ‖ pages (4) ‖ length of the shape (4) ‖ shape, as JSON ‖
 * the image's bytes. Numbers are big-endian. The origin is SHA-256 over the engine hash and the base image that loading began from.
 */
import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { type Image, PAGE_BYTES, STACK_TOP } from './image.ts'
import type { ImageCache, ImageStore, LoadedContract } from './images.ts'
import { IMAGE_BYTES_MAX, MEMORY_PAGES_MAX } from './limits.ts'
import type { ContractShape } from './types.ts'

const VERSION = 1
const PAGES_AT = 72
const SHAPE_LENGTH_AT = 76
const SHAPE_AT = 80

/** The images of a store that are of this engine and of the code they are asked for. */
export function createStoredImages(store: ImageStore, base: Image, engineHash: string): ImageCache {
  const { handles } = base
  const origin = createHash('sha256')
    .update(JSON.stringify([engineHash, base.pages, handles]))
    .update(base.bytes)
    .digest()
  const version = Buffer.alloc(4)
  version.writeUInt32BE(VERSION)
  const originOf = (codeHash: string) => Buffer.concat([version, origin, Buffer.from(codeHash, 'hex')])

  return {
    get(codeHash) {
      const bytes = store.get(codeHash)
      if (bytes === undefined) return undefined
      const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      if (file.length < SHAPE_AT || !file.subarray(4, PAGES_AT).equals(originOf(codeHash))) return undefined
      if (file.readUInt32BE(0) !== crc32(file.subarray(4))) return undefined
      return decode(file, handles)
    },
    put(codeHash, { image, shape }) {
      const text = Buffer.from(JSON.stringify(shape))
      const numbers = Buffer.alloc(SHAPE_AT - PAGES_AT)
      numbers.writeUInt32BE(image.pages)
      numbers.writeUInt32BE(text.length, SHAPE_LENGTH_AT - PAGES_AT)
      const file = Buffer.concat([Buffer.alloc(4), originOf(codeHash), numbers, text, image.bytes])
      file.writeUInt32BE(crc32(file.subarray(4)))
      store.put(codeHash, file)
    },
  }
}

/** A checksum is no proof that this program wrote the file: nothing in it may lead outside the machine's memory or end the process. */
function decode(file: Buffer, handles: Image['handles']): LoadedContract | undefined {
  const pages = file.readUInt32BE(PAGES_AT)
  const imageAt = SHAPE_AT + file.readUInt32BE(SHAPE_LENGTH_AT)
  const bytes = file.subarray(imageAt)
  if (pages > MEMORY_PAGES_MAX || STACK_TOP + bytes.length > pages * PAGE_BYTES) return undefined
  if (bytes.length === 0 || bytes.length > IMAGE_BYTES_MAX) return undefined
  try {
    const shape = JSON.parse(file.toString('utf8', SHAPE_AT, imageAt)) as ContractShape
    return { image: { bytes, pages, handles }, shape }
  } catch {
    return undefined
  }
}
