// The execution worker's composition root: sandbox and state store in one thread, so that a contract that burns all its gas never
// delays a vote. It turns an ordered batch into a block: runs it, computes its roots, and writes it durably before it answers.
import { workerData } from 'node:worker_threads'
import { batchDigest, blockHash, epochHash, firstEpoch } from './crypto/digest.ts'
import { verify } from './crypto/signer.ts'
import { executeBlock } from './execution/block.ts'
import { executeGenesis, genesisHeader } from './execution/genesis-block.ts'
import { blockTime, buildHeader } from './execution/header.ts'
import { createRuntime } from './execution/runtime.ts'
import { createSandbox } from './execution/sandbox/index.ts'
import { systemKeys } from './execution/state.ts'
import { openLedger } from './ledger/ledger.ts'
import { createSyncReader } from './ledger/sync-reader.ts'
import { CALL_DEPTH_MAX } from './limits.ts'
import type { ExecutedBlock } from './replica.ts'
import { stepBack } from './thread-priority.ts'
import { batchCodec, NULL_BATCH, type Receipt } from './types/block.ts'
import { type Genesis, genesisCodec } from './types/epoch.ts'
import { decode, encode } from './types/schema.ts'
import { decodeTransaction } from './types/transaction.ts'
import { serveWorker } from './worker-serve.ts'

export interface ExecutorOptions {
  directory: string
  genesisHash: string
  /** Canonical bytes. */
  genesis: Uint8Array
  historyBlocks: number
}
export interface ExecuteQuestion {
  height: number
  batch: Uint8Array
}

/** Behind the main thread, which votes. */
const EXECUTOR_NICENESS = 10
stepBack(EXECUTOR_NICENESS)
const { directory, genesisHash, genesis: genesisBytes, historyBlocks }: ExecutorOptions = workerData
const genesis: Genesis = decode(genesisCodec, genesisBytes)
const epoch = firstEpoch(genesis)
const validatorsHash = epochHash(epoch)
const ledger = await openLedger({ directory, genesisHash, historyBlocks, tree: true })
const scanner = await createSyncReader({ directory, genesisHash })
const runtime = createRuntime({ sandbox: createSandbox({ depthMax: CALL_DEPTH_MAX }), verifyEd25519: verify })
const store = {
  get: (key: string) => ledger.getState(key),
  scan: (prefix: string, after: string | undefined, limit: number) => scanner.scan('latest', prefix, after, limit),
}
let parent = await findHead()
await refuseDamage()

/** The head's header; an empty ledger first gets block 0 from the genesis document. */
async function findHead() {
  const head = ledger.head()
  if (head !== undefined) {
    const header = await ledger.header(head.height)
    if (header === undefined) throw new Error(`the ledger has no header at its head, height ${head.height}`)
    return { header, hash: head.blockHash }
  }
  const writes = executeGenesis(runtime, genesis)
  const header = genesisHeader(genesis, ledger.rootAfter(writes))
  const hash = blockHash(header)
  await ledger.commitBlock({
    header,
    blockHash: hash,
    batch: encode(batchCodec, NULL_BATCH),
    transactions: [],
    receipts: [],
    writes,
  })
  return { header, hash }
}

/** A ledger that is not whole is never built on. */
async function refuseDamage(): Promise<void> {
  const [fault] = await ledger.check()
  if (fault !== undefined)
    throw Object.assign(new Error(`${fault.thing}: ${fault.reason}. ${fault.mend}`), { code: fault.code })
}

/** A `NONCE_GAP` may still run later; every other outcome is the transaction's last. */
const isFinal = (receipt: Receipt): boolean => receipt.code !== 'NONCE_GAP'

/** The senders whose nonce this block moved. */
function nextNonces(writes: Map<string, string | null>): [sender: string, nonce: number][] {
  const prefix = systemKeys.nonce('')
  const moved = [...writes].filter(([key]) => key.startsWith(prefix))
  return moved.map(([key, value]) => [key.slice(prefix.length), Number(value)])
}

async function execute({ height, batch: bytes }: ExecuteQuestion): Promise<ExecutedBlock> {
  if (height !== parent.header.height + 1)
    throw new Error(`block ${height} cannot follow block ${parent.header.height}`)
  const batch = decode(batchCodec, bytes)
  const { receipts, writes, transactions } = executeBlock({
    runtime,
    store,
    parameters: epoch.parameters,
    height,
    time: blockTime(parent.header.time, batch),
    transactions: batch.txs.map(decodeTransaction),
  })
  const header = buildHeader({
    parent: parent.header,
    parentHash: parent.hash,
    batch,
    batchDigest: batchDigest(batch),
    receipts,
    stateRoot: ledger.rootAfter(writes),
    epoch: epoch.epoch,
    validatorsHash,
    nextValidatorsHash: validatorsHash,
    epochEnd: 0,
    proposers: new Uint8Array(),
  })
  const hash = blockHash(header)
  await ledger.commitBlock({ header, blockHash: hash, batch: bytes, transactions, receipts, writes })
  parent = { header, hash }
  return {
    header,
    blockHash: hash,
    nextNonces: nextNonces(writes),
    transactions: transactions.map(({ id, sender, nonce }, index) => ({
      id,
      sender,
      nonce,
      final: isFinal(receipts[index]!),
    })),
  }
}

serveWorker(execute, async () => {
  await scanner.close()
  await ledger.close()
})
