// Joining by a snapshot over a fake network in fast time; the files are real. Whatever peers answer, only the certified state gets in.
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as pathOf } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createJoin } from '../src/join.ts'
import { type Incoming, openIncoming, readIncoming } from '../src/snapshot/incoming.ts'
import type { AskSnapshotter } from '../src/snapshots.ts'
import { type SnapshotRequest, snapshotRequestCodec } from '../src/types/fetch.ts'
import { decode, encode } from '../src/types/schema.ts'
import { manifestCodec } from '../src/types/snapshot.ts'
import { rules, snapshotOf, stateOf } from './snapshot/support.ts'

const INTERVAL = 100
const TIP = 1_234
const newest = snapshotOf(stateOf(200), 1_200, 4)
const older = snapshotOf(stateOf(190), 1_100, 4)
const CHUNKS = 16

type Answer = (request: SnapshotRequest) => Uint8Array | Promise<Uint8Array>
const NOTHING = new Uint8Array()
const from =
  (...snapshots: (typeof newest)[]): Answer =>
  (request) => {
    const found = snapshots.find(({ manifest }) => request.height === 0 || manifest.header.height === request.height)
    if (found === undefined) return NOTHING
    if (request.type === 'manifest') return found.manifestBytes
    return request.depth === found.manifest.depth ? found.chunks[request.index]! : NOTHING
  }
const honest = from(newest, older)
const onChunks =
  (lie: (request: Extract<SnapshotRequest, { type: 'chunk' }>) => Uint8Array | Promise<Uint8Array>): Answer =>
  (request) =>
    request.type === 'manifest' ? honest(request) : lie(request)
/** Where a leaf's neighbour is empty the root does not say which of the two places the leaf has. */
function movedLeaf(): typeof newest {
  const snapshot = snapshotOf(stateOf(200), 1_200, 10)
  const { subtrees } = snapshot.manifest
  const at = subtrees.findIndex(({ kind }, index) => kind === 1 && index % 2 === 0 && subtrees[index + 1]!.kind === 0)
  const moved = subtrees.with(at, subtrees[at + 1]!).with(at + 1, subtrees[at]!)
  return { ...snapshot, manifestBytes: encode(manifestCodec, { ...snapshot.manifest, subtrees: moved }) }
}
const flipped = (bytes: Uint8Array) => {
  const copy = Uint8Array.from(bytes)
  copy[copy.length - 1]! ^= 1
  return copy
}
const never = () => new Promise<never>(() => {})

/** No correct node answers so: the peer is dropped. */
const lies: Record<string, Answer> = {
  'another chunk': onChunks(({ index }) => newest.chunks[(index + 1) % CHUNKS]!),
  'the chunk of another height': onChunks(({ index }) => older.chunks[index]!),
  'a truncated chunk': onChunks(({ index }) => newest.chunks[index]!.subarray(0, 40)),
  'a chunk with one bit changed': onChunks(({ index }) => flipped(newest.chunks[index]!)),
  'a chunk without entries': onChunks(() => snapshotOf(new Map(), 1_200, 4).chunks[0]!),
  'garbage for chunks': onChunks(() => Uint8Array.of(1, 2, 3)),
  'garbage for a manifest': () => Uint8Array.of(1, 2, 3),
  'an edited manifest': () => flipped(newest.manifestBytes),
  'a manifest nobody certified': () => {
    const { manifest } = snapshotOf(stateOf(3), 1_300, 1)
    const signatures = manifest.certificate.signatures.slice(1)
    return encode(manifestCodec, { ...manifest, certificate: { ...manifest.certificate, signatures } })
  },
}
/** Of no use, and no proof of anything. */
const useless: Record<string, Answer> = {
  'no answer to anything': never,
  'no answer for chunks': onChunks(never),
  'a refusal': () => Promise.reject(new Error('busy')),
  'a refusal of chunks': onChunks(() => Promise.reject(new Error('busy'))),
  'no snapshot': () => NOTHING,
  'no chunks': onChunks(() => NOTHING),
  'an older snapshot only': from(older),
}

describe('joining by a snapshot', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(pathOf(tmpdir(), 'quorate-join-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** So much more time passes for the join. */
  const FASTER = 50

  function world(
    peers: Record<string, Answer>,
    options: {
      h?: number
      claimed?: number
      stopped?: () => boolean
      fails?: (kind: string) => boolean /** Requests never run out of time. */
      isPatient?: boolean
    } = {},
  ) {
    const start = performance.now()
    const now = () => (performance.now() - start) * FASTER
    const blamed: [peer: string, reason: string][] = []
    const requests: { peer: string; request: SnapshotRequest }[] = []
    const holds: boolean[] = []
    const errors: string[] = []
    const timers = new Set<NodeJS.Timeout>()
    let incoming: Incoming | undefined
    let built: number | undefined
    const after = (delayMs: number, callback: () => void) => {
      const timer = setTimeout(callback, delayMs / FASTER)
      timers.add(timer)
      return () => clearTimeout(timer)
    }
    /** One after the other, like the worker. */
    let last: Promise<unknown> = Promise.resolve()
    const ask = ((question: Parameters<AskSnapshotter>[0]) => {
      const answered = last.then(() => answer(question))
      last = answered.catch(() => undefined)
      return answered
    }) as AskSnapshotter
    async function answer(question: Parameters<AskSnapshotter>[0]) {
      if (options.fails?.(question.kind)) throw new Error('ENOSPC: no space left on device, write')
      switch (question.kind) {
        case 'resumable':
          return { kind: 'resumable', height: (await readIncoming(folder))?.header.height }
        case 'open':
          incoming = await openIncoming(folder, question.manifest)
          return { kind: 'missing', indices: incoming.missing() }
        case 'take':
          return { kind: 'taken', fault: await incoming!.take(question.index, question.bytes) }
        case 'build':
          return { kind: 'built', keys: 0, damaged: undefined }
        case 'discard':
          await rm(folder, { recursive: true })
          return { kind: 'discarded' }
        case 'make':
          throw new Error('it makes none')
      }
    }
    const gone = new Set<string>()
    const position = { h: options.h ?? 0, lastExec: options.h ?? 0 }
    const join = createJoin({
      ...rules,
      intervalBlocks: INTERVAL,
      weakQuorum: 2,
      position: () => position,
      claimedHeight: () => options.claimed ?? TIP,
      request(peer, payload, { timeoutMs }) {
        const request = decode(snapshotRequestCodec, payload)
        requests.push({ peer, request })
        if (gone.has(peer)) return Promise.reject(new Error('the connection closed'))
        return new Promise((resolve, reject) => {
          if (!options.isPatient) after(timeoutMs, () => reject(new Error('no answer in time')))
          Promise.resolve()
            .then(() => peers[peer]!(request))
            .then(resolve, reject)
        })
      },
      ask,
      blame(peer, reason) {
        blamed.push([peer, reason])
        gone.add(peer)
        join.onPeerGone(peer)
      },
      holdBlocks: (isHeld) => holds.push(isHeld),
      onBuilt(height) {
        built = height
      },
      isStopped: options.stopped ?? (() => false),
      onError: ({ message }) => void errors.push(message),
      report() {},
      now,
      after,
    })
    return {
      join,
      blamed,
      requests,
      holds,
      errors,
      built: () => built,
      position,
      say() {
        for (const peer of Object.keys(peers)) if (!gone.has(peer)) join.onPeerHeight(peer, TIP, true)
      },
      /** Peers say their height once a second until something has come of it. */
      async run(isDone = () => built !== undefined, seconds = 200) {
        for (let second = 0; second < seconds && !isDone(); second++) {
          this.say()
          await new Promise((resolve) => setTimeout(resolve, 1_000 / FASTER))
        }
        join.stop()
        if (options.fails === undefined) expect(errors).toEqual([])
        for (const timer of timers) clearTimeout(timer)
      },
    }
  }

  async function expectWhole({ manifest }: typeof newest) {
    expect((await readIncoming(folder))?.header).toEqual(manifest.header)
    expect((await openIncoming(folder, newest.manifestBytes)).missing()).toEqual([])
  }

  it('fetches from all peers and holds blocks meanwhile', async () => {
    const one = world({ a: honest, b: honest, c: honest })
    await one.run()
    expect(one.built()).toBe(1_200)
    await expectWhole(newest)
    const chunks = one.requests.filter(({ request }) => request.type === 'chunk')
    expect(new Set(chunks.map(({ request }) => request.type === 'chunk' && request.index)).size).toBe(CHUNKS)
    expect(new Set(chunks.map(({ peer }) => peer))).toEqual(new Set(['a', 'b', 'c']))
    expect([one.blamed, one.holds]).toEqual([[], [true]])
  })

  it.each(Object.keys(lies))('drops a peer that answers with %s and fetches elsewhere', async (name) => {
    const one = world({ liar: lies[name]!, a: honest, b: honest })
    await one.run()
    expect(one.built()).toBe(1_200)
    await expectWhole(newest)
    expect(one.blamed.map(([peer]) => peer)).toEqual(['liar'])
  })

  it.each(Object.keys(useless))('does without a peer that gives %s, and does not drop it', async (name) => {
    const one = world({ useless: useless[name]!, a: honest, b: honest })
    await one.run()
    expect(one.built()).toBe(1_200)
    await expectWhole(newest)
    expect(one.blamed).toEqual([])
  })

  it('goes over to the newest snapshot when the one it fetches is gone everywhere', async () => {
    let isGone = false
    const vanishing: Answer = (request) => {
      if (!isGone && request.type === 'chunk' && request.index > 5) isGone = true
      return isGone ? from(newest)(request) : from(older)(request)
    }
    const one = world({ a: vanishing, b: vanishing })
    await one.run()
    expect(one.built()).toBe(1_200)
    await expectWhole(newest)
    expect(one.blamed).toEqual([])
    // Whoever says that it has it not is not asked for it again and again.
    expect(
      one.requests.filter(({ request }) => request.type === 'chunk' && request.height === 1_100).length,
    ).toBeLessThan(20)
  })

  /** Certified, and true, but nobody else has it: another height, another cut, or a leaf moved to an empty place beside its own. */
  const ownSnapshots: Record<string, typeof newest> = {
    'a newer one': snapshotOf(stateOf(210), TIP - 1, 5),
    'another cut': snapshotOf(stateOf(200), 1_200, 6),
    'one with a leaf out of its place': movedLeaf(),
  }
  const slowly: Record<string, (chunk: Uint8Array) => Promise<Uint8Array>> = {
    'no chunk of': never,
    // One in four and a half seconds, of which two are asked for at once.
    'now and then a chunk of': (chunk) => new Promise((resolve) => setTimeout(() => resolve(chunk), 90)),
  }
  const traps = Object.keys(slowly).flatMap((how) => Object.keys(ownSnapshots).map((what) => [how, what]))

  it.each(traps)('is not held up by a peer that gives %s %s', async (how, what) => {
    const own = ownSnapshots[what]!
    const trap: Answer = (request) =>
      request.type === 'manifest' ? own.manifestBytes : slowly[how]!(own.chunks[request.index]!)
    // The others answer half a second later.
    const late: Answer = (request) =>
      request.type === 'manifest'
        ? new Promise((resolve) => setTimeout(() => resolve(honest(request) as Uint8Array), 10))
        : honest(request)
    const one = world({ trap, a: late, b: late })
    await one.run(undefined, 120)
    expect(one.built()).toBe(1_200)
    await expectWhole(newest)
    expect(one.blamed.filter(([peer]) => peer !== 'trap')).toEqual([])
  })

  it('takes what f+1 validators have, though one has a newer one', async () => {
    const own = ownSnapshots['a newer one']!
    const one = world({ trap: from(own), a: honest, b: honest })
    await one.run()
    expect(one.built()).toBe(1_200)
  })

  it('takes what a single peer has where no other has any', async () => {
    const one = world({ a: () => NOTHING, b: () => NOTHING, c: honest })
    await one.run()
    expect(one.built()).toBe(1_200)
  })

  it('asks another peer for what is late, and waits for nobody', async () => {
    const one = world({ silent: onChunks(never), a: honest, b: honest }, { isPatient: true })
    await one.run()
    expect(one.built()).toBe(1_200)
    expect(one.requests.some(({ peer, request }) => peer === 'silent' && request.type === 'chunk')).toBe(true)
    // In one go, or a few where this machine is busy: the snapshot was not given up again and again in between.
    const asked = one.requests.filter(({ peer, request }) => peer === 'a' && request.type === 'manifest')
    expect(asked.length).toBeLessThanOrEqual(3)
  })

  it('after a restart asks only for what is missing or damaged, of the snapshot it began', async () => {
    const begun = await openIncoming(folder, older.manifestBytes)
    for (let index = 0; index < 12; index++) await begun.take(index, older.chunks[index]!)
    await writeFile(pathOf(folder, 'chunk-4'), flipped(older.chunks[4]!))
    const one = world({ a: honest, b: honest })
    await one.run()
    expect(one.built()).toBe(1_100)
    const asked = one.requests.flatMap(({ request }) => (request.type === 'chunk' ? [request.index] : []))
    expect([...new Set(asked)].sort((a, b) => a - b)).toEqual([4, 12, 13, 14, 15])
  })

  it('falls back to blocks where nobody has a snapshot, and tries again later', async () => {
    let has = false
    const late: Answer = (request) => (has ? honest(request) : NOTHING)
    const one = world({ a: late, b: late })
    await one.run(() => one.holds.length >= 2, 50)
    expect([one.built(), one.holds.slice(0, 2)]).toEqual([undefined, [true, false]])
    has = true
    const again = world({ a: late, b: late })
    await again.run()
    expect(again.built()).toBe(1_200)
  })

  it.each([
    ['a small gap', { h: TIP - 2 * INTERVAL }],
    ['nothing claimed by enough validators', { claimed: 150 }],
    ['a node that diverged or was told to fetch blocks', { stopped: () => true }],
  ])('is not for %s', async (_, options) => {
    const one = world({ a: honest, b: honest }, options)
    await one.run(undefined, 5)
    expect([one.requests, one.holds]).toEqual([[], []])
  })

  it.each(['open', 'take', 'build'] as const)(
    'a full disk at "%s" ends no node: blocks are fetched instead',
    async (kind) => {
      let isFull = true
      const one = world({ a: honest, b: honest }, { fails: (asked) => isFull && asked === kind })
      await one.run(() => one.holds.length >= 2, 50)
      expect([one.built(), one.holds, one.blamed]).toEqual([undefined, [true, false], []])
      expect(one.errors).toEqual([expect.stringContaining('ENOSPC')])
      // The room is given back to the ledger that is there.
      expect(existsSync(folder)).toBe(false)
      isFull = false
      const again = world({ a: honest, b: honest })
      await again.run()
      expect(again.built()).toBe(1_200)
    },
  )

  it('is for any gap where f+1 validators have pruned the next block', async () => {
    const h = 1_150
    const one = world({ a: honest, b: honest }, { h })
    one.say()
    one.join.onNoBlock('a', h + 1)
    one.join.onNoBlock('a', h + 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([one.requests, one.holds]).toEqual([[], []])
    one.join.onNoBlock('b', h + 1)
    await one.run()
    expect(one.built()).toBe(1_200)
  })

  it('does not take a snapshot that is no gain', async () => {
    const one = world({ a: from(older), b: from(older) }, { h: 1_150, claimed: 1_500 })
    await one.run(() => one.holds.length >= 2, 50)
    expect([one.built(), one.holds]).toEqual([undefined, [true, false]])
  })
})
