// What can be said of a transaction without its signature and without the rest of the pool.
import type { Parameters } from '../types/epoch.ts'
import { CONTRACT_NAME, TRANSACTION_BYTES_MAX, type Transaction } from '../types/transaction.ts'
import { isExpired } from './expiry.ts'
import { type Refusal, refuse } from './refusal.ts'

export interface Rules {
  genesisHash: string
  parameters(): Parameters
  /** The sender's next nonce by executed state. */
  nonceOf(sender: string): number
  /** Whether the network's rules let the sender transact. */
  mayTransact(sender: string): boolean
  /** The gas that a transaction of so many wire bytes costs before anything runs. */
  intrinsicGas(wireBytes: number): number
}

/** The most wire bytes one transaction may have under these parameters. */
export function wireBytesMax(parameters: Parameters): number {
  return Math.min(TRANSACTION_BYTES_MAX, parameters.blockBytesMax)
}
/** The highest gas limit one transaction may have under these parameters. */
export function gasLimitMax(parameters: Parameters): number {
  return Math.min(parameters.transactionGasMax, parameters.blockGasMax)
}

/** Rules that depend on nothing but the transaction, the network and its parameters. */
export function checkContent(
  rules: Pick<Rules, 'genesisHash' | 'parameters' | 'intrinsicGas'>,
  transaction: Transaction,
  id: string,
): Refusal | undefined {
  const { network, contract, method, gasLimit, wire } = transaction
  if (network !== rules.genesisHash) {
    const mend = 'sign it again with the genesis hash of this network'
    return refuse(
      'WRONG_NETWORK',
      `the transaction is for network ${network}, this is ${rules.genesisHash}: ${mend}`,
      id,
    )
  }
  if (!CONTRACT_NAME.test(contract)) {
    const expected = '2 to 40 characters: a letter, then letters, digits and hyphens, all lower case'
    return refuse('MALFORMED', `the contract name ${JSON.stringify(contract)} is not one: expected ${expected}`, id)
  }
  if (method === '') return refuse('MALFORMED', 'the method is empty: name the handler to call', id)
  const least = rules.intrinsicGas(wire.length)
  const most = gasLimitMax(rules.parameters())
  if (gasLimit < least || gasLimit > most) {
    const message = `the gas limit ${gasLimit} is outside ${least} (what ${wire.length} bytes cost) to ${most}: sign it again within`
    return refuse('GAS_LIMIT', message, id)
  }
  return undefined
}

/** Rules that depend on executed state, which moves on: asked before the signature is checked and again on admission. */
export function checkState(
  rules: Rules,
  transaction: Transaction,
  id: string,
  at: { height: number; next: number; nonceAheadMax: number },
): Refusal | undefined {
  const { sender, nonce, expires } = transaction
  if (isExpired(expires, at.height)) {
    const message = `the transaction expired: it could run up to height ${expires}, the ledger is at ${at.height}: sign it again`
    return refuse('EXPIRED', message, id)
  }
  if (nonce < at.next) {
    return refuse('NONCE_USED', `nonce ${nonce} is used, the sender's next is ${at.next}: sign it again with that`, id)
  }
  if (nonce >= at.next + at.nonceAheadMax) {
    const limit = at.next + at.nonceAheadMax - 1
    return refuse(
      'NONCE_TOO_FAR',
      `nonce ${nonce} is too far ahead: at most ${limit} is kept, the next is ${at.next}`,
      id,
    )
  }
  if (!rules.mayTransact(sender)) {
    const { transact } = rules.parameters()
    return refuse('NOT_ALLOWED', `the sender may not transact: this network asks for ${transact}`, id)
  }
  return undefined
}
