// Real transports on loopback, and the waiting that tests of them need.
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { createTransport, type Transport, type TransportOptions } from '../../src/network/transport.ts'

export const GENESIS = 'ab'.repeat(32)

export interface Identity {
  publicKey: Uint8Array
  hex: string
  sign(message: Uint8Array): Uint8Array
}

const seedOf = (name: string): Uint8Array => createHash('sha256').update(name).digest()

/** A validator key that depends on the name alone. */
export function identityOf(name: string): Identity {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedOf(`validator ${name}`)])
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(12)
  return { publicKey, hex: publicKey.toString('hex'), sign: (message) => sign(null, message, privateKey) }
}

export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey])
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)
}

const started = new Set<Transport>()

export interface NodeOptions extends Partial<TransportOptions> {
  name: string
  validators?: string[]
}

/** A started transport. A name in `validators` has that validator's key; any other node is a stranger. */
export async function startNode({ name, validators = [], ...rest }: NodeOptions): Promise<Transport> {
  const keys = new Set(validators.map((each) => identityOf(each).hex))
  const transport = await createTransport({
    genesisHash: GENESIS,
    nodeKeySeed: seedOf(`node ${name}`),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    mdns: false,
    identity: validators.includes(name) ? identityOf(name) : undefined,
    verify: verifySignature,
    isValidator: (key) => keys.has(key),
    logger: { debug: () => {}, info: () => {}, warn: () => {} },
    ...rest,
  })
  started.add(transport)
  await transport.start()
  return transport
}

export async function stopNode(transport: Transport): Promise<void> {
  started.delete(transport)
  await transport.stop()
}

/** For `afterEach`. */
export async function stopAll(): Promise<void> {
  await Promise.all([...started].map(stopNode))
}

export async function until(what: string, condition: () => boolean, timeoutMs = 8000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await sleep(10)
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export const isConnected = (a: Transport, b: Transport): boolean => a.peers().some((peer) => peer.id === b.id)

/** Validators that all know the first one's address, connected each to each. */
export async function startNetwork(names: string[]): Promise<Transport[]> {
  const first = await startNode({ name: names[0]!, validators: names })
  const bootstrap = first.addresses()
  const others = await Promise.all(names.slice(1).map((name) => startNode({ name, validators: names, bootstrap })))
  const nodes = [first, ...others]
  await until('every validator is connected to every other', () =>
    nodes.every((node) => node.connectedValidators().size === names.length - 1),
  )
  return nodes
}
