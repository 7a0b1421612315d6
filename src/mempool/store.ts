// What the pool holds and every index over it, kept in step by adding and removing one entry at a time.
import { Chain } from './chain.ts'
import { createExpiry, type Expiry } from './expiry.ts'
import { addToLane, advanceLane, createLane, type Entry, farthest, type Lane, removeFromLane } from './lane.ts'
import { Levels } from './levels.ts'

export interface Store {
  readonly byId: Map<string, Entry>
  readonly byWireHash: Map<string, Entry>
  readonly lanes: Map<string, Lane>
  /** The lanes that hold something executable, in the order of their turns. */
  readonly turns: Chain<Lane>
  /** Lanes by how far their farthest waiting transaction is from running, and by their size. */
  readonly waiting: Levels<Lane>
  readonly sizes: Levels<Lane>
  readonly expiry: Expiry
  bytes(): number
  countFrom(source: string): number
  /** `next` is the sender's next nonce, used where the sender has nothing pending yet. */
  add(entry: Entry, next: number): void
  remove(entry: Entry): void
  /** Sets the sender's next nonce and removes what it has passed. */
  advance(sender: string, next: number): Entry[]
}

/** `onSettled` hears of each lane that changed. */
export function createStore(onSettled: (lane: Lane) => void = () => {}): Store {
  const byId = new Map<string, Entry>()
  const byWireHash = new Map<string, Entry>()
  const lanes = new Map<string, Lane>()
  const counts = new Map<string, number>()
  const turns = new Chain<Lane>()
  const waiting = new Levels<Lane>()
  const sizes = new Levels<Lane>()
  const expiry = createExpiry()
  let bytes = 0

  /** Puts a lane that changed where it now belongs; an empty one goes. */
  function settle(lane: Lane): void {
    if (lane.end === lane.next) turns.remove(lane.turn)
    else if (lane.turn.chain === undefined) turns.push(lane.turn)
    waiting.put(lane.waiting, farthest(lane))
    sizes.put(lane.size, lane.entries.size)
    if (lane.entries.size === 0) lanes.delete(lane.sender)
    onSettled(lane)
  }

  function count(source: string, change: number): void {
    const total = (counts.get(source) ?? 0) + change
    if (total === 0) counts.delete(source)
    else counts.set(source, total)
  }

  /** Takes the entry out of everything but its lane's indexes. */
  function detach(lane: Lane, entry: Entry): void {
    byId.delete(entry.id)
    byWireHash.delete(entry.wireHash)
    bytes -= entry.transaction.wire.length
    count(entry.source, -1)
    expiry.remove(entry)
    removeFromLane(lane, entry.transaction.nonce)
  }

  return {
    byId,
    byWireHash,
    lanes,
    turns,
    waiting,
    sizes,
    expiry,
    bytes: () => bytes,
    countFrom: (source) => counts.get(source) ?? 0,
    add(entry, next) {
      const { sender, wire } = entry.transaction
      let lane = lanes.get(sender)
      if (lane === undefined) {
        lane = createLane(sender, next)
        lanes.set(sender, lane)
      }
      byId.set(entry.id, entry)
      byWireHash.set(entry.wireHash, entry)
      bytes += wire.length
      count(entry.source, 1)
      expiry.add(entry)
      addToLane(lane, entry)
      settle(lane)
    },
    remove(entry) {
      const lane = lanes.get(entry.transaction.sender)!
      detach(lane, entry)
      settle(lane)
    },
    advance(sender, next) {
      const lane = lanes.get(sender)
      if (lane === undefined) return []
      const passed = advanceLane(lane, next)
      for (const entry of passed) detach(lane, entry)
      settle(lane)
      return passed
    },
  }
}
