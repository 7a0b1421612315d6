// How long light verification takes, and how large proofs are: `node bench/proofs.ts [--keys 100000] [--transactions 100] [--rounds 51]`.
// Of a receipt, a value, an absence and a range of events, from the genesis hash on, with portable code in Node and in a browser if there
// is one, and with the native signature check that the command line uses. Processor time in Node, time on the clock in the browser.
import { parseArgs } from 'node:util'
import { bundleOf } from '../src/client/bundle.ts'
import { verify } from '../src/crypto/signer.ts'
import { type ProofBundle, trustGenesis, verifyBundle, verifyDocument } from '../src/light/index.ts'
import { createChain } from '../test/client/chain.ts'
import { askBrowser, bundleForBrowsers, findBrowser } from '../test/light/browser.ts'
import { signTransfer } from '../test/light/samples.ts'

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    transactions: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '51' },
  },
})
const [keys, transactions, rounds] = [Number(values.keys), Number(values.transactions), Number(values.rounds)]

const chain = createChain()
for (let index = 0; index < keys; index++) chain.state.set(`token\0balance/${index}`, `"${index}"`)
const text = (value: string) => new TextEncoder().encode(value)
const event = { contract: 'token', name: 'Transfer', data: text('{"from":"a","to":"b","amount":"5"}') }
const signed = await Promise.all(Array.from({ length: transactions }, (_, nonce) => signTransfer(chain, nonce)))
chain.append(signed.map(({ wire }) => ({ wire, outcome: { events: [event] } })))

const genesis = { ...chain.genesis, time: new Date(chain.genesis.time).toISOString() }
const trust = trustGenesis(JSON.parse(JSON.stringify(genesis)), chain.genesisHash)
const make = (kind: ProofBundle['kind'], document: unknown) =>
  JSON.parse(JSON.stringify(bundleOf(document, verifyDocument(kind, document, trust, verify), []))) as ProofBundle
const bundles: Record<string, ProofBundle> = {
  receipt: make('transaction', chain.document(signed[Math.floor(transactions / 2)]!.id)),
  value: make('state', chain.stateDocument('token', `balance/${Math.floor(keys / 2)}`)),
  absence: make('state', chain.stateDocument('token', 'balance/none')),
  events: make('events', await chain.rangeDocument(1, 1)),
}
const trusted = { genesisHash: chain.genesisHash }

/** Of processor time: what else the machine does counts less. */
function medianMs(run: () => unknown): number {
  const times = Array.from({ length: rounds }, () => {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1_000
  })
  return times.sort((a, b) => a - b)[rounds >> 1]!
}

console.log(`${keys} keys, ${transactions} transactions in the block, 3 of 4 signatures, medians of ${rounds}`)
console.log(`quorate/light for browsers: ${(await bundleForBrowsers('light')).code.length} bytes`)
const browser = findBrowser()
const verdicts = browser === undefined ? undefined : await askBrowser(browser, { bundles, ...trusted, rounds })
for (const [name, bundle] of Object.entries(bundles)) {
  const bytes = JSON.stringify(bundle.document).length
  const portable = medianMs(() => verifyBundle(bundle, trusted)).toFixed(2)
  const native = medianMs(() => verifyBundle(bundle, trusted, verify)).toFixed(2)
  const inBrowser =
    verdicts === undefined
      ? 'no browser'
      : `${verdicts[name]!.medianMs.toFixed(2)} ms, fastest tenth ${verdicts[name]!.fastestMs.toFixed(2)} ms`
  console.log(
    `${name}: document ${bytes} bytes; Node ${portable} ms, native signatures ${native} ms; browser ${inBrowser}`,
  )
}
