// What a checker found.

const RULES = [
  'agreement',
  'certifiable',
  'certificate',
  'validity',
  'double-sign',
  'amnesia',
  'recall',
  'divergence',
  'durability',
  'recoverability',
  'bounds',
  'domain',
  'blame',
  'throw',
  'liveness',
  'view',
] as const
export type Rule = (typeof RULES)[number]

export interface Violation {
  rule: Rule
  atMs: number
  /** The node that broke the rule, where it was one node. */
  node: number | null
  detail: string
}
