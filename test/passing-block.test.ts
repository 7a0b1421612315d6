// Which blocks a primary answers for, and when it proposed them by this node's clock.
import { expect, it } from 'vitest'
import { passingBlockOf } from '../src/passing-block.ts'
import { batchOf, Cluster, keyOf } from './consensus/cluster.ts'

const MONOTONIC = 50_000
const NOW = 1_700_000_000_000

/** A node whose core has committed sequence 1 of view 0. */
function stateOf() {
  const cluster = new Cluster(4)
  cluster.filter = ({ message }) => message.type !== 'exec'
  cluster.propose(0, batchOf('a', 0))
  cluster.settle()
  return cluster.cores[1]!.state
}
const passing = (time: number, changes: { height?: number; proposer?: string; view?: number } = {}) => {
  const state = stateOf()
  const { height = 1, proposer = keyOf(0), view = state.view } = changes
  const clock = { now: () => NOW, monotonic: () => MONOTONIC }
  return passingBlockOf({ height, proposer, time }, { view, slots: state.slots, epoch: state.epoch }, clock)
}

it('a block that the current view ordered here counts from when it was proposed', () => {
  expect(passing(NOW - 300)).toEqual({ height: 1, view: 0, now: MONOTONIC, proposedAt: MONOTONIC - 300 })
})

it('a time ahead of this clock is now, and one far back gains the primary no more than view 0 takes', () => {
  expect(passing(NOW + 900)?.proposedAt).toBe(MONOTONIC)
  expect(passing(0)?.proposedAt).toBe(MONOTONIC - 11_000)
})

it('a block of another proposer, of an earlier view, or not ordered here, counts against nobody', () => {
  expect(passing(NOW, { proposer: keyOf(1) })).toBeUndefined()
  expect(passing(NOW, { view: 4 })).toBeUndefined()
  expect(passing(NOW, { height: 2 })).toBeUndefined()
})
