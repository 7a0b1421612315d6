/** The arguments of `txn`: conditions, and the operations of its two branches. */
import { fieldsOf, flagOf, listOf, refuse, wholeNumberOf } from '../shared/arguments.ts'
import { keyOf, storedValueOf } from './values.ts'

export type Condition = { key: string; not: boolean } & (
  | { on: 'version'; expected: number }
  | { on: 'exists'; expected: boolean }
  | { on: 'value'; expected: unknown }
)

export type Operation =
  | { kind: 'set'; key: string; value: unknown }
  | { kind: 'delete'; key: string }
  | { kind: 'get'; key: string }

export interface Transaction {
  conditions: Condition[]
  whenTrue: Operation[]
  whenFalse: Operation[]
}

/** Of conditions, and of operations in a branch: each may emit an event, of which a call has 256. */
const LENGTH_MAX = 64

export function transactionOf(args: unknown): Transaction {
  const { if: conditions = [], then = [], else: otherwise = [] } = fieldsOf(args, ['if', 'then', 'else'])
  const entries = listOf(conditions, 'if', { max: LENGTH_MAX })
  return {
    conditions: entries.map((entry, index) => conditionOf(entry, `if[${index}]`)),
    whenTrue: branchOf(then, 'then'),
    whenFalse: branchOf(otherwise, 'else'),
  }
}

function conditionOf(entry: unknown, label: string): Condition {
  const {
    key: given,
    version,
    exists,
    value,
    not = false,
  } = fieldsOf(entry, ['key', 'version', 'exists', 'value', 'not'], label)
  const common = { key: keyOf(given, `${label}.key`), not: flagOf(not, `${label}.not`) }
  if ([version, exists, value].filter((asked) => asked !== undefined).length !== 1) {
    refuse(`${label} must ask one thing of ${common.key}: give version, exists or value, and one of them only`)
  }
  if (exists !== undefined) return { ...common, on: 'exists', expected: flagOf(exists, `${label}.exists`) }
  if (value !== undefined) return { ...common, on: 'value', expected: value }
  const expected = wholeNumberOf(version, `${label}.version`, { min: 0, max: Number.MAX_SAFE_INTEGER })
  return { ...common, on: 'version', expected }
}

function branchOf(value: unknown, label: 'then' | 'else'): Operation[] {
  const operations = listOf(value, label, { max: LENGTH_MAX }).map((entry, index) =>
    operationOf(entry, `${label}[${index}]`),
  )
  const changed = new Set<string>()
  for (const { kind, key } of operations) {
    if (kind === 'get') continue
    if (changed.has(key)) refuse(`${label} changes ${key} twice: leave only the last change of it`)
    changed.add(key)
  }
  return operations
}

function operationOf(entry: unknown, label: string): Operation {
  const fields = fieldsOf(entry, ['set', 'value', 'delete', 'get'], label)
  const kinds = (['set', 'delete', 'get'] as const).filter((kind) => fields[kind] !== undefined)
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1 || (kind !== 'set' && fields.value !== undefined)) {
    refuse(`${label} must do one thing: give {"set": KEY, "value": …}, {"delete": KEY} or {"get": KEY}`)
  }
  const key = keyOf(fields[kind], `${label}.${kind}`)
  return kind === 'set' ? { kind, key, value: storedValueOf(fields.value, `${label}.value`) } : { kind, key }
}
