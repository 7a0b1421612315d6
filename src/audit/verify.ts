// The whole audit of a ledger folder that no node has open: from its oldest block to its head, streaming, several threads at work.
//
// This thread reads, decodes and hashes; the verifier's threads check signatures; with `replay`, the executor's thread runs every block
// again. What each height gives is awaited in order of height, so the first fault reported is the lowest one.
import { createVerifier, type SignedItem, type Verifier } from '../crypto/verifier.ts'
import { readHead, readOldest } from '../ledger/blocks.ts'
import { claim } from '../ledger/format.ts'
import { readOldestState } from '../ledger/history.ts'
import { certifiedKey, type HeightKind, kindRange, readHeight } from '../ledger/keys.ts'
import { openStore, type Store } from '../ledger/store.ts'
import type { Genesis } from '../types/epoch.ts'
import { checkBody, checkCertificate, checkHeader, type Parent, signatureOf } from './block.ts'
import { type Fault, type Finding, finding } from './finding.ts'
import { checkHistory } from './history.ts'
import { createIndexAudit, type IndexAudit } from './indexes.ts'
import { type Network, networkOf } from './network.ts'
import { createOrdered } from './ordered.ts'
import { type Replay, startReplay } from './replay.ts'
import { readBody, readCertificate, readHeader, type StoredHeader, unreadable } from './source.ts'
import { compareStates, treeOfState } from './state.ts'

export interface AuditProgress {
  phase: 'blocks' | 'indexes' | 'state' | 'history'
  /** Of the phase `blocks`: the height that is checked, of those from `from` to `to`. */
  height: number
  from: number
  to: number
  transactions: number
}

export interface VerifyOptions {
  directory: string
  genesis: Genesis
  /** Runs every block again, in this empty folder, which needs as much room as the state has. */
  replayIn?: string | undefined
  /** Threads that check signatures. */
  workers: number
  onProgress?(progress: AuditProgress): void
}

export interface AuditReport {
  genesisHash: string
  /** The base; 0 while every block is kept. */
  oldest: number
  head: number
  certified: number
  blocks: number
  transactions: number
  /** Signatures checked: of certificates, and with a replay of transactions. */
  signatures: number
  stateKeys: number
  /** What was run again; null where that was not asked for. `reason` says why it does not begin at the oldest block, or is nothing. */
  replayed: { from: number; to: number; transactions: number; reason: string | null } | null
  fault: Fault | null
}

const MEND =
  'The ledger is damaged: run `quorate ledger repair --home DIR --from-peers-only`, which sets it aside and keeps the evidence, and start ' +
  'the node: it fetches the blocks from its peers.'
const EXECUTION_MEND =
  'Run this with the release that the network runs. If it comes out the same there, keep the folder and report it: the blocks, or what executes them, are not what validators signed.'

class Stopped extends Error {
  readonly finding: Finding
  readonly mend: string
  constructor(found: Finding, mend: string) {
    super('an audit ended at its first fault')
    this.finding = found
    this.mend = mend
  }
}

/** Stops the audit where something was found. */
function refuse(found: Finding | undefined, mend = MEND): void {
  if (found !== undefined) throw new Stopped(found, mend)
}

const isFinding = (value: object): value is Finding => 'part' in value && 'found' in value

function orRefuse<T extends object>(value: T | Finding): T {
  if (isFinding(value)) throw new Stopped(value, MEND)
  return value as T
}

/** Throws what keeps the folder from being opened (LedgerDamaged, LedgerForeign, LedgerLocked). */
export async function verifyLedger(options: VerifyOptions): Promise<AuditReport> {
  const network = networkOf(options.genesis)
  const store = await openStore(options.directory)
  const verifier = createVerifier({ workers: options.workers })
  const audit: Audit = { options, network, store, verifier, report: emptyReport(network), replay: undefined }
  try {
    await claim(store, options.directory, network.genesisHash)
    await runAudit(audit)
  } catch (error) {
    if (!(error instanceof Stopped)) throw error
    audit.report.fault = { ...error.finding, mend: error.mend }
  } finally {
    await audit.replay?.close()
    await verifier.close()
    await store.close()
  }
  return audit.report
}

interface Audit {
  options: VerifyOptions
  network: Network
  store: Store
  verifier: Verifier
  report: AuditReport
  replay: Replay | undefined
}

const emptyReport = ({ genesisHash }: Network): AuditReport => ({
  genesisHash,
  oldest: 0,
  head: 0,
  certified: 0,
  blocks: 0,
  transactions: 0,
  signatures: 0,
  stateKeys: 0,
  replayed: null,
  fault: null,
})

async function runAudit(audit: Audit): Promise<void> {
  const { store, report, options } = audit
  const head = readHead(store)
  if (head === undefined) {
    const highest = await lastHeight(store, 'header', 0)
    refuse(
      highest === undefined ? undefined : finding(highest, 'the head', 'an entry', 'none, though there are blocks'),
    )
    return
  }
  report.head = head.height
  report.oldest = readOldest(store)
  report.certified = readCertified(store)
  const { oldest, certified } = report
  if (certified > head.height || certified < oldest)
    refuse(finding(certified, 'the certified height', `a height from ${oldest} to ${head.height}`, certified))
  const oldestState = readOldestState(store)
  if (oldestState > head.height)
    refuse(finding(oldestState, 'the oldest state', `a height up to ${head.height}`, oldestState))
  if (options.replayIn !== undefined) await beginReplay(audit, options.replayIn)
  await checkKeptHeaders(audit)
  const indexes = createIndexAudit(store)
  const last = await checkBlocks(audit, indexes)
  if (last.blockHash !== head.blockHash) refuse(finding(head.height, 'the head', last.blockHash, head.blockHash))
  await checkSurplus(audit)
  progress(audit, 'indexes', head.height)
  refuse(await indexes.check(report.oldest === 0 ? 0 : report.oldest + 1))
  await checkState(audit, last.stateRoot)
}

function readCertified(store: Store): number {
  const stored = store.getSync(certifiedKey)
  return stored === undefined ? 0 : readHeight(stored)
}

async function beginReplay(audit: Audit, directory: string): Promise<void> {
  const { store, network, report } = audit
  const { oldest, head } = report
  const oldestState = readOldestState(store)
  const base = oldest === 0 ? 0 : Math.max(oldest, oldestState)
  const why = `blocks ${oldest + 1} to ${base} cannot be run again: the oldest state kept is that after block ${base}`
  report.replayed = { from: base, to: head, transactions: 0, reason: base === oldest ? null : why }
  if (base > 0) report.replayed.from = base + 1
  if (base > report.certified) {
    report.replayed.reason = `no block can be run again: the oldest state kept is that after block ${base}, which has no certificate`
    return
  }
  audit.replay = orRefuse(await startReplay({ network, store, oldest, oldestState, directory }))
}

/** Below the base only the headers that light clients cross epochs by are left. */
async function checkKeptHeaders(audit: Audit): Promise<void> {
  const { store, network, report } = audit
  if (report.oldest === 0) return
  const cursor = store.cursor({ ...kindRange('header') })
  try {
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next()) {
      const height = readHeight(entry[0], 1)
      if (height >= report.oldest) return
      const header = orRefuse(readHeader(store, height))
      refuse(checkHeader(network, height, header, undefined))
      refuse(await checkSignatures(audit, header))
    }
  } finally {
    await cursor.close()
  }
}

/** Heights in flight: enough that no thread waits for another, and at 2 MiB a block below 100 MiB. */
const IN_FLIGHT_MAX = 24

async function checkBlocks(audit: Audit, indexes: IndexAudit): Promise<{ blockHash: string; stateRoot: string }> {
  const { store, network, report } = audit
  const { oldest, head } = report
  const ordered = createOrdered(IN_FLIGHT_MAX)
  let parent: Parent | undefined
  let stateRoot = ''
  for (let height = oldest; height <= head; height++) {
    try {
      const header = orRefuse(readHeader(store, height))
      refuse(checkHeader(network, height, header, parent))
      const isWhole = height > oldest || height === 0
      const work = isWhole ? checkWhole(audit, indexes, header, parent) : []
      await ordered.push([checkSignatures(audit, header).then((wrong) => refuse(wrong)), ...work])
      parent = { blockHash: header.blockHash, time: header.header.time }
      stateRoot = header.header.stateRoot
    } catch (error) {
      // What is wrong with a lower height comes first.
      await ordered.settle()
      throw error
    }
    report.blocks++
    progress(audit, 'blocks', height)
  }
  await ordered.settle()
  return { blockHash: parent!.blockHash, stateRoot }
}

/** Batch, receipts and indexes at once; transactions' signatures and execution in other threads. */
function checkWhole(
  audit: Audit,
  indexes: IndexAudit,
  { header, blockHash }: StoredHeader,
  parent: Parent | undefined,
): Promise<void>[] {
  const { store, network, report, replay } = audit
  const { height } = header
  const body = orRefuse(readBody(store, height))
  const transactions = orRefuse(checkBody(network, header, body, parent))
  refuse(indexes.addBlock(height, transactions, body.receipts))
  report.transactions += transactions.length
  if (replay === undefined || height <= replay.base) return []
  report.replayed!.transactions += transactions.length
  const signed = verify(audit, transactions.map(signatureOf)).then((wrong) => {
    if (wrong !== undefined)
      refuse(finding(height, `transaction ${wrong}`, `a signature of ${transactions[wrong]!.sender}`, 'another one'))
  })
  const executed = replay.run({ header, blockHash, ...body }).then((wrong) => refuse(wrong, EXECUTION_MEND))
  return [signed, executed]
}

/** What of the certificate does not vouch for this header. Above the certified height there need not be one. */
async function checkSignatures(audit: Audit, header: StoredHeader): Promise<Finding | undefined> {
  const { height } = header.header
  if (height === 0) return undefined
  const certificate = readCertificate(audit.store, height, height <= audit.report.certified)
  if (certificate === null) return undefined
  if (isFinding(certificate)) return certificate
  const items = checkCertificate(audit.network, header, certificate)
  if (!Array.isArray(items)) return items
  const wrong = await verify(audit, items)
  if (wrong === undefined) return undefined
  const { signer } = certificate.signatures[wrong]!
  const { name } = audit.network.epoch.validators[signer]!
  return finding(height, 'the certificate', `a signature of validator ${signer} (${name})`, 'another one')
}

/** The index of the first signature that is not valid. */
async function verify({ verifier, report }: Audit, items: SignedItem[]): Promise<number | undefined> {
  report.signatures += items.length
  const index = (await verifier.verifyBatch(items)).indexOf(false)
  return index < 0 ? undefined : index
}

/** Entries of blocks that are not there: above the head, and bodies below the oldest whole block. */
async function checkSurplus({ store, report }: Audit): Promise<void> {
  const { head, oldest } = report
  for (const kind of ['header', 'batch', 'receipts', 'certificate'] as const) {
    const last = await lastHeight(store, kind, head + 1)
    if (last !== undefined && last > head) refuse(finding(last, `the ${kind}`, `none above the head at ${head}`, 'one'))
    const isBody = kind === 'batch' || kind === 'receipts'
    const first = isBody && oldest > 0 ? await firstHeight(store, kind, oldest) : undefined
    if (first !== undefined && first <= oldest)
      refuse(finding(first, `the ${kind}`, `none up to the base at ${oldest}`, 'one'))
  }
}

const lastHeight = (store: Store, kind: HeightKind, ifDamaged: number) => edgeHeight(store, kind, true, ifDamaged)
const firstHeight = (store: Store, kind: HeightKind, ifDamaged: number) => edgeHeight(store, kind, false, ifDamaged)

/** `ifDamaged`: the height to name where the entry cannot be read, all others being intact. */
async function edgeHeight(store: Store, kind: HeightKind, reverse: boolean, ifDamaged: number) {
  const cursor = store.cursor({ ...kindRange(kind), reverse, limit: 1 })
  try {
    const entry = await cursor.next()
    return entry === undefined ? undefined : readHeight(entry[0], 1)
  } catch (error) {
    const reason = unreadable(error)
    if (reason === undefined) throw error
    throw new Stopped(finding(ifDamaged, `the ${kind}`, 'none, or an intact one', reason), MEND)
  } finally {
    await cursor.close()
  }
}

async function checkState(audit: Audit, stateRoot: string): Promise<void> {
  const { store, report, replay } = audit
  const { head } = report
  progress(audit, 'state', head)
  // Key by key first: that says which one is wrong.
  if (replay !== undefined) refuse(await compareStates(store, replay.store, head))
  const { state, keys } = orRefuse(await treeOfState(store, head, () => progress(audit, 'state', head)))
  report.stateKeys = keys
  const root = state.root()
  if (root !== stateRoot) refuse(finding(head, 'the state', `the root ${stateRoot}`, root))
  const oldest = Math.max(report.oldest, readOldestState(store))
  refuse(await checkHistory({ store, state, head, oldest, onHeight: (height) => progress(audit, 'history', height) }))
}

function progress({ options, report }: Audit, phase: AuditProgress['phase'], height: number): void {
  const { oldest: from, head: to, transactions } = report
  options.onProgress?.({ phase, height, from, to, transactions })
}
