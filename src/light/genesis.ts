// The genesis document as nodes show it, read back into the form whose hash names the network. Nothing is checked but that hash: a
// document that has it is the one that the network's makers agreed on.
import { epochHash, firstEpoch, genesisHash as hashGenesis } from '../crypto/digest.ts'
import type { EpochRecord, Genesis, Parameters, Validator } from '../types/epoch.ts'
import { quorumOf } from '../types/quorum.ts'
import { ClientError } from './error.ts'

/** Whose signatures count in one epoch: the first one's validators stand in the genesis document, each next set is certified by the one before. */
export interface TrustedEpoch {
  genesisHash: string
  genesis: Genesis
  epoch: number
  /** Height of the header that opened the epoch; 0 first. */
  start: number
  /** Height of its own last block, where the next epoch is known. */
  end?: number
  validatorsHash: string
  validators: readonly Validator[]
  parameters: Parameters
  quorum: number
}

/**
 * The first epoch's validators out of a genesis document. Without an expected hash the document is taken as it is, and everything
 * proven later is only as true as whoever handed it out. Throws ClientError.
 */
export function trustGenesis(document: unknown, expectedHash?: string): TrustedEpoch {
  const genesis = readGenesis(document)
  let genesisHash: string
  try {
    genesisHash = hashGenesis(genesis)
  } catch (cause) {
    throw new ClientError(
      'BAD_ANSWER',
      'the genesis document has values that it cannot have: take it from another node',
      { cause },
    )
  }
  if (expectedHash !== undefined && genesisHash !== expectedHash) {
    throw new ClientError(
      'WRONG_NETWORK',
      `the genesis hash is ${genesisHash}, expected ${expectedHash}: ask a node of that network`,
    )
  }
  return trustRecord({ genesis, genesisHash }, firstEpoch(genesis))
}

/** The epoch that a record opens. Throws ClientError where nobody could certify anything in it. */
export function trustRecord(
  { genesis, genesisHash }: Pick<TrustedEpoch, 'genesis' | 'genesisHash'>,
  record: EpochRecord,
): TrustedEpoch {
  const { epoch, start, validators, parameters } = record
  if (validators.length === 0)
    throw new ClientError('BAD_PROOF', `epoch ${epoch} has no validators: nothing in it can be proven`)
  return {
    genesisHash,
    genesis,
    epoch,
    start,
    validatorsHash: epochHash(record),
    validators,
    parameters,
    quorum: quorumOf(validators.length),
  }
}

/** Fields are taken by name; a contract's `init` is JSON text where it is a string, and any other value is written out as JSON. */
function readGenesis(document: unknown): Genesis {
  try {
    const { time, contracts, ...rest } = document as Genesis & { time: unknown; contracts: { init: unknown }[] }
    return {
      ...(rest as Genesis),
      time: typeof time === 'string' ? Date.parse(time) : (time as number),
      contracts: (contracts as (Genesis['contracts'][number] & { init: unknown })[]).map((contract) => ({
        ...contract,
        init: typeof contract.init === 'string' ? contract.init : JSON.stringify(contract.init ?? null),
      })),
    }
  } catch (cause) {
    throw new ClientError('BAD_ANSWER', 'this is no genesis document: take genesis.json from the network', { cause })
  }
}
