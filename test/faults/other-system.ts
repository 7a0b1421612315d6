// Loaded before a node (`node --import`), and before each of its threads, it gives that node another system contract: one in which
// setOwner writes another height. So a validator with a fault in its software is made of the real one.
import { registerHooks } from 'node:module'

const FILE = '/src/execution/system.ts'
const RIGHT = '{ ...record, owner, updatedHeight: session.block.height }'
const WRONG = '{ ...record, owner, updatedHeight: session.block.height + 1 }'

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    if (!url.endsWith(FILE)) return loaded
    const source = String(loaded.source)
    if (!source.includes(RIGHT)) throw new Error(`${FILE} does not say "${RIGHT}" any more: correct this test`)
    return { ...loaded, source: source.replace(RIGHT, WRONG) }
  },
})
