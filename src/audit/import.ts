// Takes blocks from a file, or from what a repair saved, into a ledger that no node has open, as if they came from a peer: each block's certificate is checked
// before it is executed, and it is written only when executing it gives the certified block.
import { createVerifier, type Verifier } from '../crypto/verifier.ts'
import { type FiledBlock, readBlockFile } from '../ledger/block-file.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { openWholeLedger } from '../ledger/opening.ts'
import { batchCodec, type Certificate, type Receipt } from '../types/block.ts'
import type { Genesis } from '../types/epoch.ts'
import { decode } from '../types/schema.ts'
import { checkBody, checkCertificate, checkHeader, type Parent } from './block.ts'
import { type Execution, type ExecutionOptions, startExecution } from './execution.ts'
import { type Fault, type Finding, finding } from './finding.ts'
import { type Network, networkOf } from './network.ts'
import { createOrdered } from './ordered.ts'

export interface ImportOptions extends TakeOptions {
  file: string
}

/** Where blocks come from, in order of height. */
export interface BlockSource {
  first: number
  last: number
  blocks(): AsyncIterable<BlockToTake>
}

/** Receipts that are there are compared; where there are none, executing the block makes them. */
export interface BlockToTake extends Omit<FiledBlock, 'receipts'> {
  receipts: Receipt[] | undefined
}

export interface TakeOptions {
  /** The ledger's folder; an absent or empty one gets block 0 first. */
  directory: string
  genesis: Genesis
  historyBlocks: number
  keepBlocks?: number
  /** Threads that check signatures. */
  workers: number
  onProgress?(progress: { height: number; from: number; to: number; transactions: number }): void
}

export interface ImportReport {
  genesisHash: string
  /** Heights in the file. */
  first: number
  last: number
  /** Blocks that were there already, and such as are new. */
  present: number
  imported: number
  transactions: number
  /** Where the ledger is now. */
  head: number
  certified: number
  fault: Fault | null
}

const MEND =
  'The blocks before it are imported. Give a file from another node, or let the node fetch the rest from its peers.'
/** Blocks being checked and executed at once. */
const IN_FLIGHT_MAX = 24
/** Certificates are put, and everything synced, after so many blocks. */
const CERTIFICATES_MAX = 64

class Refused extends Error {
  readonly finding: Finding
  constructor(found: Finding) {
    super('an import ended at its first fault')
    this.finding = found
  }
}

/** Throws BlockFileError for a file that is not whole, before anything is written, and what keeps the folder from being opened. */
export async function importBlocks(options: ImportOptions): Promise<ImportReport> {
  const { genesisHash } = networkOf(options.genesis)
  const extent = await readExtent(options.file, genesisHash)
  return await takeBlocks(options, { ...extent, blocks: () => readBlockFile(options.file, genesisHash) })
}

/** The blocks up to the first that is not what it must be. */
export async function takeBlocks(options: TakeOptions, source: BlockSource): Promise<ImportReport> {
  const { directory, genesis, historyBlocks, keepBlocks } = options
  const network = networkOf(genesis)
  const { genesisHash } = network
  const ledger = await openWholeLedger({ directory, genesisHash, tree: false })
  const verifier = createVerifier({ workers: options.workers })
  const execution = createLazyExecution({ network, directory, historyBlocks, keepBlocks, offline: 'import' })
  const report: ImportReport = {
    genesisHash,
    first: source.first,
    last: source.last,
    present: 0,
    imported: 0,
    transactions: 0,
    head: 0,
    certified: 0,
    fault: null,
  }
  try {
    // An empty folder gets block 0.
    if (ledger.head() === undefined) await execution.start()
    await take({ options, source, network, ledger, verifier, execution, report })
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    report.fault = { ...error.finding, mend: MEND }
  } finally {
    await execution.close()
    await verifier.close()
    report.head = ledger.head()?.height ?? 0
    report.certified = ledger.certifiedHeight()
    await ledger.close()
  }
  return report
}

/** Its thread takes a second to start: a file that brings nothing new needs none. */
function createLazyExecution(options: ExecutionOptions): Execution & { start(): Promise<Execution> } {
  let started: Promise<Execution> | undefined
  const start = () => {
    started ??= startExecution(options)
    return started
  }
  return {
    start,
    run: async (block) => (await start()).run(block),
    close: async () => (await started?.catch(() => undefined))?.close(),
  }
}

/** Reads the whole file once: what is cut off or edited is refused before anything changes. */
async function readExtent(file: string, genesisHash: string): Promise<{ first: number; last: number }> {
  let extent: { first: number; last: number } | undefined
  for await (const { header } of readBlockFile(file, genesisHash)) {
    extent = { first: extent?.first ?? header.height, last: header.height }
  }
  return extent ?? { first: 0, last: -1 }
}

interface Import {
  options: TakeOptions
  source: BlockSource
  network: Network
  ledger: Ledger
  verifier: Verifier
  execution: Execution
  report: ImportReport
}

async function take(parts: Import): Promise<void> {
  const { options, source, ledger, report } = parts
  const ordered = createOrdered(IN_FLIGHT_MAX)
  const certificates = createCertificateKeeper(ledger)
  const head = ledger.head()!
  const { time } = (await ledger.header(head.height))!
  let parent: Parent & { height: number } = { height: head.height, blockHash: head.blockHash, time }
  let running: Promise<unknown> = Promise.resolve()
  try {
    for await (const block of source.blocks()) {
      const { height } = block.header
      if (height <= head.height) await compare(parts, block, certificates)
      else {
        const isCertified = checkNew(parts, block, parent)
        // In order of height, and none before its certificate is known to be good.
        const earlier = running
        const done = isCertified.then(() => earlier).then(() => run(parts, block, certificates))
        running = done
        parent = { height, blockHash: block.blockHash, time: block.header.time }
        await ordered.push([isCertified, done])
      }
      options.onProgress?.({ height, from: report.first, to: report.last, transactions: report.transactions })
    }
    await ordered.settle()
  } catch (error) {
    await ordered.settle()
    throw error
  } finally {
    await running.catch(() => undefined)
    await certificates.flush()
  }
}

/** A block that the ledger has must be the same; its certificate may be news. */
async function compare(parts: Import, block: BlockToTake, certificates: CertificateKeeper): Promise<void> {
  const { ledger, report } = parts
  const { height } = block.header
  report.present++
  if (height < ledger.oldestHeight()) return
  const own = await ledger.blockHash(height)
  if (own !== block.blockHash)
    throw new Refused(finding(height, 'the block', `${own}, which this ledger has`, block.blockHash))
  if (height <= ledger.certifiedHeight() || block.certificate === null) return
  await checkSignatures(parts, block)
  await certificates.add(block.certificate)
}

/** Rejects with what is wrong with a block that is to be executed. */
function checkNew(parts: Import, block: BlockToTake, parent: Parent & { height: number }): Promise<void> {
  const { network } = parts
  const { header } = block
  const { height } = header
  if (height > parent.height + 1) {
    const missing = `block ${parent.height + 1}, which follows what this ledger has`
    return Promise.reject(new Refused(finding(height, 'the heights', missing, `block ${height} first in the file`)))
  }
  const wrong = checkHeader(network, height, block, parent)
  if (wrong !== undefined) return Promise.reject(new Refused(wrong))
  const body = checkBody(network, header, block, parent)
  if (!Array.isArray(body)) return Promise.reject(new Refused(body))
  return checkSignatures(parts, block)
}

async function checkSignatures({ network, verifier }: Import, block: BlockToTake): Promise<void> {
  const { header, certificate } = block
  if (certificate === null) throw new Refused(finding(header.height, 'the certificate', 'one', 'none'))
  const items = checkCertificate(network, block, certificate)
  if (!Array.isArray(items)) throw new Refused(items)
  const wrong = (await verifier.verifyBatch(items)).indexOf(false)
  if (wrong < 0) return
  const expected = `a signature of validator ${certificate.signatures[wrong]!.signer}`
  throw new Refused(finding(header.height, 'the certificate', expected, 'another one'))
}

async function run({ execution, report }: Import, block: BlockToTake, certificates: CertificateKeeper): Promise<void> {
  const { receipts, ...rest } = block
  const wrong = await execution.run({ ...rest, receipts: receipts ?? [] })
  if (wrong !== undefined) throw new Refused(wrong)
  report.imported++
  report.transactions += decode(batchCodec, block.batch).txs.length
  await certificates.add(block.certificate!)
}

interface CertificateKeeper {
  add(certificate: Certificate): Promise<void>
  flush(): Promise<void>
}

function createCertificateKeeper(ledger: Ledger): CertificateKeeper {
  let waiting: Certificate[] = []
  async function flush(): Promise<void> {
    const put = waiting
    waiting = []
    if (put.length > 0) await ledger.putCertificates(put)
  }
  return {
    async add(certificate) {
      waiting.push(certificate)
      if (waiting.length >= CERTIFICATES_MAX) await flush()
    },
    flush,
  }
}
