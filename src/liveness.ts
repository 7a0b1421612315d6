// What this node hears of the others, and what that says about the network: who is there, who is missing, can anything commit.
import type { PeerView, ReadyView } from './api/port.ts'
import type { State } from './consensus/state.ts'
import type { Validator } from './types/epoch.ts'
import type { Status } from './types/message.ts'

/** A validator that has not said its STATUS for this long (it does so every second) is missing. */
const MISSING_AFTER_MS = 3_500

interface Heard {
  status: Status
  at: number
}

export interface ConnectedPeer {
  id: string
  validator: string | null
  addresses: string[]
  lastHeardAt: number
}

export interface Liveness {
  onStatus(peer: string, validator: string | null, status: Status, now: number): void
  onGone(peer: string): void
  /** Names of validators that are neither this node nor heard of lately. */
  missing(now: number): string[]
  /** The certified heights peers claim, for the lag shown; never trusted. */
  peers(connected: ConnectedPeer[], certifiedHeight: number, now: number): PeerView[]
}

export function createLiveness(validators: Validator[], self: string | undefined): Liveness {
  const byPeer = new Map<string, Heard>()
  const byValidator = new Map<string, Heard>()

  return {
    onStatus(peer, validator, status, at) {
      byPeer.set(peer, { status, at })
      if (validator !== null && validators.some(({ key }) => key === validator))
        byValidator.set(validator, { status, at })
    },
    onGone(peer) {
      byPeer.delete(peer)
    },
    missing(now) {
      const isMissing = ({ key }: Validator) => key !== self && now - (byValidator.get(key)?.at ?? 0) > MISSING_AFTER_MS
      return validators.filter(isMissing).map(({ name }) => name)
    },
    peers(connected, certifiedHeight) {
      const view = (peer: ConnectedPeer | undefined, validator: Validator | undefined): PeerView => {
        const heard = (peer && byPeer.get(peer.id)) ?? (validator && byValidator.get(validator.key))
        const heardAt = Math.max(peer?.lastHeardAt ?? 0, heard?.at ?? 0)
        return {
          id: peer?.id ?? '',
          validator: validator?.name ?? null,
          addresses: peer?.addresses ?? [],
          connected: peer !== undefined,
          lastHeard: heardAt === 0 ? null : new Date(heardAt).toISOString(),
          height: heard?.status.lastExec ?? null,
          certifiedHeight: heard?.status.h ?? null,
          view: heard?.status.view ?? null,
          lag: heard === undefined ? null : Math.max(0, certifiedHeight - heard.status.h),
        }
      }
      const others = validators.filter(({ key }) => key !== self)
      const strangers = connected.filter((peer) => !others.some(({ key }) => key === peer.validator))
      return [
        ...others.map((validator) =>
          view(
            connected.find((peer) => peer.validator === validator.key),
            validator,
          ),
        ),
        ...strangers.map((peer) => view(peer, undefined)),
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
  missing: string[]
  validators: number
  syncTarget: number | undefined
  fatal: string | undefined
  /** Milliseconds since work was first open with nothing certified, 0 while there is none. */
  waitingMs: number
}

/** Ready means: caught up, and the next transaction can commit. */
export function readiness({ state, missing, validators, syncTarget, fatal, waitingMs }: ReadyInput): ReadyView {
  const where = { missing, phase: phaseOf(state), view: state.view, height: state.h }
  const not = (cause: Exclude<ReadyView, { ready: true }>['cause'], message: string): ReadyView => ({
    ready: false,
    cause,
    message,
    ...where,
  })
  if (fatal !== undefined) return not('DISK', fatal)
  if (state.diverged)
    return not(
      'DIVERGED',
      `block ${state.h + 1} differs from the one a quorum certified; this node only serves what is below`,
    )
  const present = validators - missing.length
  if (present < state.quorum) {
    return not(
      'NO_QUORUM',
      `${present} of ${validators} validators are here, ${state.quorum} are needed; missing: ${missing.join(', ')}`,
    )
  }
  if (syncTarget !== undefined && syncTarget > state.h + state.epoch.parameters.windowBlocks) {
    return not('SYNCING', `at height ${state.h}, fetching up to ${syncTarget}`)
  }
  if (waitingMs > 2 * state.epoch.parameters.progressTimeoutMs) {
    return not('STALLED', `work has been waiting for ${Math.round(waitingMs / 1000)} s without a certified block`)
  }
  return { ready: true }
}
