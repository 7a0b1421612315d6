/**
 * my-contract: a register of documents. Whoever registers a document's hash first is on record for it, with the time.
 * State: `registrar`, `document/HASH`.
 */
import { assert, contract } from 'quorate/contract'

interface Entry {
  title: string
  by: string
  time: number
}

/** Arguments are whatever JSON a caller sent, so each is checked before it is used. */
function hashOf(args: { hash: string }): string {
  assert(typeof args?.hash === 'string' && /^[0-9a-f]{64}$/.test(args.hash), 'hash must be 64 lower-case hex digits')
  return args.hash
}

export default contract({
  /** With a `registrar`, only that account may register; without, everyone may. */
  init(ctx, args: { registrar?: string }) {
    if (args.registrar === undefined) return
    assert(ctx.isAddress(args.registrar), 'registrar must be an address')
    ctx.state.set('registrar', args.registrar)
  },

  calls: {
    register(ctx, args: { hash: string; title: string }) {
      const hash = hashOf(args)
      assert(typeof args.title === 'string' && args.title !== '', 'title must be text')
      const registrar = ctx.state.get<string>('registrar')
      assert(registrar === undefined || registrar === ctx.sender, 'only the registrar may register')
      assert(ctx.state.get(`document/${hash}`) === undefined, 'this document is registered already')
      const entry: Entry = { title: args.title, by: ctx.sender, time: ctx.block.time }
      ctx.state.set(`document/${hash}`, entry)
      ctx.emit('Registered', { hash, by: ctx.sender })
    },
  },

  views: {
    /** The entry of a document, or null. */
    find: (ctx, args: { hash: string }) => ctx.state.get<Entry>(`document/${hashOf(args)}`) ?? null,
  },
})
