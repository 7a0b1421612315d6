// What `quorate doctor` asks of nodes that run, and what follows from their answers taken together. Each answer is one node's word:
// where several are asked, a validator is called missing only by those that do not hear it, and never one that answered itself.
import type { PeerView, ReadyView, StatusView } from '../api/port.ts'
import { fetchJson } from '../client/http.ts'
import { ClientError } from '../light/error.ts'
import type { Finding } from './doctor-finding.ts'
import { describeError } from './error.ts'

const ANSWER_MS = 3_000

/** What one node's API said. */
export interface Answer {
  url: string
  /** The validator it is, by its name in the set, which its configuration need not share; an observer's own name. */
  name: string
  status: StatusView
  peers: PeerView[]
  ready: ReadyView
  quorum: number
  validators: string[]
}
export type Asked = Answer | { url: string; error: string }

/** A validator as the asked nodes see it together: the worst that is said, where and how long it was last seen. */
export interface ValidatorReport {
  name: string
  state: PeerView['state']
  since: string | null
  /** From its own API; null where it was not asked. */
  voting: boolean | null
  height: number | null
  certifiedHeight: number | null
  view: number | null
  phase: string | null
  /** Names of the asked nodes that say this state. */
  seenBy: string[]
}

export async function askNode(url: string): Promise<Asked> {
  const ask = (path: string) => fetchJson(url, { path, timeoutMs: ANSWER_MS })
  try {
    const [status, peers, set, ready] = await Promise.all([
      ask('/v1/status') as Promise<StatusView>,
      ask('/v1/peers') as Promise<{ peers: PeerView[] }>,
      ask('/v1/validators') as Promise<{ quorum: number; validators: { name: string; address: string }[] }>,
      askReady(url),
    ])
    const validators = set.validators.map(({ name }) => name)
    const name = set.validators.find(({ address }) => address === status.node.address)?.name ?? status.node.name
    return { url, name, status, peers: peers.peers, ready, quorum: set.quorum, validators }
  } catch (error) {
    return { url, error: describeError(error) }
  }
}

/** Not being ready is an answer, with its reasons in the problem document. */
async function askReady(url: string): Promise<ReadyView> {
  try {
    return (await fetchJson(url, { path: '/ready', timeoutMs: ANSWER_MS })) as ReadyView
  } catch (error) {
    const found = error instanceof ClientError ? (error.cause as Record<string, unknown> | undefined) : undefined
    if (found?.ready !== false) throw error
    return { ...found, message: String(found.detail) } as ReadyView
  }
}

export const isAnswer = (asked: Asked): asked is Answer => 'status' in asked

const isOf = (answer: Answer, validator: string) => answer.status.node.role === 'validator' && answer.name === validator

const SEVERITY: PeerView['state'][] = ['ok', 'lagging', 'missing', 'diverged']

export function reportValidators(answers: readonly Answer[]): ValidatorReport[] {
  const names = [...new Set(answers.flatMap(({ validators }) => validators))]
  return names.map((name) => reportValidator(name, answers))
}

function reportValidator(name: string, answers: readonly Answer[]): ValidatorReport {
  const own = answers.find((answer) => isOf(answer, name))
  const seen = answers.flatMap(({ name: by, peers }) => {
    const peer = peers.find(({ validator }) => validator === name)
    return peer === undefined ? [] : [{ by, peer }]
  })
  const newest = seen.map(({ peer }) => peer).sort((a, b) => compareTexts(b.lastHeard, a.lastHeard))[0]
  const worst = SEVERITY[Math.max(0, ...seen.map(({ peer }) => SEVERITY.indexOf(peer.state)))]!
  const saying = seen.filter(({ peer }) => peer.state === worst)
  const since = saying.map(({ peer }) => peer.suspectedSince).sort(compareTexts)[0] ?? null
  const place = own === undefined ? newest : placeOf(own.status)
  return {
    name,
    state: own?.status.phase === 'diverged' ? 'diverged' : worst,
    since,
    voting: own?.status.voting ?? null,
    height: place?.height ?? null,
    certifiedHeight: place?.certifiedHeight ?? null,
    view: place?.view ?? null,
    phase: place?.phase ?? null,
    seenBy: saying.map(({ by }) => by),
  }
}

const placeOf = ({ height, certifiedHeight, view, phase }: StatusView) => ({ height, certifiedHeight, view, phase })

function compareTexts(a: string | null, b: string | null): number {
  return (a ?? '') < (b ?? '') ? -1 : (a ?? '') > (b ?? '') ? 1 : 0
}

/** Everything that is wrong, causes before what follows from them. */
export function findingsOf(asked: readonly Asked[]): Finding[] {
  const answers = asked.filter(isAnswer)
  const silent = asked.flatMap((one) => ('error' in one ? [unreachable(one)] : []))
  const networks = [...new Set(answers.map(({ status }) => status.genesisHash))]
  if (networks.length > 1) return [...silent, ...answers.map(({ url, status }) => otherNetwork(url, status))]
  const validators = reportValidators(answers)
  return [
    ...silent,
    ...validators.flatMap((validator) => findingOfValidator(validator, answers)),
    ...answers.flatMap(findingsOfFollower),
    ...forks(answers),
    ...answers.flatMap((answer) => findingOfReady(answer)),
  ]
}

function unreachable({ url, error }: { url: string; error: string }): Finding {
  const mend = 'start that node, or name the address its API listens on; on its machine, `quorate doctor --home DIR`'
  return { code: 'UNREACHABLE', about: url, reason: error.replace(/ \(UNREACHABLE\)$/, ''), mend, since: null }
}

function otherNetwork(url: string, { network, genesisHash }: StatusView): Finding {
  return {
    code: 'DIFFERENT_NETWORKS',
    about: url,
    reason: `it belongs to network ${network} with genesis hash ${genesisHash}, other nodes asked to another`,
    mend: 'ask nodes of one network at a time; nodes meant to be in one must have the same genesis.json',
    since: null,
  }
}

function findingOfValidator(validator: ValidatorReport, answers: readonly Answer[]): Finding[] {
  const { name, state, since, seenBy } = validator
  const by = seenBy.join(', ')
  const where = placeText(validator)
  const answered = answers.some((answer) => isOf(answer, name))
  if (state === 'missing' && answered) {
    const reason = `it runs and answers its API, but ${by} does not hear of it`
    const mend = `mend the network between ${name} and ${by}: p2p.listen, p2p.announce and p2p.bootstrap in config.toml, firewalls`
    return [{ code: 'VALIDATOR_UNHEARD', about: name, reason, mend, since }]
  }
  if (state === 'missing') {
    const reason = `this validator is missing: ${by} does not hear of it${where}`
    const mend = `start ${name}; if it runs, mend the network to it; on its machine, \`quorate doctor --home DIR\` says what is damaged`
    return [{ code: 'VALIDATOR_MISSING', about: name, reason, mend, since }]
  }
  if (state === 'lagging') {
    const reason = `this validator lags behind ${by}${where}`
    const mend = `wait while its height rises; if it stands still, ask it: \`quorate doctor --node\` with its API's URL`
    return [{ code: 'VALIDATOR_LAGGING', about: name, reason, mend, since }]
  }
  // A node that says it of itself is reported by its own readiness.
  if (state !== 'diverged' || (answered && seenBy.length === 0)) return []
  const reason = `this validator signed another block than the one that was certified${where}`
  return [{ code: 'VALIDATOR_DIVERGED', about: name, reason, mend: DIVERGED_MEND, since }]
}

const DIVERGED_MEND =
  "stop it and keep its home as evidence; compare its version and machine with the others', then, with the software they run, move data/ledger aside and start it again: it stays diverged as long as its ledger has that block"

function placeText({ height, certifiedHeight, view, phase }: ValidatorReport): string {
  if (height === null) return '; it has not been heard of at all'
  return `; it was last at height ${height} (certified ${certifiedHeight}), in view ${view}, ${phase}`
}

/** A validator that follows is heard of like any other: only its own API says that it does not vote. */
function findingsOfFollower({ name, status, url }: Answer): Finding[] {
  const { node, voting, reason } = status
  if (node.role !== 'validator' || voting || status.phase === 'diverged') return []
  const mend = `on its machine, stop it and run \`quorate doctor --home DIR\`; put its own newest data/consensus.log back if that was moved, never an older copy`
  return [{ code: 'NOT_VOTING', about: name, reason: `${url} follows without a vote: ${reason}`, mend, since: null }]
}

/** Two certified blocks at one height: more than f validators are faulty, or a node was changed. */
function forks(answers: readonly Answer[]): Finding[] {
  const first = new Map<number, Answer>()
  const found: Finding[] = []
  for (const answer of answers) {
    const { certifiedHeight, blockHash } = answer.status
    const other = first.get(certifiedHeight)
    if (other === undefined) first.set(certifiedHeight, answer)
    else if (other.status.blockHash !== blockHash) {
      const reason = `it shows block ${blockHash} at height ${certifiedHeight}, ${other.name} shows ${other.status.blockHash}`
      const mend = 'stop both, keep their homes as evidence, and check each with `quorate ledger verify --home DIR`'
      found.push({ code: 'FORK', about: answer.name, reason, mend, since: null })
    }
  }
  return found
}

const READY_MENDS: Record<Exclude<ReadyView, { ready: true }>['cause'], string> = {
  NO_QUORUM: 'start the validators that are missing, or mend the network between; nothing is lost meanwhile',
  STALLED:
    'ask every node, with `--node URL,URL,…`: validators that follow without a vote only show so; the primary changes by itself',
  SYNCING:
    'wait; the height rises while blocks come in, and at once when a snapshot is there. If it does not, mend the network to nodes that have them',
  DIVERGED: DIVERGED_MEND,
  DISK: 'mend the disk or make room, then start the node again',
}

function findingOfReady({ name, status, ready, validators, quorum }: Answer): Finding[] {
  if (ready.ready) return []
  const where = `height ${ready.height}, view ${ready.view} with primary ${status.primary}, phase ${ready.phase}`
  const needed = `${quorum} of ${validators.length} validators make a quorum`
  const reason = `${ready.message} (${where}; ${needed})`
  return [{ code: ready.cause, about: name, reason, mend: READY_MENDS[ready.cause], since: null }]
}
