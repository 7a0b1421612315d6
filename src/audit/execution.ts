// Running blocks again: by the very thread that a node runs them by, in a ledger folder that no node uses meanwhile. It writes a block
// only when it comes out as expected.
import type { ExecuteAnswer, ExecuteQuestion, ExecutorOptions } from '../executor.ts'
import { type Header, type Receipt, receiptCodec } from '../types/block.ts'
import { genesisCodec } from '../types/epoch.ts'
import { toHex } from '../types/hex.ts'
import { encode } from '../types/schema.ts'
import { startWorker, workerFile } from '../worker-client.ts'
import { type Finding, finding } from './finding.ts'
import type { Network } from './network.ts'

export interface BlockToRun {
  header: Header
  blockHash: string
  batch: Uint8Array
  receipts: Receipt[]
}

export interface Execution {
  /** What came out differently. Blocks are run in the order they come. */
  run(block: BlockToRun): Promise<Finding | undefined>
  close(): Promise<void>
}

export interface ExecutionOptions {
  network: Network
  /** An empty one gets block 0 first. */
  directory: string
  historyBlocks: number
  keepBlocks?: number | undefined
  offline: 'import' | 'replay'
  /** The value a key has after a height by the ledger that is checked, where that is known. */
  valueAt?(height: number, key: string): Promise<string | undefined>
}

export async function startExecution(options: ExecutionOptions): Promise<Execution> {
  const { network, directory, historyBlocks, keepBlocks = 0, offline } = options
  const workerData: ExecutorOptions = {
    directory,
    genesisHash: network.genesisHash,
    genesis: encode(genesisCodec, network.genesis),
    historyBlocks,
    keepBlocks,
    offline,
  }
  const worker = await startWorker<ExecuteQuestion, ExecuteAnswer>(
    workerFile('../executor', import.meta.url),
    { workerData, resourceLimits: { stackSizeMb: 32 } },
    // Whoever waits for an answer is told.
    () => {},
  )
  return {
    async run(block) {
      const { header, blockHash: expectedHash, batch } = block
      const answer = await worker.ask({ height: header.height, batch, expectedHash })
      return answer.unexpected === undefined ? undefined : await difference(block, answer, options)
    },
    close: worker.close,
  }
}

/** The first thing in the order of execution that differs: a receipt, a value, or else a field of the header. */
async function difference(block: BlockToRun, answer: ExecuteAnswer, { valueAt }: ExecutionOptions): Promise<Finding> {
  const { height } = block.header
  const { receipts, writes } = answer.unexpected!
  for (const [index, receipt] of receipts.entries()) {
    const stored = block.receipts[index]
    const field = stored === undefined ? undefined : differingField(receipt, stored)
    if (field === undefined) continue
    const part = `receipt ${index} (transaction ${receipt.txId}), ${field}`
    return finding(height, part, textOf(receipt[field]), textOf(stored![field]))
  }
  if (answer.header.stateRoot !== block.header.stateRoot && valueAt !== undefined) {
    for (const [key, value] of writes) {
      const stored = await valueAt(height, key).catch(() => value ?? undefined)
      if (stored === (value ?? undefined)) continue
      return finding(height, `the state key ${JSON.stringify(key)}`, value ?? 'no value', stored ?? 'no value')
    }
  }
  return differentField(answer.header, block.header) ?? finding(height, 'the header', answer.blockHash, block.blockHash)
}

/** The first field of a header that executing the block again gives another value. */
export function differentField(executed: Header, stored: Header): Finding | undefined {
  for (const field of Object.keys(executed) as (keyof Header)[]) {
    const [expected, found] = [textOf(executed[field]), textOf(stored[field])]
    if (expected !== found) return finding(stored.height, `${field} by executing the block again`, expected, found)
  }
  return undefined
}

function differingField(executed: Receipt, stored: Receipt): keyof Receipt | undefined {
  if (toHex(encode(receiptCodec, executed)) === toHex(encode(receiptCodec, stored))) return undefined
  return (Object.keys(executed) as (keyof Receipt)[]).find((field) => textOf(executed[field]) !== textOf(stored[field]))
}

const TEXT_MAX = 200

/** Short enough to be read. */
function textOf(value: unknown): string {
  const plain = JSON.stringify(value, (_, inner) => (inner instanceof Uint8Array ? toHex(inner) : inner))
  const text = typeof value === 'string' && value !== '' ? value : plain
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`
}
