// What the HTTP API needs of a node. node.ts provides it; tests provide one over a small ledger.
import type { Certificate, Header, Receipt } from '../types/block.ts'
import type { Difference } from '../types/divergence.ts'
import type { EpochRecord, Genesis, Validator } from '../types/epoch.ts'
import type { Evidence } from '../types/evidence.ts'

/** A refused transaction: `code` is one of those INTERFACES and docs/errors.md list for submitting. */
export interface SubmitRefusal {
  ok: false
  code: string
  message: string
  /** Known as soon as the transaction could be decoded. */
  id?: string
}
export type SubmitResult = { ok: true; id: string } | SubmitRefusal

export type ViewResult =
  /** `result` is JSON text, null when the handler returned nothing. */
  { ok: true; result: string | null; height: number; gasUsed: number } | { ok: false; code: string; message: string }

/** What a dry run says the transaction would get at the next height. */
export type SimulateResult = { ok: true; height: number; receipt: Receipt } | SubmitRefusal

/** What one transaction needed of the state before it: enough to run it again anywhere. */
export type ReplayResult =
  | {
      ok: true
      /** By full state key, in byte order, JSON texts; undefined where there was no entry. */
      values: Map<string, string | undefined>
      scans: { prefix: string; after: string | undefined; limit: number; keys: string[] }[]
      /** By hash, the code that ran. */
      code: Map<string, string>
    }
  | { ok: false; code: 'BUSY' | 'TOO_LARGE'; message: string }
/** A block's transactions, in wire form, to be run again with other code for one contract; `migrate` is JSON text. */
export interface RehearsalQuestion {
  contract: string
  code: string
  migrate: string
  height: number
  /** Of the block, in ms since 1970. */
  time: number
  wires: Uint8Array[]
}

export interface RehearsedCallView {
  id: string
  index: number
  contract: string
  method: string
  differences: { what: string; key?: string; before?: string | null; after?: string | null }[]
  more: number
}

export type RehearsalResult =
  | { ok: true; gasUsed: number; calls: RehearsedCallView[] }
  /** The upgrade itself would fail. */
  | { ok: false; code: string; message: string; gasUsed: number }
  | { refused: string; message: string }

export interface StoredBlock {
  header: Header
  blockHash: string
  /** Canonical bytes of the Batch. */
  batch: Uint8Array
  receipts: Receipt[]
  certificate?: Certificate
}

/** Exact state after one block, keys `contract + '\0' + key`, values JSON text, ordered by bytes. May throw an error with code PRUNED. */
export interface StateReader {
  get(key: string): Promise<string | undefined>
  scan(prefix: string, after: string | undefined, limit: number): Promise<[key: string, json: string][]>
}

export interface LedgerReader {
  /** The height public reads answer at. */
  certifiedHeight(): number
  block(height: number): Promise<StoredBlock | undefined>
  /** Also of the height that a ledger began from, whose block it does not have. */
  header(height: number): Promise<Header | undefined>
  certificate(height: number): Promise<Certificate | undefined>
  findTransaction(id: string): Promise<{ height: number; index: number; executed: boolean } | undefined>
  transactionsBy(query: {
    sender?: string
    contract?: string
    beforeHeight?: number
    /** With it, from just before that transaction of `beforeHeight` on; without it, from the block below on. */
    beforeIndex?: number
    limit: number
  }): Promise<{ id: string; height: number; index: number }[]>
  stateAt(height: number): StateReader
  /** The lowest height whose whole block is kept; absent, every block is. Below it, `block` throws an error with code PRUNED. */
  oldestHeight?(): number
  /** The path from `key` to the state root after `height`. Absent where this node keeps no tree to prove from. May throw PRUNED. */
  proveState?(height: number, key: string): Promise<StatePath>
  /** The links to epoch `from` (1 or more) and those after it, in order, at most `limit`. Absent while no epoch ever ends. */
  epochLinks?(from: number, limit: number): Promise<EpochLinkView[]>
}

/** An epoch's last header, its certificate by that epoch's validators, and the record of the next epoch that it commits to. */
export interface EpochLinkView {
  header: Header
  certificate?: Certificate
  record: EpochRecord
}

/** Siblings from the leaf up, hexadecimal; `other` is the leaf that stands where an absent key's would. */
export interface StatePath {
  siblings: string[]
  other?: { path: string; valueHash: string }
}

export type PeerState = 'ok' | 'lagging' | 'missing' | 'diverged'

export interface PeerView {
  id: string
  /** Validator name, null for an observer. */
  validator: string | null
  addresses: string[]
  connected: boolean
  state: PeerState
  /** RFC 3339: when it was last heard of while it is missing, since when it is behind or diverged; null while it is well. */
  suspectedSince: string | null
  /** RFC 3339. */
  lastHeard: string | null
  height: number | null
  certifiedHeight: number | null
  view: number | null
  /** Whether it takes part in its view, or has left one and waits for the next. */
  phase: 'active' | 'view-change' | null
  /** Blocks behind this node's certified height, 0 when level or ahead. */
  lag: number | null
}

/** Exactly the document of GET /v1/status. */
export interface StatusView {
  network: string
  genesisHash: string
  node: { name: string; role: 'validator' | 'observer'; address: string | null; version: string }
  /** Last executed height, highest certified height, and the certified block's hash and state root. */
  height: number
  certifiedHeight: number
  /** The lowest height whose whole block is kept. */
  oldestHeight: number
  blockHash: string
  stateRoot: string
  epoch: number
  view: number
  primary: string
  phase: string
  /** Whether this node votes, and why not. */
  voting: boolean
  reason: string | null
  /** How: block by block, or by a snapshot of the state first. */
  syncing: { from: number; to: number; by: 'blocks' | 'snapshot' } | null
  peers: number
  mempool: { count: number; bytes: number }
}

export type ReadyCause = 'SYNCING' | 'NO_QUORUM' | 'STALLED' | 'DIVERGED' | 'DISK'
export type ReadyView =
  | { ready: true }
  | {
      ready: false
      cause: ReadyCause
      message: string
      /** Names of validators this node does not hear from. */
      missing: string[]
      /** Names of validators that signed another block than the certified one. */
      diverged: string[]
      phase: string
      view: number
      height: number
      /** Where this node's block above `height` differs from what others made of the same batch; null while none is known. */
      difference: Difference | null
    }

/** One kept proof that a validator is faulty; `validator` is its name. */
export interface EvidenceView extends Omit<Evidence, 'validator'> {
  validator: string
}

export interface ApiNode {
  readonly genesis: Genesis
  readonly genesisHash: string
  readonly ledger: LedgerReader
  status(): StatusView
  ready(): ReadyView
  peers(): PeerView[]
  /** The set that certifies `height`, undefined above the certified height + 1. */
  validators(height?: number): { epoch: number; validators: Validator[]; quorum: number } | undefined
  evidence(): Promise<EvidenceView[]>
  /** Checks, verifies and admits a transaction in wire form, and passes it on. Idempotent. */
  submit(wire: Uint8Array, client: string): Promise<SubmitResult>
  /** Resolves true when the transaction reached that point (also as skipped for good), false at the timeout. */
  awaitTransaction(
    id: string,
    until: 'executed' | 'certified',
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<boolean>
  /** The nonce the next transaction of this sender (key in hexadecimal) should have, pending ones counted. */
  pendingNonce(sender: string): number
  simulate(wire: Uint8Array): Promise<SimulateResult>
  /** Of the transaction at that place in a certified block. May throw an error with code PRUNED. */
  replay(height: number, index: number): Promise<ReplayResult>
  /** `args` is JSON text. Runs at the certified height. */
  view(contract: string, method: string, args: string): Promise<ViewResult>
  /** Absent where the node cannot. */
  rehearse?(question: RehearsalQuestion): Promise<RehearsalResult>
  /** Resolves true when `height` is certified, false at the timeout. */
  awaitHeight(height: number, timeoutMs: number): Promise<boolean>
  /**
   * A certified height that no read which had ended before this call was above, by asking a quorum; undefined when no quorum
   * answered in time. Absent where the node cannot ask: the API then refuses such reads instead of answering with older state.
   */
  linearizableHeight?(timeoutMs: number): Promise<number | undefined>
  /** The explanation of a receipt's or view's code, for people: not part of what is agreed. */
  explain(code: string): string
  /** Calls back for each certified height, in order; returns what ends it. */
  onCertified(listener: (height: number) => void): () => void
  /** Prometheus text. */
  metrics(): Promise<string>
}

export interface BackupView {
  name: string
  /** Absolute path. */
  folder: string
  /** SHA-256 of its manifest. */
  id: string
  kind: 'full' | 'incremental'
  from: number
  to: number
  blockHash: string
  /** RFC 3339. */
  created: string
  parent: string | null
  bytes: number
}

export interface BackupRunView {
  id: number
  kind: 'full' | 'incremental'
  /** `unchanged`: nothing was new since the newest one, which is then `backup`. */
  state: 'running' | 'made' | 'unchanged' | 'failed'
  phase: 'state' | 'blocks' | 'hashes' | null
  done: number
  /** 0 where it is not known. */
  total: number
  /** RFC 3339. */
  startedAt: string
  backup: BackupView | null
  note: string
  error: { code: string; message: string } | null
}

/** What the owner of a node's home may ask of the node that runs on it. */
export interface ControlPort {
  /** Undefined while another backup is being made. Without a folder, into the home's own. */
  startBackup(kind: 'full' | 'incremental', folder?: string): BackupRunView | undefined
  /** The last run, also when it is over, and the backups in the home, oldest first. */
  backups(): Promise<{ run: BackupRunView | null; backups: BackupView[] }>
}
