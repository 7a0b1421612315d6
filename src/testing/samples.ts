// Sample calls of a contract, run under several locales, time zones and ways of compiling the engine: what they give must not depend
// on any of them, because validators differ in all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** `from` is an account's name. A string "@NAME" in `args` stands for the address of the account NAME. */
export interface Sample {
  kind: 'init' | 'call' | 'view' | 'migrate'
  method?: string
  args?: unknown
  from?: string
}

/** What must be the same everywhere. */
export interface SampleOutcome {
  status: string
  result: unknown
  gasUsed: number
  error: { code: string; message: string } | null
  events: unknown
  changes: unknown
}

export interface SampleRun {
  /** Where it ran, for people. */
  where: string
  outcomes: SampleOutcome[]
}

const SAMPLES_MAX = 100
const KINDS = ['init', 'call', 'view', 'migrate']
const RUN_TIMEOUT_MS = 120_000

const SURROUNDINGS = [
  { where: 'LC_ALL=C TZ=UTC', locale: 'C', zone: 'UTC', flags: [] },
  {
    where: 'LC_ALL=de_DE.UTF-8 TZ=Asia/Kathmandu --liftoff-only',
    locale: 'de_DE.UTF-8',
    zone: 'Asia/Kathmandu',
    flags: ['--liftoff-only'],
  },
  {
    where: 'LC_ALL=tr_TR.UTF-8 TZ=America/St_Johns --no-liftoff',
    locale: 'tr_TR.UTF-8',
    zone: 'America/St_Johns',
    flags: ['--no-liftoff'],
  },
]

/** The samples in a text, or why they are none. */
export function parseSamples(json: string): Sample[] | { fault: string } {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    return { fault: `it is not JSON (${(error as Error).message})` }
  }
  if (!Array.isArray(value) || value.length > SAMPLES_MAX)
    return { fault: `it is no list of up to ${SAMPLES_MAX} samples` }
  for (const [index, sample] of value.entries()) {
    const { kind, method, from } = (sample ?? {}) as Partial<Sample>
    const hasMethod = kind === 'call' || kind === 'view'
    if (!KINDS.includes(kind!)) return { fault: `sample ${index + 1} has no kind: one of ${KINDS.join(', ')}` }
    if (hasMethod && typeof method !== 'string') return { fault: `sample ${index + 1} names no method` }
    if (from !== undefined && typeof from !== 'string')
      return { fault: `sample ${index + 1} has a from that is no account’s name` }
    if (kind === 'init' && index > 0) return { fault: `sample ${index + 1} is an init, which only the first may be` }
  }
  return value as Sample[]
}

/** Runs them in fresh processes, twice in each. */
export async function runSamples(code: string, samples: Sample[]): Promise<SampleRun[]> {
  const runs: SampleRun[] = []
  for (const surroundings of SURROUNDINGS) {
    const both = await runIn(surroundings, { code, samples })
    runs.push(...both.map((outcomes, index) => ({ where: `${surroundings.where}, run ${index + 1}`, outcomes })))
  }
  return runs
}

async function runIn(
  { where, locale, zone, flags }: (typeof SURROUNDINGS)[number],
  question: { code: string; samples: Sample[] },
): Promise<SampleOutcome[][]> {
  const file = fileURLToPath(import.meta.url)
  const program = fileURLToPath(new URL(`./samples-process${extname(file)}`, import.meta.url))
  const env = { ...process.env, NODE_OPTIONS: '', LC_ALL: locale, LANG: locale, TZ: zone }
  const child = spawn(process.execPath, [...flags, program], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: RUN_TIMEOUT_MS,
  })
  const exited = once(child, 'close')
  // A child that ends early closes its input; its exit code says why.
  child.stdin.on('error', () => {})
  child.stdin.end(JSON.stringify(question))
  const [answer, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [exitCode] = await exited
  if (exitCode !== 0) throw new Error(`the samples did not run under ${where}: ${complaint.trim().slice(-500)}`)
  return JSON.parse(answer) as SampleOutcome[][]
}

const COMPARED = ['status', 'result', 'gasUsed', 'error', 'events', 'changes'] as const

/** Where runs differ, and what of the samples does not run at all: nothing if all is well. */
export function faultsOfRuns(samples: readonly Sample[], runs: readonly SampleRun[]): string[] {
  const [first, ...others] = runs
  return samples.flatMap((sample, index) => {
    const outcome = first!.outcomes[index]!
    const name = `sample ${index + 1} (${sample.kind}${sample.method === undefined ? '' : ` ${sample.method}`})`
    for (const other of others) {
      const part = COMPARED.find(
        (field) => JSON.stringify(outcome[field]) !== JSON.stringify(other.outcomes[index]![field]),
      )
      if (part === undefined) continue
      const [a, b] = [outcome, other.outcomes[index]!].map((one) => JSON.stringify(one[part]).slice(0, 200))
      return [`${name} differs in ${part}: ${a} under ${first!.where}, ${b} under ${other.where}`]
    }
    const { error } = outcome
    const mustRun = sample.kind === 'init' || sample.kind === 'migrate' || error?.code === 'PROMISE'
    return mustRun && error !== null ? [`${name} fails with ${error.code}: ${error.message}`] : []
  })
}
