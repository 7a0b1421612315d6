// Finding a snapshot to join by: several peers are asked, and of the manifests that prove themselves one is taken. What was being fetched
// before a restart is asked for first.
//
// A true manifest is no promise of its chunks: a peer can make one at a height or by a cut that nobody else has, and then hand out nothing.
// So one that failed before comes last, one that f+1 validators have first, and only then does the newest count.
import { sha256 } from '../crypto/hash.ts'
import type { JoinPorts } from '../join.ts'
import { readManifest } from '../snapshot/verify.ts'
import type { AskSnapshotter } from '../snapshots.ts'
import type { SyncPeer, SyncPeers } from '../sync/peers.ts'
import { ZERO_HASH } from '../types/block.ts'
import { snapshotRequestCodec } from '../types/fetch.ts'
import { toHex } from '../types/hex.ts'
import { encode } from '../types/schema.ts'
import { type Manifest, manifestCodec } from '../types/snapshot.ts'

export interface FoundManifest {
  manifest: Manifest
  bytes: Uint8Array
  /** The same of all manifests with the same chunks, whoever signed the certificate. */
  id: string
}

/** A manifest with those who have it. */
interface Offer extends FoundManifest {
  validators: number
}

interface FindPorts
  extends Pick<
    JoinPorts,
    | 'genesisHash'
    | 'intervalBlocks'
    | 'weakQuorum'
    | 'certificateFault'
    | 'request'
    | 'blame'
    | 'after'
    | 'claimedHeight'
    | 'position'
  > {
  ask: AskSnapshotter
  peers: SyncPeers
  isOver(): boolean
  /** What a snapshot must be above to be of use. */
  above: number
  /** How often one has been tried and could not be had. */
  failuresOf(id: string): number
}

/** Peers asked at once: with so many, one that lies or has nothing costs no time. */
const ASKED_MAX = 5
const REQUEST_TIMEOUT_MS = 5_000
/** After the first good answer: others may have a better one. What failed before is no reason not to wait for all. */
const PATIENCE_MS = 2_000
/** Well above what the largest manifest has. */
const MANIFEST_BYTES_MAX = 1024 * 1024
/** A snapshot begun before the restart is worth going on with while it is at most so many intervals old. */
const RESUME_INTERVALS = 10

function idOf({ header, depth, subtrees }: Manifest): string {
  const certificate = { height: header.height, blockHash: ZERO_HASH, signatures: [] }
  return toHex(sha256(encode(manifestCodec, { header, certificate, depth, subtrees })))
}

export async function findManifest(ports: FindPorts): Promise<FoundManifest | undefined> {
  const before = await ports.ask({ kind: 'resumable' })
  const height = before.kind === 'resumable' ? before.height : undefined
  const isRecent = height !== undefined && ports.claimedHeight() - height <= RESUME_INTERVALS * ports.intervalBlocks
  const again = isRecent && height > ports.above ? await askSeveral(ports, height) : []
  if (ports.isOver() || again.some(({ id }) => ports.failuresOf(id) === 0)) return best(ports, again)
  return best(ports, [...again, ...(await askSeveral(ports, 0))])
}

function best({ weakQuorum, failuresOf }: FindPorts, offers: Offer[]): FoundManifest | undefined {
  const isCommon = ({ validators }: Offer) => Number(validators >= weakQuorum)
  return offers.sort(
    (a, b) =>
      failuresOf(a.id) - failuresOf(b.id) ||
      isCommon(b) - isCommon(a) ||
      b.manifest.header.height - a.manifest.header.height,
  )[0]
}

/** What several peers have at that height; 0 for the newest of each. */
async function askSeveral(ports: FindPorts, height: number): Promise<Offer[]> {
  const offers = new Map<string, Offer>()
  const asked = new Set<SyncPeer>()
  const { promise: patience, resolve: endPatience } = Promise.withResolvers<void>()
  let cancel: (() => void) | undefined

  async function askOne(peer: SyncPeer): Promise<void> {
    const found = await askPeer(ports, peer, height)
    if (found === undefined || found.manifest.header.height <= ports.above) return
    const offer = offers.get(found.id) ?? { ...found, validators: 0 }
    if (peer.isValidator) offer.validators++
    offers.set(found.id, offer)
    if (ports.failuresOf(found.id) === 0) cancel ??= ports.after(PATIENCE_MS, endPatience)
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
  return [...offers.values()]
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
    if (fault === undefined) return { manifest: manifest as Manifest, bytes, id: idOf(manifest as Manifest) }
    ports.peers.onFailure(peer)
    if (!ports.isOver()) ports.blame(peer.id, `it answered with a wrong snapshot manifest: ${fault}`)
    return undefined
  } finally {
    peer.open--
  }
}
