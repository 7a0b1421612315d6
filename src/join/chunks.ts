// Fetching the chunks of one snapshot from several peers at once. A late one is asked of another peer as well, and the first good answer
// counts; one that is not the manifest's costs its sender the connection.
import type { JoinPorts } from '../join.ts'
import { CHUNK_BYTES_GOAL } from '../snapshot/cut.ts'
import type { SyncPeer, SyncPeers } from '../sync/peers.ts'
import { snapshotRequestCodec } from '../types/fetch.ts'
import { encode } from '../types/schema.ts'
import { CHUNK_BYTES_MAX, type Manifest } from '../types/snapshot.ts'

interface ChunkPorts extends Pick<JoinPorts, 'request' | 'ask' | 'blame' | 'now' | 'after'> {
  peers: SyncPeers
  /** Connected peers. */
  known(): ReadonlyMap<string, boolean>
  isOver(): boolean
  manifest: Manifest
  /** The chunks to fetch. */
  indices: number[]
  /** Told how many are left. */
  onProgress(left: number): void
}

interface Wanted {
  index: number
  askers: Set<SyncPeer>
  askedAt: number
}

/** Requests under way, the check of their answers included: so many of the largest chunks are 112 MiB, of usual ones 1. */
const OPEN_MAX = 8
const REQUEST_TIMEOUT_MS = 10_000
/** A chunk that nobody brought in this time is asked of another peer as well. */
const LATE_MS = 2_000
const ASKERS_MAX = 3
/** How far it is, is looked at so often. */
const PACE_MS = 30_000
/** In that time so many bytes, or chunks where they are smaller than usual; what is slower is given up: whoever has it drips. */
const PACE_CHUNKS = PACE_MS / LATE_MS
const PACE_BYTES = PACE_CHUNKS * CHUNK_BYTES_GOAL

/** True once every chunk is there, false where this snapshot cannot be had any more. */
export function fetchChunks(ports: ChunkPorts): Promise<boolean> {
  const { manifest, peers, now } = ports
  const { height } = manifest.header
  const wanted = new Map(
    ports.indices.map((index): [number, Wanted] => [index, { index, askers: new Set(), askedAt: 0 }]),
  )
  /** Peers that do not have this snapshot. */
  const without = new Set<SyncPeer>()
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  let open = 0
  let isDone = false
  let cancelLook: (() => void) | undefined
  let pace = { since: now(), chunks: 0, bytes: 0 }

  function finish(isWhole: boolean): void {
    isDone = true
    cancelLook?.()
    resolve(isWhole)
  }

  function pump(): void {
    if (isDone) return
    if (wanted.size === 0) return finish(true)
    if (ports.isOver() || isTooSlow() || (open === 0 && isNowhere())) return finish(false)
    for (const each of wanted.values()) {
      if (open >= OPEN_MAX) break
      if (!isDue(each)) continue
      const peer = peers.pick(height, new Set([...each.askers, ...without]))
      if (peer !== undefined) void ask(each, peer)
    }
    // Late answers, peers put aside for a while, and a standstill are noticed by looking again.
    cancelLook?.()
    cancelLook = ports.after(LATE_MS, pump)
  }

  function isTooSlow(): boolean {
    if (now() - pace.since < PACE_MS) return false
    const { chunks, bytes } = pace
    pace = { since: now(), chunks: 0, bytes: 0 }
    return chunks < PACE_CHUNKS && bytes < PACE_BYTES
  }

  /** Of the peers there are now, none has it. */
  function isNowhere(): boolean {
    const names = new Set([...without].map(({ id }) => id))
    return [...ports.known().keys()].every((peer) => names.has(peer))
  }

  const isDue = ({ askers, askedAt }: Wanted) =>
    askers.size === 0 || (askers.size < ASKERS_MAX && now() - askedAt >= LATE_MS)

  async function ask(each: Wanted, peer: SyncPeer): Promise<void> {
    each.askers.add(peer)
    each.askedAt = now()
    peer.open++
    open++
    try {
      await fetchOne(each, peer)
    } catch (error) {
      isDone = true
      reject(error as Error)
    } finally {
      each.askers.delete(peer)
      peer.open--
      open--
      pump()
    }
  }

  async function fetchOne({ index, askedAt }: Wanted, peer: SyncPeer): Promise<void> {
    const payload = encode(snapshotRequestCodec, { type: 'chunk', height, depth: manifest.depth, index })
    const options = { timeoutMs: REQUEST_TIMEOUT_MS, maxBytes: CHUNK_BYTES_MAX, kind: 'snapshots' } as const
    const bytes = await ports.request(peer.id, payload, options).catch(() => undefined)
    if (isDone || ports.isOver()) return
    if (bytes === undefined) return peers.onFailure(peer)
    if (bytes.length === 0) return void without.add(peer)
    if (!wanted.has(index)) return
    const taken = await ports.ask({ kind: 'take', index, bytes })
    if (taken.kind !== 'taken') throw new Error('the snapshot worker answered another question')
    if (taken.fault !== undefined) {
      peers.onFailure(peer)
      if (!ports.isOver()) ports.blame(peer.id, `it answered with a wrong chunk of a snapshot: ${taken.fault}`)
      return
    }
    peers.onGood(peer, height, now() - askedAt >= LATE_MS)
    pace.chunks++
    pace.bytes += bytes.length
    wanted.delete(index)
    ports.onProgress(wanted.size)
  }

  pump()
  return promise
}
