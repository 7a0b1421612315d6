// Which validators are believed, epoch by epoch: the first ones by the genesis document, each next set because the one before signed it.

import { type EpochLink, followEpoch } from '../light/epochs.ts'
import type { TrustedEpoch } from '../light/genesis.ts'
import type { VerifySignature } from '../light/header.ts'
import type { Nodes } from './nodes.ts'

export interface Epochs {
  /** The newest one known here. */
  readonly latest: TrustedEpoch
  /** That of a document; asks the nodes for what leads there. Where nothing does, the newest: the document's check then says why. */
  of(document: unknown): Promise<TrustedEpoch>
  /** What leads from the first epoch to this one. */
  linksTo(epoch: number): EpochLink[]
}

/** Changes of validators take many blocks, so a chain has few; this is only a bound. */
const EPOCHS_MAX = 100_000

export function createEpochs(parts: { nodes: Nodes; first: TrustedEpoch; verify?: VerifySignature }): Epochs {
  const { nodes, first, verify } = parts
  const known = [first]
  const links: EpochLink[] = []
  const latest = () => known.at(-1)!

  /** One page of links, each checked; the answer says whether there may be more. */
  async function readOn(): Promise<boolean> {
    const from = latest().epoch + 1
    const found = await nodes.proven('/v1/epochs', { from }, (answer) => {
      const given = (answer as { epochs?: unknown } | null)?.epochs
      const page = (Array.isArray(given) ? given : []) as EpochLink[]
      const trusts: TrustedEpoch[] = []
      for (const link of page) trusts.push(followEpoch(trusts.at(-1) ?? latest(), link, verify))
      return { page, trusts, base: from }
    })
    // Another page may have come meanwhile.
    if (found.base === latest().epoch + 1) {
      known.push(...found.trusts)
      links.push(...found.page)
    }
    return found.page.length > 0 && known.length < EPOCHS_MAX
  }

  return {
    get latest() {
      return latest()
    },
    async of(document) {
      const epoch = epochOf(document)
      if (epoch === undefined || epoch > first.epoch + EPOCHS_MAX) return latest()
      while (latest().epoch < epoch && (await readOn()));
      const [trust, next] = known.slice(epoch - first.epoch)
      if (trust === undefined) return latest()
      return next === undefined ? trust : { ...trust, end: next.start }
    },
    linksTo: (epoch) => links.slice(0, epoch - first.epoch),
  }
}

/** What a document says of itself, unproven. */
function epochOf(document: unknown): number | undefined {
  const { proof, blocks } = (document ?? {}) as { proof?: { header?: unknown }; blocks?: { header?: unknown }[] }
  const header = (Array.isArray(blocks) ? blocks.at(-1) : proof)?.header
  const epoch = (header as { epoch?: unknown } | null | undefined)?.epoch
  return Number.isSafeInteger(epoch) && (epoch as number) >= 0 ? (epoch as number) : undefined
}
