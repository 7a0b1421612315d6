// The wires between nodes, in the test's hands: a TCP proxy for every ordered pair, which delays, holds, cuts or resets what passes.
// A cut wire holds everything, the end of a connection included, as a network does that loses packets: TCP sends them again when it heals.
import { connect, createServer, type Server, type Socket } from 'node:net'

export interface Delay {
  ms: number
  jitterMs: number
}

export interface Proxies {
  /** For `createCluster`: the proxy by which `from` dials `to`. */
  route(from: number, to: number, target: { host: string; port: number }): Promise<{ host: string; port: number }>
  /** Each way. */
  delay(delay: Delay | undefined): void
  /** Holds what `from` sends to `to`, whoever dialled, until it is healed. */
  cut(from: number, to: number): void
  heal(): void
  /** Resets every connection that is open. */
  reset(): void
  /** Connections that are open through them now. */
  connections(): number
  close(): Promise<void>
}

const HELD_BYTES_MAX = 4 * 1024 * 1024

export function createProxies(): Proxies {
  const servers = new Set<Server>()
  const sockets = new Set<Socket>()
  const wires = new Set<Wire>()
  const cuts = new Set<string>()
  let delay: Delay | undefined

  const wireKey = (from: number, to: number) => `${from} ${to}`

  function carry(from: number, to: number, source: Socket, target: Socket): void {
    const isCut = () => cuts.has(wireKey(from, to))
    const wire = createWire(source, target, isCut, () => delay)
    wires.add(wire)
    target.once('close', () => wires.delete(wire))
  }

  function take(socket: Socket): void {
    sockets.add(socket)
    socket.setNoDelay(true)
    // What went wrong on one side is told by `close`, which the wire passes on.
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }

  return {
    async route(from, to, target) {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (near) => {
        const far = connect({ ...target, allowHalfOpen: true })
        take(near)
        take(far)
        carry(from, to, near, far)
        carry(to, from, far, near)
        near.resume()
      })
      servers.add(server)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return { host: '127.0.0.1', port: (server.address() as { port: number }).port }
    },
    delay(value) {
      delay = value
    },
    cut: (from, to) => void cuts.add(wireKey(from, to)),
    heal() {
      cuts.clear()
      for (const wire of wires) wire.pump()
    },
    connections: () => sockets.size / 2,
    reset() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await Promise.all([...servers].map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}

interface Wire {
  pump(): void
}

interface Held {
  at: number
  /** Undefined for the end of the stream, null for its abort. */
  bytes: Buffer | undefined | null
}

/** One direction of one connection: what comes from `source` reaches `target` later, in order, and not while it is cut. */
function createWire(source: Socket, target: Socket, isCut: () => boolean, delayNow: () => Delay | undefined): Wire {
  const held: Held[] = []
  let heldBytes = 0
  let timer: NodeJS.Timeout | undefined

  function hold(bytes: Held['bytes']): void {
    const delay = delayNow()
    const wait = delay === undefined ? 0 : delay.ms + (Math.random() * 2 - 1) * delay.jitterMs
    held.push({ at: Math.max(performance.now() + wait, held.at(-1)?.at ?? 0), bytes })
    heldBytes += bytes?.length ?? 0
    if (heldBytes > HELD_BYTES_MAX) source.pause()
    pump()
  }

  function pump(): void {
    clearTimeout(timer)
    while (held.length > 0 && !isCut()) {
      const wait = held[0]!.at - performance.now()
      if (wait > 0) {
        timer = setTimeout(pump, wait)
        return
      }
      pass(held.shift()!.bytes)
    }
    if (heldBytes <= HELD_BYTES_MAX && source.isPaused()) source.resume()
  }

  function pass(bytes: Held['bytes']): void {
    if (target.destroyed) return
    if (bytes === null) target.resetAndDestroy()
    else if (bytes === undefined) target.end()
    else {
      heldBytes -= bytes.length
      target.write(bytes)
    }
  }

  source.on('data', hold)
  source.once('end', () => hold(undefined))
  source.once('close', (hadError) => hadError && hold(null))
  return { pump }
}
