// A whole network of real nodes in this process: homes in a temporary folder, libp2p on loopback, LevelDB, worker threads, HTTP.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { bundleContract } from '../../src/contract/bundle.ts'
import { addressOf } from '../../src/crypto/address.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { createKeyPair, type KeyPair } from '../../src/crypto/signer.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import { createGenesis, formatGenesis } from '../../src/genesis/document.ts'
import { initHome } from '../../src/home/home.ts'
import { type Node, startNode } from '../../src/node.ts'
import type { Parameters, Validator } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import { encode } from '../../src/types/schema.ts'
import { encodeTransaction, unsignedTransactionCodec } from '../../src/types/transaction.ts'

/** A client's key, made from its name. */
export interface Account extends KeyPair {
  address: string
}
export function accountOf(name: string): Account {
  const keys = createKeyPair(sha256(new TextEncoder().encode(name)))
  return { ...keys, address: addressOf(keys.publicKey) }
}
export const alice = accountOf('alice')
export const admin = accountOf('admin')

export interface TestNetwork {
  readonly directory: string
  readonly genesisHash: string
  readonly nodes: (Node | undefined)[]
  readonly fatal: unknown[]
  /** `environment` overrides settings, as QUORATE_* variables do. */
  start(index: number, environment?: Record<string, string>): Promise<Node>
  /** Starts these nodes, all unless told, and waits until the first of them is ready. */
  startReady(...indexes: number[]): Promise<void>
  stop(index: number): Promise<void>
  url(index: number, path: string): string
  close(): Promise<void>
}

const LARGE_CODE_BYTES = 100_000
let nextPort = 20_000 + (process.pid % 2_000) * 10

export async function createNetwork(options: {
  validators: number
  observers?: number
  parameters?: Partial<Parameters>
  /** Of every node, by dotted name, such as `ledger.historyBlocks`. */
  settings?: Record<string, unknown>
  /** So many more contracts with much code in them: state worth fetching. */
  largeContracts?: number
}): Promise<TestNetwork> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-'))
  const { code } = await bundleContract(join(import.meta.dirname, '../../contracts/token'))
  const count = options.validators + (options.observers ?? 0)
  const ports = Array.from({ length: count }, () => nextPort++)
  const entries: Validator[] = []
  const homes = ports.map((_, index) => join(directory, `node-${index}`))
  for (const [index, home] of homes.entries()) {
    const settings = {
      'api.port': 0,
      'p2p.listen': [`/ip4/127.0.0.1/tcp/${ports[index]}`],
      'p2p.bootstrap': ports.filter((port) => port !== ports[index]).map((port) => `/ip4/127.0.0.1/tcp/${port}`),
      'p2p.mdns': false,
      'log.level': 'silent',
      ...options.settings,
    }
    const entry = await initHome({ home, name: `node-${index}`, settings: settings as never })
    if (index < options.validators) entries.push(entry)
  }
  const genesis = createGenesis({
    chainId: 'test',
    engineHash: engineHash(),
    time: 1_700_000_000_000,
    validators: entries,
    parameters: options.parameters,
    contracts: [
      {
        name: 'token',
        code,
        init: { owner: admin.address, balances: { [alice.address]: '1000000' } },
        owner: admin.address,
      },
      ...Array.from({ length: options.largeContracts ?? 0 }, (_, index) => ({
        name: `large-${index}`,
        code: `${code}\n// ${String(index).repeat(LARGE_CODE_BYTES)}`,
        init: { owner: admin.address, balances: {} },
        owner: admin.address,
      })),
    ],
  })
  for (const home of homes) await writeFile(join(home, 'genesis.json'), formatGenesis(genesis))

  const nodes: (Node | undefined)[] = homes.map(() => undefined)
  const fatal: unknown[] = []
  const network: TestNetwork = {
    directory,
    get genesisHash() {
      return nodes.find((node) => node !== undefined)!.genesisHash
    },
    nodes,
    fatal,
    async start(index, environment = {}) {
      const logger = pino({ level: process.env.QUORATE_TEST_LOG ?? 'silent', base: { node: index } })
      const node = await startNode(homes[index]!, { logger, environment, onFatal: (error) => fatal.push(error) })
      nodes[index] = node
      return node
    },
    async startReady(...indexes) {
      const all = indexes.length === 0 ? [...nodes.keys()] : indexes
      await Promise.all(all.map((index) => network.start(index)))
      await until(
        'readiness',
        () => fetch(network.url(all[0]!, '/ready')),
        (response) => response.status === 200,
      )
    },
    async stop(index) {
      await nodes[index]?.stop()
      nodes[index] = undefined
    },
    url: (index, path) => `${nodes[index]!.url}${path}`,
    async close() {
      await Promise.all(nodes.map((node) => node?.stop()))
      await rm(directory, { recursive: true, force: true })
    },
  }
  return network
}

export const homeOf = (network: TestNetwork, index: number, ...path: string[]): string =>
  join(network.directory, `node-${index}`, ...path)

/** A signed transaction in wire form. */
export function signed(
  network: TestNetwork,
  from: Account,
  nonce: number,
  call: { contract: string; method: string; args: unknown; gasLimit?: number; expires?: number; genesisHash?: string },
): Uint8Array {
  const unsigned = encode(unsignedTransactionCodec, {
    network: call.genesisHash ?? network.genesisHash,
    sender: toHex(from.publicKey),
    nonce,
    expires: call.expires ?? 0,
    gasLimit: call.gasLimit ?? 5_000_000,
    contract: call.contract,
    method: call.method,
    args: new TextEncoder().encode(JSON.stringify(call.args)),
  })
  return encodeTransaction(unsigned, from.sign(unsigned))
}

export async function getJson(
  url: string,
): Promise<{ status: number; body: Record<string, never> & { [key: string]: unknown } }> {
  const response = await fetch(url)
  return { status: response.status, body: (await response.json()) as never }
}

export async function submit(
  network: TestNetwork,
  index: number,
  wire: Uint8Array | Uint8Array[],
  query = '?wait=certified&timeout=20000',
) {
  const body = Array.isArray(wire)
    ? { txs: wire.map((one) => Buffer.from(one).toString('base64')) }
    : { tx: Buffer.from(wire).toString('base64') }
  const response = await fetch(network.url(index, `/v1/transactions${query}`), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as { [key: string]: unknown } }
}

export async function metricOf(network: TestNetwork, index: number, name: string): Promise<number> {
  const text = await (await fetch(network.url(index, '/metrics'))).text()
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1])
}

/** Asks again until the answer suits, at most `timeoutMs`. */
export async function until<T>(
  what: string,
  ask: () => Promise<T> | T,
  suits: (answer: T) => boolean,
  timeoutMs = 20_000,
): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (suits(answer)) return answer
    if (Date.now() > end)
      throw new Error(`${what}: not within ${timeoutMs} ms, the last answer was ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export const statusOf = async (network: TestNetwork, index: number) =>
  (await getJson(network.url(index, '/v1/status'))).body as unknown as {
    height: number
    certifiedHeight: number
    blockHash: string
    stateRoot: string
  }
