// Finding a snapshot to join by: several peers are asked, and the newest manifest that proves itself is taken. What was being fetched
// before a restart is asked for first.

import type { JoinPorts } from '../join.ts'
import { readManifest } from '../snapshot/verify.ts'
import type { AskSnapshotter } from '../snapshots.ts'
import type { SyncPeer, SyncPeers } from '../sync/peers.ts'
import { snapshotRequestCodec } from '../types/fetch.ts'
import { encode } from '../types/schema.ts'
import type { Manifest } from '../types/snapshot.ts'

export interface FoundManifest {
  manifest: Manifest
  bytes: Uint8Array
}

interface FindPorts
  extends Pick<
    JoinPorts,
    'genesisHash' | 'intervalBlocks' | 'certificateFault' | 'request' | 'blame' | 'after' | 'claimedHeight' | 'position'
  > {
  ask: AskSnapshotter
  peers: SyncPeers
  /** How many peers are connected. */
  known(): number
  isOver(): boolean
  /** What a snapshot must be above to be of use. */
  above: number
}

/** Peers asked at once: with so many, one that lies or has nothing costs no time. */
const ASKED_MAX = 5
const REQUEST_TIMEOUT_MS = 5_000
/** After the first good answer: another peer may have a newer snapshot. */
const PATIENCE_MS = 500
/** Well above what the largest manifest has. */
const MANIFEST_BYTES_MAX = 1024 * 1024
/** A snapshot begun before the restart is worth going on with while it is at most so many intervals old. */
const RESUME_INTERVALS = 10

export async function findManifest(ports: FindPorts): Promise<FoundManifest | undefined> {
  const before = await ports.ask({ kind: 'resumable' })
  const height = before.kind === 'resumable' ? before.height : undefined
  const isRecent = height !== undefined && ports.claimedHeight() - height <= RESUME_INTERVALS * ports.intervalBlocks
  if (isRecent && height > ports.above) {
    const again = await askSeveral(ports, height)
    if (again !== undefined || ports.isOver()) return again
  }
  return askSeveral(ports, 0)
}

/** The newest of what several peers have at that height, 0 for any. */
async function askSeveral(ports: FindPorts, height: number): Promise<FoundManifest | undefined> {
  let best: FoundManifest | undefined
  const asked = new Set<SyncPeer>()
  const { promise: patience, resolve: endPatience } = Promise.withResolvers<void>()
  let cancel: (() => void) | undefined

  async function askOne(peer: SyncPeer): Promise<void> {
    const found = await askPeer(ports, peer, height)
    if (found === undefined || found.manifest.header.height <= ports.above) return
    if (best === undefined || found.manifest.header.height > best.manifest.header.height) best = found
    cancel ??= ports.after(PATIENCE_MS, endPatience)
  }

  const asking: Promise<void>[] = []
  for (
    let peer = ports.peers.pick(ports.above + 1, asked);
    peer !== undefined;
    peer = ports.peers.pick(ports.above + 1, asked)
  ) {
    asked.add(peer)
    asking.push(askOne(peer))
    if (asking.length >= ASKED_MAX) break
  }
  await Promise.race([Promise.all(asking), patience])
  cancel?.()
  return best
}

async function askPeer(ports: FindPorts, peer: SyncPeer, height: number): Promise<FoundManifest | undefined> {
  const payload = encode(snapshotRequestCodec, { type: 'manifest', height })
  const options = { timeoutMs: REQUEST_TIMEOUT_MS, maxBytes: MANIFEST_BYTES_MAX, kind: 'snapshots' } as const
  peer.open++
  try {
    const bytes = await ports.request(peer.id, payload, options).catch(() => undefined)
    if (bytes === undefined) {
      ports.peers.onFailure(peer)
      return undefined
    }
    if (bytes.length === 0 || ports.isOver()) return undefined
    const manifest = await readManifest(ports, bytes)
    const fault =
      typeof manifest === 'string'
        ? manifest
        : height !== 0 && manifest.header.height !== height
          ? `asked for height ${height}, it is of ${manifest.header.height}`
          : undefined
    if (fault === undefined) return { manifest: manifest as Manifest, bytes }
    ports.peers.onFailure(peer)
    if (!ports.isOver()) ports.blame(peer.id, `it answered with a wrong snapshot manifest: ${fault}`)
    return undefined
  } finally {
    peer.open--
  }
}
