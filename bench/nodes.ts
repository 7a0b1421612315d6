// Nodes of a devnet's folder that a benchmark starts and stops one by one, and clients that send to them.
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DevnetNode, p2pAddressOf } from '../src/cli/devnet-folder.ts'
import { settingFlags } from '../src/cli/devnet-processes.ts'
import { createTransfers, post, quorate } from './support.ts'

const PEAK_TRANSACTIONS = 6_000
const SENDERS = 200
const POLL_MS = 100

export interface Status {
  height: number
  certifiedHeight: number
  genesisHash: string
  syncing: { from: number; to: number; by: string } | null
}

export async function statusOf({ apiPort }: DevnetNode): Promise<Status | undefined> {
  try {
    return (await (await fetch(`http://127.0.0.1:${apiPort}/v1/status`)).json()) as Status
  } catch {
    return undefined
  }
}

export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs / 1_000} s`)
    await sleep(POLL_MS)
  }
}

const running = new Map<string, ChildProcess>()

export async function start(
  node: DevnetNode,
  nodes: DevnetNode[],
  settings: Record<string, unknown> = {},
  flags: string[] = [],
): Promise<ChildProcess> {
  const bootstrap = await Promise.all(nodes.filter((other) => other !== node).map(p2pAddressOf))
  const log = openSync(node.log, 'a')
  const more = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  const args = [...flags, quorate, 'start', '--home', node.home, ...settingFlags(node, bootstrap), ...more]
  const child = spawn(process.execPath, args, { stdio: ['ignore', log, log] })
  running.set(node.name, child)
  return child
}

export async function stop(node: DevnetNode): Promise<void> {
  const child = running.get(node.name)
  running.delete(node.name)
  if (child === undefined || child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
}

/** Transfers to these nodes in turn; `firstNonce` is the next one of the devnet's alice, who pays for them. */
export async function createLoad(directory: string, genesisHash: string, nodes: DevnetNode[], firstNonce = 0) {
  const urls = nodes.map(({ apiPort }) => `http://127.0.0.1:${apiPort}`)
  const { next } = await createTransfers({ directory, urls, genesisHash }, SENDERS, firstNonce)
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

// However this program ends, its nodes end with it.
process.on('exit', () => {
  for (const child of running.values()) child.kill('SIGTERM')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

export async function stopAll(): Promise<void> {
  for (const child of running.values()) {
    if (child.exitCode !== null) continue
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
}
