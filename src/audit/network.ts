// What every block of one network is checked against: all of it follows from the genesis document.

import { epochHash, firstEpoch, genesisHash } from '../crypto/digest.ts'
import type { EpochRecord, Genesis } from '../types/epoch.ts'
import { fromHex } from '../types/hex.ts'
import { quorumOf } from '../types/quorum.ts'

export interface Network {
  readonly genesis: Genesis
  readonly genesisHash: string
  readonly epoch: EpochRecord
  readonly validatorsHash: string
  readonly quorum: number
  /** Of the validators, in the order of the record. */
  readonly keys: Uint8Array[]
}

export function networkOf(genesis: Genesis): Network {
  const epoch = firstEpoch(genesis)
  return {
    genesis,
    genesisHash: genesisHash(genesis),
    epoch,
    validatorsHash: epochHash(epoch),
    quorum: quorumOf(epoch.validators.length),
    keys: epoch.validators.map(({ key }) => fromHex(key)),
  }
}
