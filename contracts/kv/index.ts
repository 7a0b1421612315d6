/**
 * The shipped key-value store: keys that belong to an account or to a namespace, versions, and transactions in the manner of
 * etcd's. A key's version is the contract's revision at its last change, and the revision only grows: so versions of one key only
 * grow, over deletion and re-creation too, and a deleted key leaves nothing behind.
 * State: `revision`, `value/KEY`, `namespace/NAME`.
 */
import { type CallContext, contract, type ReadableState } from 'quorate/contract'
import { mayWrite, writersOf } from '../shared/account.ts'
import { fieldsOf, matchOf, refuse, sizeOf } from '../shared/arguments.ts'
import { ownedThings } from '../shared/owned.ts'
import { pageOf, pageRequest } from '../shared/page.ts'
import { assertVersion, countRevision, revisionOf, type Versioned } from '../shared/versions.ts'
import { type Condition, type Operation, transactionOf } from './transaction.ts'
import { keyOf, keyPartOf, sameJson, storedValueOf } from './values.ts'

/** Also what tells it from an address (61 characters) and from contract:NAME. */
const NAMESPACE = { pattern: /^[a-z][a-z0-9-]{0,39}$/, form: '1 to 40 of a-z, 0-9 and - that start with a letter' }
/** What one transaction reads goes into its receipt, what it writes into its events. */
const TRANSACTION_BYTES_MAX = 32 * 1024

/** An entry as the contract answers it. */
interface Entry extends Versioned {
  key: string
}

const valueKey = (key: string) => `value/${key}`

function read(state: ReadableState, key: string): Entry | null {
  const stored = state.get<Versioned>(valueKey(key))
  return stored === undefined ? null : { key, value: stored.value, version: stored.version }
}

function namespaceNameOf(value: unknown): string {
  return matchOf(value, 'namespace', NAMESPACE)
}

const namespaces = ownedThings({ kind: 'namespace', event: 'NamespaceChanged', nameOf: namespaceNameOf })

function assertMayWrite(ctx: CallContext, keys: string[]): void {
  for (const space of new Set(keys.map((key) => key.slice(0, key.indexOf('/'))))) {
    if (space === ctx.sender) continue
    const access = namespaces.find(ctx.state, space)
    if (access !== undefined && mayWrite(access, ctx.sender)) continue
    const mend = `write below ${ctx.sender}/, or in a namespace that you own or are a writer of`
    refuse(`${ctx.sender} may not write below ${space}/: ${mend}`)
  }
}

/** The revision is counted up once for whatever changes together. */
function apply(ctx: CallContext, operations: Operation[]): { version: number; results: unknown[] } {
  const before = revisionOf(ctx.state)
  const version = before + 1
  let isChanged = false
  const results = operations.map((operation) => {
    const { key } = operation
    if (operation.kind === 'get') return read(ctx.state, key)
    if (operation.kind === 'delete' && ctx.state.get(valueKey(key)) === undefined) return { deleted: false }
    isChanged = true
    if (operation.kind === 'delete') {
      ctx.state.delete(valueKey(key))
      ctx.emit('Deleted', { key, version, account: ctx.sender })
      return { deleted: true }
    }
    const { value } = operation
    ctx.state.set(valueKey(key), { value, version })
    ctx.emit('Set', { key, value, version, account: ctx.sender })
    return { version }
  })
  if (isChanged) countRevision(ctx)
  return { version: isChanged ? version : before, results }
}

function holds(ctx: CallContext, condition: Condition): boolean {
  const entry = read(ctx.state, condition.key)
  return isAsAsked(entry, condition) !== condition.not
}

function isAsAsked(entry: Entry | null, condition: Condition): boolean {
  if (condition.on === 'exists') return (entry !== null) === condition.expected
  if (condition.on === 'version') return (entry?.version ?? 0) === condition.expected
  return entry !== null && sameJson(entry.value, condition.expected)
}

function assertFits(verb: 'reads' | 'writes', what: unknown): void {
  const bytes = sizeOf(what)
  if (bytes <= TRANSACTION_BYTES_MAX) return
  refuse(`the transaction ${verb} ${bytes} bytes: split it into parts of at most ${TRANSACTION_BYTES_MAX}`)
}

export default contract({
  calls: {
    /** With `version`, only if the key is at it: compare and set. */
    set(ctx, args: { key: string; value: unknown; version?: number }) {
      const fields = fieldsOf(args, ['key', 'value', 'version'])
      const key = keyOf(fields.key, 'key')
      const value = storedValueOf(fields.value, 'value')
      assertMayWrite(ctx, [key])
      assertVersion(key, read(ctx.state, key), fields.version)
      return { version: apply(ctx, [{ kind: 'set', key, value }]).version }
    },

    delete(ctx, args: { key: string; version?: number }) {
      const fields = fieldsOf(args, ['key', 'version'])
      const key = keyOf(fields.key, 'key')
      assertMayWrite(ctx, [key])
      assertVersion(key, read(ctx.state, key), fields.version)
      return apply(ctx, [{ kind: 'delete', key }]).results[0]
    },

    /** Runs `then` if all conditions hold, `else` if not, whole or not at all. */
    txn(ctx, args: { if?: unknown[]; then?: unknown[]; else?: unknown[] }) {
      const { conditions, whenTrue, whenFalse } = transactionOf(args)
      const changes = [...whenTrue, ...whenFalse].filter(({ kind }) => kind !== 'get')
      assertMayWrite(
        ctx,
        changes.map(({ key }) => key),
      )
      const succeeded = conditions.every((condition) => holds(ctx, condition))
      const operations = succeeded ? whenTrue : whenFalse
      assertFits('writes', operations)
      const { version, results } = apply(ctx, operations)
      assertFits('reads', results)
      return { succeeded, version, results }
    },

    createNamespace(ctx, args: { namespace: string; writers?: string[] }) {
      const { namespace, writers = [] } = fieldsOf(args, ['namespace', 'writers'])
      namespaces.create(ctx, namespace, { owner: ctx.sender, writers: writersOf(ctx, writers) })
    },

    ...namespaces.calls,
  },

  views: {
    get(ctx, args: { key: string }) {
      return read(ctx.state, keyOf(fieldsOf(args, ['key']).key, 'key'))
    },

    scan(ctx, args: { prefix?: string; after?: string; limit?: number }) {
      const request = pageRequest(valueKey(''), fieldsOf(args, ['prefix', 'after', 'limit']), keyPartOf)
      const { items, next } = pageOf(
        ctx.state,
        request,
        (key, { value, version }: Versioned): Entry => ({ key, value, version }),
      )
      return { entries: items, next }
    },

    namespace(ctx, args: { namespace: string }) {
      return namespaces.find(ctx.state, namespaceNameOf(fieldsOf(args, ['namespace']).namespace)) ?? null
    },

    revision: (ctx) => revisionOf(ctx.state),
  },
})
