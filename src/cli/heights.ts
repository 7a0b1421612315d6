// The highest certified height seen of each network, kept between runs, so that a command that asks another node than the last one
// did never reads the past. A hint: it may be lost, and is then simply begun anew.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Nodes } from '../client/nodes.ts'
import type { Context } from './context.ts'

export interface Heights {
  /** Keeps what has been seen by now. */
  save(): Promise<void>
}

/** Networks remembered; the one used longest ago makes room. */
const NETWORKS_MAX = 64

/** Makes the nodes' reads start at the height seen last. The network is the one that the node says it is of, unless it is known. */
export async function rememberHeights({ keystore }: Context, nodes: Nodes, knownHash?: string): Promise<Heights> {
  // Beside the keystore: whoever has keys for a network also has what was seen of it.
  const file = join(dirname(keystore), 'heights.json')
  const seen = await load(file)
  const genesisHash = knownHash ?? ((await nodes.look('/v1/status')) as { genesisHash: string }).genesisHash
  nodes.sawHeight(seen.get(genesisHash))
  return {
    async save() {
      if (nodes.minHeight <= (seen.get(genesisHash) ?? 0)) return
      seen.delete(genesisHash)
      seen.set(genesisHash, nodes.minHeight)
      const kept = Object.fromEntries([...seen].slice(-NETWORKS_MAX))
      const temporary = `${file}.${process.pid}.tmp`
      try {
        await writeFile(temporary, `${JSON.stringify(kept, null, 2)}\n`)
        await rename(temporary, file)
      } catch {
        // A folder that is absent or read-only: the next command reads at whatever height its node is.
      }
    },
  }
}

async function load(file: string): Promise<Map<string, number>> {
  try {
    const entries = Object.entries(JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>)
    return new Map(entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])))
  } catch {
    return new Map()
  }
}
