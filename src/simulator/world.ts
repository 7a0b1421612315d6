// One run: a scenario's nodes over virtual time. Everything happens in one process, one event after another; after each event every
// promise that can go on goes on, so the same scenario gives the same run on every machine.
import { type BlockChecks, createBlockChecks } from './blocks.ts'
import { createBoundsCheck } from './bounds.ts'
import { createConspiracy, createLiar } from './byzantine.ts'
import { createClients } from './clients.ts'
import type { WriteFault } from './disk.ts'
import { scheduleFaults } from './faults.ts'
import { createFingerprint } from './fingerprint.ts'
import { createNodeExecution, type LostBlocks, loseBlocks } from './harm.ts'
import { createHost, endpointOf, type Host, type HostWatch } from './host.ts'
import { createMachine } from './machine.ts'
import { createNetwork, type Endpoint, type Network } from './network.ts'
import { createSetup } from './network-setup.ts'
import { HAS_VIEW_CHANGES } from './node.ts'
import { createRandom } from './random.ts'
import { byzantineNodes, harmedNodes, nodesWith, type Scenario } from './scenario.ts'
import { createTimeline } from './timeline.ts'
import type { Rule, Violation } from './violation.ts'
import { createVoteChecks } from './votes.ts'

export interface RunOptions {
  /** Events after which a run is given up. */
  eventsMax?: number
  /** Hears every event that the trace hash covers, one line each. */
  onTrace?(line: string): void
}

export interface RunResult {
  violations: Violation[]
  events: number
  virtualMs: number
  /** The same scenario gives the same one on every machine. */
  trace: string
  height: number
  /** The highest view any correct node was in. */
  view: number
  /** How often correct nodes only followed, and why. */
  followed: { recall: number; divergence: number }
  /** Writes of each validator's disk: where a crash may be placed. */
  writes: number[]
}

const EVENTS_MAX = 400_000
const VIOLATIONS_MAX = 20
/** With more liars than the network tolerates only this can be asked: correct nodes keep their own promises and accuse nobody wrongly. */
const RULES_WHEN_OVERRUN: readonly Rule[] = [
  'double-sign',
  'amnesia',
  'recall',
  'divergence',
  'durability',
  'domain',
  'blame',
]
/** Where nobody can ask for progress, safety is watched for a while after healing. */
const CALM_AFTER_MS = 3_000
/** Being done is asked only now and then. */
const DONE_EVERY = 16

export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<RunResult> {
  const world = createWorld(scenario, options.onTrace)
  const { timeline, violations } = world
  const eventsMax = options.eventsMax ?? EVENTS_MAX
  const limitUs = (scenario.chaosMs + (world.mustBeLive ? scenario.boundMs : CALM_AFTER_MS)) * 1_000
  let events = 0
  world.start()
  await inTurns(() => {
    if (events % DONE_EVERY === 0 && events > 0 && world.isDone()) return false
    if (violations.length > 0 || events >= eventsMax || !timeline.advance(limitUs)) return false
    events++
    return true
  })
  if (violations.length === 0) world.checkEnd()
  return { ...world.result(), events }
}

/** Immediates that wait at once: each round of the process's loop asks the operating system for news, and there never is any. */
const TURNS = 64

/** Calls `step` until it says false. Every promise that can go on has gone on when an immediate runs, so before each call. */
function inTurns(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let waiting = 0
    let goesOn = true
    function turn(): void {
      waiting--
      try {
        goesOn &&= step()
      } catch (error) {
        goesOn = false
        reject(error)
      }
      if (waiting > 0) return
      if (goesOn) wait()
      else resolve()
    }
    function wait(): void {
      for (; waiting < TURNS; waiting++) setImmediate(turn)
    }
    wait()
  })
}

function createWorld(scenario: Scenario, onTrace: RunOptions['onTrace']) {
  const { seed, validators } = scenario
  const timeline = createTimeline()
  const setup = createSetup(scenario)
  const faulty = byzantineNodes(scenario)
  const unreliable = new Set([...faulty, ...harmedNodes(scenario)])
  const losing = nodesWith(scenario, ['lost-blocks'])
  const forgetful = new Set([...nodesWith(scenario, ['wrong-execution'])].filter((node) => losing.has(node)))
  // Its own arithmetic, so that a core with a wrong quorum is found out.
  const tolerated = Math.floor((validators - 1) / 3)
  const quorum = Math.ceil((validators + tolerated + 1) / 2)
  const isOverrun = unreliable.size > tolerated
  const fingerprint = createFingerprint()
  const violations: Violation[] = []
  let isHealed = false
  let view = 0
  const followed = { recall: 0, divergence: 0 }

  function report(rule: Rule, node: number | null, detail: string): void {
    if (isOverrun && !RULES_WHEN_OVERRUN.includes(rule)) return
    if (violations.length < VIOLATIONS_MAX) violations.push({ rule, atMs: timeline.now() / 1_000, node, detail })
  }
  function trace(what: string, ...numbers: number[]): void {
    fingerprint.number(timeline.now())
    fingerprint.text(what)
    for (const number of numbers) fingerprint.number(number)
    onTrace?.(`${(timeline.now() / 1_000).toFixed(3)} ${what} ${numbers.join(' ')}`)
  }

  // Twins come after the validators: host numbers up to `validators` are validators' own.
  const behavioursOf = (node: number) =>
    scenario.faults.flatMap((fault) => (fault.type === 'byzantine' && fault.node === node ? fault.behaviours : []))
  const twinned = [...faulty].filter((node) => behavioursOf(node).includes('twins'))
  const validatorOf = (host: number) => (host < validators ? host : twinned[host - validators]!)
  const size = validators + twinned.length
  const random = createRandom(seed, 4)
  /** Which of a validator's hosts each other host is connected to. */
  const side = Array.from({ length: size * validators }, () => random.below(2))
  for (const fault of scenario.faults) {
    if (fault.type !== 'byzantine' || fault.apart === undefined) continue
    for (let from = 0; from < size; from++)
      side[from * validators + fault.node] = fault.apart.includes(validatorOf(from)) ? 1 : 0
  }
  const hostsOf = (validator: number, from: number) => {
    const twin = twinned.indexOf(validator)
    return twin >= 0 && side[from * validators + validator] === 1 ? validators + twin : validator
  }
  const mayConnect = (a: number, b: number) =>
    validatorOf(a) !== validatorOf(b) && hostsOf(validatorOf(b), a) === b && hostsOf(validatorOf(a), b) === a

  const machines = Array.from({ length: size }, () => createMachine(timeline))
  const endpoints: (Endpoint | undefined)[] = []
  const network: Network = createNetwork({
    seed,
    size,
    timeline,
    machines,
    endpoints,
    weather: scenario.weather,
    healedWeather: scenario.healedWeather,
    mayConnect,
    onArrival(from, to, channel, frame) {
      fingerprint.bytes(frame)
      trace(channel, from, to, frame.length)
    },
  })
  const hosts: Host[] = []
  const isCorrect = (number: number) => !faulty.has(validatorOf(number))
  const executions = Array.from({ length: size }, (_, number) => createNodeExecution(setup.execution, scenario, number))
  const correct = () => hosts.filter(({ number }) => isCorrect(number))

  const blockChecks: BlockChecks = createBlockChecks({
    quorum,
    isSubmitted: (id, wire) => {
      const known = clients.wireOf(id)
      return known !== undefined && Buffer.compare(known, wire) === 0
    },
    report,
  })
  const clients = createClients({ timeline, transactions: setup.transactions, hosts, isCorrect, chain: blockChecks })
  const ledgers = () => hosts.slice(0, validators).map(({ ledger }) => ledger)
  let voteChecks: ReturnType<typeof createVoteChecks>
  const boundsFault = createBoundsCheck()

  function watchOf(number: number): HostWatch {
    if (!isCorrect(number)) return DEAF
    let steps = 0
    return {
      onStep() {
        const { state } = hosts[number]!.node?.core ?? {}
        if (state === undefined) return
        if (state.view > view) view = state.view
        const fault = boundsFault(state, ++steps)
        if (fault !== undefined) report('bounds', number, fault)
      },
      onSend(message) {
        const { node } = hosts[number]!
        if (node !== undefined) voteChecks.onSend(number, message, node.core.state)
      },
      onReport(found) {
        if (found.type === 'diverged') return onDiverged(number, found.certificate.height, found.ours)
        const { validator } = found
        if (!isCorrect(validator) || isRightToBlame(number, found)) return
        report('blame', number, `${found.type} against correct validator ${validator}`)
      },
      onFatal(error) {
        const isDisk = error instanceof Error && error.message.startsWith('EIO')
        if (!isDisk) report('throw', number, error instanceof Error ? (error.stack ?? error.message) : String(error))
      },
      onBlame(peer, reason) {
        trace('blame', number, peer)
        if (isCorrect(peer)) report('blame', number, `it dropped correct node ${peer}: ${reason}`)
      },
      onRecords: (records, keeping) => voteChecks.onDurable(number, records, keeping),
      onBlock(block) {
        trace('block', number, block.header.height)
        if (!executions[number]!.isWrong(block.blockHash)) blockChecks.onBlock(number, block)
        voteChecks.onBlock(number, block.header.height, block.header.batchDigest)
      },
      onCertificate: (certificate) => blockChecks.onCertificate(number, certificate),
    }
  }

  function onDiverged(number: number, height: number, ours: string): void {
    followed.divergence++
    voteChecks.onDiverged(number)
    if (!executions[number]!.isWrong(ours)) report('agreement', number, `it says that it diverged at ${height}`)
  }

  /** One of two that made different blocks, or signed a block again that came out otherwise the second time. */
  function isRightToBlame(number: number, found: Blame): boolean {
    if (found.type === 'mismatch')
      return executions[number]!.isWrong(found.ours) || executions[found.validator]!.isWrong(found.theirs)
    return found.kind === 'exec' && forgetful.has(found.validator)
  }

  const conspiracy = createConspiracy()
  const domain = { genesisHash: setup.genesisHash, epoch: 0, validatorsHash: setup.validatorsHash }
  for (let number = 0; number < size; number++) {
    const validator = validatorOf(number)
    const behaviours = behavioursOf(validator)
    const peers = Array.from({ length: size }, (_, peer) => peer).filter((peer) => peer !== number)
    const liar = faulty.has(validator)
      ? createLiar({
          behaviours,
          random: createRandom(seed, 5, number),
          key: setup.keys[validator]!,
          self: validator,
          epoch: setup.epoch,
          domain,
          peers,
          conspiracy,
        })
      : undefined
    const host: Host = createHost({
      number,
      validator,
      scenario,
      setup,
      execution: executions[number]!,
      timeline,
      machine: machines[number]!,
      network: () => network,
      peers: () => peers,
      hostsOf: (receiver) => [hostsOf(receiver, number)],
      validatorOf,
      liar,
      isCensor: behaviours.includes('censor'),
      writeFaults: scenario.faults.filter(
        (fault): fault is WriteFault =>
          (fault.type === 'write' || fault.type === 'sync-error') && fault.node === number,
      ),
      onPowerLoss: (fault) => losePower(host, fault),
      watch: watchOf(number),
    })
    hosts.push(host)
    endpoints.push(endpointOf(host, liar))
  }
  voteChecks = createVoteChecks({
    size: validators,
    quorum,
    faulty,
    unreliable,
    windowBlocks: setup.epoch.parameters.windowBlocks,
    ledgers: ledgers(),
    report,
  })

  function start(host: Host): void {
    host.start()
    trace('start', host.number)
    if (isCorrect(host.number) && host.node?.core.state.recall !== undefined) followed.recall++
    network.connectAll()
  }

  function stop(host: Host, downMs: number, remains?: Parameters<Host['stop']>[0]): void {
    if (!host.machine.isOn()) return
    trace('stop', host.number)
    host.stop(remains)
    if (isCorrect(host.number)) voteChecks.checkRecoverable()
    timeline.at(timeline.now() + downMs * 1_000, () => start(host))
  }

  /** A node that is off already finds its disk so when it starts. */
  function lose(host: Host, fault: LostBlocks): void {
    stop(host, fault.downMs)
    loseBlocks(host.ledger, fault)
    const height = host.ledger.blocks.length - 1
    trace('lose', host.number, height, host.ledger.certifiedHeight)
    if (isCorrect(host.number))
      voteChecks.onLost(host.number, forgetful.has(host.number) ? height : Number.MAX_SAFE_INTEGER)
  }

  function losePower(host: Host, fault: WriteFault): void {
    if (fault.type === 'write') stop(host, fault.downMs, fault.remains)
    // The process still gets to say that it stops.
    else timeline.at(timeline.now() + 1, () => stop(host, fault.downMs))
  }

  function heal(): void {
    isHealed = true
    trace('heal')
    for (const host of hosts) {
      host.clockOffsetMs = 0
      host.disk.slowness = 1
      host.machine.resume()
      if (!host.machine.isOn()) start(host)
    }
    network.heal()
    clients.onHealed()
  }

  /** Every transaction has run or can run no more, and every correct node votes and has a certificate for that, or knows that it is wrong. */
  function isDone(): boolean {
    if (!isHealed || !clients.areDone()) return false
    const height = clients.lastHeight()
    return correct().every(({ number, node, ledger }) => {
      if (node === undefined) return false
      const { h, voting, diverged } = node.core.state
      return executions[number]!.isWrong(ledger.blocks.at(-1)?.blockHash) ? diverged : voting && h >= height
    })
  }

  /** Who must make progress after healing: without view changes, only a network whose first primary is no liar. */
  const mustBeLive = !isOverrun && (HAS_VIEW_CHANGES || !faulty.has(0))

  function checkEnd(): void {
    if (mustBeLive && !isDone()) {
      const heights = correct().map(
        ({ node }) =>
          `${node?.core.state.h}/${node?.core.state.lastExec}@${node?.core.state.view}${node?.core.state.voting ? '' : ' without a vote'}`,
      )
      report('liveness', null, `${clients.missing()} transactions have not run; heights ${heights.join(' ')}`)
    }
    const { progressTimeoutMs = 0 } = scenario.parameters
    const isPatient = progressTimeoutMs >= 10 * scenario.weather.delayMaxMs
    if (scenario.faults.length === 0 && isPatient && view > 0)
      report('view', null, `a run without faults ended in view ${view}`)
  }

  return {
    timeline,
    violations,
    mustBeLive,
    isDone,
    checkEnd,
    start() {
      const late = new Map(
        scenario.faults.flatMap((fault) => (fault.type === 'late' ? [[fault.node, fault.atMs]] : [])),
      )
      for (const host of hosts) timeline.at((late.get(host.validator) ?? 0) * 1_000, () => start(host))
      clients.schedule()
      scheduleFaults({ scenario, timeline, hosts, network, stop, loseBlocks: lose, isOver: () => isHealed })
      timeline.at(scenario.chaosMs * 1_000, heal)
    },
    result: () => ({
      violations,
      virtualMs: Math.round(timeline.now() / 1_000),
      trace: fingerprint
        .lanes()
        .map((lane) => lane.toString(16).padStart(8, '0'))
        .join(''),
      height: blockChecks.height(),
      view,
      followed,
      writes: hosts.slice(0, validators).map(({ disk }) => disk.writes()),
    }),
  }
}

type Blame = Exclude<Parameters<HostWatch['onReport']>[0], { type: 'diverged' }>

const DEAF: HostWatch = {
  onStep: () => {},
  onSend: () => {},
  onReport: () => {},
  onFatal: () => {},
  onBlame: () => {},
  onRecords: () => {},
  onBlock: () => {},
  onCertificate: () => {},
}
