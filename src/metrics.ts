// Prometheus metrics, all named quorate_*; docs/operations.md lists them.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export interface MetricsSource {
  height(): number
  certifiedHeight(): number
  view(): number
  mempool(): { count: number; bytes: number }
  peers(): number
  missingValidators(): number
  waitingClients(): number
  /** Undefined while the node follows live. */
  syncTarget(): number | undefined
  /** Height of the newest snapshot kept, or undefined. */
  snapshotHeight(): number | undefined
}

export interface Metrics {
  onExecuted(transactions: number): void
  onCertified(latencyMs: number): void
  onSent(waitedMs: number): void
  onReport(kind: string): void
  onRefused(code: string): void
  onDropped(): void
  onSnapshot(made: { keys: number; bytes: number }, tookMs: number): void
  onBackup(result: 'made' | 'failed'): void
  text(): Promise<string>
}

export function createMetrics(source: MetricsSource): Metrics {
  const registers = [new Registry()]
  const registry = registers[0]!
  collectDefaultMetrics({ register: registry, prefix: 'quorate_' })
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `quorate_${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  gauge('height', 'Last executed height.', source.height)
  gauge('certified_height', 'Highest certified height.', source.certifiedHeight)
  gauge('view', 'Current consensus view.', source.view)
  gauge('mempool_transactions', 'Transactions waiting for a block.', () => source.mempool().count)
  gauge('mempool_bytes', 'Wire bytes of the transactions waiting for a block.', () => source.mempool().bytes)
  gauge('peers', 'Connected peers, observers included.', source.peers)
  gauge('missing_validators', 'Validators not heard of lately.', source.missingValidators)
  gauge('waiting_clients', 'Requests waiting for a transaction or a height.', source.waitingClients)
  gauge(
    'sync_target_height',
    'Certified height this node is fetching towards, 0 while it follows live.',
    () => source.syncTarget() ?? 0,
  )
  gauge(
    'snapshot_height',
    'Height of the newest state snapshot kept, 0 without one.',
    () => source.snapshotHeight() ?? 0,
  )
  const snapshot = (name: string, help: string) => new Gauge({ name: `quorate_snapshot_${name}`, help, registers })
  const snapshotKeys = snapshot('keys', 'Keys in the state snapshot made last.')
  const snapshotBytes = snapshot('bytes', 'Bytes of the state snapshot made last.')
  const snapshotSeconds = snapshot('seconds', 'Seconds that making it took.')
  const blocks = new Counter({ name: 'quorate_blocks_total', help: 'Blocks executed since the start.', registers })
  const transactions = new Counter({
    name: 'quorate_transactions_total',
    help: 'Transactions executed since the start, skipped ones included.',
    registers,
  })
  const latency = new Histogram({
    name: 'quorate_certify_seconds',
    help: 'Seconds from the proposed time of a block to its certificate here.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  const waits = new Histogram({
    name: 'quorate_vote_wait_seconds',
    help: 'Seconds from what made a vote due to its leaving, the sync of the consensus log included.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  })
  const reports = new Counter({
    name: 'quorate_evidence_total',
    help: 'Contradictions seen, by kind.',
    labelNames: ['kind'],
    registers,
  })
  const refused = new Counter({
    name: 'quorate_refused_total',
    help: 'Transactions refused, by code.',
    labelNames: ['code'],
    registers,
  })
  const dropped = new Counter({
    name: 'quorate_dropped_peers_total',
    help: 'Peers dropped for misbehaviour.',
    registers,
  })
  const backups = new Counter({
    name: 'quorate_backups_total',
    help: 'Backups since the start, by result.',
    labelNames: ['result'],
    registers,
  })
  // Present before the first one, so that an alert on failures has something to compare with.
  for (const result of ['made', 'failed']) backups.inc({ result }, 0)
  const lastBackup = new Gauge({
    name: 'quorate_last_backup_timestamp_seconds',
    help: 'When the last backup since the start was made, 0 while there is none.',
    registers,
  })
  return {
    onExecuted(count) {
      blocks.inc()
      transactions.inc(count)
    },
    onCertified: (latencyMs) => latency.observe(Math.max(0, latencyMs) / 1000),
    onSent: (waitedMs) => waits.observe(waitedMs / 1000),
    onReport: (kind) => reports.inc({ kind }),
    onRefused: (code) => refused.inc({ code }),
    onDropped: () => dropped.inc(),
    onSnapshot({ keys, bytes }, tookMs) {
      snapshotKeys.set(keys)
      snapshotBytes.set(bytes)
      snapshotSeconds.set(tookMs / 1000)
    },
    onBackup(result) {
      backups.inc({ result })
      if (result === 'made') lastBackup.setToCurrentTime()
    },
    text: () => registry.metrics(),
  }
}
