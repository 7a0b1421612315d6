// What all nodes of a run agree on before it begins: keys, the first epoch, the chain's start, the clients' transactions.
import { epochHash, transactionId } from '../crypto/digest.ts'
import { sha256 } from '../crypto/hash.ts'
import { PARAMETER_DEFAULTS } from '../limits.ts'
import type { EpochRecord } from '../types/epoch.ts'
import { toHex } from '../types/hex.ts'
import { encode } from '../types/schema.ts'
import { encodeTransaction, unsignedTransactionCodec } from '../types/transaction.ts'
import { createExecution, type Execution } from './execution.ts'
import { createScheme, type Key, type Scheme } from './keys.ts'
import type { Scenario, ScheduledTransaction } from './scenario.ts'

export interface Setup {
  scheme: Scheme
  keys: Key[]
  genesisHash: string
  validatorsHash: string
  epoch: EpochRecord
  execution: Execution
  transactions: ClientTransaction[]
}

export interface ClientTransaction extends ScheduledTransaction {
  id: string
  wire: Uint8Array
}

/** Where virtual time begins, in ms since 1970. */
export const EPOCH_START_MS = 1_700_000_000_000
const GAS_LIMIT = 1_000_000

export function createSetup(scenario: Scenario): Setup {
  const scheme = createScheme(scenario.isSigned)
  const keys = Array.from({ length: scenario.validators }, (_, index) => scheme.key(`validator ${index}`))
  const genesisHash = toHex(sha256(new TextEncoder().encode('quorate simulator')))
  const validators = keys.map(({ publicKey }, index) => ({ name: `node-${index}`, key: publicKey, log: publicKey }))
  const parameters = { ...PARAMETER_DEFAULTS, ...scenario.parameters }
  const epoch: EpochRecord = { epoch: 0, start: 0, validators, parameters, proposers: new Uint8Array() }
  const validatorsHash = epochHash(epoch)
  const fields = {
    epoch: 0,
    validatorsHash,
    nextValidatorsHash: validatorsHash,
    epochEnd: 0,
    proposers: new Uint8Array(),
  }
  const senders = new Map<number, Key>()
  const senderKey = (sender: number) => {
    const key = senders.get(sender) ?? scheme.key(`client ${sender}`)
    senders.set(sender, key)
    return key
  }
  return {
    scheme,
    keys,
    genesisHash,
    validatorsHash,
    epoch,
    execution: createExecution(genesisHash, fields, EPOCH_START_MS),
    transactions: scenario.transactions.map((each) => signTransaction(each, senderKey(each.sender), genesisHash)),
  }
}

function signTransaction(scheduled: ScheduledTransaction, key: Key, network: string): ClientTransaction {
  const { nonce, expires } = scheduled
  const unsigned = encode(unsignedTransactionCodec, {
    network,
    sender: key.publicKey,
    nonce,
    expires,
    gasLimit: GAS_LIMIT,
    contract: 'counter',
    method: 'add',
    args: new TextEncoder().encode('{}'),
  })
  return { ...scheduled, id: transactionId(unsigned), wire: encodeTransaction(unsigned, key.sign(unsigned)) }
}
