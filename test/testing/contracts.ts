// The contracts that the kit's own tests run, as their authors would write them.

/** Counts, fails in several ways, and calls others. The tests name its lines. */
export const COUNTER = `import { assert, contract } from 'quorate/contract'

function add(ctx: any, by: number) {
  assert(by > 0, 'only upwards: ä')
  ctx.state.set('count', (ctx.state.get('count') ?? 0) + by)
}

export default contract({
  init(ctx, args: { start: number }) {
    if (args.start < 0) throw new RangeError('start below zero')
    ctx.state.set('count', args.start)
  },
  calls: {
    add(ctx, args: { by: number }) { add(ctx, args.by); ctx.emit('Added', { by: args.by }); return ctx.state.get('count') },
    touch(ctx) { ctx.state.set('count', ctx.state.get('count')) },
    remove(ctx) { ctx.state.delete('count') },
    grab(_ctx, args: any) {
      const text = '😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀'
      return text + args.missing.field
    },
    plain() { throw 'no error object' },
    spin(_ctx, args: { times: number }) {
      for (let i = 0; i < args.times; i++);
      throw new Error('after the loop')
    },
    through(ctx, args: { to: string; method: string }) {
      return ctx.call(args.to, args.method, { by: -1 })
    },
    caught(ctx, args: { next: 'throw' | 'call' }) {
      try { ctx.call('second', 'add', { by: -1 }) } catch {}
      if (args.next === 'throw') throw new Error('after the catch')
      ctx.call('absent', 'nothing')
    },
    who(ctx) { return { sender: ctx.sender, block: ctx.block } },
    role(ctx, args: { role: string }) { return ctx.hasRole(ctx.sender, args.role) },
  },
  views: {
    count(ctx) { return ctx.state.get('count') },
    absent(ctx) { return ctx.state.get('absent') },
    page(ctx) { return ctx.state.scan('', { limit: 10 }) },
    now(ctx) { return ctx.block },
    writes(ctx) {
      (ctx as any).state.set('count', 1)
    },
  },
})
`

/** The line, from 1, on which the text first stands in the counter. */
export const lineOf = (text: string): number => COUNTER.slice(0, COUNTER.indexOf(text)).split('\n').length
