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
import { openImageFiles } from './image-files.ts'
import { openWholeLedger } from './ledger/opening.ts'
import { createSyncReader } from './ledger/sync-reader.ts'
import { CALL_DEPTH_MAX, IMAGE_FILES_BYTES_MAX } from './limits.ts'
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
  /** 0 or absent keeps all. */
  keepBlocks?: number
  /** Where contract images outlast memory; absent, they are evaluated again. */
  imageFolder?: string
  /**
   * No node waits for this thread, and what it writes can be made again: it neither steps back nor syncs. `import` keeps whole blocks,
   * `replay` headers and state alone.
   */
  offline?: 'import' | 'replay'
}
export interface ExecuteQuestion {
  height: number
  batch: Uint8Array
  /** The block's hash where it is known: another block is then not written, and nothing changes. */
  expectedHash?: string
}
export interface ExecuteAnswer extends ExecutedBlock {
  /** Of a block that is not the expected one. */
  unexpected?: { receipts: Receipt[]; writes: Map<string, string | null> }
}

/** Behind the main thread, which votes. */
const EXECUTOR_NICENESS = 10
const {
  directory,
  genesisHash,
  genesis: genesisBytes,
  historyBlocks,
  keepBlocks,
  imageFolder,
  offline,
}: ExecutorOptions = workerData
if (offline === undefined) stepBack(EXECUTOR_NICENESS)
const genesis: Genesis = decode(genesisCodec, genesisBytes)
const epoch = firstEpoch(genesis)
const validatorsHash = epochHash(epoch)
const isDurable = offline === undefined
const isOpen = offline !== undefined
const ledger = await openWholeLedger({
  directory,
  genesisHash,
  historyBlocks,
  keepBlocks,
  tree: true,
  isDurable,
  isOpen,
})
const scanner = await createSyncReader({ directory, genesisHash })
const imageStore = imageFolder === undefined ? undefined : openImageFiles(imageFolder, IMAGE_FILES_BYTES_MAX)
const sandbox = createSandbox({ depthMax: CALL_DEPTH_MAX, imageStore })
const runtime = createRuntime({ sandbox, verifyEd25519: verify })
const store = {
  get: (key: string) => ledger.getState(key),
  scan: (prefix: string, after: string | undefined, limit: number) => scanner.scan('latest', prefix, after, limit),
}
const NO_BODY = { batch: encode(batchCodec, NULL_BATCH), transactions: [], receipts: [] }
let parent = await findHead()

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
  await ledger.commitBlock({ header, blockHash: hash, ...NO_BODY, writes })
  return { header, hash }
}

/** A `NONCE_GAP` may still run later; every other outcome is the transaction's last. */
const isFinal = (receipt: Receipt): boolean => receipt.code !== 'NONCE_GAP'

/** The senders whose nonce this block moved. */
function nextNonces(writes: Map<string, string | null>): [sender: string, nonce: number][] {
  const prefix = systemKeys.nonce('')
  const moved = [...writes].filter(([key]) => key.startsWith(prefix))
  return moved.map(([key, value]) => [key.slice(prefix.length), Number(value)])
}

async function execute({ height, batch: bytes, expectedHash }: ExecuteQuestion): Promise<ExecuteAnswer> {
  if (height !== parent.header.height + 1)
    throw new Error(`block ${height} cannot follow block ${parent.header.height}`)
  const batch = decode(batchCodec, bytes)
  const { receipts, writes, transactions, writeDigests } = executeBlock({
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
  if (expectedHash !== undefined && hash !== expectedHash) {
    return { header, blockHash: hash, nextNonces: [], transactions: [], unexpected: { receipts, writes } }
  }
  const body = offline === 'replay' ? NO_BODY : { batch: bytes, transactions, receipts, writeDigests }
  await ledger.commitBlock({ header, blockHash: hash, ...body, writes })
  parent = { header, hash }
  // No pool waits for the rest.
  if (offline !== undefined) return { header, blockHash: hash, nextNonces: [], transactions: [] }
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
