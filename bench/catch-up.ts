// Catching up, over real processes: one of four validators is off for some thousand blocks, starts again while clients go on at about a
// fifth of the peak, and then votes again; afterwards an empty observer joins from genesis.
//
//   node bench/catch-up.ts [--blocks 5000] [--load 0.2] [--port 6800] [--keep DIR] [--profile]
//
// The figure that counts is the multiple: blocks per second while catching up, over blocks per second of the running network in the
// same run and under the same load. --profile writes the returning validator's CPU profiles into the kept folder.
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type DevnetNode, nodesOf, p2pAddressOf, prepareFolder } from '../src/cli/devnet-folder.ts'
import { settingFlags } from '../src/cli/devnet-processes.ts'
import { cpuSeconds, createTransfers, post, quorate } from './support.ts'

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '5000' },
    load: { type: 'string', default: '0.2' },
    port: { type: 'string', default: '6800' },
    keep: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
})
const blocksOff = Number(values.blocks)
const loadShare = Number(values.load)
const port = Number(values.port)
const PEAK_TRANSACTIONS = 6_000
const SENDERS = 200
const POLL_MS = 100

interface Status {
  height: number
  certifiedHeight: number
  genesisHash: string
  syncing: { from: number; to: number } | null
}

async function statusOf({ apiPort }: DevnetNode): Promise<Status | undefined> {
  try {
    return (await (await fetch(`http://127.0.0.1:${apiPort}/v1/status`)).json()) as Status
  } catch {
    return undefined
  }
}

async function until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs / 1_000} s`)
    await sleep(POLL_MS)
  }
}

const running = new Map<string, ChildProcess>()

async function start(node: DevnetNode, nodes: DevnetNode[], flags: string[] = []): Promise<ChildProcess> {
  const bootstrap = await Promise.all(nodes.filter((other) => other !== node).map(p2pAddressOf))
  const log = openSync(node.log, 'a')
  const args = [...flags, quorate, 'start', '--home', node.home, ...settingFlags(node, bootstrap)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log] })
  running.set(node.name, child)
  return child
}

async function stop(node: DevnetNode): Promise<void> {
  const child = running.get(node.name)
  running.delete(node.name)
  if (child === undefined || child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

/** Transfers to these nodes in turn. */
async function createLoad(directory: string, genesisHash: string, nodes: DevnetNode[]) {
  const urls = nodes.map(({ apiPort }) => `http://127.0.0.1:${apiPort}`)
  const { next } = await createTransfers({ directory, urls, genesisHash }, SENDERS)
  let turn = 0
  const send = (txs: string[], query?: string) => post(urls[turn++ % urls.length]!, txs, query)
  return {
    /** Transactions per second with as much in flight as the network takes. */
    async peak(): Promise<number> {
      const batches = [...Array(PEAK_TRANSACTIONS / 100).keys()]
      const texts = [] as string[][]
      for (const _ of batches) texts.push(await next(100))
      const begin = performance.now()
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          for (let txs = texts.shift(); txs !== undefined; txs = texts.shift()) await send(txs)
        }),
      )
      return (PEAK_TRANSACTIONS * 1_000) / (performance.now() - begin)
    },
    /** Sends at a rate until the returned function is called, in small portions as clients do. */
    steady(perSecond: number): () => Promise<void> {
      let stopped = false
      const open = new Set<Promise<unknown>>()
      const sending = (async () => {
        const begin = performance.now()
        let done = 0
        while (!stopped) {
          const due = Math.floor(((performance.now() - begin) / 1_000) * perSecond) - done
          if (due > 0) {
            done += due
            const one = send(await next(due), '').finally(() => open.delete(one))
            open.add(one)
          }
          await sleep(10)
        }
        await Promise.all(open)
      })()
      return () => {
        stopped = true
        return sending
      }
    },
  }
}

/** From the first new block to the tip: how fast this node goes, and how fast the network goes meanwhile. */
async function follow(node: DevnetNode, child: ChildProcess, reference: DevnetNode, timeoutMs: number) {
  const begun = performance.now()
  const ready = await until('the node answers', 60_000, () => statusOf(node))
  const from = ready.height
  let first: { at: number; cpu: number; height: number; network: number } | undefined
  let wasSyncing = false
  let targetSeen = 0
  const end = await until(`${node.name} reaches the tip`, timeoutMs, async () => {
    const [own, other] = await Promise.all([statusOf(node), statusOf(reference)])
    if (own === undefined || other === undefined) return undefined
    wasSyncing ||= own.syncing !== null
    targetSeen = Math.max(targetSeen, own.syncing?.to ?? 0)
    if (first === undefined && own.height > from)
      first = {
        at: performance.now(),
        cpu: await cpuSeconds(child.pid!),
        height: own.height,
        network: other.certifiedHeight,
      }
    return own.certifiedHeight >= other.certifiedHeight - 8 && { height: own.height, network: other.certifiedHeight }
  })
  const seconds = (performance.now() - first!.at) / 1_000
  const cpu = (await cpuSeconds(child.pid!)) - first!.cpu
  const blocks = end.height - first!.height
  return {
    from,
    to: end.height,
    startSeconds: +((first!.at - begun) / 1_000).toFixed(2),
    catchUpSeconds: +seconds.toFixed(2),
    blocksPerSecond: Math.round(blocks / seconds),
    networkBlocksPerSecondMeanwhile: Math.round((end.network - first!.network) / seconds),
    cpuSeconds: +cpu.toFixed(2),
    cpuMicrosecondsPerBlock: Math.round((cpu / blocks) * 1e6),
    syncingShown: wasSyncing && targetSeen > from,
  }
}

// However this program ends, its nodes end with it.
process.on('exit', () => {
  for (const child of running.values()) child.kill('SIGTERM')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const directory = resolve(values.keep ?? (await mkdtemp(join(tmpdir(), 'quorate-catch-up-'))))
const size = { validators: 4, observers: 1 }
let stopLoad: (() => Promise<void>) | undefined
try {
  await prepareFolder(directory, size, port, () => {})
  const nodes = nodesOf(size, directory, port)
  const [first, second, third, returning, observer] = nodes as [
    DevnetNode,
    DevnetNode,
    DevnetNode,
    DevnetNode,
    DevnetNode,
  ]
  const validators = nodes.slice(0, 4)
  for (const node of validators) await start(node, nodes)
  const { genesisHash } = await until('the network runs', 60_000, () => statusOf(first))
  await until('readiness', 60_000, async () => (await fetch(`http://127.0.0.1:${first.apiPort}/ready`)).ok)
  const load = await createLoad(directory, genesisHash, [first, second])
  const peak = await load.peak()

  await stop(returning)
  const stoppedAt = (await statusOf(first))!.certifiedHeight
  stopLoad = load.steady(peak * loadShare)
  const begun = performance.now()
  const gone = await until(`${blocksOff} blocks without ${returning.name}`, 3_600_000, async () => {
    const status = await statusOf(first)
    return status !== undefined && status.certifiedHeight >= stoppedAt + blocksOff && status.certifiedHeight
  })
  const live = (gone - stoppedAt) / ((performance.now() - begun) / 1_000)

  const flags = values.profile ? ['--cpu-prof', `--cpu-prof-dir=${join(directory, 'profiles')}`] : []
  const back = await follow(returning, await start(returning, nodes, flags), first, 600_000)

  console.error(`live ${live.toFixed(1)} blocks/s; ${returning.name} is back: ${JSON.stringify(back)}`)

  await stop(third)
  const lone = (await statusOf(first))!.certifiedHeight
  const votesSince = performance.now()
  const votes = await until('blocks with the vote of the returned validator', 60_000, async () => {
    const status = await statusOf(first)
    return status !== undefined && status.certifiedHeight > lone + 20 && status.certifiedHeight - lone
  })
  const votesSeconds = (performance.now() - votesSince) / 1_000
  await start(third, nodes)

  const joined = await follow(observer, await start(observer, nodes), first, 600_000)
  await stopLoad()
  stopLoad = undefined
  const round = (value: number) => +value.toFixed(1)
  console.log(
    JSON.stringify(
      {
        cores: availableParallelism(),
        peakTransactionsPerSecond: Math.round(peak),
        load: Math.round(peak * loadShare),
        liveBlocksPerSecond: round(live),
        transactionsPerBlock: round((peak * loadShare) / live),
        returning: { ...back, multiple: round(back.blocksPerSecond / live) },
        votesAgain: { blocks: votes, seconds: round(votesSeconds) },
        observer: { ...joined, multiple: round(joined.blocksPerSecond / live) },
      },
      null,
      1,
    ),
  )
} finally {
  await stopLoad?.().catch(() => {})
  for (const child of running.values()) {
    if (child.exitCode !== null) continue
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
  if (values.keep === undefined) await rm(directory, { recursive: true, force: true })
}
