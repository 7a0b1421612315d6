// Where this node's blocks part from those of others (docs/protocol.md, rule 10): a quorum certified another block, or so many validators
// made another one that none is certified. The first is kept on the disk; of both, the first transaction and key that differ are looked
// for with the peers that have the other block, again and again until they are found, beside everything else this node does.
import { createEffectsAnswering, type EffectsAnswering, type EffectsSource, effectsOf } from './divergence/answer.ts'
import { describeDifference } from './divergence/describe.ts'
import { type Contradiction, type FindPorts, findDifference } from './divergence/find.ts'
import type { Certificate } from './types/block.ts'
import type { Difference, Divergence } from './types/divergence.ts'

export { describeDifference } from './divergence/describe.ts'

export interface DivergencePorts extends EffectsSource, Pick<FindPorts, 'transaction' | 'peers' | 'request' | 'pause'> {
  store: { divergence(): Promise<Divergence | undefined>; putDivergence(divergence: Divergence): Promise<void> }
  /** Certified height and executed height. */
  position(): { h: number; lastExec: number }
  /** How long a block may wait for its certificate before validators that made another one are the reason. */
  patienceMs: number
  /** A difference was found; it is new here. */
  onFound(difference: Difference, text: string): void
  onError(error: unknown): void
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

export interface DivergenceFinder {
  readonly answering: EffectsAnswering
  /** Takes in what an earlier run kept; comes first. */
  load(): Promise<void>
  /** A quorum vouches for another block than ours. Resolves when that is on the disk. */
  keep(certificate: Certificate, ours: string): Promise<void>
  /** A validator, by its key, signed another block than this node made. */
  onMismatch(height: number, validator: string, theirs: string): void
  /** Once each STATUS interval. */
  onBeat(): void
  /** What is known of the block above the certified height; undefined while that is not disputed. */
  found(): Difference | undefined
  stop(): void
  /** Resolves when nothing is looked for any more. */
  settled(): Promise<void>
}

const RETRY_MS = 1_000
const RETRY_MAX_MS = 60_000
/** What is found in part is looked for again so often. */
const TRIES_FOR_MORE = 5

/** Validators that made another block than ours at the lowest height without a certificate. */
interface Split {
  height: number
  since: number
  hashes: Map<string, string>
}

export function createDivergence(ports: DivergencePorts): DivergenceFinder {
  let divergence: Divergence | undefined
  let split: Split | undefined
  let known: Difference | undefined
  let isDone = false
  let tries = 0
  let dueAt = Number.NEGATIVE_INFINITY
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let isRunning = false

  const finding: FindPorts = {
    ...ports,
    effects: (height) => effectsOf(ports, height),
    receipt: async (height, index) => (await ports.receipts(height))?.[index],
  }

  function contradiction(): Contradiction | undefined {
    if (divergence !== undefined) {
      const { height, blockHash: hash } = divergence.certificate
      return { height, hash }
    }
    if (split === undefined || ports.now() - split.since < ports.patienceMs) return undefined
    const hash = mostCommon([...split.hashes.values()])
    return hash === undefined ? undefined : { height: split.height, hash }
  }

  async function look(target: Contradiction): Promise<void> {
    const found = await findDifference(finding, target)
    // Meanwhile another block may have become the one in question.
    if (stopped || contradiction()?.hash !== target.hash) return
    tries++
    dueAt = ports.now() + Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(tries, 10))
    if (found === undefined) return
    isDone = found.isWhole || tries >= TRIES_FOR_MORE
    if (JSON.stringify(found.difference) === JSON.stringify(known)) return
    known = found.difference
    if (divergence !== undefined) {
      divergence = { ...divergence, difference: known }
      await ports.store.putDivergence(divergence)
    }
    ports.onFound(known, describeDifference(known))
  }

  function begin(): void {
    const target = contradiction()
    if (stopped || isRunning || isDone || target === undefined || ports.now() < dueAt) return
    isRunning = true
    running = look(target)
      .catch(ports.onError)
      .finally(() => {
        isRunning = false
      })
  }

  function forget(): void {
    known = undefined
    isDone = false
    tries = 0
    dueAt = Number.NEGATIVE_INFINITY
  }

  return {
    answering: createEffectsAnswering(ports, ports.now),
    async load() {
      divergence = await ports.store.divergence()
      known = divergence?.difference ?? undefined
      isDone = known !== undefined
    },
    async keep(certificate, ours) {
      forget()
      split = undefined
      divergence = { certificate, ours, difference: null }
      await ports.store.putDivergence(divergence)
      begin()
    },
    onMismatch(height, validator, theirs) {
      const { h } = ports.position()
      if (divergence !== undefined || height <= h) return
      if (split === undefined || split.height <= h || height < split.height) {
        forget()
        split = { height, since: ports.now(), hashes: new Map() }
      }
      if (height === split.height) split.hashes.set(validator, theirs)
    },
    onBeat() {
      if (divergence === undefined && split !== undefined && split.height <= ports.position().h) {
        split = undefined
        forget()
      }
      begin()
    },
    found: () => (divergence === undefined && split === undefined ? undefined : known),
    stop() {
      stopped = true
    },
    settled: () => running,
  }
}

/** Of several that are said as often, the least. */
function mostCommon(values: readonly string[]): string | undefined {
  const count = (value: string) => values.filter((other) => other === value).length
  return [...new Set(values)].sort((a, b) => count(b) - count(a) || (a < b ? -1 : 1))[0]
}
