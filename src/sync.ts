// Catching up: a node that was off, is new, or missed something fetches certified blocks by height from several peers at once, checks
// each one's certificate, batch and link to its parent, and hands them to the replica in order. Voting never waits for it.
//
// Ranges of heights are handed out (sync/ranges.ts) to whoever delivered best so far (sync/peers.ts). A late range is asked of another
// peer as well and the first good answer counts, so a slow or lying peer costs a retry elsewhere. What is ahead of the executor is
// bounded in blocks and bytes.
import { FETCH_BLOCKS_MAX, FETCH_BYTES_MAX } from './limits.ts'
import { type CheckPorts, checkAnswer } from './sync/check.ts'
import { createSyncPeers, type SyncPeer } from './sync/peers.ts'
import { createProgress, type ReportProgress } from './sync/progress.ts'
import { type Answer, createRanges, isDue, LATE_MS, type Range } from './sync/ranges.ts'
import { blockRequestCodec, type CertifiedBlock } from './types/fetch.ts'
import { encode } from './types/schema.ts'

export { answerBlockRequest, type BlockSource } from './sync/answer.ts'

export interface SyncPorts {
  /** Certified height, and executed height with its block's hash. */
  position(): { h: number; lastExec: number }
  blockHashAt(height: number): Promise<string | undefined>
  certificateFault: CheckPorts['certificateFault']
  request(peer: string, payload: Uint8Array, options: { timeoutMs: number; maxBytes: number }): Promise<Uint8Array>
  /** Resolves when the blocks are executed; called for the next ones before that. */
  apply(blocks: CertifiedBlock[]): Promise<void>
  /** A peer gave an answer no correct node gives. */
  blame(peer: string, reason: string): void
  isStopped(): boolean
  /** This node's own failure, not a peer's. */
  onError(error: unknown): void
  /** A peer that claims more has no block at this height: it has pruned it. */
  onNoBlock?(peer: string, height: number): void
  /** Told at the start of a catch-up, every few seconds, and at its end. */
  report?: ReportProgress
  now(): number
  after(delayMs: number, callback: () => void): () => void
}

export interface Sync {
  /** A peer said its certified height. */
  onPeerHeight(peer: string, height: number, isValidator?: boolean): void
  onPeerGone(peer: string): void
  /** The certified height this node is fetching towards, or undefined while it follows live. */
  target(): number | undefined
  /** While held nothing is fetched: a snapshot is on its way instead. */
  hold(isHeld: boolean): void
  stop(): void
}

const REQUEST_TIMEOUT_MS = 5_000
/** Live certificates usually arrive a moment after the STATUS that announces them: fetching waits that long first. */
const PATIENCE_MS = 300
/** Batches fetched and not executed yet, counting a whole answer for each request under way. What is needed next may go beyond. */
const AHEAD_BYTES_MAX = 32 * 1024 * 1024
/** Two: while the executor works on one, the next is there already. */
const APPLYING_MAX = 2
/** A tip that was asked for longer ago than this has moved on: heights are claimed once a second, so it is looked for once more. */
const STALE_TIP_MS = 100

export function createSync(ports: SyncPorts): Sync {
  const peers = createSyncPeers(ports.now)
  const ranges = createRanges()
  const progress = createProgress(ports.report, ports.now)
  const timers = new Set<() => void>()
  const checking: CheckPorts = {
    certificateFault: ports.certificateFault,
    pause: () => new Promise((resolve) => after(0, resolve)),
    now: ports.now,
  }
  let stopped = false
  let held = false
  let cancelPatience: (() => void) | undefined
  let willRetry = false
  /** Fetching goes on; while it does not, nothing below is in use. */
  let active = false
  let open = 0
  let heldBytes = 0
  /** The last block handed to the replica. */
  let handed: { height: number; hash: string } | undefined
  let handing = false
  let applying = 0
  /** When the blocks applied last were asked for. */
  let tipAskedAt: number | undefined

  const isOver = () => stopped || ports.isStopped()
  const reached = () => Math.max(ports.position().h, handed?.height ?? 0)
  const pump = () => void advance().catch(ports.onError)

  function after(delayMs: number, callback: () => void): () => void {
    const cancel = ports.after(delayMs, () => {
      timers.delete(cancel)
      callback()
    })
    timers.add(cancel)
    return () => {
      if (timers.delete(cancel)) cancel()
    }
  }

  function onPeerHeight(peer: string, height: number, isValidator = false): void {
    peers.onHeight(peer, height, isValidator)
    if (stopped || held) return
    if (active) return pump()
    if (cancelPatience !== undefined || height <= ports.position().h) return
    const seen = ports.position().h
    cancelPatience = after(PATIENCE_MS, () => {
      cancelPatience = undefined
      const { h } = ports.position()
      if (held || (h !== seen && height - h <= FETCH_BLOCKS_MAX / 4)) return
      active = true
      pump()
    })
  }

  async function advance(): Promise<void> {
    if (!active) return
    if (isOver()) return finish()
    await handOver()
    if (!active || isOver()) return
    ranges.dropTo(reached())
    ranges.cover(reached(), peers.highest())
    askAll()
    progress.step(ports.position().h, target())
    if (open > 0 || handing || applying > 0) return
    if (ranges.all.some(({ answer }) => answer !== undefined)) retryLater()
    else if (!lookForTip()) finish()
  }

  /** Nobody can be asked for what is next, but what follows it is there: not worth giving up. */
  function retryLater(): void {
    if (willRetry) return
    willRetry = true
    after(LATE_MS, () => {
      willRetry = false
      pump()
    })
  }

  function finish(): void {
    if (!active) return
    active = false
    ranges.clear()
    heldBytes = 0
    handed = undefined
    tipAskedAt = undefined
    progress.end(ports.position().h)
  }

  /** Every range that waits for an asker gets one, the lowest first. */
  function askAll(): void {
    for (const range of ranges.all) {
      if (!isDue(range, ports.now())) continue
      const isNext = range === ranges.all[0] && applying === 0
      if (!isNext && heldBytes + (open + 1) * FETCH_BYTES_MAX > AHEAD_BYTES_MAX) return
      const peer = peers.pick(range.from, range.askers)
      if (peer !== undefined) ask(range, peer)
    }
  }

  /** Once the claimed heights are reached: the tip has moved on while these blocks were executed. True while that is being asked. */
  function lookForTip(): boolean {
    if (tipAskedAt === undefined || ports.now() - tipAskedAt < STALE_TIP_MS) return false
    const peer = peers.pickProven()
    if (peer === undefined) return false
    tipAskedAt = undefined
    ranges.cover(reached(), reached() + 1)
    ask(ranges.all[0]!, peer, true)
    return true
  }

  function ask(range: Range, peer: SyncPeer, isLook = false): void {
    const askedAt = ports.now()
    let isLate = false
    range.askers.add(peer)
    range.askedAt = askedAt
    peer.open++
    open++
    const cancelLate = after(LATE_MS, () => {
      isLate = true
      peers.onLate(peer)
      pump()
    })
    fetch(peer.id, range.from, range.to - range.from + 1)
      .then((result) => {
        cancelLate()
        range.askers.delete(peer)
        peer.open--
        open--
        if (stopped) return
        if (typeof result === 'string') fail(peer, result)
        else if (result === undefined) peers.onFailure(peer)
        else if (result.length === 0 && !isLook) onNothing(peer, range)
        else if (result.length > 0) take(range, { peer, blocks: result, bytes: bytesOf(result), askedAt }, isLate)
        pump()
      })
      .catch(ports.onError)
  }

  /** The peer's checked blocks, undefined where it could not be reached in time, or why no correct node answers so. */
  async function fetch(peer: string, from: number, limit: number): Promise<CertifiedBlock[] | string | undefined> {
    const payload = encode(blockRequestCodec, { from, limit })
    const options = { timeoutMs: REQUEST_TIMEOUT_MS, maxBytes: 2 * FETCH_BYTES_MAX }
    const answer = await ports.request(peer, payload, options).catch(() => undefined)
    if (answer === undefined || isOver()) return undefined
    return checkAnswer(checking, answer, from, limit).catch((error: unknown) => {
      // At the end the verifier closes under what is still being checked.
      if (isOver()) return undefined
      throw error
    })
  }

  function take(range: Range, answer: Answer, isLate: boolean): void {
    peers.onGood(answer.peer, answer.blocks.at(-1)!.header.height, isLate)
    if (!active) return
    ranges.fill(range, answer)
    if (range.answer === answer) heldBytes += answer.bytes
  }

  /** It may have pruned what it claims to have. */
  function onNothing(peer: SyncPeer, range: Range): void {
    peers.onFailure(peer)
    ports.onNoBlock?.(peer.id, range.from)
  }

  function fail(peer: SyncPeer, fault: string): void {
    peers.onFailure(peer)
    ports.blame(peer.id, `it answered a block request wrongly: ${fault}`)
  }

  /** Gives the replica what is next, one range more than it works on. */
  async function handOver(): Promise<void> {
    if (handing) return
    handing = true
    try {
      while (applying < APPLYING_MAX && active && !isOver()) {
        ranges.dropTo(reached())
        const range = ranges.all[0]
        if (range?.answer === undefined) return
        const { peer, blocks } = range.answer
        const parent = handed?.height === range.from - 1 ? handed.hash : await ports.blockHashAt(range.from - 1)
        if (ranges.all[0] !== range || isOver()) continue
        if (blocks[0]!.header.parentHash !== parent) {
          fail(peer, `block ${range.from} does not follow this node's block ${range.from - 1}`)
          heldBytes -= range.answer.bytes
          range.answer = undefined
          continue
        }
        const answer = ranges.shift()!
        handed = { height: range.to, hash: blocks.at(-1)!.certificate.blockHash }
        apply(answer, range.to)
      }
    } finally {
      handing = false
    }
  }

  function apply({ blocks, bytes, askedAt }: Answer, to: number): void {
    applying++
    ports
      .apply(blocks)
      .then(() => {
        applying--
        heldBytes = Math.max(0, heldBytes - bytes)
        tipAskedAt = askedAt
        // It stopped, or went another way: what was handed over is not what is executed.
        if (ports.position().h < to) finish()
        pump()
      })
      .catch(ports.onError)
  }

  function target(): number | undefined {
    const highest = active ? peers.highestProven() : 0
    return highest > ports.position().h ? highest : undefined
  }

  return {
    onPeerHeight,
    onPeerGone: peers.onGone,
    target,
    hold(isHeld) {
      held = isHeld
      if (isHeld) finish()
    },
    stop() {
      stopped = true
      finish()
      for (const cancel of timers) cancel()
      timers.clear()
    },
  }
}

const bytesOf = (blocks: CertifiedBlock[]): number => blocks.reduce((sum, { batch }) => sum + batch.length, 0)
