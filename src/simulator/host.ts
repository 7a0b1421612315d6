// A host: a machine with its disk, its clock and what it keeps over restarts, and the node that runs on it while it is on. A faulty
// validator's twins are two hosts with one key.
import type { Effects, Event } from '../consensus/event.ts'
import type { ProposalPool } from '../proposing.ts'
import { type Message, messageCodec } from '../types/message.ts'
import { DecodeError, decode } from '../types/schema.ts'
import type { Liar } from './byzantine.ts'
import { createDisk, type Disk, type WriteFault } from './disk.ts'
import type { Execution } from './execution.ts'
import { createDelayedVerifier } from './keys.ts'
import { createLedgerFile, type LedgerWatch, openSimulatedLedger } from './ledger.ts'
import type { Machine } from './machine.ts'
import type { Channel, Endpoint, Network } from './network.ts'
import { EPOCH_START_MS, type Setup } from './network-setup.ts'
import { createNode, type NodeNetwork, type NodeWatch, type SimulatedNode } from './node.ts'
import { createRandom } from './random.ts'
import type { Remains, Scenario } from './scenario.ts'
import type { Timeline } from './timeline.ts'
import { createLogFile, type Keeping, openVoteLog } from './vote-log.ts'

export interface Host {
  readonly number: number
  readonly validator: number
  readonly machine: Machine
  readonly disk: Disk
  readonly ledger: ReturnType<typeof createLedgerFile>
  node: SimulatedNode | undefined
  /** Wall clock less true time. */
  clockOffsetMs: number
  start(): void
  /** The power goes; `remains` is what is left of the write under way. */
  stop(remains?: Remains): void
}

export interface HostOptions {
  number: number
  validator: number
  scenario: Scenario
  setup: Setup
  execution: Execution
  timeline: Timeline
  machine: Machine
  network(): Network
  /** The other hosts, and which of them this one may reach. */
  peers(): number[]
  hostsOf(validator: number): number[]
  validatorOf(host: number): number
  liar: Liar | undefined
  isCensor: boolean
  writeFaults: WriteFault[]
  onPowerLoss(fault: WriteFault): void
  watch: HostWatch
}

/** What the checkers hear of a host. */
export interface HostWatch extends LedgerWatch {
  onStep(event: Event, effects: Effects): void
  onSend(message: Message): void
  onReport: NodeWatch['onReport']
  onFatal(error: unknown): void
  onBlame(peer: number, reason: string): void
  onRecords(records: readonly Uint8Array[], keeping: Keeping): void
}

const VERIFY_US = 300
const EXECUTE_US = 500
/** How long a correct node shuns a peer that misbehaved. */
const BAN_MS = 10_000

export function createHost(options: HostOptions): Host {
  const { number, validator, scenario, setup, timeline, machine, liar, watch } = options
  const random = createRandom(scenario.seed, 3, number)
  const disk = createDisk({ machine, random, faults: options.writeFaults, onPowerLoss: options.onPowerLoss })
  const logFile = createLogFile(random)
  const ledger = createLedgerFile(setup.execution.genesis)
  const wait = (delayUs: number) =>
    new Promise<void>((resolve) => {
      machine.after(delayUs, resolve)
    })

  function post(to: number, channel: Channel, frame: Uint8Array, message?: Message): void {
    if (liar === undefined) return options.network().send(number, to, channel, frame)
    const letter = { to, channel, frame, message: message ?? readMessage(channel, frame), delayUs: 0 }
    for (const each of liar.tamper(letter))
      options.network().send(number, each.to, each.channel, each.frame, each.delayUs)
  }

  const nodeNetwork: NodeNetwork = {
    peers: () => options.peers().filter((peer) => options.network().isConnected(number, peer)),
    validatorOf: options.validatorOf,
    sendToValidator(receiver, channel, frame, message) {
      for (const peer of options.hostsOf(receiver)) post(peer, channel, frame, message)
    },
    send: post,
    request: (peer, payload, timeoutMs) => options.network().request(number, peer, payload, timeoutMs),
    drop(peer, reason) {
      watch.onBlame(peer, reason)
      options.network().disconnect(number, peer, BAN_MS)
    },
  }

  function open(): SimulatedNode {
    const { log, records } = openVoteLog({
      file: logFile,
      disk,
      random,
      rewriteBytes: scenario.logRewriteBytes,
      onDurable: watch.onRecords,
    })
    return createNode({
      genesisHash: setup.genesisHash,
      epoch: setup.epoch,
      validatorsHash: setup.validatorsHash,
      self: validator,
      key: setup.keys[validator]!,
      scheme: setup.scheme,
      verifier: createDelayedVerifier(setup.scheme.verify, () => wait(VERIFY_US * random.next())),
      log,
      records,
      ledger: openSimulatedLedger(ledger, disk, watch),
      execution: options.execution,
      executing: () => wait(EXECUTE_US * (0.5 + random.next())),
      now: () => EPOCH_START_MS + Math.floor(timeline.now() / 1_000) + host.clockOffsetMs,
      monotonic: () => Math.floor(timeline.now() / 1_000),
      after: (delayMs, callback) => machine.after(delayMs * 1_000, callback),
      network: nodeNetwork,
      watch: { ...watch, onSend: ({ message }) => watch.onSend(message) },
      poolOf: options.isCensor ? censored : undefined,
    })
  }

  const host: Host = {
    number,
    validator,
    machine,
    disk,
    ledger,
    node: undefined,
    clockOffsetMs: scenario.skewsMs[validator] ?? 0,
    start() {
      if (machine.isOn()) return
      machine.start()
      try {
        host.node = open()
        host.node.start()
      } catch (error) {
        watch.onFatal(error)
      }
    },
    stop(remains) {
      if (!machine.isOn()) return
      disk.losePower(remains)
      machine.stop()
      host.node = undefined
      options.network().disconnectFromAll(number)
    },
  }
  return host
}

/** The endpoint of whatever runs on the host at the moment. */
export function endpointOf(host: Host, liar: Liar | undefined): Endpoint {
  return {
    onFrame(from, channel, frame) {
      liar?.onReceived(channel, frame)
      host.node?.onFrame(from, channel, frame)
    },
    async onRequest(from, payload) {
      if (host.node === undefined) throw new Error('nothing runs here')
      const answer = await host.node.onRequest(from, payload)
      return liar === undefined ? answer : liar.tamperAnswer(answer)
    },
    onConnect: (peer) => host.node?.onConnect(peer),
    onDisconnect: (peer) => host.node?.onDisconnect(peer),
  }
}

/** Never proposes what the first client sends. */
function censored(pool: ProposalPool): ProposalPool {
  let victim: string | undefined
  return {
    ...pool,
    select(...args) {
      const selected = pool.select(...args)
      victim ??= selected[0]?.sender
      return selected.filter(({ sender }) => sender !== victim)
    },
  }
}

function readMessage(channel: Channel, frame: Uint8Array): Message | undefined {
  if (channel === 'transactions') return undefined
  try {
    return decode(messageCodec, frame)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
