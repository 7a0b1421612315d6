// A crash after every durable write there was, just before the next one; then everybody else lies, in this view and the next ones.
import type { Event } from '../../src/consensus/event.ts'
import { batchDigest } from '../../src/crypto/digest.ts'
import type { Proposing } from '../../src/proposing.ts'
import { batchCodec } from '../../src/types/block.ts'
import type { CertifiedBlock } from '../../src/types/fetch.ts'
import { encode } from '../../src/types/schema.ts'
import { createPromises } from './promises.ts'
import {
  batchAt,
  changeEvent,
  changeOf,
  createWorld,
  leaderOf,
  type Moment,
  newViewEvent,
  preparedOf,
  proposalOf,
  settle,
  suspectOf,
  voteOf,
  type WorldOptions,
} from './world.ts'

type World = ReturnType<typeof createWorld>
/** How the primaries of later views lie: by what they propose, or by what their NEW-VIEW fixes. */
const LIES = ['proposals', 're-proposals'] as const
type Lie = (typeof LIES)[number]
const VIEWS = [1, 2, 3]

/** Lists the promises that were broken after some crash, and the restarts that failed. */
export async function contradictionsAfterCrashes(
  moments: Moment[],
  known: CertifiedBlock[],
  options: WorldOptions = {},
): Promise<string[]> {
  const found: string[] = []
  const before = createPromises()
  for (const [index, { disk, after, sent }] of moments.entries()) {
    const where = `after crash ${index}, after "${after}"`
    found.push(...sent.flatMap(before.broken).map((fault) => `${fault} before a crash, after "${after}"`))
    for (const lie of LIES) {
      const promises = before.copy()
      const world = createWorld({ ...options, disk, proposing: lyingProposer(options.self) })
      await tempt(world, known, lie)
      await world.replica.stop()
      const faults = world.moments.flatMap((moment) => moment.sent.flatMap(promises.broken))
      for (const fault of [...world.state.fatal.map(String), ...faults]) found.push(`${fault} ${where}`)
    }
  }
  return found
}

/** A validator whose pool changed while it was down: it fills every sequence with something else. */
function lyingProposer(self = 1): Proposing {
  return {
    next({ seq, view }) {
      const batch = { ...batchAt(seq, 'lie', view), proposer: batchAt(1, 'lie', self).proposer }
      return { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) }
    },
    reset() {},
    onExecuted() {},
  }
}

async function tempt(world: World, known: CertifiedBlock[], lie: Lie): Promise<void> {
  const { replica, pushAll, disk, core } = world
  const self = core.state.self!
  const others = [0, 1, 2, 3].filter((index) => index !== self)
  const top = known.length
  // What was executed is history that even liars agree on.
  const height = disk.chain.length
  replica.start()
  await settle()
  askAgain(world)
  pushAll(lyingVotes(others, 0, 1, top))
  await settle()
  pushAll(known.slice(0, height).map(({ certificate }): Event => ({ type: 'certificate', certificate })))
  pushAll(lyingVotes(others, 0, 1, top))
  await settle()
  for (const view of VIEWS) {
    pushAll(others.map((index) => suspectOf(index, view - 1)))
    await settle()
    const prepared = Array.from({ length: top - height }, (_, offset) => {
      const seq = height + 1 + offset
      return preparedOf(seq, batchAt(seq, 'lie', view), view - 1)
    })
    const certified = known[height - 1]
    const changes = others.map((index) => changeOf(index, view, lie === 'proposals' ? [] : prepared, certified))
    pushAll(changes.map(changeEvent))
    if (leaderOf(view) !== self) replica.push(newViewEvent(view, changes))
    for (let seq = 1; seq <= top; seq++) replica.push(bodyOf(seq, view))
    pushAll(lyingVotes(others, view, 1, top))
    await settle()
    askAgain(world)
    await settle()
  }
}

/** Whoever says that it has nothing gets everything that was sent before. */
function askAgain({ replica, core }: World): void {
  const from = core.state.self === 2 ? 3 : 2
  core.onConnect(from)
  replica.push({ type: 'status', from, status: { epoch: 0, view: 0, active: false, h: 0, lastExec: 0 } })
}

function bodyOf(seq: number, view: number): Event {
  const batch = batchAt(seq, 'lie', view)
  return { type: 'body', body: { batch, bytes: encode(batchCodec, batch), digest: batchDigest(batch) } }
}

/** Made once for each view: it is the same after every crash. */
const lies = new Map<string, Event[]>()

/** Something else at every sequence, with all the PREPAREs that a COMMIT for it takes. */
function lyingVotes(others: number[], view: number, from: number, to: number): Event[] {
  const key = [others, view, from, to].join()
  const events: Event[] = []
  const known = lies.get(key)
  if (known !== undefined) return known
  lies.set(key, events)
  for (let seq = from; seq <= to; seq++) {
    const batch = batchAt(seq, 'lie', view)
    if (others.includes(leaderOf(view))) events.push(proposalOf(seq, batch))
    events.push(...others.map((index) => voteOf('prepare', index, seq, batch)))
  }
  return events
}
