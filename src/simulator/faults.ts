// Puts a scenario's faults on the timeline. Those of writes are counted and live in disk.ts, those of liars in byzantine.ts, wrong
// executions in harm.ts.
import type { LostBlocks } from './harm.ts'
import type { Host } from './host.ts'
import type { Network } from './network.ts'
import type { Fault, Scenario } from './scenario.ts'
import type { Timeline } from './timeline.ts'

export interface FaultPorts {
  scenario: Scenario
  timeline: Timeline
  hosts: Host[]
  network: Network
  stop(host: Host, downMs: number): void
  loseBlocks(host: Host, fault: LostBlocks): void
  isOver(): boolean
}

export function scheduleFaults(ports: FaultPorts): void {
  for (const fault of ports.scenario.faults) schedule(ports, fault)
}

function schedule(ports: FaultPorts, fault: Fault): void {
  const { timeline, hosts, network, scenario, stop } = ports
  const at = (atMs: number, happen: () => void) =>
    timeline.at(atMs * 1_000, () => {
      if (!ports.isOver()) happen()
    })
  switch (fault.type) {
    case 'crash':
      return at(fault.atMs, () => stop(hosts[fault.node]!, fault.downMs))
    case 'power':
      return at(fault.atMs, () => {
        for (const host of hosts) stop(host, fault.downMs)
      })
    case 'pause': {
      const { machine } = hosts[fault.node]!
      at(fault.atMs, () => machine.pause())
      return at(fault.atMs + fault.forMs, () => machine.resume())
    }
    case 'partition':
      return schedulePartition(at, network, fault)
    case 'clock':
      return at(fault.atMs, () => {
        hosts[fault.node]!.clockOffsetMs += fault.byMs
      })
    case 'slow-disk': {
      const { disk } = hosts[fault.node]!
      at(fault.atMs, () => {
        disk.slowness = fault.factor
      })
      return at(fault.atMs + fault.forMs, () => {
        disk.slowness = 1
      })
    }
    case 'storm':
      at(fault.atMs, () => network.setWeather(fault.weather))
      return at(fault.atMs + fault.forMs, () => network.setWeather(scenario.weather))
    case 'lost-blocks':
      return at(fault.atMs, () => ports.loseBlocks(hosts[fault.node]!, fault))
    case 'wrong-execution':
    case 'write':
    case 'sync-error':
    case 'late':
    case 'byzantine':
      return
  }
}

function schedulePartition(
  at: (atMs: number, happen: () => void) => void,
  network: Network,
  { atMs, forMs, cut, flapMs, isNoticed }: Extract<Fault, { type: 'partition' }>,
): void {
  const spanMs = flapMs > 0 ? flapMs : forMs
  for (let fromMs = atMs; fromMs < atMs + forMs; fromMs += 2 * spanMs) {
    at(fromMs, () => {
      for (const [from, to] of cut) {
        network.cut(from, to)
        if (isNoticed) network.disconnect(from, to)
      }
    })
    at(Math.min(fromMs + spanMs, atMs + forMs), () => {
      for (const [from, to] of cut) network.mend(from, to)
      network.connectAll()
    })
  }
}
