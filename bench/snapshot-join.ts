// A validator that was away for 50,000 blocks joins by a snapshot under load; the same away for as long without snapshots shows what
// executing the blocks would take.
//
//   node bench/snapshot-join.ts [--blocks 50000] [--transactions 4] [--accounts 20000] [--load 0.2] [--replay 60] [--port 7000] [--keep DIR]
//
// The blocks are made without a network, by a node's own executor and with real certificates (made-chain.ts), and copied into the homes of
// three validators before they start. The fourth has an empty ledger. The load is a share of the peak. First the fourth fetches blocks for
// `--replay` seconds, from which the time for all of them follows; then, empty again, it joins by a snapshot.
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type DevnetNode, nodesOf, prepareFolder } from '../src/cli/devnet-folder.ts'
import { ledgerOf, makeChain } from './made-chain.ts'
import { createLoad, start, statusOf, stop, stopAll, until } from './nodes.ts'

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '50000' },
    transactions: { type: 'string', default: '4' },
    accounts: { type: 'string', default: '20000' },
    load: { type: 'string', default: '0.2' },
    replay: { type: 'string', default: '60' },
    port: { type: 'string', default: '7000' },
    keep: { type: 'string' },
  },
})
const size = {
  blocks: Number(values.blocks),
  transactions: Number(values.transactions),
  accounts: Number(values.accounts),
}
const say = (text: string) => console.error(`${new Date().toISOString()} ${text}`)
const folder = resolve(values.keep ?? (await mkdtemp(join(tmpdir(), 'quorate-snapshot-join-'))))

async function metricsOf({ apiPort }: DevnetNode): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${apiPort}/metrics`)).text()
  return new Map([...text.matchAll(/^quorate_(\w+) (\S+)$/gm)].map(([, name, value]) => [name!, Number(value)]))
}

interface LogLine {
  msg: string
  [figure: string]: unknown
}
const logOf = async ({ log }: DevnetNode, msg: string): Promise<LogLine | undefined> =>
  (await readFile(log, 'utf8'))
    .split('\n')
    .filter((line) => line.includes(`"${msg}"`))
    .map((line) => JSON.parse(line) as LogLine)
    .at(-1)

let stopLoad: (() => Promise<void>) | undefined
try {
  await prepareFolder(folder, { validators: 4, observers: 0 }, Number(values.port), () => {})
  const nodes = nodesOf({ validators: 4, observers: 0 }, folder, Number(values.port))
  const [first, second, third, away] = nodes as [DevnetNode, DevnetNode, DevnetNode, DevnetNode]
  const made = await makeChain(
    folder,
    nodes.map(({ home }) => home),
    size,
    say,
  )
  say(`${made.height} blocks made in ${made.seconds.toFixed(0)} s`)
  for (const node of [second, third]) await cp(ledgerOf(first.home), ledgerOf(node.home), { recursive: true })

  for (const node of [first, second, third]) await start(node, nodes)
  const { genesisHash } = await until('the network runs', 120_000, () => statusOf(first))
  await until('readiness', 120_000, async () => (await fetch(`http://127.0.0.1:${first.apiPort}/ready`)).ok)
  const load = await createLoad(folder, genesisHash, [first, second])
  const peak = await load.peak()
  await until('a snapshot', 300_000, async () => (await metricsOf(first)).get('snapshot_height')! >= size.blocks)
  const perSecond = peak * Number(values.load)
  stopLoad = load.steady(perSecond)
  say(`peak ${Math.round(peak)} transactions/s, load ${Math.round(perSecond)}`)

  await start(away, nodes, { 'ledger.joinBySnapshot': false })
  const begin = await until('blocks come in', 120_000, async () => {
    const height = (await statusOf(away))?.height ?? 0
    return height > 200 && { height, at: performance.now() }
  })
  await sleep(Number(values.replay) * 1_000)
  const replayed = (await statusOf(away))!.height
  const blocksPerSecond = (replayed - begin.height) / ((performance.now() - begin.at) / 1_000)
  await stop(away)
  await rm(ledgerOf(away.home), { recursive: true })
  await rm(join(away.home, 'data', 'snapshots'), { recursive: true, force: true })
  say(`by blocks: ${replayed} of ${size.blocks}, ${blocksPerSecond.toFixed(1)} a second`)

  const startedAt = performance.now()
  await start(away, nodes)
  const tip = await until('the tip', 600_000, async () => {
    const [own, other] = await Promise.all([statusOf(away), statusOf(first)])
    return (
      own !== undefined &&
      other !== undefined &&
      own.certifiedHeight >= other.certifiedHeight - 8 &&
      own.certifiedHeight >= size.blocks &&
      own.certifiedHeight
    )
  })
  const seconds = (performance.now() - startedAt) / 1_000
  await stop(third)
  const alone = (await statusOf(first))!.certifiedHeight
  await until('blocks with its vote', 60_000, async () => (await statusOf(first))!.certifiedHeight > alone + 20)
  await stopLoad()
  stopLoad = undefined
  const figures = await metricsOf(first)
  const joined = await logOf(away, 'a ledger was made of a snapshot')
  const replaySeconds = tip / blocksPerSecond
  console.log(
    JSON.stringify(
      {
        cores: availableParallelism(),
        ...size,
        loadTransactionsPerSecond: Math.round(perSecond),
        snapshot: {
          keys: figures.get('snapshot_keys'),
          bytes: figures.get('snapshot_bytes'),
          madeInSeconds: figures.get('snapshot_seconds'),
        },
        joined: { tip, seconds: +seconds.toFixed(1), fetchedMs: joined?.fetchedMs, ledgerMadeAfterMs: joined?.tookMs },
        replay: {
          blocksPerSecond: +blocksPerSecond.toFixed(1),
          measuredBlocks: replayed,
          secondsForAll: Math.round(replaySeconds),
        },
        ratio: +(replaySeconds / seconds).toFixed(1),
      },
      null,
      1,
    ),
  )
} finally {
  await stopLoad?.().catch(() => {})
  await stopAll()
  if (values.keep === undefined) await rm(folder, { recursive: true, force: true })
}
