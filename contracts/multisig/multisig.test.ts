/** The shipped multisig, by the execution code of a validator. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { account, type CallOutcome, type TestChain, testChain } from 'quorate/testing'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

const EXPIRES_MS = 10_000
const names = ['alice', 'bob', 'carol']
const addressOf = (name: string) => account(name).address
const owners = names.map(addressOf)
const folder = (name: string) => new URL(`../${name}`, import.meta.url)

/** Records what was called, by whom, and fails when told to. */
const TARGET = `import { assert, contract } from 'quorate/contract'
export default contract({
  calls: {
    hit(ctx, args: any) {
      assert(ctx.state.get('broken') !== true, 'broken')
      const hits = (ctx.state.get(args.tag) ?? 0) + 1
      ctx.state.set(args.tag, hits)
      return { sender: ctx.sender, hits }
    },
    setBroken(ctx, args: any) { ctx.state.set('broken', args.broken) },
    long() { return 'x'.repeat(1000) },
    nothing() {},
    back(ctx) { return ctx.call('multisig', 'execute', { proposal: 1 }) },
  },
})`

let deployed: TestChain
let chain: TestChain

beforeAll(async () => {
  deployed = await testChain()
  await deployed.deploy(folder('multisig'), { name: 'multisig', init: { owners, threshold: 2 } })
  await deployed.deploy({ source: TARGET }, { name: 'target' })
})
beforeEach(() => {
  chain = deployed.fork()
})

const call = (method: string, from: string, args: unknown = { proposal: 1 }): CallOutcome =>
  chain.call('multisig', method, args, { from })
const must = (method: string, from: string, args: unknown = { proposal: 1 }) =>
  chain.mustCall('multisig', method, args, { from })
const hit = (changed: object = {}, on = chain) => ({
  contract: 'target',
  method: 'hit',
  args: { tag: 'a' },
  expires: on.time + EXPIRES_MS,
  ...changed,
})
const propose = (changed: object = {}, from = 'alice'): number => must('propose', from, hit(changed)).result
const policyArgs = (names: string[], threshold: number) => ({
  contract: 'multisig',
  method: 'setPolicy',
  args: { owners: names.map(addressOf), threshold },
})
const read = (proposal = 1) => chain.view('multisig', 'proposal', { proposal })
const hits = (tag = 'a') => chain.get('target', tag)
const refused = (message: string | RegExp) => ({
  status: 'reverted',
  changes: {},
  error: { message: expect.stringMatching(message) },
})
/** Lets time pass so that the next block is at this time. */
const goTo = (time: number) => chain.advance(time - chain.time - 1)

describe('a proposal', () => {
  it('is executed once, when enough owners have approved it', () => {
    const { result, events, changes } = must('propose', 'alice', hit())
    const content = { proposer: owners[0], contract: 'target', method: 'hit', expires: chain.time - 1 + EXPIRES_MS }
    expect(result).toBe(1)
    expect(events).toEqual([{ contract: 'multisig', name: 'Proposed', data: { proposal: 1, ...content } }])
    const open = { ...content, status: 'open', approvals: [owners[0]] }
    expect(changes.multisig).toEqual({
      proposals: { before: undefined, after: 1 },
      'proposal/0000000001': { before: undefined, after: { ...open, policyVersion: 1 } },
      'args/0000000001': { before: undefined, after: { tag: 'a' } },
      [`open/${owners[0]}`]: { before: undefined, after: 1 },
    })
    expect(read()).toEqual({ proposal: 1, ...open, args: { tag: 'a' } })

    expect(call('execute', 'alice')).toMatchObject(refused('has 1 of 2 approvals'))
    expect(must('approve', 'bob').events).toMatchObject([{ name: 'Approved', data: { proposal: 1, owner: owners[1] } }])
    const executed = must('execute', 'carol')
    const outcome = { sender: 'contract:multisig', hits: 1 }
    expect(executed.result).toEqual(outcome)
    const data = { proposal: 1, by: owners[2], result: outcome }
    expect(executed.events.at(-1)).toEqual({ contract: 'multisig', name: 'Executed', data })
    expect(read()).toMatchObject({ status: 'executed', result: outcome, approvals: owners.slice(0, 2) })
    expect(chain.entries('multisig', 'open/')).toEqual([])
    for (const method of ['execute', 'approve', 'revoke', 'cancel']) {
      expect(call(method, 'alice')).toMatchObject(refused('proposal 1 is executed'))
    }
    expect(hits()).toBe(1)
  })

  it('takes approvals of owners only, each once, and gives them back', () => {
    propose()
    for (const [method, args] of [['propose', hit()], ['approve'], ['revoke'], ['execute']] as const) {
      expect(call(method, 'mallory', args)).toMatchObject(refused(/qr1\S+ is no owner/))
    }
    expect(call('approve', 'alice')).toMatchObject(refused('has approved proposal 1 already'))
    expect(call('revoke', 'bob')).toMatchObject(refused('has not approved proposal 1'))
    must('approve', 'bob')
    expect(must('revoke', 'alice').events).toMatchObject([{ name: 'Revoked', data: { proposal: 1, owner: owners[0] } }])
    expect(call('execute', 'bob')).toMatchObject(refused('has 1 of 2 approvals'))
    must('approve', 'alice')
    must('execute', 'bob')
  })

  it('stays open and as it was where the called contract throws', () => {
    propose()
    must('approve', 'bob')
    chain.mustCall('target', 'setBroken', { broken: true })
    expect(call('execute', 'alice')).toMatchObject({ ...refused('broken'), error: { code: 'NESTED' } })
    expect(read().status).toBe('open')
    chain.mustCall('target', 'setBroken', { broken: false })
    must('execute', 'alice')
    expect(hits()).toBe(1)
  })

  it('cannot be approved or executed once it has expired', () => {
    propose()
    const { expires } = read()
    must('approve', 'bob')
    goTo(expires - 1)
    expect(chain.fork().call('multisig', 'execute', { proposal: 1 }).status).toBe('ok')
    chain.advanceBlocks(1)
    expect(call('approve', 'carol')).toMatchObject(refused(`proposal 1 expired at ${expires}, now is ${expires}`))
    expect(call('execute', 'alice')).toMatchObject(refused('proposal 1 expired'))
  })

  it('is cancelled by its proposer, by anyone once it has expired, and leaves nothing', () => {
    const before = chain.entries('multisig')
    propose()
    propose()
    expect(call('cancel', 'bob')).toMatchObject(refused(/is that of qr1\S+: others may cancel it from \d+ on/))
    expect(must('cancel', 'alice').events).toMatchObject([{ name: 'Cancelled', data: { proposal: 1, by: owners[0] } }])
    goTo(read(2).expires - 1)
    expect(call('cancel', 'stranger', { proposal: 2 }).status).toBe('reverted')
    must('cancel', 'stranger', { proposal: 2 })
    expect(chain.entries('multisig').filter(([key]) => key !== 'proposals')).toEqual(before)
    expect(call('execute', 'alice')).toMatchObject(refused('there is no proposal 1'))
  })

  it('keeps a long result as its hash, and none as null', () => {
    for (const method of ['long', 'nothing']) must('approve', 'bob', { proposal: propose({ method }) })
    const long = 'x'.repeat(1_000)
    expect(must('execute', 'bob', { proposal: 1 }).result).toBe(long)
    expect(read(1).resultHash).toBe(createHash('sha256').update(JSON.stringify(long)).digest('hex'))
    expect(read(1)).not.toHaveProperty('result')
    must('execute', 'bob', { proposal: 2 })
    expect(read(2).result).toBeNull()
  })

  it('cannot come back into the multisig', () => {
    must('approve', 'bob', { proposal: propose() })
    must('approve', 'bob', { proposal: propose({ method: 'back' }) })
    expect(call('execute', 'alice', { proposal: 2 })).toMatchObject(refused('REENTRY'))
  })

  it('has a view that fits with the longest arguments', () => {
    const args = { text: '€'.repeat(20_000 - '{"text":""}'.length) }
    propose({ args, method: 'm'.repeat(64), contract: 'c'.repeat(40) })
    expect(read().args).toEqual(args)
    const longer = { text: `${args.text}€` }
    const { error } = call('propose', 'alice', hit({ args: longer }))
    expect(error!.message).toBe('args takes 20001 characters as JSON: give at most 20000')
  })

  it('is one of at most ten that an account has open', () => {
    for (let made = 0; made < 10; made++) propose()
    expect(call('propose', 'alice', hit())).toMatchObject(refused('has 10 open proposals'))
    propose({}, 'bob')
    must('cancel', 'alice', { proposal: 3 })
    must('approve', 'bob', { proposal: 4 })
    must('execute', 'bob', { proposal: 4 })
    propose()
    propose()
    expect(call('propose', 'alice', hit()).status).toBe('reverted')
  })

  it('is listed in pages', () => {
    for (let made = 0; made < 3; made++) propose()
    must('approve', 'bob', { proposal: 2 })
    const { proposals, next } = chain.view('multisig', 'proposals', { limit: 2 })
    const { args: _args, approvals: _approvals, ...second } = read(2)
    expect(proposals).toEqual([expect.objectContaining({ proposal: 1, count: 1 }), { ...second, count: 2 }])
    expect(next).toBe(2)
    expect(chain.view('multisig', 'proposals', { limit: 2, after: 2 })).toMatchObject({
      proposals: [{ proposal: 3 }],
      next: null,
    })
  })
})

describe('the policy', () => {
  it('changes by a proposal only, which takes all approvals back', () => {
    must('approve', 'bob', { proposal: propose() })
    const change = propose(policyArgs(['alice', 'dave'], 2))
    expect(call('setPolicy', 'alice', policyArgs(['alice'], 1).args)).toMatchObject({
      error: { code: 'UNKNOWN_METHOD' },
    })
    must('approve', 'carol', { proposal: change })
    const policy = { owners: ['alice', 'dave'].map(addressOf), threshold: 2, version: 2 }
    expect(must('execute', 'alice', { proposal: change }).events[0]).toMatchObject({
      name: 'PolicyChanged',
      data: policy,
    })
    expect(chain.view('multisig', 'policy')).toEqual(policy)

    expect(call('approve', 'bob')).toMatchObject(refused('is no owner'))
    expect(read().approvals).toEqual([])
    expect(call('revoke', 'alice')).toMatchObject(refused('has not approved'))
    must('approve', 'dave')
    expect(call('execute', 'dave')).toMatchObject(refused('has 1 of 2'))
    must('approve', 'alice')
    must('execute', 'dave')
    expect(hits()).toBe(1)
    expect(read(change)).toMatchObject({ status: 'executed', approvals: [owners[0], owners[2]], result: null })
  })

  it('lets owners cancel what a former owner proposed', () => {
    propose({}, 'bob')
    const change = propose(policyArgs(['alice', 'carol'], 1))
    must('approve', 'bob', { proposal: change })
    expect(call('cancel', 'carol').status).toBe('reverted')
    must('execute', 'bob', { proposal: change })
    expect(call('cancel', 'stranger').status).toBe('reverted')
    must('cancel', 'carol')
  })

  const bad: [args: unknown, message: string][] = [
    [null, 'arguments must be a JSON object'],
    [{ owners: 'alice', threshold: 1 }, 'owners is "alice": give a list of 1 to 20 entries'],
    [{ owners: [], threshold: 1 }, 'owners has 0 entries: give 1 to 20'],
    [{ owners: Array.from({ length: 21 }, (_, at) => addressOf(`${at}`)), threshold: 1 }, 'owners has 21 entries'],
    [{ owners: [owners[0], 'bob'], threshold: 1 }, 'owners[1] is "bob": give an address (qr1…) or contract:NAME'],
    [{ owners: [owners[0], owners[1], owners[0]], threshold: 1 }, `owners has ${owners[0]} twice`],
    [{ owners: ['contract:multisig'], threshold: 1 }, 'this contract, which cannot approve'],
    [{ owners, threshold: 0 }, 'threshold is 0: give a whole number from 1 to 3'],
    [{ owners, threshold: 4 }, 'threshold is 4: give a whole number from 1 to 3'],
    [{ owners, threshold: '2' }, 'threshold is "2": give a whole number'],
    [{ owners, threshold: 2, version: 9 }, 'arguments: "version" is not known: give owners, threshold only'],
  ]
  it.each(bad)('refuses %j', async (args, message) => {
    const { error } = call('propose', 'alice', hit({ contract: 'multisig', method: 'setPolicy', args }))
    expect(error!.message).toContain(message)
    const fresh = await testChain()
    const deploy = fresh.deploy(folder('multisig'), { name: 'multisig', init: args })
    await expect(deploy).rejects.toThrow(message)
  })
})

describe('arguments', () => {
  const bad: [changed: object, message: string][] = [
    [{ contract: 'Target' }, 'contract is "Target": give the name of a contract'],
    [{ contract: 7 }, 'contract is 7: give the name of a contract'],
    [{ contract: 'multisig' }, 'method is "hit": give setPolicy'],
    [{ method: '' }, 'method is "": give the name of a call'],
    [{ method: 'a b' }, 'method is "a b": give the name of a call'],
    [{ expires: 1_767_225_600 }, 'expires is 1767225600: give a whole number from'],
    [{ expires: '2030' }, 'expires is "2030": give a whole number from'],
    [{ expires: undefined }, 'expires is missing: give a whole number from'],
    [{ arguments: {} }, 'arguments: "arguments" is not known'],
  ]
  it.each(bad)('propose refuses %j', (changed, message) => {
    const { status, error } = call('propose', 'alice', hit(changed))
    expect([status, error!.message]).toEqual(['reverted', expect.stringContaining(message)])
  })

  it.each(['approve', 'revoke', 'execute', 'cancel'])('%s refuses what is no proposal', (method) => {
    expect(call(method, 'alice', { proposal: 9 })).toMatchObject(refused('there is no proposal 9'))
    expect(call(method, 'alice', { proposal: '1' })).toMatchObject(refused('proposal is "1": give a whole number'))
  })
})

describe('what it owns', () => {
  it('are tokens and contracts, which it moves and upgrades', async () => {
    const init = { owner: 'contract:multisig', balances: { 'contract:multisig': '9' } }
    await chain.deploy(folder('token'), { name: 'token', init })
    chain.mustCall('system', 'setOwner', { name: 'target', owner: 'contract:multisig' })
    const transfer = { contract: 'token', method: 'transfer', args: { to: owners[0], amount: '4' } }
    const mint = { contract: 'token', method: 'mint', args: { to: owners[0], amount: '7' } }
    const code = 'var quorateContract={default:{views:{answer:()=>42}}}'
    const upgrade = { contract: 'system', method: 'upgrade', args: { name: 'target', code } }
    for (const target of [transfer, mint, upgrade]) {
      const proposal = propose(target)
      must('approve', 'bob', { proposal })
      must('execute', 'alice', { proposal })
    }
    expect(chain.view('token', 'balanceOf', { account: owners[0] })).toBe('11')
    expect(chain.view('target', 'answer')).toBe(42)
  })
})

describe('under any interleaving', () => {
  const people = [...names, 'dave', 'mallory']
  interface Step {
    method: string
    from: string
    /** By an owner who has not approved yet. */
    isByRight: boolean
    pick: number
    policy: { owners: string[]; threshold: number }
    ms: number
  }
  const step: fc.Arbitrary<Step> = fc.record({
    method: fc.constantFrom(
      ...[
        'propose',
        'proposePolicy',
        'approve',
        'approve',
        'approve',
        'approve',
        'revoke',
        'execute',
        'execute',
        'execute',
      ],
      ...['cancel', 'wait'],
    ),
    from: fc.constantFrom(...people),
    isByRight: fc.boolean(),
    pick: fc.nat({ max: 3 }),
    policy: fc
      .uniqueArray(fc.constantFrom(...names, 'dave'), { minLength: 2, maxLength: 4 })
      .chain((owners) =>
        fc.record({ owners: fc.constant(owners), threshold: fc.integer({ min: 1, max: owners.length }) }),
      ),
    ms: fc.constantFrom(1, EXPIRES_MS / 10, EXPIRES_MS / 4, EXPIRES_MS),
  })

  /** What each proposal should be, told by the rules alone. */
  interface Model {
    policy: { owners: string[]; threshold: number }
    proposals: Map<number, { approvals: Set<string>; expires: number; isOpen: boolean; next?: Step['policy'] }>
    executed: number
    changed: number
  }

  it('runs what threshold owners have approved, once, and all of that', () => {
    let [executed, changed] = [0, 0]
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => {
        const run = deployed.fork()
        const model: Model = { policy: { owners: names, threshold: 2 }, proposals: new Map(), executed: 0, changed: 0 }
        for (const next of steps) take(run, model, next)
        for (const [proposal, { isOpen, next }] of model.proposals) {
          // A tag is the number of the proposal that has it.
          if (next === undefined && isOpen) expect(run.get('target', `tag${proposal}`)).toBeUndefined()
        }
        const entries = run.entries('target', 'tag')
        expect(entries.every(([, count]) => count === 1)).toBe(true)
        expect(entries).toHaveLength(model.executed)
        const { owners, threshold } = run.view('multisig', 'policy')
        expect({ owners, threshold }).toEqual({ ...model.policy, owners: model.policy.owners.map(addressOf) })
        executed += model.executed
        changed += model.changed
      }),
      { numRuns: 60 },
    )
    // Otherwise the steps would show little.
    expect([executed > 0, changed > 0]).toEqual([true, true])
  })

  function take(run: TestChain, model: Model, { method, from: anyone, isByRight, pick, policy, ms }: Step): void {
    if (method === 'wait') return run.advance(ms)
    const proposal = Math.max(1, model.proposals.size - pick)
    const known = model.proposals.get(proposal)
    const { owners } = model.policy
    const from = (isByRight && owners.find((name) => !known?.approvals.has(name))) || anyone
    const send = (name: string, args: object) => run.call('multisig', name, args, { from })
    const isOwner = owners.includes(from)
    if (method === 'propose' || method === 'proposePolicy') {
      const next = method === 'propose' ? undefined : policy
      const made = 1 + model.proposals.size
      const expires = run.time + EXPIRES_MS
      const target = next ? policyArgs(next.owners, next.threshold) : { args: { tag: `tag${made}` } }
      const { status } = send('propose', hit({ ...target, expires }, run))
      if (status === 'ok') model.proposals.set(made, { approvals: new Set([from]), expires, isOpen: true, next })
      return expect(status === 'ok' && !isOwner).toBe(false)
    }
    const { status } = send(method, { proposal })
    if (known === undefined) return expect(status).toBe('reverted')
    const isInTime = run.time < known.expires
    const allowed: Record<string, boolean> = {
      approve: isOwner && isInTime && !known.approvals.has(from),
      revoke: isOwner && known.approvals.has(from),
      execute: isOwner && isInTime && known.approvals.size >= model.policy.threshold,
    }
    if (method !== 'cancel')
      expect([method, status]).toEqual([method, known.isOpen && allowed[method] ? 'ok' : 'reverted'])
    if (status !== 'ok') return
    if (method === 'approve') known.approvals.add(from)
    if (method === 'revoke') known.approvals.delete(from)
    if (method === 'cancel' || method === 'execute') known.isOpen = false
    if (method !== 'execute') return
    if (known.next === undefined) model.executed++
    else {
      model.policy = known.next
      model.changed++
      for (const { approvals } of model.proposals.values()) approvals.clear()
    }
  }
})
