/**
 * The shipped lock: leases by block time, exclusive or shared, with a queue and fencing tokens. Whether a lease has expired is judged
 * at each call and view by the block's time; nothing happens between calls. Tokens are counted over all locks, so that those of one
 * lock only grow while a lock that nobody holds or waits for leaves nothing behind.
 * State: `access`, `fence`, `lock/NAME`.
 */
import { type CallContext, contract, type ViewContext } from 'quorate/contract'
import { type Access, accountOf, assertOwner, assertWriter, writersOf } from '../shared/account.ts'
import { choiceOf, fieldsOf, flagOf, nameOf, refuse, wholeNumberOf } from '../shared/arguments.ts'
import { type Claim, dropExpired, hasRoom, type Lease, type Lock, MODES, nextClaim, QUEUE_MAX } from './lease.ts'

/** A day: whoever takes a lock and is gone blocks it for so long. */
const TTL_MAX_MS = 86_400_000

type Unsettled = Omit<Claim, 'expiresAt'>

const lockKey = (name: string) => `lock/${name}`
const ttlOf = (value: unknown) => wholeNumberOf(value, 'ttlMs', { min: 1, max: TTL_MAX_MS })
const tokenOf = (value: unknown) => wholeNumberOf(value, 'token', { min: 1, max: Number.MAX_SAFE_INTEGER })

function load(ctx: CallContext | ViewContext, name: string): Lock {
  return ctx.state.get<Lock>(lockKey(name)) ?? { holders: [], queue: [] }
}

/** The lock as it is at this block's time: what has expired is gone, and whoever could follow from the queue has. */
function settle(ctx: CallContext, name: string): Lock {
  const lock = load(ctx, name)
  const { leases, claims } = dropExpired(lock, ctx.block.time)
  for (const { account, token } of leases) ctx.emit('Expired', { name, account, token })
  for (const { account } of claims) ctx.emit('PassedOver', { name, account })
  grantWaiting(ctx, name, lock)
  return lock
}

function grantWaiting(ctx: CallContext, name: string, lock: Lock): void {
  for (let claim = nextClaim(lock); claim !== undefined; claim = nextClaim(lock)) grant(ctx, name, lock, claim)
}

function grant(ctx: CallContext, name: string, lock: Lock, { account, mode, ttlMs }: Unsettled): Lease {
  const token = (ctx.state.get<number>('fence') ?? 0) + 1
  ctx.state.set('fence', token)
  const lease = { account, mode, ttlMs, expiresAt: ctx.block.time + ttlMs, token }
  lock.holders.push(lease)
  ctx.emit('Acquired', { name, account, mode, token, expiresAt: lease.expiresAt })
  return lease
}

function save(ctx: CallContext, name: string, lock: Lock): void {
  if (lock.holders.length === 0 && lock.queue.length === 0) ctx.state.delete(lockKey(name))
  else ctx.state.set(lockKey(name), lock)
}

function take(ctx: CallContext, name: string, lock: Lock, claim: Unsettled, wait: boolean) {
  const isOwn = ({ account }: Claim) => account === claim.account
  const held = lock.holders.find(isOwn)
  if (held !== undefined) {
    assertSameMode(name, held, claim.mode, 'holds')
    return { held: true, token: held.token, expiresAt: held.expiresAt }
  }
  const waiting = lock.queue.find(isOwn)
  if (waiting !== undefined) assertSameMode(name, waiting, claim.mode, 'waits for')
  if (lock.queue.length === 0 && hasRoom(lock, claim.mode)) {
    const { token, expiresAt } = grant(ctx, name, lock, claim)
    return { held: true, token, expiresAt }
  }
  if (wait) return queueUp(ctx, name, lock, claim)
  // A settled lock without holders has no queue either.
  const { account, expiresAt } = lock.holders[0]!
  refuse(`lock ${name} is taken: ${account} holds it until ${expiresAt}; try later, or give "wait": true`)
}

/** Puts the sender's claim at the end of the queue, or prolongs the one it has there. */
function queueUp(ctx: CallContext, name: string, lock: Lock, claim: Unsettled) {
  const { account, mode, ttlMs } = claim
  const expiresAt = ctx.block.time + ttlMs
  const own = lock.queue.find((other) => other.account === account)
  if (own === undefined) {
    if (lock.queue.length === QUEUE_MAX) refuse(`${QUEUE_MAX} wait for lock ${name} already: try again later`)
    lock.queue.push({ ...claim, expiresAt })
  } else {
    Object.assign(own, { ttlMs, expiresAt })
  }
  const position = lock.queue.findIndex((other) => other.account === account) + 1
  ctx.emit('Waiting', { name, account, mode, position, expiresAt })
  return { held: false, position, expiresAt }
}

function assertSameMode(
  name: string,
  { account, mode }: Claim,
  asked: Claim['mode'],
  verb: 'holds' | 'waits for',
): void {
  if (mode === asked) return
  const mend = verb === 'holds' ? 'release it' : 'cancel'
  refuse(`${account} ${verb} lock ${name} in mode ${mode}, not ${asked}: ${mend} first`)
}

/** Where the sender's lease with this token is among the holders. */
function heldIndex(ctx: CallContext, name: string, lock: Lock, token: number): number {
  const index = lock.holders.findIndex((lease) => lease.account === ctx.sender && lease.token === token)
  if (index >= 0) return index
  refuse(`${ctx.sender} has no lease on lock ${name} with token ${token}, or it expired: acquire it again`)
}

function viewed(ctx: ViewContext, args: { name: string }): Lock {
  const lock = load(ctx, nameOf(fieldsOf(args, ['name']).name, 'name'))
  dropExpired(lock, ctx.block.time)
  return lock
}

export default contract({
  /** Without an owner anyone may acquire, and nobody can change that. */
  init(ctx, args?: { owner?: string; writers?: string[] }) {
    const { owner, writers = [] } = fieldsOf(args ?? {}, ['owner', 'writers'])
    const list = writersOf(ctx, writers)
    if (owner !== undefined) ctx.state.set('access', { owner: accountOf(ctx, owner, 'owner'), writers: list })
    else if (list.length > 0) refuse('writers are given without an owner: give the owner too, who can change them')
  },

  calls: {
    /** Takes the lock, or waits for it. Again, it says how that stands, and prolongs a claim but not a lease. */
    acquire(ctx, args: { name: string; ttlMs: number; mode?: 'exclusive' | 'shared'; wait?: boolean }) {
      const fields = fieldsOf(args, ['name', 'ttlMs', 'mode', 'wait'])
      const name = nameOf(fields.name, 'name')
      const { mode: askedMode = 'exclusive', wait: askedWait = false } = fields
      const mode = choiceOf(askedMode, 'mode', MODES)
      const claim = { account: ctx.sender, mode, ttlMs: ttlOf(fields.ttlMs) }
      const wait = flagOf(askedWait, 'wait')
      const access = ctx.state.get<Access>('access')
      if (access !== undefined) assertWriter(ctx, access, `contract ${ctx.contract}`)

      const lock = settle(ctx, name)
      const answer = take(ctx, name, lock, claim, wait)
      save(ctx, name, lock)
      return answer
    },

    /** The lease lasts ttlMs from now; as long as it was first taken for, if not given. */
    renew(ctx, args: { name: string; token: number; ttlMs?: number }) {
      const fields = fieldsOf(args, ['name', 'token', 'ttlMs'])
      const name = nameOf(fields.name, 'name')
      const token = tokenOf(fields.token)
      const ttlMs = fields.ttlMs === undefined ? undefined : ttlOf(fields.ttlMs)
      const lock = settle(ctx, name)
      const lease = lock.holders[heldIndex(ctx, name, lock, token)]!
      lease.ttlMs = ttlMs ?? lease.ttlMs
      lease.expiresAt = ctx.block.time + lease.ttlMs
      ctx.emit('Renewed', { name, account: ctx.sender, token, expiresAt: lease.expiresAt })
      save(ctx, name, lock)
      return { expiresAt: lease.expiresAt }
    },

    release(ctx, args: { name: string; token: number }) {
      const fields = fieldsOf(args, ['name', 'token'])
      const name = nameOf(fields.name, 'name')
      const token = tokenOf(fields.token)
      const lock = settle(ctx, name)
      lock.holders.splice(heldIndex(ctx, name, lock, token), 1)
      ctx.emit('Released', { name, account: ctx.sender, token })
      grantWaiting(ctx, name, lock)
      save(ctx, name, lock)
    },

    /** Leaves the queue. */
    cancel(ctx, args: { name: string }) {
      const name = nameOf(fieldsOf(args, ['name']).name, 'name')
      const lock = settle(ctx, name)
      const index = lock.queue.findIndex(({ account }) => account === ctx.sender)
      if (index < 0) refuse(`${ctx.sender} does not wait for lock ${name}: if it holds the lock, release it`)
      lock.queue.splice(index, 1)
      ctx.emit('Cancelled', { name, account: ctx.sender })
      grantWaiting(ctx, name, lock)
      save(ctx, name, lock)
    },

    /** Notes what has expired and passes the lock on. Anyone may. */
    settle(ctx, args: { name: string }) {
      const name = nameOf(fieldsOf(args, ['name']).name, 'name')
      save(ctx, name, settle(ctx, name))
    },

    /** Sets the whole list of who may acquire besides the owner. The owner only. */
    setWriters(ctx, args: { writers: string[] }) {
      const { writers } = fieldsOf(args, ['writers'])
      const access = ctx.state.get<Access>('access')
      if (access === undefined) refuse(`contract ${ctx.contract} has no owner: anyone may acquire, and that stays so`)
      assertOwner(ctx, access, `contract ${ctx.contract}`)
      ctx.state.set('access', { ...access, writers: writersOf(ctx, writers) })
    },
  },

  views: {
    /** `expiresAt` is when the last lease ends, unless it is renewed. */
    status(ctx, args: { name: string }) {
      const { holders, queue } = viewed(ctx, args)
      const expiresAt = holders.reduce<number | null>((last, lease) => Math.max(last ?? 0, lease.expiresAt), null)
      return { mode: holders[0]?.mode ?? null, holders: holders.length, waiting: queue.length, expiresAt }
    },

    holders(ctx, args: { name: string }) {
      return viewed(ctx, args).holders.map(({ account, mode, token, expiresAt }) => ({
        account,
        mode,
        token,
        expiresAt,
      }))
    },

    queue(ctx, args: { name: string }) {
      return viewed(ctx, args).queue
    },
  },
})
