/** How signature checks travel to a worker: one buffer, moved rather than copied, and one byte back for each check. */

export interface PackedItem {
  publicKey: Uint8Array
  message: Uint8Array
  signature: Uint8Array
}

/** `slow` asks for the final verdict, `fast` for native acceptance only. */
export interface WorkerRequest {
  mode: 'fast' | 'slow'
  packed: ArrayBuffer
}

export interface WorkerAnswer {
  accepted: boolean[]
}

const headBytes = 32 + 64 + 4 // Public key, signature, length of the message.

/** Items need well-formed keys and signatures: 32 and 64 bytes. */
export function packItems(items: readonly PackedItem[]): ArrayBuffer {
  let size = 0
  for (const { message } of items) size += headBytes + message.length
  const packed = new ArrayBuffer(size)
  const bytes = new Uint8Array(packed)
  const view = new DataView(packed)
  let offset = 0
  for (const { publicKey, message, signature } of items) {
    bytes.set(publicKey, offset)
    bytes.set(signature, offset + 32)
    view.setUint32(offset + 96, message.length)
    bytes.set(message, offset + headBytes)
    offset += headBytes + message.length
  }
  return packed
}

/** The inverse of `packItems`; the items are views into the buffer. */
export function unpackItems(packed: ArrayBuffer): PackedItem[] {
  const view = new DataView(packed)
  const items: PackedItem[] = []
  let offset = 0
  while (offset < packed.byteLength) {
    const messageBytes = view.getUint32(offset + 96)
    items.push({
      publicKey: new Uint8Array(packed, offset, 32),
      signature: new Uint8Array(packed, offset + 32, 64),
      message: new Uint8Array(packed, offset + headBytes, messageBytes),
    })
    offset += headBytes + messageBytes
  }
  return items
}
