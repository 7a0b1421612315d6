// Many seeds: one after another here, or divided over worker threads.
import { Worker } from 'node:worker_threads'
import { type GenerateOptions, generateScenario } from './generate.ts'
import type { Scenario } from './scenario.ts'
import { shrink } from './shrink.ts'
import type { Violation } from './violation.ts'
import { type RunResult, runScenario } from './world.ts'

export interface CampaignOptions {
  /** Seeds from `first` on, each `stride` after the one before. */
  first: number
  count: number
  stride: number
  generate: GenerateOptions
  eventsMax?: number
}

export interface Failure {
  seed: number
  violations: Violation[]
  /** The smallest scenario found that breaks the same rule. */
  scenario: Scenario
}

export interface Summary {
  seeds: number
  events: number
  blocks: number
  /** Seeds by the highest view that a correct node was in. */
  views: Record<number, number>
  /** Faults scheduled, by type; liars by what they do. */
  faults: Record<string, number>
  /** How often correct nodes only followed, and why. */
  followed: Record<string, number>
  /** All traces together: equal for equal seeds, whatever ran them. */
  trace: string
  failures: Failure[]
}

const SHRINK_TRIES_MAX = 200
/** After so many failures the rest tells nothing new. */
const FAILURES_MAX = 5

function emptySummary(): Summary {
  return { seeds: 0, events: 0, blocks: 0, views: {}, faults: {}, followed: {}, trace: '0'.repeat(16), failures: [] }
}

export async function runCampaign(options: CampaignOptions, onSeed?: (seed: number) => void): Promise<Summary> {
  const summary = emptySummary()
  const { eventsMax } = options
  for (let index = 0; index < options.count && summary.failures.length < FAILURES_MAX; index++) {
    const seed = (options.first + index * options.stride) >>> 0
    const scenario = generateScenario(seed, options.generate)
    const result = await runScenario(scenario, { eventsMax })
    addResult(summary, scenario, result)
    onSeed?.(seed)
    const [violation] = result.violations
    if (violation === undefined) continue
    const smallest = await shrink(scenario, violation.rule, {
      run: async (candidate) => (await runScenario(candidate, { eventsMax })).violations[0]?.rule,
      triesMax: SHRINK_TRIES_MAX,
    })
    summary.failures.push({ seed, violations: result.violations, scenario: smallest })
  }
  return summary
}

/** Each worker takes every so many-th seed. */
export async function runInWorkers(options: CampaignOptions, workers: number): Promise<Summary> {
  if (workers <= 1) return runCampaign(options)
  const shares = Array.from(
    { length: workers },
    (_, index): CampaignOptions => ({
      ...options,
      first: options.first + index * options.stride,
      stride: options.stride * workers,
      count: Math.ceil((options.count - index) / workers),
    }),
  )
  const summaries = await Promise.all(shares.filter(({ count }) => count > 0).map(runInWorker))
  return summaries.reduce(merge, emptySummary())
}

function runInWorker(options: CampaignOptions): Promise<Summary> {
  const name = import.meta.url.endsWith('.ts') ? './campaign-worker.ts' : './campaign-worker.js'
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(name, import.meta.url), { workerData: options })
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`a simulator thread ended with code ${code}`)))
  })
}

function addResult(summary: Summary, scenario: Scenario, { events, height, view, followed, trace }: RunResult): void {
  summary.seeds++
  summary.events += events
  summary.blocks += height
  summary.views[view] = (summary.views[view] ?? 0) + 1
  summary.trace = addTraces(summary.trace, trace)
  summary.followed = addCounts(summary.followed, followed)
  for (const fault of scenario.faults) {
    const names = fault.type === 'byzantine' ? fault.behaviours.map((one) => `byzantine ${one}`) : [fault.type]
    for (const name of names) summary.faults[name] = (summary.faults[name] ?? 0) + 1
  }
}

export function merge(a: Summary, b: Summary): Summary {
  return {
    seeds: a.seeds + b.seeds,
    events: a.events + b.events,
    blocks: a.blocks + b.blocks,
    views: addCounts(a.views, b.views),
    faults: addCounts(a.faults, b.faults),
    followed: addCounts(a.followed, b.followed),
    trace: addTraces(a.trace, b.trace),
    failures: [...a.failures, ...b.failures],
  }
}

function addCounts<K extends string | number>(a: Record<K, number>, b: Record<K, number>): Record<K, number> {
  const sum = { ...a }
  for (const [key, count] of Object.entries(b) as [K, number][]) sum[key] = (sum[key] ?? 0) + count
  return sum
}

/** A sum, so that the order of the seeds does not matter. */
function addTraces(a: string, b: string): string {
  const sum = (BigInt(`0x${a}`) + BigInt(`0x${b}`)) & 0xffff_ffff_ffff_ffffn
  return sum.toString(16).padStart(16, '0')
}
