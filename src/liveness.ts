// What this node hears of the others, and what that says about the network: who is there, who is missing, behind or of another
// opinion, and whether anything can commit. Silence and standing still are measured on the clock that never jumps.
import type { PeerState, PeerView, ReadyView } from './api/port.ts'
import type { State } from './consensus/state.ts'
import { describeDifference } from './divergence/describe.ts'
import { STATUS_INTERVAL_MS } from './limits.ts'
import type { Difference } from './types/divergence.ts'
import type { Validator } from './types/epoch.ts'
import type { Status } from './types/message.ts'
import { weakQuorumOf } from './types/quorum.ts'

/**
 * How long a node may be silent, or stay behind, before that is said of it. It lies between two STATUSes, so that one that is late or
 * lost turns nothing, and within one timeout and one STATUS interval, so that whoever must be waited for is named by then.
 */
export function suspectAfterMs(progressTimeoutMs: number): number {
  return Math.max(progressTimeoutMs, 2 * STATUS_INTERVAL_MS) + STATUS_INTERVAL_MS / 2
}

/** Beats of this node further apart than this mean that it slept itself: what it did not hear meanwhile says nothing of the others. */
const SLEPT_MS = 2 * STATUS_INTERVAL_MS

interface Heard {
  status: Status
  at: number
  /** Silence counts from here: later than `at` where this node slept. */
  silentFrom: number
  behindSince: number | undefined
}

interface Beat {
  at: number
  view: number
  h: number
  /** The height that f+1 validators claimed by then. */
  claimed: number
}

export interface ConnectedPeer {
  id: string
  validator: string | null
  addresses: string[]
  lastHeardAt: number
}

export interface LivenessOptions {
  validators: Validator[]
  /** The key of this node's own validator. */
  self: string | undefined
  /** The genesis parameter. */
  progressTimeoutMs: number
  /** When this node started, in ms on the clock that never jumps, as every time here unless another is named. */
  startedAt: number
}

export interface Liveness {
  /** This node's own STATUS goes out, once each STATUS interval. */
  onBeat(own: { view: number; h: number }, now: number): void
  onStatus(peer: string, validator: string | null, status: Status, now: number): void
  /** A validator, by its key, signed another block than this node made at this height. */
  onMismatch(validator: string, height: number, now: number): void
  onGone(peer: string): void
  /** Names of the other validators that are not heard of. */
  missing(now: number): string[]
  /** Names of validators that signed another block than the certified one and have not come back from there. */
  diverged(certifiedHeight: number): string[]
  /** The highest certified height that f+1 validators claim, so at least one correct one. */
  claimedHeight(): number
  /** The same of views: where the network is, for a node that takes no part in view changes. */
  claimedView(): number
  /** For how long this node has been below heights claimed so. */
  behindMs(now: number): number
  /** `wallNow` is in ms since 1970. Heights are what peers claim: shown, never trusted. */
  peers(connected: ConnectedPeer[], certifiedHeight: number, now: number, wallNow: number): PeerView[]
}

export function createLiveness({ validators, self, progressTimeoutMs, startedAt }: LivenessOptions): Liveness {
  const toleratedMs = suspectAfterMs(progressTimeoutMs)
  const others = validators.filter(({ key }) => key !== self)
  const weakQuorum = weakQuorumOf(validators.length)
  /** By validator key; nodes that are no validators by peer id, as long as they are connected. */
  const heards = new Map<string, Heard>()
  const mismatches = new Map<string, { height: number; at: number }>()
  let beats: { last: Beat | undefined; before: Beat | undefined } = { last: undefined, before: undefined }
  let ownBehindSince: number | undefined
  let sleptFrom: Beat | undefined

  const isOther = (key: string | null): key is string => key !== null && others.some((other) => other.key === key)

  function isSilent(heard: Heard | undefined, now: number): boolean {
    return heard === undefined || now - heard.silentFrom > toleratedMs
  }

  /** Whoever was there before this node slept has all the time again. */
  function forgiveSleep(now: number): void {
    const { last } = beats
    if (last === undefined || last === sleptFrom || now - last.at <= SLEPT_MS) return
    sleptFrom = last
    for (const heard of heards.values()) if (!isSilent(heard, last.at)) heard.silentFrom = now
  }

  /** The highest number that f+1 validators say, so that at least one correct one does. */
  function claimed(of: (status: Status) => number): number {
    const numbers = others
      .map(({ key }) => heards.get(key))
      .map((heard) => (heard === undefined ? 0 : of(heard.status)))
    return numbers.sort((a, b) => b - a)[weakQuorum - 1] ?? 0
  }
  const claimedHeight = () => claimed(({ h }) => h)

  function isDiverged(key: string, certifiedHeight: number): boolean {
    const mismatch = mismatches.get(key)
    // Below its certificate nobody knows who is right; a validator that certified that height too was mended.
    return mismatch !== undefined && certifiedHeight >= mismatch.height && !isMended(key, mismatch.height)
  }
  const isMended = (key: string, height: number) => (heards.get(key)?.status.h ?? 0) >= height

  function judge(key: string, certifiedHeight: number, now: number): { state: PeerState; since: number | undefined } {
    const heard = heards.get(key)
    if (isDiverged(key, certifiedHeight)) return { state: 'diverged', since: mismatches.get(key)!.at }
    if (isSilent(heard, now)) return { state: 'missing', since: heard?.at ?? startedAt }
    const since = heard?.behindSince
    return since !== undefined && now - since > toleratedMs
      ? { state: 'lagging', since }
      : { state: 'ok', since: undefined }
  }

  return {
    onBeat({ view, h }, at) {
      forgiveSleep(at)
      const { last } = beats
      ownBehindSince = last !== undefined && h < last.claimed ? (ownBehindSince ?? last.at) : undefined
      beats = { last: { at, view, h, claimed: claimedHeight() }, before: last }
    },
    onStatus(peer, validator, status, now) {
      const key = isOther(validator) ? validator : peer
      // Compared with where this node was at least one interval ago: in a busy network everyone trails everyone by a moment.
      const { before } = beats
      const isBehind = before !== undefined && (status.h < before.h || status.view < before.view)
      const behindSince = isBehind ? (heards.get(key)?.behindSince ?? now) : undefined
      heards.set(key, { status, at: now, silentFrom: now, behindSince })
    },
    onMismatch(validator, height, at) {
      if (!isOther(validator)) return
      const earlier = mismatches.get(validator)
      if (earlier === undefined || isMended(validator, earlier.height)) mismatches.set(validator, { height, at })
    },
    onGone(peer) {
      heards.delete(peer)
    },
    missing(now) {
      forgiveSleep(now)
      return others.filter(({ key }) => isSilent(heards.get(key), now)).map(({ name }) => name)
    },
    diverged: (certifiedHeight) => others.filter(({ key }) => isDiverged(key, certifiedHeight)).map(({ name }) => name),
    claimedHeight,
    claimedView: () => claimed(({ view }) => view),
    behindMs: (now) => (ownBehindSince === undefined ? 0 : now - ownBehindSince),
    peers(connected, certifiedHeight, now, wallNow) {
      forgiveSleep(now)
      const timeText = (at: number) => new Date(wallNow - (now - at)).toISOString()
      const view = (key: string, peer: ConnectedPeer | undefined, validator: Validator | undefined): PeerView => {
        const heard = heards.get(key)
        const { state, since } = judge(key, certifiedHeight, now)
        const heardAt = Math.max(peer?.lastHeardAt ?? 0, heard === undefined ? 0 : wallNow - (now - heard.at))
        return {
          id: peer?.id ?? '',
          validator: validator?.name ?? null,
          addresses: peer?.addresses ?? [],
          connected: peer !== undefined,
          state,
          suspectedSince: since === undefined ? null : timeText(since),
          lastHeard: heardAt === 0 ? null : new Date(heardAt).toISOString(),
          height: heard?.status.lastExec ?? null,
          certifiedHeight: heard?.status.h ?? null,
          view: heard?.status.view ?? null,
          phase: heard === undefined ? null : heard.status.active ? 'active' : 'view-change',
          lag: heard === undefined ? null : Math.max(0, certifiedHeight - heard.status.h),
        }
      }
      const peerOf = ({ key }: Validator) => connected.find((peer) => peer.validator === key)
      const strangers = connected.filter((peer) => !isOther(peer.validator))
      return [
        ...others.map((validator) => view(validator.key, peerOf(validator), validator)),
        ...strangers.map((peer) => view(peer.id, peer, undefined)),
      ]
    },
  }
}

/** In which phase the lowest open sequence is. */
export function phaseOf(state: Readonly<State>): string {
  if (state.diverged) return 'diverged'
  if (!state.active) return 'view-change'
  const slot = state.slots.get(state.lastExec + 1)
  if (slot?.committed !== undefined) return 'executing'
  if (slot?.prepared !== undefined) return 'committing'
  if (slot?.accepted.has(state.view)) return 'preparing'
  return state.lastExec > state.h ? 'certifying' : 'idle'
}

export interface ReadyInput {
  state: Readonly<State>
  /** Where the block above the certified height differs from others, as far as that is known. */
  difference: Difference | undefined
  /** From `Liveness`. */
  missing: string[]
  diverged: string[]
  claimedHeight: number
  behindMs: number
  /** The height that is being fetched towards, and how. */
  syncing: { to: number; by: 'blocks' | 'snapshot' } | undefined
  fatal: string | undefined
  /** Milliseconds since work was first open with nothing certified, 0 while there is none. */
  waitingMs: number
}

type Cause = Exclude<ReadyView, { ready: true }>['cause']

/** Ready means: caught up, and the next transaction can commit. */
export function readiness(input: ReadyInput): ReadyView {
  const { state, missing, diverged } = input
  const found = unreadiness(input)
  if (found === undefined) return { ready: true }
  const [cause, message] = found
  const place = { phase: phaseOf(state), view: state.view, height: state.h }
  return { ready: false, cause, message, missing, diverged, ...place, difference: input.difference ?? null }
}

/** The first cause that holds: those a node has by itself, then those of the network, then those that time may mend. */
function unreadiness({ state, difference, fatal, waitingMs, ...heard }: ReadyInput): [Cause, string] | undefined {
  const { validators, parameters } = state.epoch
  if (fatal !== undefined) return ['DISK', fatal]
  if (state.diverged) return ['DIVERGED', divergence(state, difference)]
  const { away, reasons } = absent(state, heard)
  const present = validators.length - away
  if (present < state.quorum) {
    const counts = `${present} of ${validators.length} validators are here and vote, ${state.quorum} are needed`
    return ['NO_QUORUM', `${counts}; ${reasons.join('; ')}`]
  }
  const { syncing } = heard
  const target = Math.max(syncing?.to ?? 0, heard.claimedHeight)
  const isFar = target > state.h + parameters.windowBlocks
  const isStuck = target > state.h && heard.behindMs > suspectAfterMs(parameters.progressTimeoutMs)
  if (syncing?.by === 'snapshot')
    return ['SYNCING', `at height ${state.h}, fetching a snapshot of the state, then the blocks up to ${target}`]
  if (isFar || isStuck) return ['SYNCING', `at height ${state.h}, fetching up to ${target}`]
  if (waitingMs > 2 * parameters.progressTimeoutMs) {
    const seconds = Math.round(waitingMs / 1000)
    const waits = `work has been waiting for ${seconds} s without a certified block, in view ${state.view}`
    return ['STALLED', difference === undefined ? waits : `${waits}; ${splitText(difference)}`]
  }
  return undefined
}

/** Who does not count towards a quorum, as far as this node can know. */
function absent(state: Readonly<State>, { missing, diverged }: Pick<ReadyInput, 'missing' | 'diverged'>) {
  const isFollower = state.self !== undefined && !state.voting
  const reasons = missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]
  if (diverged.length > 0) reasons.push(`diverged: ${diverged.join(', ')}`)
  if (isFollower) reasons.push(`this node, ${state.epoch.validators[state.self!]!.name}, only follows`)
  return { away: new Set([...missing, ...diverged]).size + (isFollower ? 1 : 0), reasons }
}

export function divergence(state: Readonly<State>, difference: Difference | undefined): string {
  const height = difference?.height ?? state.h + 1
  const fact = `block ${height} differs from the one a quorum certified; this node only serves what is below`
  return difference === undefined ? fact : `${fact}; ${describeDifference(difference)}`
}

/** No quorum made one block, so nobody is known to be right. */
const splitText = (difference: Difference): string =>
  `validators made different blocks of the same batch, none with a quorum; ${describeDifference(difference)}`
