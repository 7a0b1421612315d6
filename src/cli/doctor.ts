// `quorate doctor`: why a node or its network does not advance, or what is damaged in a node's home, and what to do about it.
import type { Examination } from '../home/examine.ts'
import { define, type Run } from './command.ts'
import { describeFindings, type Finding } from './doctor-finding.ts'
import type { Asked, ValidatorReport } from './doctor-network.ts'
import { EXIT_FAILED, EXIT_OK, usage } from './error.ts'
import { cell, fields, table } from './table.ts'

interface DoctorOptions {
  home?: string
}

const HELP = `
Without --home it asks nodes that run: one, or several for what no single one can know (--node URL,URL,… or --node more than once).
With --home it looks into the folder of a node that is stopped; it changes nothing there.
Exit code 0: all is well; 1: something was found.

--json prints {ok, findings: [{code, about, reason, mend, since}], …}; since is RFC 3339 or null. Beside these,
  of nodes: nodes: [{url, error} or {url, name, role, network, genesisHash, height, certifiedHeight, view, primary, phase,
    voting, reason, ready, cause}], validators: [{name, state, since, voting, height, certifiedHeight, view, phase, seenBy}];
    state is ok, lagging, missing or diverged; voting is null where that validator's own API was not asked;
  of a home: home, name, role, genesisHash, running, api, checks: [{name, state, detail}]; state is ok, fault or skipped.
Codes: UNREACHABLE, DIFFERENT_NETWORKS, VALIDATOR_MISSING, VALIDATOR_UNHEARD, VALIDATOR_LAGGING, VALIDATOR_DIVERGED, NOT_VOTING,
  FORK, NO_QUORUM, STALLED, SYNCING, DIVERGED, DISK; of a home HOME_MISSING, CONFIG_*, GENESIS_*, KEY_*, LOG_MISSING, LOG_DAMAGED,
  LOG_FOREIGN, LEDGER_DAMAGED, LEDGER_DIVERGED, LEDGER_UNREADABLE, LEDGER_FOREIGN, DATA_PERMISSIONS, UNREADABLE.`

export function doctorCommand(run: Run) {
  return define<DoctorOptions>(run, 'doctor', 'say why a node or the network does not advance, and what to do', {
    set: (command) =>
      command
        .option('--home <dir>', "look into a stopped node's home instead")
        .option('--node <url>', "a node's API; several with commas, or given again (QUORATE_NODE)", collect)
        .addHelpText('after', HELP),
    async handle(context, _, { home }) {
      if (home !== undefined && context.options.node !== undefined)
        throw usage('--home looks into a folder, --node asks a running node: give one of the two')
      const { ok, document, text } =
        home === undefined ? await ofNodes(context.endpoints) : await ofHome(home, context.io.env)
      context.print(document, text)
      return ok ? EXIT_OK : EXIT_FAILED
    },
  })
}

/** As one text, since other commands take several nodes with commas. */
const collect = (value: string, earlier: string | undefined) => (earlier === undefined ? value : `${earlier},${value}`)

interface Diagnosis {
  ok: boolean
  document: { ok: boolean; findings: Finding[] }
  text: string
}

async function ofNodes(endpoints: readonly string[]): Promise<Diagnosis> {
  const { askNode, findingsOf, isAnswer, reportValidators } = await import('./doctor-network.ts')
  const urls = [...new Set(endpoints.map((url) => url.replace(/\/+$/, '')))]
  const asked = await Promise.all(urls.map(askNode))
  const findings = findingsOf(asked)
  const validators = reportValidators(asked.filter(isAnswer))
  const ok = findings.length === 0
  const text = [nodesText(asked), validatorsText(validators), describeFindings(findings)].filter((part) => part !== '')
  return { ok, document: { ok, findings, ...{ nodes: asked.map(nodeReport), validators } }, text: text.join('\n\n') }
}

function nodeReport(asked: Asked) {
  if ('error' in asked) return asked
  const { url, name, status, ready } = asked
  const { node, network, genesisHash, height, certifiedHeight, view, primary, phase, voting, reason } = status
  const place = { height, certifiedHeight, view, primary, phase, voting, reason }
  return {
    url,
    name,
    role: node.role,
    network,
    genesisHash,
    ...place,
    ready: ready.ready,
    cause: ready.ready ? null : ready.cause,
  }
}

function nodesText(asked: readonly Asked[]): string {
  const rows = asked.map((one) => {
    if ('error' in one) return [one.url, 'no answer']
    const { name, status, ready } = one
    const { height, certifiedHeight, view, primary, phase, voting } = status
    const readiness = ready.ready ? 'ready' : ready.cause
    const numbers = [height, certifiedHeight, view].map(cell)
    return [one.url, name, readiness, ...numbers, primary, phase, voting ? 'yes' : 'no']
  })
  return table(['asked', 'node', 'ready', 'height', 'certified', 'view', 'primary', 'phase', 'votes'], rows)
}

function validatorsText(validators: readonly ValidatorReport[]): string {
  if (validators.length === 0) return ''
  const rows = validators.map(({ name, state, since, height, certifiedHeight, view, phase }) => {
    return [name, state, ...[since, height, certifiedHeight, view, phase].map(cell)]
  })
  return table(['validator', 'state', 'since', 'height', 'certified', 'view', 'phase'], rows)
}

async function ofHome(home: string, environment: Record<string, string | undefined>): Promise<Diagnosis> {
  const [{ examineHome }, { engineHash }] = await Promise.all([
    import('../home/examine.ts'),
    import('../execution/engine-hash.ts'),
  ])
  const found = await examineHome(home, { environment, context: { engineHash: engineHash() } })
  const { faults, ...rest } = found
  const findings = faults.map((fault): Finding => ({ ...fault, since: null }))
  const ok = findings.length === 0
  return { ok, document: { ok, findings, ...rest }, text: `${homeText(found)}\n\n${describeFindings(findings)}` }
}

function homeText({ home, name, role, running, api, checks }: Examination): string {
  const state = running
    ? `a node runs on it; to ask it: \`quorate doctor --node ${api ?? 'URL'}\``
    : 'no node runs on it'
  const head = fields([
    ['home', home],
    ['node', name === null ? undefined : `${name}${role === null ? '' : ` (${role})`}`],
    ['state', state],
  ])
  const rows = checks.map(({ name, state, detail }) => [name, state, detail])
  return `${head}\n\n${table(['check', 'state', 'found'], rows)}`
}
