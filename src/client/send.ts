// From an intention to a proven receipt: nonce, gas, expiry, one signature, delivery. It signs anew only after a proof that the
// transaction signed before can never run.
import { addressOf } from '../crypto/address.ts'
import { toBase64 } from '../light/base64.ts'
import { ClientError } from '../light/error.ts'
import type { TrustedEpoch } from '../light/genesis.ts'
import type { TransactionDocument } from '../light/transaction.ts'
import type { Deliverer, VerifiedTransaction } from './deliver.ts'
import type { Nodes } from './nodes.ts'
import { createNonces } from './nonces.ts'
import type { Reader } from './reader.ts'
import {
  type SignedTransaction,
  type Signer,
  signTransaction,
  type TransactionFields,
  unsignedForDryRun,
} from './transaction.ts'

export interface SendOptions {
  /** Without it: what a dry run uses, half as much again. */
  gasLimit?: number
  /** The last height at which it may run. Without it: 1,000 blocks from now. */
  expires?: number
  nonce?: number
  /** How long to wait for the certified receipt. */
  timeoutMs?: number
  /** Called with each transaction before it is sent: its bytes are what may be sent again. */
  onSigned?: (signed: SignedTransaction) => void
}

export interface Call {
  contract: string
  method: string
  /** JSON text. */
  args: string
}

export interface Sender {
  send(key: Signer, call: Call, options?: SendOptions): Promise<VerifiedTransaction>
  /** Signs and hands over without waiting; gives the id. */
  hand(key: Signer, call: Call, options?: SendOptions): Promise<SignedTransaction>
  /** The fields of the next transaction, as `send` would sign them. */
  prepare(key: Pick<Signer, 'publicKey'>, call: Call, options?: SendOptions): Promise<TransactionFields>
  /** The receipt it would get now; nothing is signed and nothing changes. */
  dryRun(key: Pick<Signer, 'publicKey'>, call: Call, options?: SendOptions): Promise<TransactionDocument>
}

const TIMEOUT_MS = 60_000
const EXPIRY_BLOCKS = 1_000
const GAS_MARGIN = 1.5
/**
 * Two programs that send the same call from one account at the same moment mean two calls. Were their bytes the same, they would be
 * one transaction, run once and reported to both; so a limit that is chosen here is drawn from a range.
 */
const GAS_SPREAD = 65_536
const EXPIRY_SPREAD_BLOCKS = 256
/** A sender that others use at the same moment may lose a nonce now and then, not always. */
const SIGNATURES_MAX = 5

export function createSender(parts: {
  nodes: Nodes
  trust: TrustedEpoch
  reader: Reader
  deliverer: Deliverer
}): Sender {
  const { nodes, trust, reader, deliverer } = parts
  const { transactionGasMax } = trust.genesis.parameters
  const nonces = createNonces(async (sender) => (await reader.account(sender)).pendingNonce)

  async function prepare(
    key: Pick<Signer, 'publicKey'>,
    call: Call,
    options: SendOptions = {},
  ): Promise<TransactionFields> {
    const nonce = options.nonce ?? (await reader.account(addressOf(key.publicKey))).pendingNonce
    return complete(key, call, nonce, options)
  }

  async function complete(
    key: Pick<Signer, 'publicKey'>,
    call: Call,
    nonce: number,
    options: SendOptions,
  ): Promise<TransactionFields> {
    const [expires, gasLimit] = await Promise.all([
      options.expires ?? latestExpiry(options.gasLimit === undefined ? 0 : draw(EXPIRY_SPREAD_BLOCKS)),
      options.gasLimit ?? estimate(key, call, nonce),
    ])
    return { network: trust.genesisHash, nonce, expires, gasLimit, ...call }
  }

  async function latestExpiry(later: number): Promise<number> {
    return (await nodes.certifiedHeight()) + EXPIRY_BLOCKS + later
  }

  /** A dry run that fails says little about gas: the state may differ by the time the transaction runs. It then gets all there is. */
  async function estimate(key: Pick<Signer, 'publicKey'>, call: Call, nonce: number): Promise<number> {
    const { status, gasUsed } = await dryRun(key, call, { nonce })
    const wanted = status === 'ok' ? Math.ceil(gasUsed * GAS_MARGIN) + GAS_SPREAD : transactionGasMax
    return Math.max(1, gasUsed, Math.min(transactionGasMax, wanted) - draw(GAS_SPREAD))
  }

  async function dryRun(
    key: Pick<Signer, 'publicKey'>,
    call: Call,
    options: SendOptions = {},
  ): Promise<TransactionDocument> {
    const nonce = options.nonce ?? (await reader.account(addressOf(key.publicKey))).pendingNonce
    const { gasLimit = transactionGasMax, expires = 0 } = options
    const wire = unsignedForDryRun(key, { network: trust.genesisHash, nonce, expires, gasLimit, ...call })
    return (await nodes.post('/v1/simulate', JSON.stringify({ tx: toBase64(wire) }))) as TransactionDocument
  }

  async function send(key: Signer, call: Call, options: SendOptions = {}): Promise<VerifiedTransaction> {
    const sender = addressOf(key.publicKey)
    for (let signatures = 0; signatures < SIGNATURES_MAX; signatures++) {
      const nonce = options.nonce ?? (await nonces.take(sender))
      let isUsed = false
      try {
        const signed = await signNext(key, call, nonce, options)
        const delivery = { id: signed.id, wire: signed.wire, sender, nonce }
        const delivered = await deliverer.deliver(delivery, options.timeoutMs ?? TIMEOUT_MS)
        isUsed = true
        if (delivered.kind === 'receipt') return delivered.receipt
        if (options.nonce !== undefined) throw nonceUsed(signed.id, nonce, delivered.to.id)
      } finally {
        if (options.nonce === undefined) nonces.end(sender, isUsed)
      }
    }
    const message = `account ${sender} lost its nonce to another transaction ${SIGNATURES_MAX} times: nothing of this call ran; send one at a time, or from another account`
    throw new ClientError('NONCE_CONTENDED', message)
  }

  async function hand(key: Signer, call: Call, options: SendOptions = {}): Promise<SignedTransaction> {
    const sender = addressOf(key.publicKey)
    const nonce = options.nonce ?? (await nonces.take(sender))
    let isUsed = false
    try {
      const signed = await signNext(key, call, nonce, options)
      await deliverer.hand({ id: signed.id, wire: signed.wire, sender, nonce }, options.timeoutMs ?? TIMEOUT_MS)
      isUsed = true
      return signed
    } finally {
      if (options.nonce === undefined) nonces.end(sender, isUsed)
    }
  }

  async function signNext(key: Signer, call: Call, nonce: number, options: SendOptions): Promise<SignedTransaction> {
    const signed = await signTransaction(key, await complete(key, call, nonce, options))
    options.onSigned?.(signed)
    return signed
  }

  return { send, hand, prepare, dryRun }
}

/** A random whole number below `limit`, which is at most 2^16. */
function draw(limit: number): number {
  return crypto.getRandomValues(new Uint16Array(1))[0]! % limit
}

export function nonceUsed(id: string, nonce: number, otherId: string): ClientError {
  const message = `transaction ${id} did not run and never will: transaction ${otherId} used nonce ${nonce}; sign it again with the next nonce`
  return new ClientError('NONCE_USED', message, { id })
}
