// What a peer's answer must be before anything of it is executed.
//
// Every block's own certificate is checked here, not only the tip's: a block is stored with its certificate and served to others
// with it, so an unchecked one could not be kept, and asking for it a second time costs more than its q signatures, which are
// checked in the verifier's threads while the executor runs the blocks before. Order makes lies cheap: form, heights and links first,
// then the tip's certificate, which vouches for all below it, then the batches, and the other certificates last.
import { batchDigest } from '../crypto/digest.ts'
import type { Certificate, Header } from '../types/block.ts'
import { blockAnswerCodec, type CertifiedBlock, decodeBatch } from '../types/fetch.ts'
import { DecodeError, decode } from '../types/schema.ts'

export interface CheckPorts {
  /** Why the certificate does not vouch for the header: q distinct signatures over its hash. */
  certificateFault(header: Header, certificate: Certificate): string | undefined | Promise<string | undefined>
  /** Lets other work run. */
  pause(): Promise<void>
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

/** Votes wait for this thread no longer than that while a large answer is checked. */
const SLICE_MS = 5

/** The blocks of an answer to "from this height, at most so many", or why no correct node gives it. The first parent is not looked at. */
export async function checkAnswer(
  ports: CheckPorts,
  answer: Uint8Array,
  from: number,
  limit: number,
): Promise<CertifiedBlock[] | string> {
  try {
    const blocks = decode(blockAnswerCodec, answer)
    return (await blocksFault(ports, blocks, from, limit)) ?? blocks
  } catch (error) {
    if (error instanceof DecodeError) return error.message
    throw error
  }
}

async function blocksFault(
  ports: CheckPorts,
  blocks: CertifiedBlock[],
  from: number,
  limit: number,
): Promise<string | undefined> {
  if (blocks.length > limit) return `${blocks.length} blocks, ${limit} were asked for`
  const links = linksFault(blocks, from)
  if (links !== undefined || blocks.length === 0) return links
  const tip = await certificateFault(ports, blocks.at(-1)!)
  return tip ?? (await batchesFault(ports, blocks)) ?? (await certificatesFault(ports, blocks.slice(0, -1)))
}

/** By the certificates' hashes: that each is its header's hash is checked with the certificate. */
function linksFault(blocks: CertifiedBlock[], from: number): string | undefined {
  for (const [index, { header }] of blocks.entries()) {
    if (header.height !== from + index) return `expected height ${from + index}, got ${header.height}`
    if (index > 0 && header.parentHash !== blocks[index - 1]!.certificate.blockHash)
      return `block ${header.height} does not follow block ${header.height - 1}`
  }
  return undefined
}

async function batchesFault(ports: CheckPorts, blocks: CertifiedBlock[]): Promise<string | undefined> {
  let since = ports.now()
  for (const { header, batch } of blocks) {
    if (batchDigest(decodeBatch(batch)) !== header.batchDigest)
      return `block ${header.height}: its batch is another one`
    if (ports.now() - since < SLICE_MS) continue
    await ports.pause()
    since = ports.now()
  }
  return undefined
}

async function certificatesFault(ports: CheckPorts, blocks: CertifiedBlock[]): Promise<string | undefined> {
  const faults = await Promise.all(blocks.map((block) => certificateFault(ports, block)))
  return faults.find((fault) => fault !== undefined)
}

async function certificateFault(
  ports: CheckPorts,
  { header, certificate }: CertifiedBlock,
): Promise<string | undefined> {
  const fault = await ports.certificateFault(header, certificate)
  return fault === undefined ? undefined : `block ${header.height}: ${fault}`
}
