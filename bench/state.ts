// What state costs: updating it, keeping it, and proving it.
//
//   node bench/state.ts [--keys 1000,100000,1000000] [--blocks 60] [--batch 1000] [--transfers 100] [--twig 128]
//
// Blocks of `--batch` random existing keys each, committed as a node commits them (tree, history, pages, one synced LevelDB batch),
// and the tree alone; medians in µs a key. Then blocks of `--transfers` transfers, two keys each, for the bytes they leave on the disk;
// then proofs, by a second handle as the API has one.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ClassicLevel } from 'classic-level'
import { addressOf } from '../src/crypto/address.ts'
import { blockHash as hashOfHeader } from '../src/crypto/digest.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { fromHex } from '../src/crypto/hex.ts'
import { verifyStatePath } from '../src/crypto/state-proof.ts'
import { type Ledger, openLedger } from '../src/ledger/ledger.ts'
import { createStateTree } from '../src/ledger/tree.ts'
import { createRandom } from '../src/simulator/random.ts'
import { type Header, ZERO_HASH } from '../src/types/block.ts'
import { quantile, settled } from './support.ts'

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000,100000,1000000' },
    blocks: { type: 'string', default: '60' },
    batch: { type: 'string', default: '1000' },
    transfers: { type: 'string', default: '100' },
    twig: { type: 'string', default: '128' },
  },
})
const blocks = Number(values.blocks)
const batch = Number(values.batch)
const FILL_KEYS = 50_000
const PROOFS = 300

type Writes = Map<string, string>

const keyOf = (index: number) => `token\0balance/${addressOf(sha256(Buffer.from(`account ${index}`)))}`

function* fills(keys: readonly string[]): Generator<Writes> {
  for (let at = 0; at < keys.length; at += FILL_KEYS) {
    yield new Map(keys.slice(at, at + FILL_KEYS).map((key) => [key, '"1000000"']))
  }
}

function createWrites(keys: readonly string[]): (count: number) => Writes {
  const random = createRandom(1)
  return (count) => {
    const writes: Writes = new Map()
    // As many draws as keys: of a thousand keys some are drawn twice.
    for (let n = 0; n < count; n++) writes.set(keys[random.below(keys.length)]!, `"${random.below(1_000_000_000)}"`)
    return writes
  }
}

/** Commits blocks that hold nothing but writes. */
function createCommitter(ledger: Ledger) {
  let parentHash = ZERO_HASH
  let height = 0
  return async (writes: Writes): Promise<void> => {
    const header: Header = {
      genesisHash: ZERO_HASH,
      epoch: 0,
      height: height++,
      parentHash,
      batchDigest: ZERO_HASH,
      txRoot: ZERO_HASH,
      receiptsRoot: ZERO_HASH,
      stateRoot: ledger.rootAfter(writes),
      time: 0,
      proposer: ZERO_HASH,
      validatorsHash: ZERO_HASH,
      nextValidatorsHash: ZERO_HASH,
      epochEnd: 0,
      proposers: new Uint8Array(),
    }
    parentHash = hashOfHeader(header)
    const block = { header, blockHash: parentHash, batch: new Uint8Array(1), transactions: [], receipts: [], writes }
    await ledger.commitBlock(block)
  }
}

/** In µs a key: the median block by the clock, and the processor time of all blocks, LevelDB's threads included and this one alone. */
async function timePerKey(next: () => Writes, use: (writes: Writes) => unknown) {
  const times: number[] = []
  const spent = { all: 0, thread: 0, keys: 0 }
  for (let block = 0; block < blocks; block++) {
    const writes = next()
    const [all, thread, start] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()]
    await use(writes)
    times.push(((performance.now() - start) * 1_000) / writes.size)
    const [processUsed, threadUsed] = [process.cpuUsage(all), process.threadCpuUsage(thread)]
    spent.all += processUsed.user + processUsed.system
    spent.thread += threadUsed.user + threadUsed.system
    spent.keys += writes.size
  }
  return {
    clock: round(quantile(times, 0.5)),
    processor: round(spent.all / spent.keys),
    thread: round(spent.thread / spent.keys),
  }
}

function treeAlone(keys: readonly string[]) {
  const tree = createStateTree()
  for (const writes of fills(keys)) tree.adopt(tree.prepare(writes))
  const next = createWrites(keys)
  return timePerKey(
    () => next(batch),
    (writes) => tree.adopt(tree.prepare(writes)),
  )
}

/** Medians: creation at this height in ms, verification in µs, siblings and bytes as JSON. */
async function proofs(reader: Ledger, height: number, keys: readonly string[]) {
  const root = fromHex((await reader.header(height))!.stateRoot)
  const random = createRandom(1)
  const found: { made: number; verified: number; siblings: number; bytes: number }[] = []
  for (let n = 0; n < PROOFS; n++) {
    const key = keys[random.below(keys.length)]!
    const value = await reader.stateAt(height).get(key)
    const start = performance.now()
    const path = await reader.proveState(height, key)
    const made = performance.now() - start
    const claim = { key, value, siblings: path.siblings.map(fromHex) }
    const verifyStart = performance.now()
    if (!verifyStatePath(claim, root)) throw new Error(`The path of ${key} at height ${height} does not hold.`)
    const verified = (performance.now() - verifyStart) * 1_000
    found.push({ made, verified, siblings: path.siblings.length, bytes: JSON.stringify(path).length })
  }
  const median = (field: keyof (typeof found)[number]) =>
    quantile(
      found.map((one) => one[field]),
      0.5,
    )
  return {
    madeMs: round(median('made')),
    madeP99Ms: round(
      quantile(
        found.map(({ made }) => made),
        0.99,
      ),
    ),
    verifiedUs: round(median('verified')),
    siblings: median('siblings'),
    bytes: median('bytes'),
  }
}

const round = (value: number) => Number(value.toFixed(2))

async function measure(size: number) {
  const keys = Array.from({ length: size }, (_, index) => keyOf(index))
  const tree = await treeAlone(keys)
  const directory = await mkdtemp(join(tmpdir(), 'quorate-state-'))
  const options = { directory, genesisHash: ZERO_HASH, twigLeaves: Number(values.twig) }
  const ledger = await openLedger({ ...options, tree: true })
  const reader = await openLedger({ ...options, tree: false })
  try {
    const commit = createCommitter(ledger)
    for (const writes of fills(keys)) await commit(writes)
    await settled(ledger)
    const next = createWrites(keys)
    const all = await timePerKey(() => next(batch), commit)
    const small = await timePerKey(() => next(2 * Number(values.transfers)), commit)
    const head = ledger.head()!.height
    return {
      keys: size,
      microsecondsPerKey: { all, tree, smallBlocks: small },
      proofs: {
        head: await proofs(reader, head, keys),
        twoBehind: await proofs(reader, head - 2, keys),
        farBehind: await proofs(reader, head - 2 * blocks + 1, keys),
      },
    }
  } finally {
    await reader.close()
    await ledger.close()
    await rm(directory, { recursive: true })
  }
}

/** Bytes that a transfer leaves in a ledger of 100,000 keys, once LevelDB has nothing more to sort. */
async function bytesPerTransfer(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-state-'))
  const options = { directory, genesisHash: ZERO_HASH, tree: true, twigLeaves: Number(values.twig) }
  const keys = Array.from({ length: 100_000 }, (_, index) => keyOf(index))
  const next = createWrites(keys)
  const transfers = Number(values.transfers)
  const compactSize = async (ledger: Ledger) => {
    const level = new ClassicLevel(directory, { multithreading: true })
    await level.open()
    await level.compactRange('\0', '\x7f')
    await level.close()
    return ledger.approximateSize()
  }
  const ledger = await openLedger(options)
  try {
    const commit = createCommitter(ledger)
    for (const writes of fills(keys)) await commit(writes)
    const before = await compactSize(ledger)
    for (let block = 0; block < SIZE_BLOCKS; block++) await commit(next(2 * transfers))
    return Math.round(((await compactSize(ledger)) - before) / (SIZE_BLOCKS * transfers))
  } finally {
    await ledger.close()
    await rm(directory, { recursive: true })
  }
}
const SIZE_BLOCKS = 500

const results = []
for (const size of values.keys.split(',').map(Number)) {
  results.push(await measure(size))
  console.log(JSON.stringify(results.at(-1)))
}
const [first, last] = [results[0]!, results.at(-1)!].map(({ microsecondsPerKey }) => microsecondsPerKey.all.clock)
console.log(JSON.stringify({ bytesPerTransfer: await bytesPerTransfer(), growth: round(last! / first!) }))
