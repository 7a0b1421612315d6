// Joining by a snapshot: a node that is new, or was away for long, fetches the state at a certified height from several peers at once
// instead of executing every block up to there; sync.ts then fetches the blocks after it.
//
// A manifest proves itself (a quorum's certificate), a chunk proves itself against the manifest, so nobody is trusted: a lie costs its
// teller the connection and this node a retry elsewhere. While a snapshot is fetched no blocks are.
import { fetchChunks } from './join/chunks.ts'
import { type FoundManifest, findManifest } from './join/manifest.ts'
import type { AskSnapshotter } from './snapshots.ts'
import { createSyncPeers } from './sync/peers.ts'
import type { Certificate, Header } from './types/block.ts'

export interface JoinPorts {
  genesisHash: string
  /** The genesis parameter. */
  intervalBlocks: number
  /** f+1: among so many validators one is correct. */
  weakQuorum: number
  /** Certified and executed height. */
  position(): { h: number; lastExec: number }
  /** The highest certified height that f+1 validators claim. */
  claimedHeight(): number
  certificateFault(header: Header, certificate: Certificate): string | undefined | Promise<string | undefined>
  request(
    peer: string,
    payload: Uint8Array,
    options: { timeoutMs: number; maxBytes: number; kind: 'snapshots' },
  ): Promise<Uint8Array>
  ask: AskSnapshotter
  /** A peer gave an answer no correct node gives. */
  blame(peer: string, reason: string): void
  /** Fetching blocks stops or goes on. */
  holdBlocks(isHeld: boolean): void
  /** There is a ledger made of a snapshot: the node is to take it and start again on it. */
  onBuilt(height: number): void
  isStopped(): boolean
  /** This node's own failure, not a peer's, a full disk above all. It costs no more than the snapshot: blocks are fetched instead. */
  onError(error: Error): void
  report(detail: object, message: string): void
  /** Milliseconds on a clock that never jumps. */
  now(): number
  after(delayMs: number, callback: () => void): () => void
}

export interface Join {
  /** A peer said its certified height. */
  onPeerHeight(peer: string, height: number, isValidator: boolean): void
  onPeerGone(peer: string): void
  /** A peer that claims more has no block at this height: it has pruned it. */
  onNoBlock(peer: string, height: number): void
  /** The height of the snapshot that is being fetched, or undefined. */
  target(): number | undefined
  stop(): void
}

/** Below so many intervals blocks are fetched: the state has to be fetched whole, blocks only as many as were missed. */
const FAR_INTERVALS = 2
/** After an attempt that came to nothing. */
const RETRY_MS = 30_000
/** After a failure of this node's own: a disk that was full does not fill again at once. */
const OWN_RETRY_MS = 600_000
const REPORT_EVERY_MS = 5_000
/** A snapshot that went away while it was fetched is given up for the newest one so often. */
const ATTEMPTS_MAX = 5
/** So many that failed are remembered. */
const FAILED_MAX = 64

export function createJoin(ports: JoinPorts): Join {
  const peers = createSyncPeers(ports.now)
  /** Connected peers, and whether they are validators. */
  const known = new Map<string, boolean>()
  let unserved = { height: 0, validators: new Set<string>() }
  let retryAt = Number.NEGATIVE_INFINITY
  let current: { to: number } | undefined
  let running = false
  let stopped = false
  const isOver = () => stopped || ports.isStopped()
  /** Snapshots that could not be had, and how often; the newest at the end. */
  const failures = new Map<string, number>()
  const failuresOf = (id: string) => failures.get(id) ?? 0

  function onFailed(id: string): void {
    const count = failuresOf(id) + 1
    failures.delete(id)
    failures.set(id, count)
    if (failures.size > FAILED_MAX) failures.delete(failures.keys().next().value!)
  }

  /** Whether blocks would take far longer, or are nowhere to be had. */
  function isWorthwhile(): boolean {
    const { h } = ports.position()
    const claimed = ports.claimedHeight()
    if (claimed - h > FAR_INTERVALS * ports.intervalBlocks) return true
    return claimed > h && unserved.height === h + 1 && unserved.validators.size >= ports.weakQuorum
  }

  function consider(): void {
    if (running || isOver() || ports.now() < retryAt || !isWorthwhile()) return
    running = true
    ports.holdBlocks(true)
    join()
      .then((isBuilt) => {
        if (!isBuilt) giveUp(RETRY_MS)
      })
      .catch(async (error) => {
        // The worker ends under what it is asked when the node stops.
        if (stopped) return
        ports.onError(error)
        // The ledger that is there needs the room more.
        await ports.ask({ kind: 'discard' }).catch(() => undefined)
        giveUp(OWN_RETRY_MS)
      })
  }

  function giveUp(retryMs: number): void {
    if (stopped) return
    retryAt = ports.now() + retryMs
    current = undefined
    running = false
    ports.holdBlocks(false)
  }

  /** True once there is a ledger to take. */
  async function join(): Promise<boolean> {
    const from = ports.position().h
    current = { to: ports.claimedHeight() }
    for (let attempt = 0; attempt < ATTEMPTS_MAX && !isOver(); attempt++) {
      const found = await findManifest({ ...ports, peers, isOver, above: from, failuresOf })
      if (found === undefined || isOver()) break
      current.to = found.manifest.header.height
      if (await take(from, found)) return true
      onFailed(found.id)
    }
    if (!isOver()) ports.report({ from }, 'no snapshot could be fetched: fetching blocks instead')
    return false
  }

  async function take(from: number, { manifest, bytes }: FoundManifest): Promise<boolean> {
    const { height } = manifest.header
    const opened = await ports.ask({ kind: 'open', manifest: bytes })
    if (opened.kind !== 'missing') throw new Error('the snapshot worker answered another question')
    const all = manifest.subtrees.filter(({ kind }) => kind !== 0).length
    const since = ports.now()
    const figures = (left: number) => ({ from, to: height, chunks: all, missing: left })
    ports.report(figures(opened.indices.length), 'catching up: fetching a snapshot from peers')
    let saidAt = since
    const onProgress = (left: number) => {
      if (ports.now() - saidAt < REPORT_EVERY_MS) return
      saidAt = ports.now()
      ports.report(figures(left), 'catching up: fetching a snapshot from peers')
    }
    let indices = opened.indices
    for (;;) {
      const isWhole = await fetchChunks({ ...ports, peers, known: () => known, isOver, manifest, indices, onProgress })
      if (!isWhole || isOver()) return false
      const fetchedMs = Math.round(ports.now() - since)
      const built = await ports.ask({ kind: 'build' })
      if (built.kind !== 'built') throw new Error('the snapshot worker answered another question')
      if (isOver()) return false
      if (built.damaged !== undefined) {
        indices = [built.damaged]
        continue
      }
      const tookMs = Math.round(ports.now() - since)
      ports.report({ ...figures(0), keys: built.keys, fetchedMs, tookMs }, 'a ledger was made of a snapshot')
      ports.onBuilt(height)
      return true
    }
  }

  return {
    onPeerHeight(peer, height, isValidator) {
      known.set(peer, isValidator)
      peers.onHeight(peer, height, isValidator)
      consider()
    },
    onPeerGone(peer) {
      known.delete(peer)
      peers.onGone(peer)
      unserved.validators.delete(peer)
    },
    onNoBlock(peer, height) {
      if (unserved.height !== height) unserved = { height, validators: new Set() }
      if (known.get(peer) === true) unserved.validators.add(peer)
      consider()
    },
    target: () => current?.to,
    stop() {
      stopped = true
    },
  }
}
