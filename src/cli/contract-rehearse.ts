// `quorate contract upgrade --rehearse N`: what the last blocks' calls would have done on the new code. Nothing is sent.
import type { Nodes } from '../client/nodes.ts'
import type { Context } from './context.ts'
import { CliError, EXIT_FAILED, EXIT_OK } from './error.ts'
import { shortHash } from './table.ts'

/** A page of blocks, and the longest way back: each block is run again by the node, one after the other. */
const BLOCKS_PER_PAGE = 100
export const REHEARSED_BLOCKS_MAX = 10_000
/** A full block runs twice, and views of others may be before it. */
const REHEARSAL_TIMEOUT_MS = 60_000

interface Difference {
  what: string
  key?: string
  before?: string | null
  after?: string | null
}
interface Call {
  height: number
  index: number
  id: string
  contract: string
  method: string
  differences: Difference[]
  more: number
}
interface Rehearsal {
  height: number
  upgrade: { status: string; code: string; message: string }
  calls: Omit<Call, 'height'>[]
}
interface BlocksPage {
  blocks: { height: number; transactions: string[] }[]
  next: number | null
}
interface ContractDocument {
  history: { height: number }[]
}

/** `migrate` is JSON text. Exits with 1 where anything but gas would have come out differently, or the upgrade would have failed. */
export async function rehearseUpgrade(
  context: Context,
  {
    name,
    code,
    codeHash,
    migrate,
    blocks,
  }: { name: string; code: string; codeHash: string; migrate: string; blocks: number },
): Promise<number> {
  const { createNodes } = await import('../client/nodes.ts')
  const nodes = createNodes({ endpoints: context.endpoints, timeoutMs: REHEARSAL_TIMEOUT_MS })
  const path = `/v1/contracts/${encodeURIComponent(name)}`
  const { history } = (await nodes.read(path)) as ContractDocument
  const { certifiedHeight: to } = (await nodes.look('/v1/status')) as { certifiedHeight: number }
  // Calls before the present code were made to other code, over state of another form.
  const from = Math.max(history.at(-1)!.height + 1, to - blocks + 1, 1)
  const calls: Call[] = []
  for (const height of await heightsWithTransactions(nodes, from, to)) {
    const body = `{"code":${JSON.stringify(code)},"migrate":${migrate},"height":${height}}`
    const rehearsal = (await nodes.ask(`${path}/rehearsals`, body)) as Rehearsal
    const { status, code: reason, message } = rehearsal.upgrade
    if (status !== 'ok') {
      const mend = 'correct the code or --migrate'
      throw new CliError(
        reason,
        `the upgrade of ${name} would have failed before block ${height}: ${message.replace(/\.$/, '')}: ${mend}`,
      )
    }
    calls.push(...rehearsal.calls.map((call) => ({ height, ...call })))
  }
  const different = calls.filter(isDifferent).length
  context.print(
    { contract: name, codeHash, from, to, calls, different },
    rehearsalText({ name, codeHash, from, to, calls, different }),
  )
  return different === 0 ? EXIT_OK : EXIT_FAILED
}

/** Gas changes with any change of code. What is not listed is more than gas: gas is told last. */
const isDifferent = ({ differences, more }: Call): boolean => more > 0 || differences.some(({ what }) => what !== 'gas')

async function heightsWithTransactions(nodes: Nodes, from: number, to: number): Promise<number[]> {
  const heights: number[] = []
  let start: number | null = from
  while (start !== null && start <= to) {
    const limit = Math.min(BLOCKS_PER_PAGE, to - start + 1)
    const page = (await nodes.read('/v1/blocks', { from: start, limit })) as BlocksPage
    for (const { height, transactions } of page.blocks) if (transactions.length > 0) heights.push(height)
    if (page.next !== null && page.next <= start) break
    start = page.next
  }
  return heights
}

function rehearsalText(rehearsal: {
  name: string
  codeHash: string
  from: number
  to: number
  calls: Call[]
  different: number
}): string {
  const { name, codeHash, from, to, calls, different } = rehearsal
  const span = from > to ? 'there is no block since its present code' : `blocks ${from} to ${to}`
  const head = `rehearsed ${name} with code ${shortHash(codeHash)}: ${span}, ${calls.length} calls, ${different} different; nothing was sent`
  return [head, ...calls.flatMap(callLines)].join('\n')
}

function callLines(call: Call): string[] {
  const { height, index, contract, method, id, differences, more } = call
  const verdict = isDifferent(call) ? 'DIFFERENT' : 'same'
  const rest = more === 0 ? [] : [`    and ${more} differences more`]
  return [
    `${height}-${index}  ${contract}.${method}  ${shortHash(id)}  ${verdict}`,
    ...differences.map(({ what, key, before, after }) => {
      const where = key === undefined ? what : `${what} ${key.replace('\0', ' ')}`
      return `    ${where}: ${valueText(what, before)} -> ${valueText(what, after)}`
    }),
    ...rest,
  ]
}

function valueText(what: string, value: string | null | undefined): string {
  if (value === undefined) return '(not written)'
  if (value === null) return '(deleted)'
  return value === '' ? `(no ${what})` : value.replaceAll('\n', ', ')
}
