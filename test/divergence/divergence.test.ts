import { describe, expect, it } from 'vitest'
import { ANSWER_EVERY_MS, createEffectsAnswering } from '../../src/divergence/answer.ts'
import { createDivergence } from '../../src/divergence.ts'
import type { Certificate } from '../../src/types/block.ts'
import {
  type Difference,
  type Divergence,
  effectRequestCodec,
  effectsRequestCodec,
} from '../../src/types/divergence.ts'
import { blockRequestCodec } from '../../src/types/fetch.ts'
import { encode } from '../../src/types/schema.ts'
import { answersOf, asking, type Blocks, createNode, type Handler } from './world.ts'

const right: Blocks = [[{ writes: [['token\0a', '1']] }], [{ writes: [['token\0b', '1']] }]]
const wrong: Blocks = [right[0]!, [{ writes: [['token\0b', '2']] }]]
const [quorum, own] = [createNode(right), createNode(wrong)]
const certificate: Certificate = { height: 2, blockHash: quorum.hashes[2]!, signatures: [] }
const ours = own.hashes[2]!
const key = { key: 'b', ours: '2', theirs: '1' }

function createWorld(peers: Record<string, Handler>, kept?: Divergence) {
  const state = { now: 0, h: 1, found: [] as Difference[], errors: [] as unknown[], asked: 0, kept, fails: false }
  const find = asking(own, peers)
  const finder = createDivergence({
    ...own,
    ...find,
    request(...question) {
      state.asked++
      return find.request(...question)
    },
    store: {
      divergence: async () => state.kept,
      async putDivergence(divergence) {
        if (state.fails) throw new Error('the disk is full')
        state.kept = divergence
      },
    },
    position: () => ({ h: state.h, lastExec: 2 }),
    patienceMs: 2_500,
    onFound: (difference) => state.found.push(difference),
    onError: (error) => state.errors.push(error),
    now: () => state.now,
  })
  async function pass(ms: number): Promise<void> {
    for (const end = state.now + ms; state.now < end; ) {
      state.now += 1_000
      finder.onBeat()
      await finder.settled()
    }
  }
  return { finder, state, pass }
}

describe('a quorum that contradicts this node', () => {
  it('is kept first, then looked into, and what is found is kept too', async () => {
    const { finder, state } = createWorld({ a: answersOf(quorum) })
    await finder.load()
    const keeping = finder.keep(certificate, ours)
    await keeping
    expect(state.kept).toEqual({ certificate, ours, difference: null })
    await finder.settled()
    expect(finder.found()).toMatchObject({ height: 2, key })
    expect(state.kept?.difference).toEqual(finder.found())
    expect(state.found).toHaveLength(1)

    const later = createWorld({ a: answersOf(quorum) }, state.kept)
    await later.finder.load()
    await later.pass(10_000)
    expect(later.finder.found()).toEqual(finder.found())
    expect(later.state).toMatchObject({ asked: 0, found: [] })
  })

  it('that was kept before anything was found is looked into after a restart', async () => {
    const { finder, state, pass } = createWorld({ a: answersOf(quorum) }, { certificate, ours, difference: null })
    await finder.load()
    await pass(1_000)
    expect(finder.found()).toMatchObject({ key })
    expect(state.kept?.difference).toMatchObject({ key })
  })

  it('and cannot be kept is an error of whoever told it', async () => {
    const { finder, state } = createWorld({})
    state.fails = true
    await expect(finder.keep(certificate, ours)).rejects.toThrow('the disk is full')
  })

  it('is looked into again until peers answer, ever more rarely', async () => {
    const peers: Record<string, Handler> = { a: () => Promise.reject(new Error('TIMEOUT')) }
    const { finder, state, pass } = createWorld(peers)
    await finder.keep(certificate, ours)
    await pass(600_000)
    expect(state.asked).toBeGreaterThan(10)
    expect(state.asked).toBeLessThan(20)
    expect(finder.found()).toBeUndefined()
    peers.a = answersOf(quorum)
    await pass(60_000)
    expect(finder.found()).toMatchObject({ key })
    const { asked } = state
    await pass(600_000)
    expect(state.asked).toBe(asked)
    expect(state.errors).toEqual([])
  })
})

describe('validators that made another block', () => {
  const theirs = quorum.hashes[2]!

  it('are asked where no block is certified for as long as tolerated', async () => {
    const { finder, state, pass } = createWorld({ a: answersOf(quorum) })
    finder.onMismatch(2, 'a', theirs)
    await pass(2_000)
    expect(state.asked).toBe(0)
    await pass(1_000)
    expect(finder.found()).toMatchObject({ height: 2, key })
    expect(state.kept).toBeUndefined()
    state.h = 2
    await pass(1_000)
    expect(finder.found()).toBeUndefined()
  })

  it('are not asked where one is certified in time, below it, or where a quorum has decided', async () => {
    const { finder, state, pass } = createWorld({ a: answersOf(quorum) })
    finder.onMismatch(1, 'a', theirs)
    finder.onMismatch(2, 'a', theirs)
    state.h = 2
    await pass(10_000)
    expect([state.asked, finder.found()]).toEqual([0, undefined])
    const decided = createWorld({ a: answersOf(quorum) }, { certificate, ours, difference: null })
    await decided.finder.load()
    await decided.pass(1_000)
    decided.finder.onMismatch(2, 'a', 'ee'.repeat(32))
    expect(decided.finder.found()).toMatchObject({ theirs: certificate.blockHash })
  })

  it('count by their number: the hash that most of them signed is the one looked into', async () => {
    const { finder, pass } = createWorld({ a: answersOf(quorum) })
    finder.onMismatch(2, 'x', '00'.repeat(32))
    finder.onMismatch(2, 'a', theirs)
    finder.onMismatch(2, 'b', theirs)
    await pass(3_000)
    expect(finder.found()).toMatchObject({ theirs })
  })
})

describe('answers', () => {
  const ofBlock = encode(effectsRequestCodec, { height: 2 })
  const ofTransaction = encode(effectRequestCodec, { height: 2, index: 0 })

  it('are for its two requests only', () => {
    const { isFor } = createEffectsAnswering(quorum, () => 0)
    expect([ofBlock, ofTransaction].map(isFor)).toEqual([true, true])
    const others = [
      encode(blockRequestCodec, { from: 1, limit: 1 }),
      new Uint8Array(),
      Uint8Array.of(1),
      new Uint8Array(9),
    ]
    expect(others.map(isFor)).toEqual([false, false, false, false])
  })

  it('are refused to whoever asks too often; those who are no validators count as one', async () => {
    let now = 0
    const { answer } = createEffectsAnswering(quorum, () => now)
    await answer('a', ofBlock)
    await expect(answer('a', ofTransaction)).rejects.toThrow('too soon')
    await answer('b', ofBlock)
    await answer(null, ofBlock)
    await expect(answer(null, ofBlock)).rejects.toThrow('too soon')
    now += ANSWER_EVERY_MS
    await answer('a', ofTransaction)
  })

  it('are refused where there is nothing, and where the request is malformed', async () => {
    let now = 0
    const { answer } = createEffectsAnswering(quorum, () => (now += 1_000))
    await expect(answer('a', encode(effectsRequestCodec, { height: 3 }))).rejects.toThrow('no block 3')
    await expect(answer('a', encode(effectRequestCodec, { height: 2, index: 1 }))).rejects.toThrow('no transaction 1')
    await expect(answer('a', Uint8Array.of(...ofBlock, 0))).rejects.toThrow('the end of the input')
  })

  it('run transactions again one at a time, and only so many wait', async () => {
    const doors: (() => void)[] = []
    let open = 0
    let most = 0
    const slow = {
      ...quorum,
      async writes() {
        most = Math.max(most, ++open)
        await new Promise<void>((resolve) => doors.push(resolve))
        open--
        return []
      },
    }
    const { answer } = createEffectsAnswering(slow, () => 0)
    const answers = Array.from({ length: 20 }, (_, index) => answer(String(index), ofTransaction))
    const results = Promise.allSettled(answers)
    for (let turn = 0; turn < 100; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      doors.shift()?.()
    }
    const outcomes = (await results).map(({ status }) => status)
    expect(outcomes.filter((status) => status === 'rejected')).toHaveLength(4)
    expect(most).toBe(1)
  })
})
