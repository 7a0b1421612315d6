// What must hold after every fault: one ledger on all nodes, each certified receipt still in it, each transfer run exactly once.

import { expect } from 'vitest'
import { faultsTolerated } from '../../src/types/quorum.ts'
import { ask, type Cluster, type Status, sleep, until } from './cluster.ts'
import type { Certified, Load } from './load.ts'

const PAGE = 100

interface Block {
  height: number
  hash: string
  transactions: string[]
}

interface Listed {
  id: string
  height: number
  nonce: number
  status: string
}

async function blocks(cluster: Cluster, index: number, upTo: number): Promise<Block[]> {
  const all: Block[] = []
  while (all.length <= upTo) {
    const page = await ask<{ blocks: Block[] }>(
      cluster.url(index, `/v1/blocks?from=${all.length}&limit=${PAGE}`),
      20_000,
    )
    if (page.blocks.length === 0) throw new Error(`node ${index} has no block ${all.length}, asked up to ${upTo}`)
    all.push(...page.blocks)
  }
  return all.slice(0, upTo + 1)
}

/** Every receipt that was certified so far is in the same block of every node, and all blocks up to there are the same. */
export async function expectOneLedger(
  cluster: Cluster,
  nodes: readonly number[],
  certified: readonly Certified[],
): Promise<void> {
  const receipts = [...certified]
  const top = Math.max(0, ...receipts.map(({ height }) => height))
  const statuses = await until(
    `every node has block ${top}, the last one that a client has a receipt of`,
    () => Promise.all(nodes.map((index) => cluster.status(index))),
    (all) => all.every(({ certifiedHeight }) => certifiedHeight >= top),
  )
  const upTo = Math.min(...statuses.map(({ certifiedHeight }) => certifiedHeight))
  const ledgers = await Promise.all(nodes.map((index) => blocks(cluster, index, upTo)))
  const hashes = ledgers.map((ledger) => ledger.map(({ height, hash }) => `${height} ${hash}`))
  for (const other of hashes.slice(1)) expect(other).toEqual(hashes[0])
  const lost = receipts.filter(
    ({ id, height }) => !ledgers.every((ledger) => ledger[height]!.transactions.includes(id)),
  )
  expect(lost).toEqual([])
}

/** Stops the load: the nodes have one ledger, each nonce of each sender ran exactly once, and the receiver has as much as was sent. */
export async function expectExactlyOnce(cluster: Cluster, nodes: readonly number[], load: Load): Promise<void> {
  await load.stop()
  await expectOneLedger(cluster, nodes, load.certified)
  expect(load.wrong).toEqual([])
  const node = cluster.reachable()[0]!
  const minHeight = Math.max(...load.certified.map(({ height }) => height))
  for (const sender of load.senders) {
    const ran = await executed(cluster, node, sender, minHeight)
    const nonces = ran.map(({ nonce }) => nonce).sort((a, b) => a - b)
    expect(nonces).toEqual(nonces.map((_, index) => index))
    const known = load.certified.filter((receipt) => receipt.sender === sender)
    expect(nonces.length).toBe(known.length)
    const heights = new Map(ran.map(({ id, height }) => [id, height]))
    expect(known.filter(({ id, height }) => heights.get(id) !== height)).toEqual([])
  }
  const body = JSON.stringify({ account: load.receiver })
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
  const view = await fetch(cluster.url(node, '/v1/contracts/token/views/balanceOf'), options)
  expect(await view.json()).toMatchObject({ result: String(load.certified.length) })
}

async function executed(cluster: Cluster, node: number, sender: string, minHeight: number): Promise<Listed[]> {
  const all: Listed[] = []
  let from = ''
  for (;;) {
    const path = `/v1/transactions?sender=${sender}&limit=${PAGE}&minHeight=${minHeight}${from}`
    const { transactions, next } = await ask<{ transactions: Listed[]; next: string | null }>(
      cluster.url(node, path),
      20_000,
    )
    all.push(...transactions)
    if (next === null) return all
    from = `&from=${next}`
  }
}

export const statuses = (cluster: Cluster, nodes: readonly number[]): Promise<Status[]> =>
  Promise.all(nodes.map((index) => cluster.status(index)))

/**
 * The nodes are in one active view, caught up to a few blocks of one another, and connected to each other. As many as may be faulty may wait
 * ahead, in the view that their SUSPECTs and those of others who have changed their minds since have led them to: they follow, and the
 * next cause to leave takes all others there (docs/protocol.md, rule 20). Those of the common view come first.
 */
export async function settled(cluster: Cluster, nodes: readonly number[], timeoutMs = 90_000): Promise<Status[]> {
  const all = await until(
    `nodes ${nodes.join(', ')} are in one view and level`,
    () => statuses(cluster, nodes),
    (all) => {
      const heights = all.map(({ certifiedHeight }) => certifiedHeight)
      const isLevel = Math.max(...heights) - Math.min(...heights) <= 8
      return areTogether(all) && isLevel && all.every(({ peers }) => peers >= nodes.length - 1)
    },
    timeoutMs,
  )
  return all.toSorted((a, b) => a.view - b.view)
}

function areTogether(all: Status[]): boolean {
  const view = Math.min(...all.map((status) => status.view))
  const isActive = all.every((status) => status.view > view || status.phase !== 'view-change')
  const ahead = all.filter((status) => status.view > view)
  return isActive && ahead.length <= faultsTolerated(all.length) && ahead.every(({ phase }) => phase === 'view-change')
}

/** The number of the validator that is primary. */
export const primaryOf = (status: Status): number => Number(/\d+$/.exec(status.primary)![0])

/** Resolves when one of the nodes has certified `count` blocks more than it had. Gives the time it took. */
export async function untilProgress(
  cluster: Cluster,
  nodes: readonly number[],
  count = 1,
  timeoutMs = 60_000,
): Promise<number> {
  const startedAt = performance.now()
  const before = await highest(cluster, nodes)
  await until(
    `${count} more blocks than ${before} at one of nodes ${nodes.join(', ')}`,
    () => highest(cluster, nodes),
    (height) => height >= before + count,
    timeoutMs,
  )
  return performance.now() - startedAt
}

/** Resolves when a view above `view` is active at one of the nodes and has certified a block. Gives the time since `since`. */
export async function untilNextView(
  cluster: Cluster,
  nodes: readonly number[],
  view: number,
  since: number,
  timeoutMs = 60_000,
): Promise<number> {
  let from: number | undefined
  await until(
    `a view above ${view} certifies blocks at nodes ${nodes.join(', ')}`,
    () => statuses(cluster, nodes),
    (all) => {
      const height = Math.max(...all.map(({ certifiedHeight }) => certifiedHeight))
      if (all.some((status) => status.view > view && status.phase !== 'view-change')) from ??= height
      return from !== undefined && height > from
    },
    timeoutMs,
  )
  return performance.now() - since
}

async function highest(cluster: Cluster, nodes: readonly number[]): Promise<number> {
  const answers = await Promise.allSettled(nodes.map((index) => cluster.status(index)))
  const heights = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.certifiedHeight] : []))
  if (heights.length === 0) throw new Error(`none of nodes ${nodes.join(', ')} answers`)
  return Math.max(...heights)
}

/** Nothing is certified at any of the nodes for that long, once what was under way has had a moment to end. */
export async function expectStandstill(cluster: Cluster, nodes: readonly number[], forMs: number): Promise<void> {
  await sleep(1_500)
  const before = await highest(cluster, nodes)
  await sleep(forMs)
  expect(await highest(cluster, nodes)).toBe(before)
}
