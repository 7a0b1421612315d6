// The shape of genesis.json: which fields there are, of which type. What their values may be is checked in check.ts, which explains
// more than a schema can; the JSON schema made from this one carries the bounds for editors.
import { z } from 'zod'
import { PARAMETER_DEFAULTS } from '../limits.ts'
import { VALIDATORS_MAX } from '../types/epoch.ts'
import { CONTRACT_NAME } from '../types/transaction.ts'
import { type Fault, fault } from './fault.ts'
import { unknownNameMend } from './nearest.ts'
import { PARAMETER_RANGES, RULE, RULE_MEANINGS } from './parameters.ts'

export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
export const ROLE_NAME = /^[a-z][a-z0-9-]{0,63}$/
export const HASH = /^[0-9a-f]{64}$/
/** RFC 3339 in UTC, to the millisecond at most. */
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/

const patterned = (pattern: RegExp, description: string) => z.string().meta({ pattern: pattern.source, description })
const account = (description: string) => z.string().meta({ maxLength: 80, description })

function numberParameter(name: keyof typeof PARAMETER_RANGES) {
  const { unit, min, max, meaning } = PARAMETER_RANGES[name]
  const description = `${meaning} In ${unit}, from ${min} to ${max}; ${PARAMETER_DEFAULTS[name]} unless chosen otherwise.`
  return z
    .number()
    .meta({ type: 'integer', minimum: min, maximum: max, default: PARAMETER_DEFAULTS[name], description })
}
const ruleParameter = (name: 'deploy' | 'transact') =>
  patterned(RULE, RULE_MEANINGS[name]).meta({ default: PARAMETER_DEFAULTS[name] })

const validatorShape = z.strictObject({
  name: patterned(NAME, 'What the validator is called in logs and tables; unique.'),
  key: patterned(HASH, 'The Ed25519 public key the validator votes with, in lower-case hexadecimal.'),
  log: patterned(HASH, "The random id of the validator's consensus log, as `quorate init` printed it."),
})

const parametersShape = z.strictObject({
  blockTransactionsMax: numberParameter('blockTransactionsMax'),
  blockBytesMax: numberParameter('blockBytesMax'),
  blockGasMax: numberParameter('blockGasMax'),
  transactionGasMax: numberParameter('transactionGasMax'),
  batchDelayMs: numberParameter('batchDelayMs'),
  progressTimeoutMs: numberParameter('progressTimeoutMs'),
  timeoutMaxMs: numberParameter('timeoutMaxMs'),
  timePastMs: numberParameter('timePastMs'),
  timeAheadMs: numberParameter('timeAheadMs'),
  heartbeatMs: numberParameter('heartbeatMs'),
  windowBlocks: numberParameter('windowBlocks'),
  inFlightBlocks: numberParameter('inFlightBlocks'),
  snapshotIntervalBlocks: numberParameter('snapshotIntervalBlocks'),
  deploy: ruleParameter('deploy'),
  transact: ruleParameter('transact'),
})

const roleShape = z.strictObject({
  role: patterned(ROLE_NAME, 'The name of the role; unique.'),
  accounts: z.array(account('An address, or contract:NAME.')).meta({ description: 'Who has the role at first.' }),
})

const contractShape = z.strictObject({
  name: patterned(CONTRACT_NAME, 'The name of the contract; unique, and not `system`.'),
  code: z.string().meta({ minLength: 1, description: 'The script itself, as `quorate contract build` makes it.' }),
  init: z.unknown().optional().meta({
    description:
      'The argument of its `init` handler: any JSON value, or a string holding the JSON text to keep as it is; absent: null.',
  }),
  owner: account('Who may upgrade it: an address, or contract:NAME.'),
})

/** One schema per field of the document. */
const genesisShapes = {
  chainId: patterned(NAME, 'The name of the network.'),
  protocolVersion: z.number().meta({ type: 'integer', description: 'The version of the protocol; 1.' }),
  engineHash: patterned(HASH, 'The hash of the contract engine every node runs; `quorate genesis create` fills it in.'),
  time: patterned(TIME, 'The time of block 0, RFC 3339 in UTC.'),
  validators: z
    .array(validatorShape)
    .meta({ minItems: 1, maxItems: VALIDATORS_MAX, description: 'Who votes at first.' }),
  parameters: parametersShape.meta({ description: 'What every node of the network keeps to.' }),
  roles: z.array(roleShape).meta({ description: 'Who may do what.' }),
  contracts: z.array(contractShape).meta({ description: 'Deployed in block 0, in this order.' }),
}
export type GenesisField = keyof typeof genesisShapes

const genesisShape = z.strictObject({
  $schema: z
    .string()
    .optional()
    .meta({ description: 'Where the JSON schema is, for editors; no part of the document.' }),
  ...genesisShapes,
})
export type GenesisDocument = z.infer<typeof genesisShape>

/** The JSON schema in genesis/schema.json. */
export function genesisJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(genesisShape)
  return { ...schema, title: 'Genesis document of a Quorate network' }
}

/** Every fault in the shape of the document. */
export function shapeFaults(value: unknown): Fault[] {
  return faultsOf(genesisShape, value, '')
}
/** Every fault in the shape of a validator's public entry. */
export function validatorShapeFaults(value: unknown, path: string): Fault[] {
  return faultsOf(validatorShape, value, path)
}

function faultsOf(schema: z.ZodType, value: unknown, prefix: string): Fault[] {
  const result = schema.safeParse(value)
  return result.success ? [] : result.error.issues.flatMap((issue) => faultOfIssue(issue, schema, value, prefix))
}

function faultOfIssue(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown, prefix: string): Fault[] {
  const path = pathText(issue.path, prefix)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const mend = unknownNameMend(key, fieldsAt(schema, issue.path))
      return fault('UNKNOWN_FIELD', pathText([...issue.path, key], prefix), {
        expected: 'no such field',
        got: key,
        mend,
      })
    })
  }
  const got = valueAt(value, issue.path)
  const expected = issue.code === 'invalid_type' ? (TYPE_WORDS[issue.expected] ?? issue.expected) : issue.message
  if (got === undefined) return [fault('MISSING', path, { expected, got, mend: 'add the field' })]
  return [fault('WRONG_TYPE', path, { expected, got, mend: 'give it that type' })]
}

const TYPE_WORDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  object: 'an object',
  array: 'a list',
}

function pathText(path: PropertyKey[], prefix: string): string {
  let text = prefix
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${String(step)}`
  return text
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step], value)
}

/** The names of the fields of the object schema at a path. */
function fieldsAt(schema: z.ZodType, path: PropertyKey[]): string[] {
  let inner: z.ZodType = schema
  for (const step of path) {
    if (inner instanceof z.ZodArray) inner = inner.element as z.ZodType
    else if (inner instanceof z.ZodObject) inner = inner.shape[String(step)] as z.ZodType
  }
  return inner instanceof z.ZodObject ? Object.keys(inner.shape).filter((name) => name !== '$schema') : []
}
