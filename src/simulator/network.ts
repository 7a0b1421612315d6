// The network between simulated nodes: connections that come and go, links that are cut in one direction or both, messages that are
// late, lost, doubled or out of order. Bytes are never changed: connections are authenticated.
import type { Machine } from './machine.ts'
import { createRandom, type Random } from './random.ts'
import type { Weather } from './scenario.ts'
import type { Timeline } from './timeline.ts'

export type Channel = 'consensus' | 'proposals' | 'transactions'

/** The node behind an address, while it runs. */
export interface Endpoint {
  onFrame(from: number, channel: Channel, frame: Uint8Array): void
  onRequest(from: number, payload: Uint8Array): Promise<Uint8Array>
  onConnect(peer: number): void
  onDisconnect(peer: number): void
}

export interface Network {
  send(from: number, to: number, channel: Channel, frame: Uint8Array, delayUs?: number): void
  /** Rejects when there is no connection or no answer in time. */
  request(from: number, to: number, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>
  isConnected(a: number, b: number): boolean
  /** Every pair that may be connected soon is. */
  connectAll(): void
  disconnect(a: number, b: number, banMs?: number): void
  disconnectFromAll(node: number): void
  cut(from: number, to: number): void
  mend(from: number, to: number): void
  setWeather(weather: Weather): void
  /** Every link is whole and quick again, and every connection comes back. */
  heal(): void
}

export interface NetworkOptions {
  seed: number
  size: number
  timeline: Timeline
  machines: Machine[]
  endpoints: (Endpoint | undefined)[]
  weather: Weather
  healedWeather: Weather
  /** Whether two hosts know of each other at all. */
  mayConnect(a: number, b: number): boolean
  /** Everything that arrives, in order: part of the trace. */
  onArrival(from: number, to: number, channel: Channel, frame: Uint8Array): void
}

/** Between machines a message takes at least so long. */
const DELAY_LEAST_US = 100
const CONNECT_US = 3_000
const NOTICE_US = 1_000

export function createNetwork(options: NetworkOptions): Network {
  const { seed, size, timeline, machines, endpoints } = options
  let weather = options.weather
  const randoms: Random[] = []
  const cuts = new Uint16Array(size * size)
  /** Even: no connection. A frame arrives only on the connection that it left on. */
  const connections = new Uint32Array(size * size)
  const bannedUntilUs = new Float64Array(size * size)
  const linkOf = (from: number, to: number) => from * size + to
  const pairOf = (a: number, b: number) => (a < b ? linkOf(a, b) : linkOf(b, a))
  const isConnected = (a: number, b: number) => connections[pairOf(a, b)]! % 2 === 1

  function randomOf(link: number): Random {
    randoms[link] ??= createRandom(seed, 2, link)
    return randoms[link]
  }

  /** Heavy-tailed: one in a hundred takes a hundred times the usual. */
  function delayOf(random: Random): number {
    const tail = weather.delayUs / (1 - random.next() * 0.9999)
    return DELAY_LEAST_US + Math.min(tail, weather.delayMaxMs * 1_000)
  }

  /** Runs `arrive` at the far end once, never, or twice. */
  function carry(from: number, to: number, extraUs: number, arrive: () => void): void {
    const link = linkOf(from, to)
    const random = randomOf(link)
    const pair = pairOf(from, to)
    const connection = connections[pair]!
    const isLost = random.chance(weather.dropRate)
    const copies = random.chance(weather.duplicateRate) ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const delayUs = delayOf(random)
      if (isLost || cuts[link]! > 0 || connection % 2 === 0) continue
      timeline.at(timeline.now() + delayUs + extraUs, () => {
        if (connections[pair] !== connection) return
        machines[to]!.interrupt(arrive)
      })
    }
  }

  function send(from: number, to: number, channel: Channel, frame: Uint8Array, delayUs = 0): void {
    carry(from, to, delayUs, () => {
      options.onArrival(from, to, channel, frame)
      endpoints[to]?.onFrame(from, channel, frame)
    })
  }

  function request(from: number, to: number, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (!isConnected(from, to)) return reject(new Error('no connection'))
      machines[from]!.after(timeoutMs * 1_000, () => reject(new Error('no answer in time')))
      const born = machines[from]!.incarnation()
      carry(from, to, 0, () => {
        const answering = endpoints[to]?.onRequest(from, payload)
        answering?.then(
          (answer) =>
            carry(to, from, 0, () => {
              if (machines[from]!.incarnation() === born) resolve(answer)
            }),
          () => undefined,
        )
      })
    })
  }

  function connect(a: number, b: number): void {
    const pair = pairOf(a, b)
    if (isConnected(a, b) || !machines[a]!.isOn() || !machines[b]!.isOn()) return
    if (bannedUntilUs[pair]! > timeline.now() || cuts[linkOf(a, b)]! + cuts[linkOf(b, a)]! > 0) return
    connections[pair]!++
    for (const [self, peer] of [
      [a, b],
      [b, a],
    ] as const)
      machines[self]!.interrupt(() => endpoints[self]?.onConnect(peer))
  }

  function connectAll(): void {
    for (let a = 0; a < size; a++) {
      for (let b = a + 1; b < size; b++) {
        const delayUs = CONNECT_US + randomOf(linkOf(a, b)).below(CONNECT_US)
        if (!isConnected(a, b) && options.mayConnect(a, b)) timeline.at(timeline.now() + delayUs, () => connect(a, b))
      }
    }
  }

  function disconnect(a: number, b: number, banMs = 0): void {
    const pair = pairOf(a, b)
    bannedUntilUs[pair] = Math.max(bannedUntilUs[pair]!, timeline.now() + banMs * 1_000)
    if (banMs > 0) timeline.at(timeline.now() + banMs * 1_000 + CONNECT_US, () => connect(a, b))
    if (!isConnected(a, b)) return
    connections[pair]!++
    for (const [self, peer] of [
      [a, b],
      [b, a],
    ] as const) {
      timeline.at(timeline.now() + NOTICE_US, () => {
        if (!isConnected(a, b)) machines[self]!.interrupt(() => endpoints[self]?.onDisconnect(peer))
      })
    }
  }

  return {
    send,
    request,
    isConnected,
    connectAll,
    disconnect,
    disconnectFromAll(node) {
      for (let other = 0; other < size; other++) if (other !== node) disconnect(node, other)
    },
    cut: (from, to) => void cuts[linkOf(from, to)]!++,
    mend(from, to) {
      const link = linkOf(from, to)
      if (cuts[link]! > 0) cuts[link]!--
    },
    setWeather(next) {
      weather = next
    },
    heal() {
      cuts.fill(0)
      weather = options.healedWeather
      connectAll()
    },
  }
}
