// Proposed calls. The arguments, which may be long, lie apart from what each approval rewrites.
import { assert, type CallContext } from 'quorate/contract'
import type { Context } from '../shared/arguments.ts'
import { identifierText, nextIdentifier } from '../shared/identifier.ts'
import type { Policy } from './policy.ts'

export interface Proposal {
  proposer: string
  contract: string
  method: string
  /** Block time in ms from which on it can no longer be approved or executed. */
  expires: number
  status: 'open' | 'executed'
  approvals: string[]
  /** The policy under which these accounts were owners when they approved. */
  policyVersion: number
  /** What the called contract returned, or its hash where it is long; only once executed. */
  result?: unknown
  resultHash?: string
}

/** Open proposals of one account: whoever proposes much must not keep the others from proposing. */
export const OPEN_MAX = 10

export const PROPOSALS = 'proposal/'
const proposalKey = (proposal: number) => PROPOSALS + identifierText(proposal)
const argsKey = (proposal: number) => `args/${identifierText(proposal)}`
const openKey = (account: string) => `open/${account}`

export function readProposal(ctx: Context, proposal: number): Proposal {
  const found = ctx.state.get<Proposal>(proposalKey(proposal))
  assert(found !== undefined, `there is no proposal ${proposal}: it was never made, or cancelled; propose again`)
  return found
}

/** A change of the policy takes back all approvals: who was asked then, and how many it took, is no longer so. */
export function approvalsOf({ approvals, policyVersion }: Proposal, { version }: Policy): string[] {
  return policyVersion === version ? approvals : []
}

export const readArgs = (ctx: Context, proposal: number): unknown => ctx.state.get(argsKey(proposal))

export function writeProposal(ctx: CallContext, proposal: number, content: Proposal): void {
  ctx.state.set(proposalKey(proposal), content)
}

export function addProposal(ctx: CallContext, content: Proposal, args: unknown): number {
  changeOpen(ctx, content.proposer, 1)
  const proposal = nextIdentifier(ctx, 'proposals')
  writeProposal(ctx, proposal, content)
  ctx.state.set(argsKey(proposal), args)
  return proposal
}

/** Keeps an executed proposal, with its arguments and what came of it. */
export function closeProposal(ctx: CallContext, proposal: number, content: Proposal): void {
  changeOpen(ctx, content.proposer, -1)
  writeProposal(ctx, proposal, { ...content, status: 'executed' })
}

/** Forgets an open proposal. */
export function dropProposal(ctx: CallContext, proposal: number, { proposer }: Proposal): void {
  changeOpen(ctx, proposer, -1)
  ctx.state.delete(proposalKey(proposal))
  ctx.state.delete(argsKey(proposal))
}

function changeOpen(ctx: CallContext, proposer: string, by: 1 | -1): void {
  const open = (ctx.state.get<number>(openKey(proposer)) ?? 0) + by
  assert(
    open <= OPEN_MAX,
    `${proposer} has ${OPEN_MAX} open proposals, the most there may be: execute or cancel one first`,
  )
  if (open === 0) ctx.state.delete(openKey(proposer))
  else ctx.state.set(openKey(proposer), open)
}
