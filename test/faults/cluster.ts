// Validators as real processes that a test starts, stops, kills and pauses one by one; `quorate devnet` would start them together.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodesOf, p2pAddressOf, prepareFolder } from '../../src/cli/devnet-folder.ts'

const ENTRY = join(import.meta.dirname, '../../bin/quorate.js')
/**
 * Below what systems hand out to outgoing connections, which could take the port of a node that is down; above 10080, the last port that
 * fetch refuses (WHATWG Fetch, section 2.9).
 */
const PORTS_FROM = 10_100
const PORTS_PER_CLUSTER = 16
const START_MS = 60_000
const STOP_MS = 15_000

export const LONG = process.env.QUORATE_FAULTS === 'long'
/** The validators of a cluster, by number. */
export const ALL: readonly number[] = [0, 1, 2, 3]
export const allBut = (...left: number[]): number[] => ALL.filter((index) => !left.includes(index))
/** `progressTimeoutMs` of a devnet: what a recovery is measured against. */
export const BASE_TIMEOUT_MS = 2_000

export interface Status {
  height: number
  certifiedHeight: number
  blockHash: string
  view: number
  primary: string
  phase: string
  peers: number
}

export interface Place {
  /** The address the node's API and P2P port listen on. */
  host: string
  /** What comes before `node` on the command line. */
  prefix: string[]
}

export interface ClusterOptions {
  /** Where a node runs; this machine's loopback unless told. */
  place?(index: number): Place
  /** The host and port by which one node dials another; where the other listens unless told. */
  route?(from: number, to: number, target: { host: string; port: number }): Promise<{ host: string; port: number }>
  /** What others are told to dial; where the node listens unless told. */
  announce?: string
  /** Which nodes fetch a snapshot when they are far behind; none unless told, since most tests compare ledgers from block 0 on. */
  joinBySnapshot?: readonly number[]
  /** Full addresses of nodes outside the cluster that all of it dial. */
  strangers?: string[]
  /** Changes the genesis document before anybody reads it. */
  genesis?(document: GenesisDocument): void
}

/** What tests change of genesis.json. */
export interface GenesisDocument {
  parameters: Record<string, number | string>
  contracts: { name: string; code: string; init: unknown; owner: string }[]
}

export interface Cluster {
  readonly directory: string
  home(index: number): string
  p2p(index: number): string
  url(index: number, path: string): string
  pid(index: number): number
  start(...indexes: number[]): Promise<void>
  /** Sends the signal and waits for the end. */
  kill(index: number, signal?: NodeJS.Signals): Promise<void>
  /** SIGSTOP, SIGCONT. */
  signal(index: number, signal: NodeJS.Signals): void
  /** Tells loads to leave a node alone, or to use it again; starting, stopping and pausing do so by themselves. */
  setReachable(index: number, isReachable: boolean): void
  reachable(): number[]
  status(index: number): Promise<Status>
  log(index: number): Promise<string>
  close(): Promise<void>
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks again until the value suits; says what it last was when it never does. */
export async function until<T>(
  what: string,
  get: () => Promise<T>,
  suits: (value: T) => boolean,
  timeoutMs = 60_000,
): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const value = await get().catch((error: Error) => error)
    if (!(value instanceof Error) && suits(value)) return value
    if (Date.now() > end) {
      const last = value instanceof Error ? value.message : JSON.stringify(value)
      throw new Error(`not within ${timeoutMs} ms: ${what}; last: ${last}`)
    }
    await sleep(50)
  }
}

export async function ask<T>(url: string, timeoutMs = 5_000): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  const answer = await response.json()
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${JSON.stringify(answer)}`)
  return answer as T
}

/** Prints a figure; nothing is asserted of it. */
export function report(what: string, value: unknown): void {
  process.stdout.write(`faults: ${what}: ${value}\n`)
}

/** Prints a measured time beside what it is measured against. */
export function measured(what: string, ms: number, goal = ''): void {
  report(what, `${Math.round(ms)} ms${goal === '' ? '' : ` (${goal})`}`)
}

export async function createCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const size = ALL.length
  const directory = await mkdtemp(join(tmpdir(), 'quorate-faults-'))
  const port = await freePorts()
  await prepareFolder(directory, { validators: size, observers: 0 }, port, () => {})
  if (options.genesis !== undefined) await editGenesis(directory, size, options.genesis)
  const place = options.place ?? (() => ({ host: '127.0.0.1', prefix: [] }))
  const nodes = nodesOf({ validators: size, observers: 0 }, directory, port).map((node, index) => ({
    ...node,
    p2pPort: port + size + index,
    ...place(index),
    child: undefined as ChildProcess | undefined,
    isReachable: false,
  }))
  const ids = await Promise.all(nodes.map(async (node) => (await p2pAddressOf(node)).split('/p2p/')[1]!))
  const flags = await Promise.all(nodes.map((_, index) => flagsOf(index)))

  async function flagsOf(index: number): Promise<string[]> {
    const { host, apiPort, p2pPort } = nodes[index]!
    const bootstrap = [...(options.strangers ?? [])]
    for (const [other, { host: otherHost, p2pPort: otherPort }] of nodes.entries()) {
      if (other === index) continue
      const target = { host: otherHost, port: otherPort }
      const way = (await options.route?.(index, other, target)) ?? target
      bootstrap.push(`/ip4/${way.host}/tcp/${way.port}/p2p/${ids[other]}`)
    }
    const settings = {
      'api.host': host,
      'api.port': apiPort,
      'p2p.listen': `/ip4/${host}/tcp/${p2pPort}`,
      'p2p.bootstrap': bootstrap.join(','),
      'p2p.mdns': 'false',
      'ledger.joinBySnapshot': options.joinBySnapshot?.includes(index) ?? false,
      ...(options.announce === undefined ? {} : { 'p2p.announce': options.announce }),
    }
    return Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  }

  function startOne(index: number): Promise<void> {
    const node = nodes[index]!
    const log = openSync(node.log, 'a')
    const command = [...node.prefix, process.execPath, ENTRY, 'start', '--home', node.home, ...flags[index]!]
    // With a channel: a node stops by itself when the test that started it is gone.
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', log, log, 'ipc'] })
    closeSync(log)
    node.child = child
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${node.name} did not start in ${START_MS} ms`)), START_MS)
      child.once('message', () => {
        clearTimeout(timer)
        node.isReachable = true
        resolve()
      })
      child.once('error', reject)
      child.once('exit', async (code, signal) => {
        clearTimeout(timer)
        node.isReachable = false
        const lines = (await readFile(node.log, 'utf8').catch(() => '')).split('\n').slice(-8).join('\n')
        reject(new Error(`${node.name} ended (${code ?? signal}) before it ran:\n${lines}`))
      })
    })
  }

  async function kill(index: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const node = nodes[index]!
    const { child } = node
    node.isReachable = false
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    await new Promise<void>((resolve) => {
      // A stop that hangs is a fault of its own, but one that must not leave a process behind.
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      child.once('exit', () => {
        clearTimeout(timer)
        resolve()
      })
      child.kill(signal)
    })
  }

  const url = (index: number, path: string) => `http://${nodes[index]!.host}:${nodes[index]!.apiPort}${path}`

  return {
    directory,
    home: (index) => nodes[index]!.home,
    p2p: (index) => `/ip4/${nodes[index]!.host}/tcp/${nodes[index]!.p2pPort}/p2p/${ids[index]}`,
    url,
    pid: (index) => nodes[index]!.child!.pid!,
    async start(...indexes) {
      await Promise.all((indexes.length === 0 ? nodes.map((_, index) => index) : indexes).map(startOne))
    },
    kill,
    signal(index, signal) {
      nodes[index]!.child!.kill(signal)
      nodes[index]!.isReachable = signal === 'SIGCONT'
    },
    setReachable(index, isReachable) {
      nodes[index]!.isReachable = isReachable
    },
    reachable: () => nodes.flatMap(({ isReachable }, index) => (isReachable ? [index] : [])),
    status: (index) => ask<Status>(url(index, '/v1/status'), 2_000),
    log: (index) => readFile(nodes[index]!.log, 'utf8'),
    async close() {
      for (const { child } of nodes) child?.kill('SIGCONT')
      await Promise.all(nodes.map((_, index) => kill(index, 'SIGTERM')))
      if (process.env.QUORATE_FAULTS_KEEP === undefined) await rm(directory, { recursive: true, force: true })
      else process.stdout.write(`faults: homes and logs are kept in ${directory}\n`)
    },
  }
}

async function editGenesis(directory: string, size: number, edit: (document: GenesisDocument) => void): Promise<void> {
  const document = JSON.parse(await readFile(join(directory, 'genesis.json'), 'utf8')) as GenesisDocument
  edit(document)
  for (let index = 0; index < size; index++)
    await writeFile(join(directory, `node-${index}`, 'genesis.json'), JSON.stringify(document))
}

/** The first of so many neighbouring free ports. */
export async function freePorts(): Promise<number> {
  const steps = 1_000
  for (let step = 0; step < steps; step++) {
    const first = PORTS_FROM + ((process.pid * 7 + step * 13) % steps) * PORTS_PER_CLUSTER
    const ports = Array.from({ length: PORTS_PER_CLUSTER }, (_, offset) => first + offset)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
  throw new Error(`no ${PORTS_PER_CLUSTER} neighbouring ports are free from ${PORTS_FROM} on`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, () => server.close(() => resolve(true)))
  })
}
