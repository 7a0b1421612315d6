// `quorate simulate`: the whole protocol in one process over virtual time, with faults that follow from a seed.

import { InvalidArgumentError } from 'commander'
import type { Failure, Summary } from '../simulator/campaign.ts'
import { FAULT_TYPES, type FaultType, HARM_TYPES, type Scenario } from '../simulator/scenario.ts'
import { define, type Run } from './command.ts'
import { EXIT_FAILED, EXIT_OK, usage } from './error.ts'
import { readTextFile } from './io.ts'
import { wholeNumber } from './number.ts'

interface SimulateOptions {
  seed: number
  seeds?: number
  validators?: number
  steps?: number
  faults?: FaultType[]
  overrun?: boolean
  workers: number
  replay?: string
  trace?: boolean
}

const SEED_MAX = 0xffff_ffff
const ALL_TYPES: readonly FaultType[] = [...FAULT_TYPES, ...HARM_TYPES]
const HELP = `
Each seed is one network: its size, its parameters, its clients, its weather and its faults follow from the seed, and so does
every event. The same seed gives the same trace hash on every machine. Nothing leaves this process; nothing is written.

Kinds of fault: ${FAULT_TYPES.join(', ')}.
"none" runs without any, "all" adds two that must be asked for: ${HARM_TYPES.join(', ')}.

A run that breaks a rule of the protocol is shrunk and printed as a scenario, a JSON document; --replay FILE runs it again, and
--trace shows every event. docs/simulator.md says what is checked.

  quorate simulate --seeds 1000 --validators 4
  quorate simulate --seed 42 --trace`

export function simulateCommand(run: Run) {
  return define<SimulateOptions>(run, 'simulate', 'search for faults of the protocol in simulated networks', {
    set: (command) =>
      command
        .option('--seed <seed>', 'the first seed', wholeNumber(0, SEED_MAX), 0)
        .option('--seeds <count>', 'how many seeds (default: 100, or 1 with --trace)', wholeNumber(1, SEED_MAX))
        .option('--validators <count>', 'validators in each network (default: by the seed)', wholeNumber(1, 20))
        .option('--steps <count>', 'events after which a run is given up', wholeNumber(1))
        .option('--faults <list>', 'kinds of fault with commas between (default: the first list below)', faultList)
        .option('--overrun', 'one more liar than the network tolerates: only blame must be right then')
        .option('--workers <count>', 'threads', wholeNumber(1, 64), 1)
        .option('--replay <file>', 'run a scenario instead of seeds')
        .option('--trace', 'print every event')
        .addHelpText('after', HELP),
    async handle(context, _, options) {
      if (options.replay !== undefined || options.trace) return replay(context, options)
      const { runInWorkers } = await import('../simulator/campaign.ts')
      const startedAt = performance.now()
      const { seed: first, seeds: count = 100, validators, faults, overrun: isOverrun, steps: eventsMax } = options
      const generate = { validators, faults, isOverrun }
      const summary = await runInWorkers({ first, count, stride: 1, generate, eventsMax }, options.workers)
      const seconds = (performance.now() - startedAt) / 1_000
      const seedsPerSecond = Math.round((summary.seeds / seconds) * 10) / 10
      context.print({ ...summary, seconds, seedsPerSecond }, describe(summary, seedsPerSecond))
      return summary.failures.length === 0 ? EXIT_OK : EXIT_FAILED
    },
  })
}

function faultList(text: string): FaultType[] {
  if (text === 'none') return []
  if (text === 'all') return [...ALL_TYPES]
  const names = text.split(',') as FaultType[]
  const unknown = names.find((name) => !ALL_TYPES.includes(name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`"${unknown}" is no kind of fault: they are none, all, ${ALL_TYPES.join(', ')}.`)
}

/** One run, seen from near. */
async function replay(
  context: { print(document: unknown, text: string): void; note(text: string): void },
  options: SimulateOptions,
): Promise<number> {
  const { generateScenario } = await import('../simulator/generate.ts')
  const { runScenario } = await import('../simulator/world.ts')
  const { validators, faults, overrun: isOverrun } = options
  const scenario =
    options.replay === undefined
      ? generateScenario(options.seed, { validators, faults, isOverrun })
      : await readScenario(options.replay)
  const lines: string[] = []
  const onTrace = options.trace ? (line: string) => void lines.push(line) : undefined
  const result = await runScenario(scenario, { eventsMax: options.steps, onTrace })
  const text = [
    ...lines,
    ...result.violations.map(({ rule, node, atMs, detail }) => `${rule} at ${atMs} ms, node ${node ?? '-'}: ${detail}`),
    `${result.events} events, height ${result.height}, view ${result.view}, trace ${result.trace}`,
  ].join('\n')
  context.print({ scenario, ...result, ...(options.trace ? { lines } : {}) }, text)
  return result.violations.length === 0 ? EXIT_OK : EXIT_FAILED
}

async function readScenario(file: string): Promise<Scenario> {
  const text = await readTextFile(file)
  try {
    const scenario = JSON.parse(text) as Partial<Scenario>
    const isWhole = ['seed', 'validators', 'chaosMs', 'boundMs', 'parameters', 'weather', 'healedWeather'].every(
      (key) => key in scenario,
    )
    if (isWhole && Array.isArray(scenario.faults) && Array.isArray(scenario.transactions)) return scenario as Scenario
  } catch (cause) {
    throw usage(`${file} is not JSON (${(cause as Error).message}): give a scenario that \`quorate simulate\` printed`)
  }
  throw usage(`${file} is no scenario: give one that \`quorate simulate\` printed`)
}

function describe(summary: Summary, seedsPerSecond: number): string {
  const counts = (record: Record<string, number>) =>
    Object.entries(record)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
  return [
    `seeds    ${summary.seeds}, ${seedsPerSecond} a second`,
    `events   ${summary.events}`,
    `blocks   ${summary.blocks}`,
    `views    ${counts(summary.views) || 'none'} (highest view reached, and by how many seeds)`,
    `faults   ${counts(summary.faults) || 'none'}`,
    `followed ${counts(summary.followed)} (how often nodes only followed, and why)`,
    `trace    ${summary.trace}`,
    `failures ${summary.failures.length}`,
    ...summary.failures.map(describeFailure),
  ].join('\n')
}

function describeFailure({ seed, violations, scenario }: Failure): string {
  const [first] = violations
  const where = first?.node === null ? '' : ` at node ${first?.node}`
  return [
    '',
    `seed ${seed}: ${first?.rule}${where} after ${first?.atMs} ms: ${first?.detail}`,
    'the smallest scenario found that breaks the same rule, for --replay:',
    JSON.stringify(scenario),
  ].join('\n')
}
