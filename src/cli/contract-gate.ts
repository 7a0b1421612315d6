// What a contract must pass on its author's machine before it is built, deployed or put in another's place.
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Finding } from '../contract/absent.ts'
import type { MappedBundle } from '../contract/bundle.ts'
import type { Positions } from '../contract/positions.ts'
import type { Inspection, Sandbox } from '../execution/sandbox/index.ts'
import type { Context } from './context.ts'
import { CliError } from './error.ts'

/** Findings shown; one is enough to refuse. */
const FINDINGS_MAX = 20
const SAMPLES_FILE = 'samples.json'

/** Bundles the source and checks it; refuses what no network would run, or warns of it where `check` is off. */
export async function buildChecked(
  context: Context,
  path: string,
  { check }: { check: boolean },
): Promise<MappedBundle> {
  const { bundleWithMap } = await import('../contract/bundle.ts')
  const mapped = await bundleWithMap(path)
  const lines = (await findingsOf(path, mapped)).slice(0, FINDINGS_MAX).map(lineOf)
  if (lines.length === 0) return mapped
  if (check) throw new CliError('CONTRACT_REFUSED', `${lines.join('\n')}\ncorrect it, or only warn with --no-check`)
  for (const line of lines) context.note(`warning: ${line}`)
  return mapped
}

const lineOf = ({ position, reason }: Finding): string =>
  position === undefined ? reason : `${position.file}:${position.line}:${position.column}: ${reason}`

async function findingsOf(path: string, mapped: MappedBundle): Promise<Finding[]> {
  const [{ createSandbox }, { createPositions }, { findAbsent, OUTSIDE_GLOBALS }] = await Promise.all([
    import('../execution/sandbox/index.ts'),
    import('../contract/positions.ts'),
    import('../contract/absent.ts'),
  ])
  const sandbox = createSandbox()
  const positions = createPositions(mapped)
  const absent = await findAbsent(path, absentOf(sandbox, OUTSIDE_GLOBALS))
  const loading = await loadingFindings(path, sandbox, mapped, positions)
  // What does not load cannot be called, and often for a reason that was found already.
  if (loading.length > 0) return absent.length > 0 ? absent : loading
  const found = [...absent, ...asyncFindings(sandbox, mapped, positions)]
  return found.length > 0 ? found : await sampleFindings(path, mapped)
}

const PROBE_GAS = 100_000_000

/** Which of the names the sandbox does not have: it is asked itself, so that no list has to follow it. */
function absentOf(sandbox: Sandbox, names: readonly string[]): string[] {
  const probe = `throw new Error(${JSON.stringify(names)}.filter((name) => !(name in globalThis)).join(' '))`
  return messageOf(sandbox.inspect(probe, PROBE_GAS)).split(' ')
}

const messageOf = (inspection: Inspection): string => (inspection.ok ? '' : inspection.message)

async function loadingFindings(
  path: string,
  sandbox: Sandbox,
  { bundle }: MappedBundle,
  positions: Positions,
): Promise<Finding[]> {
  const [{ loadGas }, { explain }] = await Promise.all([
    import('../execution/cost.ts'),
    import('../execution/codes.ts'),
  ])
  const gas = loadGas(bundle.bytes)
  const inspection = sandbox.inspect(bundle.code, gas)
  if (inspection.ok) return []
  const { code, message } = inspection
  if (code === 'OUT_OF_GAS') {
    const reason = `its top level takes more than the ${gas} gas that loading ${bundle.bytes} bytes may take: do that work in init or in a call`
    return [{ reason: `${path}: ${reason} (${code})` }]
  }
  if (code !== 'THROWN') {
    const why = message === '' ? explain(code) : message
    return [{ reason: `${path}: it does not load as a contract: ${why} (${code})` }]
  }
  // Once more, in a copy that tells the stack: the first line is four characters further right there.
  const telling = `try{${bundle.code}\n}catch(error){throw new Error(''+error.stack)}`
  const stack = messageOf(sandbox.inspect(telling, PROBE_GAS))
  const own = stack.replace(/contract\.js:1:(\d+)/g, (_, column) => `contract.js:1:${Math.max(Number(column) - 4, 1)}`)
  const position = positions.stackFrames(own).find((frame) => frame.position !== undefined)?.position
  return [{ position, reason: `${position === undefined ? `${path}: ` : ''}its top level throws: ${message}` }]
}

/** Told after the bundle in one script with it: which handlers are async or generators, and the beginning of their text. */
const HANDLER_PROBE = `
;(() => {
  const definition = quorateContract.default, found = []
  const look = (where, handler) => {
    const kind = Object.prototype.toString.call(handler).slice(8, -1)
    if (/Async|Generator/.test(kind)) found.push([where, kind, ('' + handler).slice(0, 100)])
  }
  look('init', definition.init)
  look('migrate', definition.migrate)
  for (const table of ['calls', 'views']) for (const name of Object.keys(definition[table] ?? {})) look(table + '.' + name, definition[table][name])
  if (found.length > 0) throw new Error(JSON.stringify(found.slice(0, 4)))
})()`

function asyncFindings(sandbox: Sandbox, { bundle }: MappedBundle, positions: Positions): Finding[] {
  const told = messageOf(sandbox.inspect(bundle.code + HANDLER_PROBE, PROBE_GAS))
  if (told === '') return []
  return (JSON.parse(told) as [string, string, string][]).map(([where, kind, text]) => {
    const index = bundle.code.indexOf(text)
    const what = kind.includes('Generator') ? 'a generator' : 'async'
    const reason = `${where} is ${what}, and handlers are synchronous functions`
    return { position: index === -1 ? undefined : positions.at(index), reason }
  })
}

async function sampleFindings(path: string, { bundle }: MappedBundle): Promise<Finding[]> {
  const folder = (await stat(path)).isDirectory() ? path : dirname(path)
  const file = join(folder, SAMPLES_FILE)
  const json = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (json === undefined) return []
  const { faultsOfRuns, parseSamples, runSamples } = await import('../testing/samples.ts')
  const samples = parseSamples(json)
  if ('fault' in samples) return [{ reason: `${file}: ${samples.fault}` }]
  if (samples.length === 0) return []
  return faultsOfRuns(samples, await runSamples(bundle.code, samples)).map((fault) => ({ reason: `${file}: ${fault}` }))
}
