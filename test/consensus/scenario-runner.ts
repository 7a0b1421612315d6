// Runs the text scenarios of test/scenarios (their language is in the README there): each command drives real cores over the in-memory
// network of cluster.ts and gives the lines of its transcript. As etcd's raft is tested by its datadriven interaction tests.
import type { Event } from '../../src/consensus/event.ts'
import { InvariantError } from '../../src/consensus/invariants.ts'
import type { Parameters } from '../../src/types/epoch.ts'
import type { Message, ViewChange } from '../../src/types/message.ts'
import { batchOf, Cluster, type Envelope, messageIn, type ObservedEffect } from './cluster.ts'
import { forge, numbersOf, type Words } from './scenario-forge.ts'
import { createPromises, type Promises } from './scenario-promises.ts'
import { Names, seqIn, viewIn, wordsOf, wordsOfDelivery, wordsOfRecord } from './scenario-words.ts'

/** Deliveries in one command: a scenario that needs more does not come to rest. */
const DELIVERIES_MAX = 5_000

/** What one file says: comments and blank lines as they are, commands with the transcript they should give. */
type Part = { text: string } | { command: string; expected: string[] }

export function parseScenario(text: string): Part[] {
  const parts: Part[] = []
  for (const line of text.trimEnd().split('\n')) {
    const last = parts.at(-1)
    if (line === '' || line.startsWith('#')) parts.push({ text: line })
    else if (!line.startsWith(' ')) parts.push({ command: line, expected: [] })
    else if (last !== undefined && 'command' in last) last.expected.push(line.trim())
    else throw new Error(`"${line.trim()}" follows no command`)
  }
  return parts
}

/** The scenario with the transcript that it gives now. */
export function runScenario(text: string): string {
  const run = new Run()
  const lines = parseScenario(text).flatMap((part) => {
    if ('text' in part) return [part.text]
    try {
      return [part.command, ...run.command(part.command).map((line) => `  ${line}`)]
    } catch (error) {
      throw new Error(`${part.command}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  })
  run.finish()
  return `${lines.join('\n')}\n`
}

/** A node whose invariant breaks stops, as the process would. */
class ScenarioCluster extends Cluster {
  onStop: (index: number, error: InvariantError) => void = () => {}

  override step(index: number, event: Event): void {
    try {
      super.step(index, event)
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error
      this.cores[index] = undefined
      this.onStop(index, error)
    }
  }
}

const FLAGS = new Set(['work', 'waiting', 'uncertified', 'tampered', 'records', 'certificate', 'block'])

/** `from 0,1 type prepare` as pairs of word and value. */
function wordsFrom(tokens: string[], valued: string[]): Words {
  const words = new Map<string, string>()
  for (let index = 0; index < tokens.length; index++) {
    const word = tokens[index]!
    if (valued.includes(word)) {
      const value = tokens[++index]
      if (value === undefined) throw new Error(`${word} needs a value`)
      words.set(word, value)
    } else if (FLAGS.has(word)) words.set(word, '')
    else throw new Error(`"${word}" is no word of this command`)
  }
  return words
}

const FILTER = ['type', 'from', 'to', 'view', 'seq']
const FORGED = ['from', 'to', 'view', 'seq', 'batch', 'block', 'height', 'h', 'executed', 'prepared', 'of', 'name']
const FORGED_BATCH = ['proposer', 'batchview', 'time']

function matches(words: Words, { from, to, message }: { from: number; to: number; message: Message }): boolean {
  const has = (word: string, value: number | undefined) =>
    !words.has(word) || (value !== undefined && numbersOf(words.get(word)!).includes(value))
  if (words.has('type') && !words.get('type')!.split(',').includes(message.type)) return false
  return has('from', from) && has('to', to) && has('view', viewIn(message)) && has('seq', seqIn(message))
}

class Run {
  private cluster: ScenarioCluster | undefined
  private readonly names = new Names()
  private readonly changes = new Map<string, ViewChange>()
  private readonly promises: Promises = createPromises()
  private traced = new Set(['messages', 'results'])
  private lines: string[] = []
  private rules: { isHeld: boolean; words: Words }[] = []
  private held: Envelope[] = []
  private stops = 0

  /** Obeys one line and gives its transcript; a command that changes nothing on any node says `nothing`. */
  command(line: string): string[] {
    const [name = '', ...rest] = line.split(/\s+/)
    this.lines = []
    if (name === 'expect-invariant-failure') {
      const before = this.stops
      this.obey(rest[0] ?? '', rest.slice(1))
      if (this.stops === before) throw new Error('no invariant broke')
    } else {
      const before = this.stops
      this.obey(name, rest)
      if (this.stops > before) throw new Error(`an invariant broke: ${this.lines.at(-1)}`)
    }
    if (this.lines.length > 0) return this.lines
    return SETTINGS.has(name) ? [] : ['nothing']
  }

  /** Whatever the scenario is about: one chain, and no correct validator broke its word. */
  finish(): void {
    const { disks, misexecuting } = this.network
    const chains = disks.filter((_, index) => !misexecuting.has(index)).map((disk) => disk.chain)
    const longest = chains.reduce((best, chain) => (chain.length > best.length ? chain : best), [])
    for (const chain of chains) {
      if (chain.some((hash, index) => hash !== longest[index])) throw new Error('the chains differ')
    }
    if (this.promises.broken.length > 0) throw new Error(`promises were broken: ${this.promises.broken.join('; ')}`)
  }

  private get network(): ScenarioCluster {
    if (this.cluster === undefined) throw new Error('the first command is validators')
    return this.cluster
  }

  private obey(name: string, tokens: string[]): void {
    const handler = HANDLERS[name]
    if (handler === undefined) throw new Error(`no command is called ${name}`)
    handler.call(this, tokens)
  }

  validators(tokens: string[]): void {
    const [n, ...rest] = tokens
    const words = wordsFrom(rest, ['window', 'inflight', 'timeout', 'cap'])
    const parameters: Partial<Parameters> = {}
    if (words.has('window')) parameters.windowBlocks = Number(words.get('window'))
    if (words.has('inflight')) parameters.inFlightBlocks = Number(words.get('inflight'))
    if (words.has('timeout')) parameters.progressTimeoutMs = Number(words.get('timeout'))
    if (words.has('cap')) parameters.timeoutMaxMs = Number(words.get('cap'))
    const cluster = new ScenarioCluster(Number(n), parameters)
    cluster.observe = (index, effect) => this.onEffect(index, effect)
    cluster.filter = (envelope) => this.onSend(envelope)
    cluster.onStop = (index, error) => {
      this.stops++
      this.lines.push(`${index} stops: ${error.message}`)
    }
    this.cluster = cluster
  }

  private onEffect(index: number, effect: ObservedEffect): void {
    const { names } = this
    if ('send' in effect) {
      this.promises.onSend(index, effect.send)
      if (effect.send.type === 'view-change') this.changes.set(this.changeName(effect.send.change), effect.send.change)
      if (effect.send.type === 'exec') this.nameBlock(index, effect.send.vote.body.height)
      this.trace('messages', `${index}>${effect.to === 'all' ? '*' : effect.to} ${wordsOf(names, effect.send)}`)
    } else if ('save' in effect) this.trace('saves', `${index} ${wordsOfRecord(names, effect.save)}`)
    else this.trace('results', `${index} ${wordsOfDelivery(names, effect.deliver)}`)
  }

  private trace(kind: string, line: string): void {
    if (this.traced.has(kind)) this.lines.push(line)
  }

  private changeName = ({ vote }: ViewChange) => `${vote.signer}/${vote.body.newView}`

  private nameBlock(index: number, height: number): void {
    const { chain, headers } = this.network.disks[index]!
    this.names.addBlock(chain[height - 1]!, headers[height - 1]!.batchDigest)
  }

  private onSend(envelope: { from: number; to: number; message: Message }): boolean {
    const rule = this.rules.find(({ words }) => matches(words, envelope))
    if (rule?.isHeld) this.held.push(this.network.enveloped(envelope.from, envelope.to, envelope.message))
    return rule === undefined
  }

  /** Loses or holds what is under way and what will be sent. */
  stopMessages(isHeld: boolean, tokens: string[]): void {
    const words = wordsFrom(tokens, FILTER)
    const { network } = this
    this.rules.push({ isHeld, words })
    const stopped = network.queue.filter((envelope) => matches(words, { ...envelope, message: messageIn(envelope) }))
    network.queue = network.queue.filter((envelope) => !stopped.includes(envelope))
    if (isHeld) this.held.push(...stopped)
  }

  /** All messages pass again, and those that were held are under way. */
  release(): void {
    this.rules = []
    this.network.queue.push(...this.held)
    this.held = []
  }

  propose(tokens: string[]): void {
    const [who, label = '', ...rest] = tokens
    const index = Number(who)
    const { network } = this
    const view = network.cores[index]?.state.view ?? 0
    const time = network.now + Number(wordsFrom(rest, ['time']).get('time') ?? 0)
    if (network.cores[index]?.proposalSlot() === undefined) this.lines.push(`${index} may not propose`)
    else network.propose(index, this.names.addBatch(label, { ...batchOf(label, index, time), view }))
  }

  deliver(tokens: string[]): void {
    const { network } = this
    const count = /^\d+$/.test(tokens[0] ?? '') ? Number(tokens.shift()) : DELIVERIES_MAX
    const words = wordsFrom(tokens, FILTER)
    for (let delivered = 0; delivered < count; delivered++) {
      const isNext = (one: Envelope) => words.size === 0 || matches(words, { ...one, message: messageIn(one) })
      const index = network.queue.findIndex(isNext)
      if (index < 0) return
      const [envelope] = network.queue.splice(index, 1)
      this.promises.onReceive(envelope!.from, messageIn(envelope!))
      network.deliver(envelope!)
    }
    if (count === DELIVERIES_MAX) throw new Error('the network does not come to rest')
  }

  tick(tokens: string[]): void {
    const [ms, work, who] = tokens
    if (work !== undefined && work !== 'work') throw new Error('only "work" may follow the time')
    const busy = who === undefined ? undefined : numbersOf(who)
    const { network } = this
    network.now += Number(ms)
    for (const index of network.cores.keys()) {
      const hasWork = work !== undefined && (busy === undefined || busy.includes(index))
      network.step(index, { type: 'tick', now: network.now, at: network.now, hasWork })
    }
  }

  status(tokens: string[]): void {
    const { network } = this
    const senders = tokens[0] === undefined ? [...network.cores.keys()] : numbersOf(tokens[0])
    for (const index of senders) {
      const core = network.cores[index]
      if (core === undefined) continue
      const message: Message = { type: 'status', ...core.status() }
      this.trace('messages', `${index}>* ${wordsOf(this.names, message)}`)
      network.send(index, 'all', message)
    }
  }

  /** `losing 2 records`: the log's last ones were never synced, so nothing that followed them was sent. */
  crash(tokens: string[]): void {
    const [who, ...rest] = tokens
    const words = wordsFrom(rest, ['losing'])
    const disk = this.network.disks[Number(who)]!
    this.network.crash(Number(who))
    this.held = this.held.filter(({ to }) => to !== Number(who))
    if (words.get('losing') === 'block') {
      for (const list of [disk.chain, disk.headers, disk.batches]) list.pop()
    } else if (words.get('losing') === 'certificate') disk.certificates.pop()
    else if (words.has('losing')) {
      const lost = disk.records.splice(disk.records.length - Number(words.get('losing')))
      for (const record of lost) this.promises.onLost(Number(who), record)
    }
  }

  start(tokens: string[]): void {
    this.network.start(Number(tokens[0]))
  }

  compact(tokens: string[]): void {
    const index = Number(tokens[0])
    this.network.disks[index]!.records = this.network.cores[index]!.liveRecords()
  }

  forge(tokens: string[]): void {
    const [type = '', ...rest] = tokens
    const words = wordsFrom(rest, [...FORGED, ...FORGED_BATCH])
    const { network, names } = this
    const message = forge({ cluster: network, names, changes: this.changes }, type, words)
    const from = Number(words.get('from'))
    for (const to of words.has('to') ? numbersOf(words.get('to')!) : []) {
      const isWanted = network.cores[to]?.isWanted(message) === true
      if (isWanted) network.deliver(network.enveloped(from, to, message))
      else this.lines.push(`${to} does not read ${wordsOf(names, message)} of ${from}`)
    }
  }

  show(tokens: string[]): void {
    for (const index of numbersOf(tokens[0]!)) {
      const core = this.network.cores[index]
      if (core === undefined) {
        this.lines.push(`${index} is down`)
        continue
      }
      const { view, active, h, lastExec, timeoutMs, slots, voting } = core.state
      const rest = `${voting ? '' : ' without a vote'}, timeout ${timeoutMs}`
      this.lines.push(`${index} view ${view}${active ? '' : '?'} h${h} executed ${lastExec}${rest}`)
      for (const slot of [...slots.values()].sort((a, b) => a.seq - b.seq)) {
        const { names } = this
        const accepted = slot.accepted.get(view)
        const parts = [
          accepted && `accepted ${names.batch(accepted.digest)}`,
          slot.prepared && `prepared ${names.batch(slot.prepared.digest)} of v${slot.prepared.view}`,
          slot.committed && `committed ${names.batch(slot.committed.digest)} of v${slot.committed.view}`,
          slot.block && `block ${names.block(slot.block.hash)}`,
        ].filter((part) => part !== undefined)
        if (parts.length > 0) this.lines.push(`${index}   s${slot.seq} ${parts.join(', ')}`)
      }
    }
  }

  chain(tokens: string[]): void {
    for (const index of numbersOf(tokens[0]!)) {
      const { headers } = this.network.disks[index]!
      this.lines.push(
        `${index} ${headers.map(({ batchDigest }) => this.names.batch(batchDigest)).join(' ') || 'empty'}`,
      )
    }
  }

  setTrace(kinds: string[]): void {
    this.traced = new Set(kinds)
  }

  catchUp(): void {
    this.network.catchUp()
  }

  misexecute(tokens: string[]): void {
    this.network.misexecuting.add(Number(tokens[0]))
  }
}

/** Commands that only prepare what follows have no transcript. */
const SETTINGS = new Set(['validators', 'drop', 'hold', 'release', 'trace', 'crash', 'misexecute', 'compact'])

const HANDLERS: Record<string, (this: Run, tokens: string[]) => void> = {
  validators: Run.prototype.validators,
  trace: Run.prototype.setTrace,
  propose: Run.prototype.propose,
  deliver: Run.prototype.deliver,
  drop(tokens) {
    this.stopMessages(false, tokens)
  },
  hold(tokens) {
    this.stopMessages(true, tokens)
  },
  release: Run.prototype.release,
  tick: Run.prototype.tick,
  status: Run.prototype.status,
  crash: Run.prototype.crash,
  start: Run.prototype.start,
  compact: Run.prototype.compact,
  'catch-up': Run.prototype.catchUp,
  misexecute: Run.prototype.misexecute,
  forge: Run.prototype.forge,
  show: Run.prototype.show,
  chain: Run.prototype.chain,
}
