// Evidence kept: every contradiction the core reports is counted; the first proof of each is written to the ledger and logged, up to
// a bound for each validator and in all, so that a liar can neither fill the disk nor crowd out what others did.
import { type Accusation, type Evidence, evidenceOf } from './types/evidence.ts'

export interface EvidencePorts {
  store: { evidence(): Promise<Evidence[]>; putEvidence(evidence: Evidence): Promise<void> }
  /** A proof that is new here and now on the disk. */
  onKept(evidence: Evidence): void
  onError(error: unknown): void
  /** Milliseconds since 1970. */
  now(): number
  limits?: { total: number; perValidator: number }
}

export interface EvidenceKeeper {
  /** Takes in what earlier runs kept; comes first. */
  load(): Promise<void>
  add(accusation: Accusation): void
  /** Resolves when everything added is on the disk. */
  settled(): Promise<void>
}

/** One proves a validator's guilt; several show how it went about it. 100 validators' entries are some megabytes at the worst. */
const EVIDENCE_LIMITS = { total: 1_000, perValidator: 10 }

export function createEvidenceKeeper(ports: EvidencePorts): EvidenceKeeper {
  const { total, perValidator } = ports.limits ?? EVIDENCE_LIMITS
  const known = new Set<string>()
  const counts = new Map<number, number>()
  let writing: Promise<void> = Promise.resolve()

  /** False for what is known, or more than is kept. */
  function take(evidence: Evidence): boolean {
    const { epoch, validator, kind, view, height } = evidence
    const name = `${epoch} ${validator} ${kind} ${view} ${height}`
    const count = counts.get(validator) ?? 0
    if (known.has(name) || known.size >= total || count >= perValidator) return false
    known.add(name)
    counts.set(validator, count + 1)
    return true
  }

  return {
    async load() {
      for (const evidence of await ports.store.evidence()) take(evidence)
    },
    add(accusation) {
      const evidence = evidenceOf(accusation, ports.now())
      if (evidence === undefined || !take(evidence)) return
      writing = writing.then(() => ports.store.putEvidence(evidence)).then(() => ports.onKept(evidence))
      writing = writing.catch(ports.onError)
    },
    settled: () => writing,
  }
}
