// One scenario per seed. Some seeds are calm and some meet everything at once: each decides first what kinds of fault it has.
import { faultsTolerated } from '../types/quorum.ts'
import { createRandom, type Random } from './random.ts'
import {
  BEHAVIOURS,
  type Behaviour,
  type CommonType,
  FAULT_TYPES,
  type Fault,
  type FaultType,
  HARM_TYPES,
  type HarmType,
  harmedNodes,
  type Remains,
  type Scenario,
  type ScheduledTransaction,
  type Weather,
} from './scenario.ts'

export interface GenerateOptions {
  /** 1 to 8 or 10, by the seed, unless given. */
  validators?: number
  /** Which kinds of fault there may be; all of {@link FAULT_TYPES} unless given. Where harm is among them, each network has some. */
  faults?: readonly FaultType[]
  /** What liars may do; anything unless given. */
  behaviours?: readonly Behaviour[]
  /** How long faults act; 6 s unless given. */
  chaosMs?: number
  /** Makes more nodes faulty than the network tolerates: then only the blame must be right. */
  isOverrun?: boolean
}

/** n = 4 most often: the smallest network that tolerates a fault, and the quickest to run. */
const SIZES = [4, 4, 4, 4, 4, 5, 6, 7, 1, 2, 3, 8, 10] as const
const SMALLEST_TOLERANT = 4
const REMAINS: readonly Remains[] = ['none', 'short', 'torn', 'misordered', 'all']
/** One seed in so many checks real signatures. */
const SIGNED_EVERY = 100
const NEAR: Weather = { delayUs: 2_000, delayMaxMs: 40, dropRate: 0, duplicateRate: 0 }
const FAR: Weather = { delayUs: 60_000, delayMaxMs: 200, dropRate: 0, duplicateRate: 0 }

export function generateScenario(seed: number, options: GenerateOptions = {}): Scenario {
  const random = createRandom(seed, 1)
  const allowed = options.faults ?? FAULT_TYPES
  const harms = HARM_TYPES.filter((kind) => allowed.includes(kind))
  const drawn = options.validators ?? random.pick(SIZES)
  const validators = options.validators === undefined && harms.length > 0 ? Math.max(drawn, SMALLEST_TOLERANT) : drawn
  const chaosMs = options.chaosMs ?? random.between(2_000, 6_000)
  const common = allowed.filter((kind) => kind !== 'lost-blocks' && kind !== 'wrong-execution')
  const kinds = chooseKinds(random, common)
  const faults = kinds.flatMap((kind) => faultsOf(kind, random, validators, chaosMs, options))
  const calm = random.chance(0.2) ? FAR : NEAR
  const isSkewed = kinds.includes('clock')
  const scenario: Scenario = {
    seed,
    validators,
    isSigned: seed % SIGNED_EVERY === SIGNED_EVERY - 1,
    chaosMs,
    boundMs: 60_000,
    parameters: chooseParameters(random),
    weather: kinds.includes('storm') ? chooseWeather(random) : calm,
    healedWeather: calm,
    skewsMs: Array.from({ length: validators }, () => (isSkewed ? random.between(-800, 800) : 0)),
    logRewriteBytes: random.chance(0.3) ? random.between(4_000, 30_000) : 1_000_000,
    transactions: chooseTransactions(random, validators, chaosMs),
    faults,
  }
  return harms.length === 0 ? scenario : addHarm(scenario, harms)
}

/** In place of some of the liars: they and the harmed are as many as the network tolerates. Draws from a stream of its own. */
function addHarm(scenario: Scenario, kinds: readonly HarmType[]): Scenario {
  const { seed, validators, chaosMs } = scenario
  const random = createRandom(seed, 6)
  const tolerated = faultsTolerated(validators)
  if (tolerated === 0) return scenario
  const nodes = random.shuffle(Array.from({ length: validators }, (_, index) => index))
  const harm = nodes.slice(0, random.between(1, tolerated)).flatMap((node) => {
    const chosen = random.shuffle(kinds).slice(0, random.pick([1, 1, 1, 2]))
    return chosen.flatMap((kind) => harmOf(kind, random, node, chaosMs))
  })
  const logRewriteBytes = random.chance(0.5) ? random.between(1_500, 10_000) : scenario.logRewriteBytes
  const harmed = harmedNodes({ ...scenario, faults: harm })
  let liars = tolerated - harmed.size
  const others = scenario.faults.filter(
    (fault) => fault.type !== 'byzantine' || (!harmed.has(fault.node) && liars-- > 0),
  )
  return { ...scenario, logRewriteBytes, faults: [...others, ...harm] }
}

function harmOf(kind: HarmType, random: Random, node: number, chaosMs: number): Fault[] {
  if (kind === 'wrong-execution')
    return [{ type: kind, node, height: random.between(1, random.pick([2, 6, 16])), isLasting: random.chance(0.5) }]
  return Array.from({ length: random.between(1, 3) }, () => ({
    type: kind,
    node,
    atMs: random.below(chaosMs),
    blocks: random.pick([0, 1, 2, 4, 10, 1_000]),
    certificates: random.pick([0, 0, 1, 3]),
    downMs: random.between(1, 1_500),
  }))
}

function chooseKinds(random: Random, allowed: readonly CommonType[]): CommonType[] {
  if (random.chance(0.08)) return []
  const most = random.chance(0.5) ? 3 : allowed.length
  return random.shuffle(allowed).slice(0, random.between(1, most))
}

function chooseParameters(random: Random) {
  const inFlightBlocks = random.pick([1, 2, 4, 8])
  // The shortest is shorter than many messages take: only timeouts that grow come to rest in it.
  const progressTimeoutMs = random.pick([30, 500, 1_000, 2_000])
  return {
    blockTransactionsMax: random.pick([1, 2, 4, 100]),
    batchDelayMs: random.pick([5, 20, 50]),
    progressTimeoutMs,
    timeoutMaxMs: random.pick([Math.max(500, progressTimeoutMs), 8_000]),
    timeAheadMs: 1_000,
    timePastMs: 10_000,
    inFlightBlocks,
    windowBlocks: Math.max(inFlightBlocks, random.pick([2, 4, 8, 32])),
  }
}

function chooseWeather(random: Random): Weather {
  return {
    delayUs: random.pick([500, 2_000, 20_000]),
    delayMaxMs: random.pick([50, 500, 3_000]),
    dropRate: random.pick([0, 0.02, 0.1, 0.3]),
    duplicateRate: random.pick([0, 0.05, 0.3]),
  }
}

function chooseTransactions(random: Random, validators: number, chaosMs: number): ScheduledTransaction[] {
  const senders = random.between(1, 4)
  const nonces = new Array<number>(senders).fill(0)
  const times = Array.from({ length: random.between(8, 24) }, () => random.below(chaosMs)).sort((a, b) => a - b)
  const scheduled = times.map((atMs): ScheduledTransaction => {
    const sender = random.below(senders)
    return { atMs, sender, nonce: nonces[sender]!++, node: random.below(validators), expires: 0 }
  })
  // Only a sender's last one may expire: whatever came after it would wait for its nonce for ever.
  const last = scheduled.at(-1)!
  if (random.chance(0.1)) last.expires = random.between(1, 12)
  return scheduled
}

function faultsOf(
  kind: CommonType,
  random: Random,
  validators: number,
  chaosMs: number,
  options: GenerateOptions,
): Fault[] {
  const node = () => random.below(validators)
  const when = () => random.below(chaosMs)
  const some = (most: number, make: () => Fault) => Array.from({ length: random.between(1, most) }, make)
  switch (kind) {
    case 'crash':
      return some(3, () => ({ type: kind, node: node(), atMs: when(), downMs: random.between(1, 3_000) }))
    case 'write':
      return some(4, () => {
        const write = random.between(1, random.pick([6, 40, 100]))
        return { type: kind, node: node(), write, remains: random.pick(REMAINS), downMs: random.between(1, 1_500) }
      })
    case 'power':
      return [{ type: kind, atMs: when(), downMs: random.between(1, 2_000) }]
    case 'pause':
      return some(2, () => ({ type: kind, node: node(), atMs: when(), forMs: random.between(10, 4_000) }))
    case 'partition':
      if (random.chance(0.4)) return chooseRestlessCuts(random, validators, chaosMs)
      return some(2, () => ({
        type: kind,
        atMs: when(),
        forMs: random.between(100, 5_000),
        cut: chooseCut(random, validators),
        flapMs: random.chance(0.25) ? random.between(50, 800) : 0,
        isNoticed: random.chance(0.5),
      }))
    case 'clock':
      return some(3, () => ({ type: kind, node: node(), atMs: when(), byMs: random.between(-20_000, 4_000) }))
    case 'sync-error':
      return [{ type: kind, node: node(), write: random.between(1, 40), downMs: random.between(1, 2_000) }]
    case 'slow-disk':
      return some(2, () => {
        const forMs = random.between(200, 4_000)
        return { type: kind, node: node(), atMs: when(), forMs, factor: random.pick([10, 100, 1_000]) }
      })
    case 'storm':
      return some(2, () => ({
        type: kind,
        atMs: when(),
        forMs: random.between(200, 4_000),
        weather: chooseWeather(random),
      }))
    case 'late':
      return [{ type: kind, node: node(), atMs: random.between(1, chaosMs) }]
    case 'byzantine':
      return chooseByzantine(random, validators, options)
  }
}

function chooseByzantine(random: Random, validators: number, options: GenerateOptions): Fault[] {
  const { isOverrun = false, behaviours: possible = BEHAVIOURS } = options
  const tolerated = faultsTolerated(validators)
  const count = isOverrun ? Math.min(validators, tolerated + 1) : tolerated === 0 ? 0 : random.between(1, tolerated)
  const nodes = random.shuffle(Array.from({ length: validators }, (_, index) => index)).slice(0, count)
  // The first primary is where lies do most: it is among the liars more often than chance would have it.
  if (nodes.length > 0 && !nodes.includes(0) && random.chance(0.4)) nodes[0] = 0
  return nodes.map((node) => {
    const behaviours: Behaviour[] = random.shuffle(possible).slice(0, random.pick([1, 1, 2, 3]))
    return { type: 'byzantine', node, behaviours }
  })
}

/** One cut after another, each too short for the network to come to rest: views follow views, and differ in what they prepared. */
function chooseRestlessCuts(random: Random, validators: number, chaosMs: number): Fault[] {
  const faults: Fault[] = []
  for (let atMs = random.below(1_000); atMs < chaosMs; ) {
    const forMs = random.between(50, 700)
    faults.push({
      type: 'partition',
      atMs,
      forMs,
      cut: chooseCut(random, validators, ['any', 'alone', 'deaf']),
      flapMs: 0,
      isNoticed: random.chance(0.3),
    })
    atMs += forMs + (random.chance(0.5) ? 0 : random.between(1, 50))
  }
  return faults
}

const CUT_SHAPES: readonly ('sides' | 'one-way' | 'any' | 'alone' | 'deaf')[] = [
  'sides',
  'one-way',
  'any',
  'alone',
  'deaf',
]

/** Two sides; one side or one node deaf or mute; one node alone; or any links, so that who reaches whom is not transitive. */
function chooseCut(random: Random, validators: number, shapes = CUT_SHAPES): [number, number][] {
  const links: [number, number][] = []
  for (let from = 0; from < validators; from++) {
    for (let to = 0; to < validators; to++) if (from !== to) links.push([from, to])
  }
  const shape = random.pick(shapes)
  if (shape === 'any') return links.filter(() => random.chance(0.4))
  const one = random.below(validators)
  if (shape === 'alone') return links.filter(([from, to]) => from === one || to === one)
  if (shape === 'deaf') return links.filter(([, to]) => to === one)
  const side = Array.from({ length: validators }, () => random.chance(0.5))
  if (shape === 'sides') return links.filter(([from, to]) => side[from] !== side[to])
  return links.filter(([from, to]) => side[from] && !side[to])
}
