// `quorate tx replay` against a live node: a failed transaction shows its TypeScript line, whatever ran before it in its block.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleContract } from '../../src/contract/bundle.ts'
import { createCli } from '../cli/support.ts'
import { alice, createNetwork, getJson, signed, submit, type TestNetwork } from './network.ts'

const SOURCE = `import { assert, contract } from 'quorate/contract'

export default contract({
  calls: {
    put(ctx, { key, value }: { key: string; value: number }) {
      console.log('putting', key)
      ctx.emit('Put', key)
      ctx.state.set(key, value)
    },
    total(ctx, { most }: { most: number }) {
      const entries = ctx.state.scan<number>('n/', { limit: 2 })
      const sum = entries.reduce((total, [, value]) => total + value, 0)
      assert(sum <= most, 'too much: ' + sum)
      ctx.state.set('sum', sum)
      ctx.emit('Summed', { sum })
      return sum
    },
    spin() { for (;;); },
    fill(ctx, { from }: { from: number }) {
      for (let at = from; at < from + 3; at++) ctx.state.set('big/' + at, 'x'.repeat(60_000))
    },
    wipe(ctx) {
      for (let at = 0; at < 72; at++) ctx.state.set('big/' + at, at)
      return ctx.state.get('big/71')
    },
  },
})
`
let nonce = 0
let network: TestNetwork
let cli: ReturnType<typeof createCli>
let source: string

/** Sends them so that they are in one block: what comes after a nonce waits for it, and none is missing once the first is there. */
async function send(...calls: { method: string; args?: unknown; gasLimit?: number; contract?: string }[]) {
  const wires = calls.map(({ contract = 'sums', args = {}, ...call }) =>
    signed(network, alice, nonce++, { contract, args, ...call }),
  )
  if (wires.length > 1) await submit(network, 0, wires.slice(1), '')
  const { body } = await submit(network, 0, wires)
  return body.results as { id: string; height: number; index: number; status: string; gasUsed: number }[]
}
const put = (key: string, value: number) => ({ method: 'put', args: { key, value } })
const replay = (id: string, ...more: string[]) => cli('tx', 'replay', id, ...more)

beforeAll(async () => {
  network = await createNetwork({ validators: 1, settings: { 'ledger.historyBlocks': 8 } })
  await network.startReady()
  cli = createCli({ QUORATE_NODE: network.url(0, ''), QUORATE_KEYSTORE: join(network.directory, 'keystore') })
  source = join(network.directory, 'sums.ts')
  await writeFile(source, SOURCE)
  const { code } = await bundleContract(source)
  const [deployed] = await send({ contract: 'system', method: 'deploy', args: { name: 'sums', code }, gasLimit: 90e6 })
  expect(deployed).toMatchObject({ status: 'ok' })
}, 60_000)
afterAll(async () => {
  await network?.close()
  expect(network?.fatal).toEqual([])
})

it('shows the line that threw, what was read, and what was written, from the state right before', async () => {
  const sent = await send(put('n/1', 2), put('n/2', 3), put('n/3', 9), { method: 'total', args: { most: 4 } })
  const failed = sent[3]!
  expect(failed).toMatchObject({ status: 'reverted' })
  expect(failed.index).toBe(3)
  const { exitCode, json } = await replay(failed.id, '--inspect-source', source, '--json')
  expect(exitCode).toBe(0)
  expect(json).toMatchObject({
    id: failed.id,
    height: failed.height,
    status: 'reverted',
    gasUsed: failed.gasUsed,
    matches: true,
    differences: [],
    error: { code: 'THROWN', message: 'too much: 5', at: { line: 13 }, stack: [{ name: 'total' }] },
    sources: [{ path: source, isExact: true }],
    certificate: { signatures: 1, validators: 1 },
  })
  expect(json.error.at.file).toMatch(/sums\.ts$/)
  // A scan asks the store for more than the contract sees, which is two.
  const own = json.reads.filter(({ contract }: { contract: string }) => contract === 'sums')
  expect(own).toEqual([
    { contract: 'sums', key: 'n/1', value: '2' },
    { contract: 'sums', key: 'n/2', value: '3' },
  ])
  expect(json.writes).toEqual([{ contract: 'system', key: expect.stringMatching(/^nonce\//), before: '4', after: '5' }])
})

it('reads well', async () => {
  const [failed] = await send({ method: 'total', args: { most: 1 } })
  const { out } = await replay(failed!.id, '--inspect-source', source)
  expect(out).toMatch(/error +too much: 5 \(THROWN\)/)
  expect(out).toMatch(/thrown at\n {2}\S*sums\.ts:13:\d+ in total\n/)
  expect(out).toMatch(/reads\n {2}contract +key +value\n {2}sums +n\/1 +2\n/)
  expect(out).toContain('is the code that ran')
  expect(out).toMatch(/proven +block \d+ is signed by 1 of 1 validators\nreplayed +this run gave the certified receipt/)
  expect((await replay(failed!.id)).out).toContain('give the contract’s source with --inspect-source PATH')
})

it('shows what one that ended well changed', async () => {
  const [summed] = await send({ method: 'total', args: { most: 9 } })
  const { json } = await replay(summed!.id, '--json')
  expect(json).toMatchObject({ status: 'ok', result: 5, error: null, matches: true, events: [{ name: 'Summed' }] })
  expect(json.writes).toContainEqual({ contract: 'sums', key: 'sum', before: null, after: '5' })
})

it('runs a deploy again, init and all', async () => {
  const init = `import { contract } from 'quorate/contract'
export default contract({
  init(_ctx, args: any) {
    return args.owner.name
  },
})
`
  const path = join(network.directory, 'init.ts')
  await writeFile(path, init)
  const { code } = await bundleContract(path)
  const args = { name: 'made', code, init: {} }
  const [deployed] = await send({ contract: 'system', method: 'deploy', args, gasLimit: 90e6 })
  expect(deployed).toMatchObject({ status: 'reverted' })
  const { json } = await replay(deployed!.id, '--json', '--inspect-source', path)
  expect(json).toMatchObject({ matches: true, sources: [{ isExact: true }], error: { at: { line: 4 } } })
})

it('says that lines may be off where the source is another', async () => {
  const other = join(network.directory, 'other.ts')
  await writeFile(other, `// A new first line.\n${SOURCE.replace('too much', 'far too much')}`)
  const [failed] = await send({ method: 'total', args: { most: 0 } })
  const { out, exitCode } = await replay(failed!.id, '--inspect-source', other)
  expect(exitCode).toBe(0)
  expect(out).toContain('lines may be off')
  expect(out).toMatch(/other\.ts:14:/)
})

it('shows what a contract wrote to its console', async () => {
  const [sent] = await send(put('n/1', 2))
  const { json } = await replay(sent!.id, '--json')
  expect(json.logs).toEqual([{ contract: 'sums', level: 'log', text: 'putting n/1' }])
})

it('tells of an unknown one, one that is too dear to run again, and one whose state is gone', async () => {
  expect(await replay('ab'.repeat(32))).toMatchObject({
    exitCode: 1,
    err: expect.stringContaining('UNKNOWN_TRANSACTION'),
  })
  expect(await replay('abc')).toMatchObject({ exitCode: 2 })
  const gasLimit = 151_000_000
  const sent = await send({ method: 'spin', gasLimit }, { method: 'spin', gasLimit }, put('n/9', 1))
  expect(await replay(sent[2]!.id)).toMatchObject({ exitCode: 1, err: expect.stringContaining('TOO_LARGE') })
  expect((await replay(sent[0]!.id, '--json')).json).toMatchObject({ matches: true, error: { code: 'OUT_OF_GAS' } })
  const fill = (part: number) => ({ method: 'fill', args: { from: 3 * part }, gasLimit: 290e6 })
  for (const first of [0, 8, 16]) await send(...Array.from({ length: 8 }, (_, part) => fill(first + part)))
  // What was overwritten is part of a replay too.
  const [wiped] = await send({ method: 'wipe', gasLimit: 290e6 })
  expect(wiped).toMatchObject({ status: 'ok', result: 71 })
  expect(await replay(wiped!.id)).toMatchObject({ exitCode: 1, err: expect.stringContaining('4194304 bytes') })
  for (let block = 0; block < 9; block++) await send(put('n/1', block))
  const { status, body } = await getJson(network.url(0, `/v1/transactions/${sent[0]!.id}/replay`))
  expect({ status, code: body.code }).toEqual({ status: 410, code: 'PRUNED' })
  expect(body.oldestHeight).toBeGreaterThan(0)
}, 60_000)
