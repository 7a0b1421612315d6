// When a devnet's nodes agree: each is ready, and all name the same certified block.
import { fetchJson } from '../client/http.ts'
import type { DevnetDocument } from './devnet.ts'
import { type Devnet, type DevnetNode, keystoreOf, p2pAddressOf } from './devnet-folder.ts'
import { lastLines, type Processes } from './devnet-processes.ts'
import { CliError } from './error.ts'

export interface Agreement {
  height: number
  blockHash: string
}

const AGREE_MS = 60_000
const POLL_MS = 50
const ANSWER_MS = 2_000

const apiOf = ({ apiPort }: DevnetNode): string => `http://127.0.0.1:${apiPort}`

/** Throws CliError when a node ends, or the time is up; the message names who is missing and why. */
export async function untilAgreed(nodes: DevnetNode[], processes: Pick<Processes, 'isRunning'>): Promise<Agreement> {
  const until = Date.now() + AGREE_MS
  for (;;) {
    const gone = nodes.find(({ name }) => !processes.isRunning(name))
    if (gone !== undefined) {
      const lines = await lastLines(gone.log)
      throw new CliError(
        'NODE_ENDED',
        `${gone.name} ended before the devnet was up: see ${gone.log}, which ends with: ${lines}`,
      )
    }
    const looks = await Promise.all(nodes.map(lookAt))
    const [first] = looks
    const isAgreed = looks.every(
      (look) => look.isReady && look.height === first!.height && look.blockHash === first!.blockHash,
    )
    if (isAgreed) return { height: first!.height, blockHash: first!.blockHash }
    if (Date.now() > until) {
      const reasons = looks.map((look, index) => `${nodes[index]!.name}: ${look.reason}`)
      throw new CliError(
        'NO_AGREEMENT',
        `the nodes do not agree after ${AGREE_MS} ms (${reasons.join('; ')}): look into their node.log`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function lookAt(
  node: DevnetNode,
): Promise<{ isReady: boolean; height: number; blockHash: string; reason: string }> {
  const ask = (path: string) => fetchJson(apiOf(node), { path, timeoutMs: ANSWER_MS })
  try {
    const { certifiedHeight, blockHash } = (await ask('/v1/status')) as { certifiedHeight: number; blockHash: string }
    const place = { height: certifiedHeight, blockHash }
    try {
      await ask('/ready')
      return { isReady: true, ...place, reason: `ready at height ${certifiedHeight}` }
    } catch (error) {
      return { isReady: false, ...place, reason: (error as Error).message }
    }
  } catch (error) {
    return { isReady: false, height: -1, blockHash: '', reason: (error as Error).message }
  }
}

export async function describeDevnet(
  devnet: Devnet,
  nodes: DevnetNode[],
  agreed: Agreement,
  dir: string,
): Promise<DevnetDocument> {
  const addresses = await Promise.all(nodes.map(p2pAddressOf))
  const api = apiOf(nodes[0]!)
  const explorer = await fetch(`${api}/`, { signal: AbortSignal.timeout(ANSWER_MS) }).then(
    (response) => response.ok,
    () => false,
  )
  return {
    dir,
    network: devnet.chainId,
    genesisHash: devnet.genesisHash,
    ...agreed,
    nodes: nodes.map((node, index) => ({
      name: node.name,
      role: node.role,
      home: node.home,
      api: apiOf(node),
      p2p: addresses[index]!,
      height: agreed.height,
    })),
    explorer: explorer ? `${api}/` : null,
    keystore: keystoreOf(dir),
    keys: devnet.keys,
  }
}
