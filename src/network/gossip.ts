// Gossip for those without direct links (observers), with what gossipsub leaves to its user: a bound on what one peer may send, and a
// watchdog. Gossipsub can go dead one way for good on a connection that stays open (it lost the one stream it uses); only a new
// connection mends that.
import type { Message } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'
import { createBucket } from './bucket.ts'
import type { Peer, Peers } from './peers.ts'
import { type NetworkLimits, type NetworkLogger, reasonOf, TOPICS, type Topic } from './port.ts'
import type { Swarm } from './swarm.ts'

const BURST_SECONDS = 4
const DEAD_AFTER_MS = 5000

const topicName = (genesisHash: string, topic: Topic): string => `/quorate/${genesisHash}/${topic}/1`

export interface GossipOptions {
  swarm: Swarm
  genesisHash: string
  subscribe: readonly Topic[]
  limits: NetworkLimits
  peers: Peers
  logger: NetworkLogger
  onGossip(peerId: string, topic: Topic, payload: Uint8Array): 'accept' | 'ignore' | 'reject'
  onOffence(peerId: string, reason: string): void
  /** The peer's gossip is dead: its connections are to be closed and opened again. */
  onDead(peer: Peer): void
}

export interface Gossip {
  start(): void
  tick(now: number): void
  publish(topic: Topic, payload: Uint8Array): Promise<void>
  forget(peerId: string): void
}

interface Budget {
  messages: (cost: number, now: number) => boolean
  bytes: (cost: number, now: number) => boolean
  /** Since when gossipsub lacks this peer; 0 while it has it. */
  missingSince: number
}

export function createGossip(options: GossipOptions): Gossip {
  const { limits, peers } = options
  const pubsub = options.swarm.services.pubsub
  const budgets = new Map<string, Budget>()

  function budgetOf(peerId: string): Budget {
    let budget = budgets.get(peerId)
    if (budget === undefined) {
      budget = {
        messages: createBucket(limits.gossipMessagesPerSecond, limits.gossipMessagesPerSecond * BURST_SECONDS),
        bytes: createBucket(limits.gossipBytesPerSecond, limits.gossipBytesPerSecond * BURST_SECONDS),
        missingSince: 0,
      }
      budgets.set(peerId, budget)
    }
    return budget
  }

  function judge(topic: Topic, from: PeerId, message: Message): 'accept' | 'ignore' | 'reject' {
    const peerId = from.toString()
    if (peers.get(peerId) === undefined) return 'ignore'
    if (message.data.length > limits.gossipBytes) {
      options.onOffence(peerId, `gossip: a message of ${message.data.length} bytes`)
      return 'reject'
    }
    const budget = budgetOf(peerId)
    const now = Date.now()
    if (!budget.messages(1, now) || !budget.bytes(message.data.length, now)) return 'ignore'
    try {
      // A copy: what gossipsub hands out is part of a larger buffer.
      const verdict = options.onGossip(peerId, topic, message.data.slice())
      if (verdict === 'reject') options.onOffence(peerId, `gossip: a message on ${topic} that no honest node passes on`)
      return verdict
    } catch (error) {
      options.logger.warn(
        { peer: peerId, topic, reason: reasonOf(error) },
        'The handler of gossip failed; the message is ignored.',
      )
      return 'ignore'
    }
  }

  function start(): void {
    for (const topic of options.subscribe) {
      const name = topicName(options.genesisHash, topic)
      const validate = (from: PeerId, message: Message) => judge(topic, from, message)
      pubsub.topicValidators.set(name, validate as Parameters<typeof pubsub.topicValidators.set>[1])
      pubsub.subscribe(name)
    }
  }

  function tick(now: number): void {
    const outbound = (pubsub as unknown as { streamsOutbound: Map<string, unknown> }).streamsOutbound
    const reachable = new Set(pubsub.getPeers().map((peerId) => peerId.toString()))
    for (const peer of peers.all()) {
      const budget = budgetOf(peer.info.id)
      if (outbound.has(peer.info.id) && reachable.has(peer.info.id)) budget.missingSince = 0
      else if (budget.missingSince === 0) budget.missingSince = now
      else if (now - budget.missingSince > DEAD_AFTER_MS) options.onDead(peer)
    }
  }

  async function publish(topic: Topic, payload: Uint8Array): Promise<void> {
    if (payload.length > limits.gossipBytes) {
      throw new RangeError(
        `A gossip message may have ${limits.gossipBytes} bytes, this one has ${payload.length}; cut it into several.`,
      )
    }
    await pubsub.publish(topicName(options.genesisHash, topic), payload)
  }

  return { start, tick, publish, forget: (peerId) => budgets.delete(peerId) }
}

export const topicNames = (genesisHash: string): string[] => TOPICS.map((topic) => topicName(genesisHash, topic))
