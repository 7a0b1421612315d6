// Catching up: a node that was off, is new, or missed something fetches certified blocks by height from its peers, checks each one's
// certificate, batch and link to its parent, and hands them to the replica in order. Voting never waits for it.
import { batchDigest, blockHash } from './crypto/digest.ts'
import { FETCH_BLOCKS_MAX, FETCH_BYTES_MAX } from './limits.ts'
import type { Certificate, Header } from './types/block.ts'
import {
  type BlockRequest,
  blockAnswerCodec,
  blockRequestCodec,
  type CertifiedBlock,
  decodeBatch,
} from './types/fetch.ts'
import { DecodeError, decode, encode } from './types/schema.ts'

export interface SyncPorts {
  /** Certified height, and executed height with its block's hash. */
  position(): { h: number; lastExec: number }
  blockHashAt(height: number): Promise<string | undefined>
  certificateFault(header: Header, certificate: Certificate): string | undefined
  request(peer: string, payload: Uint8Array, options: { timeoutMs: number; maxBytes: number }): Promise<Uint8Array>
  apply(blocks: CertifiedBlock[]): Promise<void>
  /** A peer gave an answer no correct node gives. */
  blame(peer: string, reason: string): void
  isStopped(): boolean
  /** This node's own failure, not a peer's. */
  onError(error: unknown): void
  now(): number
  after(delayMs: number, callback: () => void): () => void
}

export interface Sync {
  /** A peer said its certified height. */
  onPeerHeight(peer: string, height: number, isValidator?: boolean): void
  onPeerGone(peer: string): void
  /** The certified height this node is fetching towards, or undefined while it follows live. */
  target(): number | undefined
  stop(): void
}

const REQUEST_TIMEOUT_MS = 5_000
/** Live certificates usually arrive a moment after the STATUS that announces them: fetching waits that long first. */
const PATIENCE_MS = 300
/** A peer that failed is asked again after this long. */
const RETRY_MS = 2_000
const FAILURES_MAX = 1_000

export function createSync(ports: SyncPorts): Sync {
  const heights = new Map<string, number>()
  /** Validators are asked before strangers, whose names cost nothing. */
  const validators = new Set<string>()
  const failedUntil = new Map<string, number>()
  /** Failures since a peer's last good answer: whoever failed least is asked first, so that slow liars never crowd out an honest peer. */
  const failures = new Map<string, number>()
  let stopped = false
  let running = false
  let target: number | undefined
  let cancel: (() => void) | undefined

  const failuresOf = (peer: string) => failures.get(peer) ?? 0
  const rankOf = (peer: string) => failuresOf(peer) + (validators.has(peer) ? 0 : FAILURES_MAX + 1)
  const isOver = () => stopped || ports.isStopped()

  /** The best peer that is ahead and has not just failed. */
  function bestPeer(): [peer: string, height: number] | undefined {
    let best: [string, number] | undefined
    for (const [peer, height] of heights) {
      if (height <= ports.position().h || (failedUntil.get(peer) ?? 0) > ports.now()) continue
      const fewer = best === undefined ? -1 : rankOf(peer) - rankOf(best[0])
      if (best === undefined || fewer < 0 || (fewer === 0 && height > best[1])) best = [peer, height]
    }
    return best
  }

  function onPeerHeight(peer: string, height: number, isValidator = false): void {
    heights.set(peer, height)
    if (isValidator) validators.add(peer)
    if (stopped || running || cancel !== undefined || height <= ports.position().h) return
    const seen = ports.position().h
    cancel = ports.after(PATIENCE_MS, () => {
      cancel = undefined
      const { h } = ports.position()
      if (h === seen || height - h > FETCH_BLOCKS_MAX / 4) run().catch(ports.onError)
    })
  }

  async function run(): Promise<void> {
    if (running) return
    running = true
    try {
      for (let best = bestPeer(); best !== undefined && !isOver(); best = bestPeer()) {
        const [peer, height] = best
        // Only a peer that has just delivered is believed: anyone can claim a height.
        target = (await fetchFrom(peer)) ? height : undefined
      }
    } finally {
      running = false
      target = undefined
    }
  }

  /** One round trip: a failure sets the peer aside and the next one is asked. */
  async function fetchFrom(peer: string): Promise<boolean> {
    const before = ports.position().h
    const blocks = await ask(peer, before + 1)
    const fault = typeof blocks === 'string' ? blocks : await chainFault(blocks, before + 1)
    if (typeof blocks !== 'string' && fault === undefined && !isOver()) await ports.apply(blocks)
    if (fault !== undefined) ports.blame(peer, `it answered a block request wrongly: ${fault}`)
    if (fault === undefined && ports.position().h > before) {
      failures.delete(peer)
      return true
    }
    failures.set(peer, Math.min(failuresOf(peer) + 1, FAILURES_MAX))
    failedUntil.set(peer, ports.now() + RETRY_MS)
    return false
  }

  /** The peer's answer, none where it could not be reached in time, or why it is malformed. */
  async function ask(peer: string, from: number): Promise<CertifiedBlock[] | string> {
    const payload = encode(blockRequestCodec, { from, limit: FETCH_BLOCKS_MAX })
    const limits = { timeoutMs: REQUEST_TIMEOUT_MS, maxBytes: 2 * FETCH_BYTES_MAX }
    const answer = await ports.request(peer, payload, limits).catch(() => undefined)
    if (answer === undefined) return []
    try {
      const blocks = decode(blockAnswerCodec, answer)
      for (const { batch } of blocks) decodeBatch(batch)
      return blocks
    } catch (error) {
      if (error instanceof DecodeError) return error.message
      throw error
    }
  }

  /** Why these are not the next blocks of this chain, or undefined when they are. */
  async function chainFault(blocks: CertifiedBlock[], from: number): Promise<string | undefined> {
    let parent = await ports.blockHashAt(from - 1)
    for (const [index, { header, certificate, batch }] of blocks.entries()) {
      if (header.height !== from + index) return `expected height ${from + index}, got ${header.height}`
      if (header.parentHash !== parent) return `block ${header.height} does not follow block ${header.height - 1}`
      const fault = ports.certificateFault(header, certificate)
      if (fault !== undefined) return `block ${header.height}: ${fault}`
      if (batchDigest(decodeBatch(batch)) !== header.batchDigest)
        return `block ${header.height}: its batch is another one`
      parent = blockHash(header)
    }
    return undefined
  }

  return {
    onPeerHeight,
    onPeerGone(peer) {
      heights.delete(peer)
      validators.delete(peer)
      failedUntil.delete(peer)
      failures.delete(peer)
    },
    target: () => target,
    stop() {
      stopped = true
      cancel?.()
    },
  }
}

export interface BlockSource {
  certifiedHeight(): number
  header(height: number): Promise<Header | undefined>
  batch(height: number): Promise<Uint8Array | undefined>
  certificate(height: number): Promise<Certificate | undefined>
}

/** Answers a block request: consecutive certified blocks, bounded in number and bytes. Throws DecodeError on a malformed request. */
export async function answerBlockRequest(ledger: BlockSource, payload: Uint8Array): Promise<Uint8Array> {
  const { from, limit }: BlockRequest = decode(blockRequestCodec, payload)
  const blocks: CertifiedBlock[] = []
  const last = Math.min(ledger.certifiedHeight(), from + Math.min(limit, FETCH_BLOCKS_MAX) - 1)
  let bytes = 0
  for (let height = from; height <= last && bytes < FETCH_BYTES_MAX; height++) {
    const [header, certificate] = [await ledger.header(height), await ledger.certificate(height)]
    const batch = await ledger.batch(height)
    if (header === undefined || certificate === undefined || batch === undefined) break
    if (blocks.length > 0 && bytes + batch.length > FETCH_BYTES_MAX) break
    bytes += batch.length
    blocks.push({ header, certificate, batch })
  }
  return encode(blockAnswerCodec, blocks)
}
