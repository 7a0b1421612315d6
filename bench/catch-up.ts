// Catching up, over real processes: one of four validators is off for some thousand blocks, starts again while clients go on at about a
// fifth of the peak, and then votes again; afterwards an empty observer joins from genesis.
//
//   node bench/catch-up.ts [--blocks 5000] [--load 0.2] [--port 6800] [--keep DIR] [--profile]
//
// The figure that counts is the multiple: blocks per second while catching up, over blocks per second of the running network in the
// same run and under the same load. --profile writes the returning validator's CPU profiles into the kept folder.
import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type DevnetNode, nodesOf, prepareFolder } from '../src/cli/devnet-folder.ts'
import { createLoad, start, statusOf, stop, stopAll, until } from './nodes.ts'
import { cpuSeconds } from './support.ts'

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
/** Also where a snapshot would be quicker. */
const byBlocks = { 'ledger.joinBySnapshot': false }

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
  const back = await follow(returning, await start(returning, nodes, byBlocks, flags), first, 600_000)

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

  const joined = await follow(observer, await start(observer, nodes, byBlocks), first, 600_000)
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
  await stopAll()
  if (values.keep === undefined) await rm(directory, { recursive: true, force: true })
}
