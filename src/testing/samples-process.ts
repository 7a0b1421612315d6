// The process of its own in which samples run twice: code and samples in, outcomes out, as JSON.
import { text } from 'node:stream/consumers'
import { accountOf } from './account.ts'
import { type TestChain, testChain } from './chain.ts'
import { CallFailed } from './failure.ts'
import type { CallOutcome, ViewOutcome } from './outcome.ts'
import type { Sample, SampleOutcome } from './samples.ts'

const NAME = 'sample'
const REFERENCE = /^@[a-z0-9][a-z0-9-]{0,63}$/

const { code, samples } = JSON.parse(await text(process.stdin)) as { code: string; samples: Sample[] }

const resolveText = (text: string): string => (REFERENCE.test(text) ? accountOf(text.slice(1)).address : text)

/** As the command line does with its arguments, names of members included. */
function resolveReferences(value: unknown): unknown {
  if (typeof value === 'string') return resolveText(value)
  if (Array.isArray(value)) return value.map(resolveReferences)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [resolveText(name), resolveReferences(member)]),
  )
}

/** A deploy or an upgrade that fails is an outcome like any. */
async function caught(install: Promise<CallOutcome>): Promise<CallOutcome | ViewOutcome> {
  try {
    return await install
  } catch (error) {
    if (error instanceof CallFailed) return error.outcome
    throw error
  }
}

async function runOne(chain: TestChain, { kind, method = '', args = {}, from }: Sample) {
  const given = resolveReferences(args)
  if (kind === 'init') return await caught(chain.deploy({ code }, { name: NAME, init: given, from }))
  if (kind === 'migrate') return await caught(chain.upgrade({ code }, { name: NAME, migrate: given, from }))
  return kind === 'view' ? chain.tryView(NAME, method, given) : chain.call(NAME, method, given, { from })
}

async function runAll(): Promise<SampleOutcome[]> {
  const chain = await testChain()
  // Without an init of its own, the first sample still needs the contract.
  if (samples[0]?.kind !== 'init') await caught(chain.deploy({ code }, { name: NAME }))
  const outcomes: SampleOutcome[] = []
  for (const sample of samples) {
    const { status, result, gasUsed, error, ...rest } = await runOne(chain, sample)
    const { events = [], changes = {} } = rest as Partial<CallOutcome>
    const failure = error === null ? null : { code: error.code, message: error.message }
    outcomes.push({ status, result, gasUsed, error: failure, events, changes })
  }
  return outcomes
}

try {
  process.stdout.write(JSON.stringify([await runAll(), await runAll()]))
} catch (error) {
  process.stderr.write((error as Error).message)
  process.exitCode = 1
}
