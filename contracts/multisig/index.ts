/**
 * The shipped multisig: calls of other contracts that run once enough owners have approved them. Called contracts see the sender
 * `contract:NAME`, which can hold tokens and own contracts.
 * State: `policy`, `proposals` (the last proposal's number), `proposal/PROPOSAL`, `args/PROPOSAL`, `open/ACCOUNT` (how many open
 * proposals are the account's).
 */
import { assert, type CallContext, contract } from 'quorate/contract'
import { contractNameOf } from '../shared/account.ts'
import { type Context, fieldsOf, futureOf, matchOf, refuse, refuseValue } from '../shared/arguments.ts'
import { identifierOf } from '../shared/identifier.ts'
import { numberedPageOf } from '../shared/page.ts'
import { type Policy, policyFrom, readPolicy } from './policy.ts'
import {
  addProposal,
  approvalsOf,
  closeProposal,
  dropProposal,
  PROPOSALS,
  type Proposal,
  readArgs,
  readProposal,
  writeProposal,
} from './proposals.ts'

const METHOD = {
  pattern: /^[A-Za-z][A-Za-z0-9_]{0,63}$/,
  form: 'the name of a call, 1 to 64 letters, digits and _ that start with a letter',
}
/** As JSON. With the rest of a proposal it fits into a view's result, whatever its characters are. */
const ARGS_LENGTH_MAX = 20_000
/** A result that is longer is kept as its hash. */
const RESULT_LENGTH_MAX = 1_000
const EXPIRES_AHEAD_MAX_MS = 366 * 24 * 60 * 60 * 1000

/** The one thing that this contract does to itself. */
const SET_POLICY = 'setPolicy'

function ownersPolicy(ctx: CallContext): Policy {
  const policy = readPolicy(ctx)
  assert(policy.owners.includes(ctx.sender), `${ctx.sender} is no owner: send it from an owner's account`)
  return policy
}

function found(ctx: Context, args: unknown): { proposal: number; content: Proposal } {
  const proposal = identifierOf(fieldsOf(args, ['proposal']).proposal, 'proposal')
  return { proposal, content: readProposal(ctx, proposal) }
}

function expectOpen(proposal: number, { status }: Proposal): void {
  assert(status === 'open', `proposal ${proposal} is ${status}: propose again to have it done again`)
}

function expectInTime(ctx: Context, proposal: number, { expires }: Proposal): void {
  const { time } = ctx.block
  assert(time < expires, `proposal ${proposal} expired at ${expires}, now is ${time}: cancel it and propose again`)
}

function argsOf(value: unknown): unknown {
  const args = value === undefined ? {} : value
  const { length } = JSON.stringify(args)
  if (length <= ARGS_LENGTH_MAX) return args
  refuse(`args takes ${length} characters as JSON: give at most ${ARGS_LENGTH_MAX}`)
}

/** Through its own proposals only, because no call of this contract is named so. */
function setPolicy(ctx: CallContext, args: unknown): void {
  const policy = policyFrom(ctx, args, readPolicy(ctx).version + 1)
  ctx.state.set('policy', policy)
  ctx.emit('PolicyChanged', policy)
}

/** As it is kept: a result that is long would be rewritten and read with its proposal for ever. */
function kept(ctx: CallContext, result: unknown): Pick<Proposal, 'result' | 'resultHash'> {
  const text = JSON.stringify(result)
  return text.length <= RESULT_LENGTH_MAX ? { result } : { resultHash: ctx.crypto.sha256(text) }
}

/** The approvals that count now, or did when it was executed. */
function countedOf(content: Proposal, policy: Policy): string[] {
  return content.status === 'open' ? approvalsOf(content, policy) : content.approvals
}

export default contract({
  init(ctx, args: { owners: string[]; threshold: number }) {
    ctx.state.set('policy', policyFrom(ctx, args, 1))
  },

  calls: {
    /** Proposes a call and approves it. Owners only, as approve, revoke and execute. Gives the proposal's number. */
    propose(ctx, args: { contract: string; method: string; args?: unknown; expires: number }) {
      const { version } = ownersPolicy(ctx)
      const fields = fieldsOf(args, ['contract', 'method', 'args', 'expires'])
      const target = {
        contract: contractNameOf(fields.contract, 'contract'),
        method: matchOf(fields.method, 'method', METHOD),
      }
      const callArgs = argsOf(fields.args)
      if (target.contract === ctx.contract) {
        if (target.method !== SET_POLICY) {
          refuseValue(target.method, 'method', `${SET_POLICY}, the only one that changes this contract`)
        }
        policyFrom(ctx, callArgs, version)
      }
      const expires = futureOf(ctx, fields.expires, 'expires', { aheadMaxMs: EXPIRES_AHEAD_MAX_MS })
      const content = { proposer: ctx.sender, ...target, expires }
      const proposal = addProposal(
        ctx,
        { ...content, status: 'open', approvals: [ctx.sender], policyVersion: version },
        callArgs,
      )
      ctx.emit('Proposed', { proposal, ...content })
      return proposal
    },

    approve(ctx, args: { proposal: number }) {
      const policy = ownersPolicy(ctx)
      const { proposal, content } = found(ctx, args)
      expectOpen(proposal, content)
      expectInTime(ctx, proposal, content)
      const approvals = approvalsOf(content, policy)
      assert(!approvals.includes(ctx.sender), `${ctx.sender} has approved proposal ${proposal} already`)
      writeProposal(ctx, proposal, { ...content, approvals: [...approvals, ctx.sender], policyVersion: policy.version })
      ctx.emit('Approved', { proposal, owner: ctx.sender })
    },

    /** Takes the sender's approval back. */
    revoke(ctx, args: { proposal: number }) {
      const policy = ownersPolicy(ctx)
      const { proposal, content } = found(ctx, args)
      expectOpen(proposal, content)
      const approvals = approvalsOf(content, policy)
      assert(approvals.includes(ctx.sender), `${ctx.sender} has not approved proposal ${proposal}`)
      writeProposal(ctx, proposal, { ...content, approvals: approvals.filter((account) => account !== ctx.sender) })
      ctx.emit('Revoked', { proposal, owner: ctx.sender })
    },

    /** Runs the call and keeps its result. Where the called contract fails, all is as before, and the proposal open. */
    execute(ctx, args: { proposal: number }) {
      const policy = ownersPolicy(ctx)
      const { proposal, content } = found(ctx, args)
      const { contract: callee, method } = content
      expectOpen(proposal, content)
      expectInTime(ctx, proposal, content)
      const count = approvalsOf(content, policy).length
      assert(
        count >= policy.threshold,
        `proposal ${proposal} has ${count} of ${policy.threshold} approvals: more owners have to approve`,
      )
      const callArgs = readArgs(ctx, proposal)
      // Nobody can come back into this contract while the call runs: the runtime refuses re-entry.
      const result = (callee === ctx.contract ? setPolicy(ctx, callArgs) : ctx.call(callee, method, callArgs)) ?? null
      const outcome = kept(ctx, result)
      closeProposal(ctx, proposal, { ...content, ...outcome })
      ctx.emit('Executed', { proposal, by: ctx.sender, ...outcome })
      return result
    },

    /** Forgets an open proposal: its proposer; any owner, where its proposer is none any more; anyone, once it has expired. */
    cancel(ctx, args: { proposal: number }) {
      const { proposal, content } = found(ctx, args)
      const { proposer, expires } = content
      expectOpen(proposal, content)
      const { owners } = readPolicy(ctx)
      const isLeftBehind = !owners.includes(proposer) && owners.includes(ctx.sender)
      const mayCancel = ctx.sender === proposer || isLeftBehind || ctx.block.time >= expires
      assert(mayCancel, `proposal ${proposal} is that of ${proposer}: others may cancel it from ${expires} on`)
      dropProposal(ctx, proposal, content)
      ctx.emit('Cancelled', { proposal, by: ctx.sender })
    },
  },

  views: {
    policy: readPolicy,

    proposal(ctx, args: { proposal: number }) {
      const { proposal, content } = found(ctx, args)
      const { policyVersion: _policyVersion, ...rest } = content
      return { proposal, ...rest, approvals: countedOf(content, readPolicy(ctx)), args: readArgs(ctx, proposal) }
    },

    /** Without arguments, approvals by name, and results, which might not fit. */
    proposals(ctx, args: { after?: number; limit?: number }) {
      const policy = readPolicy(ctx)
      const fields = fieldsOf(args, ['after', 'limit'])
      const { items, next } = numberedPageOf(ctx.state, PROPOSALS, fields, (proposal, content: Proposal) => {
        const { proposer, contract, method, expires, status } = content
        return { proposal, proposer, contract, method, expires, status, count: countedOf(content, policy).length }
      })
      return { proposals: items, next }
    },
  },
})
