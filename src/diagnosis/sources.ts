// The TypeScript of code that ran on a ledger: bundled again, it has the deployed code's hash or is another version.
import { bundleWithMap } from '../contract/bundle.ts'
import { createPositions, type Positions } from '../contract/positions.ts'
import type { StateRecord } from '../execution/recording.ts'
import { systemKeys } from '../execution/state.ts'
import type { PositionsOf } from './execute.ts'

export interface Source {
  path: string
  /** Of the bundle made from it here. */
  codeHash: string
  /** Whether this very code ran. Where it did not, it stands for the called contract's, and its lines may be off. */
  isExact: boolean
}

/** `contract` is the one that the transaction calls. Throws BundleError. */
export async function loadSources(
  paths: readonly string[],
  record: StateRecord,
  contract: string,
): Promise<{ sources: Source[]; positionsOf: PositionsOf }> {
  const exact = new Map<string, Positions>()
  const sources: Source[] = []
  let other: Positions | undefined
  for (const path of paths) {
    const mapped = await bundleWithMap(path)
    const { codeHash } = mapped.bundle
    const isExact = record.code.has(codeHash)
    const positions = createPositions(mapped)
    if (isExact) exact.set(codeHash, positions)
    else other ??= positions
    sources.push({ path, codeHash, isExact })
  }
  const called = calledCode(record, contract)
  return {
    sources,
    positionsOf: (codeHash) => exact.get(codeHash) ?? (codeHash === called ? other : undefined),
  }
}

/** The called contract's; for a deploy, the last code that ran is that of its init. */
function calledCode({ values, code }: StateRecord, contract: string): string | undefined {
  const entry = values.get(systemKeys.contract(contract))
  return entry === undefined ? [...code.keys()].at(-1) : (JSON.parse(entry) as { codeHash: string }).codeHash
}
