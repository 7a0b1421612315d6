// Clients that never stop: each sends transfers of 1 one after another and keeps every certified receipt it was given. The same signed
// bytes go to one node after another until a receipt comes, as the SDK does.
import { join } from 'node:path'
import { signTransaction } from '../../src/client/transaction.ts'
import { addressOf } from '../../src/crypto/address.ts'
import { loadKey } from '../../src/crypto/keystore.ts'
import { createKeyPair, type KeyPair } from '../../src/crypto/signer.ts'
import { ask, type Cluster, type ClusterOptions, createCluster, sleep } from './cluster.ts'

export interface Certified {
  id: string
  height: number
  sender: string
  nonce: number
}

export interface Load {
  readonly certified: Certified[]
  /** Answers that must not be: a refusal for good, a receipt that is not `ok`. */
  readonly wrong: string[]
  readonly senders: string[]
  /** The account that gets 1 for each transfer. */
  readonly receiver: string
  /** Ends it once every transfer that was begun has its receipt. */
  stop(): Promise<void>
}

const FUNDS = '100000'
const ATTEMPT_MS = 4_000
const PAUSE_MS = 30
/** Refusals after which the same bytes never run, which no transfer here may get. */
const FINAL = new Set(['NONCE_USED', 'NONCE_TAKEN', 'EXPIRED', 'MALFORMED', 'WRONG_NETWORK', 'BAD_SIGNATURE'])

let clusters = 0

/** Resolves when all validators of a new cluster run and clients use them. */
export async function startUnderLoad(options?: ClusterOptions): Promise<{ cluster: Cluster; load: Load }> {
  const cluster = await createCluster(options)
  try {
    await cluster.start()
    return { cluster, load: await startLoad(cluster) }
  } catch (error) {
    await cluster.close()
    throw error
  }
}

/** Resolves when the senders have their funds and run. */
export async function startLoad(cluster: Cluster, count = 4): Promise<Load> {
  const { genesisHash: network } = await ask<{ genesisHash: string }>(
    cluster.url(cluster.reachable()[0]!, '/v1/status'),
  )
  const base = 1 + (clusters++ % 20) * 10
  const keys = Array.from({ length: count }, (_, index) => createKeyPair(new Uint8Array(32).fill(base + index)))
  const receiver = addressOf(createKeyPair(new Uint8Array(32).fill(base + 9)).publicKey)
  const load = {
    certified: [] as Certified[],
    wrong: [] as string[],
    senders: keys.map(({ publicKey }) => addressOf(publicKey)),
    receiver,
  }
  let isOver = false

  async function transfer(key: KeyPair, nonce: number, to: string, amount: string, turn: number): Promise<Certified> {
    const args = JSON.stringify({ to, amount })
    const call = { network, nonce, expires: 0, gasLimit: 2_000_000, contract: 'token', method: 'transfer', args }
    const { id, wire } = await signTransaction(key, call)
    const body = JSON.stringify({ tx: Buffer.from(wire).toString('base64') })
    for (let attempt = turn; ; attempt++) {
      const nodes = cluster.reachable()
      const height = nodes.length === 0 ? undefined : await submit(nodes[attempt % nodes.length]!, id, body)
      if (height !== undefined) return { id, height, sender: addressOf(key.publicKey), nonce }
      await sleep(100)
    }
  }

  async function submit(node: number, id: string, body: string): Promise<number | undefined> {
    try {
      const response = await fetch(cluster.url(node, `/v1/transactions?wait=certified&timeout=${ATTEMPT_MS - 500}`), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(ATTEMPT_MS),
      })
      const answer = (await response.json()) as { height: number; status: string; code?: string }
      if (response.ok && answer.status === 'ok') return answer.height
      if (response.ok || FINAL.has(answer.code ?? ''))
        load.wrong.push(`${id} at node ${node}: ${JSON.stringify(answer)}`)
    } catch {
      // The node is down, paused or cut off: the next one is asked.
    }
    return undefined
  }

  async function run(key: KeyPair, index: number): Promise<void> {
    for (let nonce = 0; !isOver; nonce++) {
      load.certified.push(await transfer(key, nonce, receiver, '1', index + nonce))
      await sleep(PAUSE_MS)
    }
  }

  const alice = await loadKey(join(cluster.directory, 'keystore'), 'alice')
  const { nonce } = await ask<{ nonce: number }>(
    cluster.url(cluster.reachable()[0]!, `/v1/accounts/${addressOf(alice.publicKey)}`),
  )
  for (const [index, sender] of load.senders.entries()) await transfer(alice, nonce + index, sender, FUNDS, 0)
  const running = Promise.all(keys.map(run))
  return {
    ...load,
    async stop() {
      isOver = true
      await running
    },
  }
}
