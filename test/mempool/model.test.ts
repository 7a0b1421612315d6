// The pool against a naive twin: a plain list that is searched through for everything.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Transaction } from '../../src/types/transaction.ts'
import { offer, poolWith, senderOf, wireOf } from './support.ts'

const LIMITS = { transactionsMax: 8, bytesMax: 2_600, perSenderMax: 5, nonceAheadMax: 7, perPeerMax: 6 }

interface Held {
  id: string
  sender: number
  nonce: number
  expires: number
  bytes: number
  source: string
}

/** What the pool should hold; order of turns is checked by properties, not predicted. */
class Model {
  held: Held[] = []
  nonces = new Map<number, number>()
  height = 0

  next(sender: number): number {
    return this.nonces.get(sender) ?? 0
  }
  end(sender: number): number {
    let nonce = this.next(sender)
    while (this.held.some((entry) => entry.sender === sender && entry.nonce === nonce)) nonce++
    return nonce
  }
  drop(condition: (entry: Held) => boolean): void {
    this.held = this.held.filter((entry) => !condition(entry))
  }
}

const senders = fc.integer({ min: 1, max: 4 })
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      sender: senders,
      ahead: fc.integer({ min: -1, max: 8 }),
      lasts: fc.integer({ min: 0, max: 4 }),
      size: fc.constantFrom(0, 0, 0, 300, 900),
      source: fc.constantFrom('local', 'peer'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('execute' as const), count: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('foreign' as const), sender: senders }) },
)

test('any sequence of admissions and blocks leaves what the twin says', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const state = poolWith(LIMITS)
      const model = new Model()
      for (const action of steps) {
        if (action.kind === 'offer') offerBoth(state, model, action)
        else if (action.kind === 'execute') executeBoth(state, model, action.count)
        else foreignBoth(state, model, action.sender)
        compare(state, model)
      }
    }),
    { numRuns: 400 },
  )
})

type State = ReturnType<typeof poolWith>
type Offer = { sender: number; ahead: number; lasts: number; size: number; source: string }

function offerBoth({ pool }: State, model: Model, { sender, ahead, lasts, size, source }: Offer): void {
  const nonce = Math.max(0, model.next(sender) + ahead)
  const expires = lasts === 0 ? 0 : model.height + lasts - 1
  const wire = wireOf({ sender: senderOf(sender), nonce, expires, args: new Uint8Array(size), gasLimit: 10_000 })
  const before = [...model.held]
  const outcome = offer(pool, wire, source, 0, model.height)
  const has = (id: string) => pool.has(id)
  const own = before.filter((entry) => entry.sender === sender)
  const holder = own.find((entry) => entry.nonce === nonce)
  if (outcome === holder?.id) return

  if (expires !== 0 && expires <= model.height) expect(outcome).toBe('EXPIRED')
  else if (nonce < model.next(sender)) expect(outcome).toBe('NONCE_USED')
  else if (nonce >= model.next(sender) + LIMITS.nonceAheadMax) expect(outcome).toBe('NONCE_TOO_FAR')
  else if (holder !== undefined) expect(outcome).toBe('NONCE_TAKEN')
  else if (source === 'peer' && before.filter((entry) => entry.source === 'peer').length >= LIMITS.perPeerMax) {
    expect(outcome).toBe('MEMPOOL_FULL')
  } else if (fits(before, wire.length) && own.length < LIMITS.perSenderMax) expect(outcome).toMatch(/^[0-9a-f]{64}$/)
  else if (outcome !== 'MEMPOOL_FULL') {
    // A full pool took it: what it gave up must have been worth less.
    const victims = before.filter((entry) => !has(entry.id))
    expect(victims.length).toBeGreaterThan(0)
    const isExecutable = nonce === model.end(sender)
    for (const victim of victims) {
      const distance = victim.nonce - model.end(victim.sender)
      if (distance > 0) expect(distance > nonce - model.end(sender) || victim.sender === sender).toBe(true)
      else expect(isExecutable).toBe(true)
    }
    model.drop((entry) => victims.includes(entry))
  }
  if (outcome.length === 64) model.held.push({ id: outcome, sender, nonce, expires, bytes: wire.length, source })
}

function fits(held: Held[], bytes: number): boolean {
  const total = held.reduce((sum, entry) => sum + entry.bytes, bytes)
  return held.length < LIMITS.transactionsMax && total <= LIMITS.bytesMax
}

/** A block of what the pool selects; it must be executable, in order and fair. */
function executeBoth(state: State, model: Model, count: number): void {
  const room = { transactionsMax: count, bytesMax: 1_500, gasMax: 35_000 }
  const selected = state.pool.select(room, () => 0, model.height + 1)
  checkSelection(selected, model, room)
  model.height++
  const nextNonces = new Map<string, number>()
  const executed = selected.map(({ sender, nonce, unsigned }) => {
    const index = Number.parseInt(sender, 16)
    model.nonces.set(index, nonce + 1)
    state.nonces.set(sender, nonce + 1)
    nextNonces.set(sender, nonce + 1)
    const held = model.held.find((entry) => entry.sender === index && entry.nonce === nonce)
    expect(unsigned.length).toBeGreaterThan(0)
    return { id: held!.id, sender, nonce, final: true }
  })
  const removed = state.pool.onExecuted(model.height, executed, nextNonces)
  for (const { id } of executed) expect(removed).toContainEqual(expect.objectContaining({ id, reason: 'EXECUTED' }))
  settle(model)
}

function checkSelection(
  selected: Transaction[],
  model: Model,
  room: { transactionsMax: number; bytesMax: number },
): void {
  expect(selected.length).toBeLessThanOrEqual(room.transactionsMax)
  expect(selected.reduce((sum, { wire }) => sum + wire.length, 0)).toBeLessThanOrEqual(room.bytesMax)
  const taken = new Map<string, number>()
  for (const { sender, nonce } of selected) {
    const index = Number.parseInt(sender, 16)
    expect(nonce).toBe(model.next(index) + (taken.get(sender) ?? 0))
    taken.set(sender, (taken.get(sender) ?? 0) + 1)
  }
  const isBinding = selected.length === room.transactionsMax || room.transactionsMax === 0
  const executable = new Set(
    model.held.filter((entry) => entry.nonce < model.end(entry.sender)).map(({ sender }) => sender),
  )
  if (!isBinding && executable.size > 0) expect(selected.length).toBeGreaterThan(0)
}

/** A block with another node's transaction of this sender. */
function foreignBoth(state: State, model: Model, sender: number): void {
  model.height++
  const next = model.next(sender) + 1
  model.nonces.set(sender, next)
  state.nonces.set(senderOf(sender), next)
  state.pool.onExecuted(model.height, [], new Map([[senderOf(sender), next]]))
  settle(model)
}

function settle(model: Model): void {
  model.drop(({ sender, nonce, expires }) => {
    return nonce < model.next(sender) || (expires !== 0 && expires <= model.height)
  })
}

function compare({ pool }: State, model: Model): void {
  expect(pool.size()).toEqual({
    count: model.held.length,
    bytes: model.held.reduce((sum, entry) => sum + entry.bytes, 0),
  })
  for (const { id } of model.held) expect(pool.has(id)).toBe(true)
  for (const sender of [1, 2, 3, 4]) expect(pool.pendingNonce(senderOf(sender))).toBe(model.end(sender))
  const isAnyExecutable = [1, 2, 3, 4].some((sender) => model.end(sender) > model.next(sender))
  expect(pool.hasExecutable(() => 0)).toBe(isAnyExecutable)
}
