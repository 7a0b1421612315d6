/**
 * The shipped key-value store: keys that belong to an account or to a namespace, versions, and transactions in the manner of
 * etcd's. A key's version is the contract's revision at its last change, and the revision only grows: so versions of one key only
 * grow, over deletion and re-creation too, and a deleted key leaves nothing behind.
 * State: `revision`, `value/KEY`, `namespace/NAME`.
 */
import { type CallContext, contract, type ReadableState, type ViewContext } from 'quorate/contract'
import { type Access, accountOf, assertOwner, mayWrite, writersOf } from '../shared/access.ts'
import { fieldsOf, refuse, shown, sizeOf, wholeNumberOf } from '../shared/arguments.ts'
import { limitOf, pageOf } from '../shared/paging.ts'
import { type Condition, type Operation, transactionOf } from './transaction.ts'
import { keyOf, keyPartOf, type Stored, sameJson, storedValueOf } from './values.ts'

/** Also what tells it from an address (61 characters) and from contract:NAME. */
const NAMESPACE_PATTERN = /^[a-z][a-z0-9-]{0,39}$/
/** What one transaction reads goes into its receipt, what it writes into its events. */
const TRANSACTION_BYTES_MAX = 32 * 1024

/** An entry as the contract answers it. */
interface Entry extends Stored {
  key: string
}

const valueKey = (key: string) => `value/${key}`
const namespaceKey = (name: string) => `namespace/${name}`

function read(state: ReadableState, key: string): Entry | null {
  const stored = state.get<Stored>(valueKey(key))
  return stored === undefined ? null : { key, value: stored.value, version: stored.version }
}

function namespaceOf(ctx: CallContext, value: unknown): { name: string; access: Access } {
  const name = namespaceNameOf(value)
  const access = ctx.state.get<Access>(namespaceKey(name))
  if (access === undefined) refuse(`namespace ${name} does not exist: create it with createNamespace`)
  return { name, access }
}

function namespaceNameOf(value: unknown): string {
  if (typeof value === 'string' && NAMESPACE_PATTERN.test(value)) return value
  refuse(`namespace is ${shown(value)}: give 1 to 40 of a-z, 0-9 and - that start with a letter`)
}

function assertMayWrite(ctx: CallContext, keys: string[]): void {
  for (const space of new Set(keys.map((key) => key.slice(0, key.indexOf('/'))))) {
    if (space === ctx.sender) continue
    const access = ctx.state.get<Access>(namespaceKey(space))
    if (access !== undefined && mayWrite(access, ctx.sender)) continue
    const mend = `write below ${ctx.sender}/, or in a namespace that you own or are a writer of`
    refuse(`${ctx.sender} may not write below ${space}/: ${mend}`)
  }
}

/** The revision is counted up once for whatever changes together. */
function apply(ctx: CallContext, operations: Operation[]): { version: number; results: unknown[] } {
  const before = ctx.state.get<number>('revision') ?? 0
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
  if (isChanged) ctx.state.set('revision', version)
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

/** The version that the caller expects, where it gave one; 0 stands for a key that does not exist. */
function assertVersion(ctx: CallContext, key: string, expected: unknown): void {
  if (expected === undefined) return
  const version = wholeNumberOf(expected, 'version', { min: 0, max: Number.MAX_SAFE_INTEGER })
  const current = read(ctx.state, key)?.version ?? 0
  if (current !== version) refuse(`${key} is at version ${current}, not at ${version}: read it again and decide anew`)
}

export default contract({
  calls: {
    /** With `version`, only if the key is at it: compare and set. */
    set(ctx, args: { key: string; value: unknown; version?: number }) {
      const fields = fieldsOf(args, ['key', 'value', 'version'])
      const key = keyOf(fields.key, 'key')
      const value = storedValueOf(fields.value, 'value')
      assertMayWrite(ctx, [key])
      assertVersion(ctx, key, fields.version)
      return { version: apply(ctx, [{ kind: 'set', key, value }]).version }
    },

    delete(ctx, args: { key: string; version?: number }) {
      const fields = fieldsOf(args, ['key', 'version'])
      const key = keyOf(fields.key, 'key')
      assertMayWrite(ctx, [key])
      assertVersion(ctx, key, fields.version)
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
      const name = namespaceNameOf(namespace)
      const access: Access = { owner: ctx.sender, writers: writersOf(ctx, writers) }
      if (ctx.state.get(namespaceKey(name)) !== undefined)
        refuse(`namespace ${name} exists already: choose another name`)
      ctx.state.set(namespaceKey(name), access)
      ctx.emit('NamespaceChanged', { namespace: name, ...access })
    },

    /** Sets the whole list. The namespace's owner only. */
    setWriters(ctx, args: { namespace: string; writers: string[] }) {
      const fields = fieldsOf(args, ['namespace', 'writers'])
      const { name, access } = namespaceOf(ctx, fields.namespace)
      assertOwner(ctx, access, `namespace ${name}`)
      const changed: Access = { ...access, writers: writersOf(ctx, fields.writers) }
      ctx.state.set(namespaceKey(name), changed)
      ctx.emit('NamespaceChanged', { namespace: name, ...changed })
    },

    /** The namespace's owner only. */
    setOwner(ctx, args: { namespace: string; owner: string }) {
      const fields = fieldsOf(args, ['namespace', 'owner'])
      const { name, access } = namespaceOf(ctx, fields.namespace)
      assertOwner(ctx, access, `namespace ${name}`)
      const changed: Access = { ...access, owner: accountOf(ctx, fields.owner, 'owner') }
      ctx.state.set(namespaceKey(name), changed)
      ctx.emit('NamespaceChanged', { namespace: name, ...changed })
    },
  },

  views: {
    get(ctx, args: { key: string }) {
      return read(ctx.state, keyOf(fieldsOf(args, ['key']).key, 'key'))
    },

    scan(ctx, args: { prefix?: string; after?: string; limit?: number }) {
      const { prefix = '', after, limit } = fieldsOf(args, ['prefix', 'after', 'limit'])
      const request = {
        base: valueKey(''),
        prefix: prefix === '' ? '' : keyPartOf(prefix, 'prefix'),
        after: after === undefined ? undefined : keyPartOf(after, 'after'),
        limit: limitOf(limit),
      }
      const { items, next } = pageOf(
        ctx.state,
        request,
        (key, { value, version }: Stored): Entry => ({ key, value, version }),
      )
      return { entries: items, next }
    },

    namespace(ctx: ViewContext, args: { namespace: string }) {
      const name = namespaceNameOf(fieldsOf(args, ['namespace']).namespace)
      return ctx.state.get<Access>(namespaceKey(name)) ?? null
    },

    revision: (ctx) => ctx.state.get<number>('revision') ?? 0,
  },
})
