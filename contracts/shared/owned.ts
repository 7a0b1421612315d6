/** Things of one kind, each with an access list of its own: namespaces, services, streams. */
import type { CallContext, ReadableState } from 'quorate/contract'
import { type Access, accountOf, assertOwner, writersOf } from './account.ts'
import { fieldsOf, refuse } from './arguments.ts'

export interface OwnedKind<Kind extends string> {
  /** Also the name of the argument, and the state keys are `KIND/NAME`. */
  kind: Kind
  /** Emitted with the name, the owner and the writers at every change of them. */
  event: string
  nameOf(value: unknown): string
}

/** Each thing belongs to whoever created it. The calls are a contract's own as they stand. */
export function ownedThings<Kind extends string, Thing extends Access = Access>({
  kind,
  event,
  nameOf,
}: OwnedKind<Kind>) {
  const keyOf = (name: string) => `${kind}/${name}`

  function store(ctx: CallContext, name: string, thing: Thing): void {
    ctx.state.set(keyOf(name), thing)
    ctx.emit(event, { [kind]: name, owner: thing.owner, writers: thing.writers })
  }

  function load(ctx: { state: ReadableState }, value: unknown): { name: string; thing: Thing; label: string } {
    const name = nameOf(value)
    const thing = ctx.state.get<Thing>(keyOf(name))
    if (thing === undefined) refuse(`${kind} ${name} does not exist: check its name, or create it`)
    return { name, thing, label: `${kind} ${name}` }
  }

  function change(ctx: CallContext, value: unknown, changed: Partial<Access>): void {
    const { name, thing, label } = load(ctx, value)
    assertOwner(ctx, thing, label)
    store(ctx, name, { ...thing, ...changed })
  }

  return {
    load,
    find: (state: ReadableState, name: string) => state.get<Thing>(keyOf(name)),

    create(ctx: CallContext, value: unknown, thing: Thing): void {
      const name = nameOf(value)
      if (ctx.state.get(keyOf(name)) !== undefined) refuse(`${kind} ${name} exists already: choose another name`)
      store(ctx, name, thing)
    },

    calls: {
      /** Sets the whole list. The owner only. */
      setWriters(ctx: CallContext, args: Record<Kind, string> & { writers: string[] }) {
        const fields = fieldsOf<string>(args, [kind, 'writers'])
        change(ctx, fields[kind], { writers: writersOf(ctx, fields.writers) })
      },

      /** The owner only. */
      setOwner(ctx: CallContext, args: Record<Kind, string> & { owner: string }) {
        const fields = fieldsOf<string>(args, [kind, 'owner'])
        change(ctx, fields[kind], { owner: accountOf(ctx, fields.owner, 'owner') })
      },
    },
  }
}
