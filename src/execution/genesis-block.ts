// Block 0: the state that a genesis document describes, with its contracts deployed and their inits run in listed order.
import { epochHash, firstEpoch, genesisHash } from '../crypto/digest.ts'
import { type Header, ZERO_HASH } from '../types/block.ts'
import type { Genesis } from '../types/epoch.ts'
import { CONTRACT_NAME } from '../types/transaction.ts'
import { explain } from './codes.ts'
import { systemCallGas } from './cost.ts'
import { deployAs, NO_ARGUMENTS } from './deploy.ts'
import { closeFrame, openFrame, rootFrame } from './frame.ts'
import { roots } from './header.ts'
import { invoke, type Session } from './invoke.ts'
import { Journal, type StateStore } from './journal.ts'
import { failed, type Outcome } from './outcome.ts'
import type { Runtime } from './runtime.ts'
import { contractAccount, readContract, SYSTEM, systemKeys, writeParameters, writeValidators } from './state.ts'
import { utf8Length } from './utf8.ts'

/** A genesis document whose contract cannot be deployed: no node can start this network. */
export class GenesisRefused extends Error {
  readonly contract: string
  readonly code: string
  /** The contract's own words, or what the code means. */
  readonly reason: string
  constructor(contract: string, code: string, message: string) {
    const reason = (message === '' ? explain(code) : message).replace(/\.$/, '')
    super(
      `genesis refused: contract ${contract} fails with ${code}: ${reason}. Correct its code or init, and create the genesis again.`,
    )
    this.name = 'GenesisRefused'
    this.contract = contract
    this.code = code
    this.reason = reason
  }
}

const EMPTY: StateStore = { get: () => undefined, scan: () => [] }

/** The writes of block 0, in byte order. Throws GenesisRefused. Events of inits are in no receipt, since block 0 has none. */
export function executeGenesis(runtime: Runtime, genesis: Genesis): Map<string, string | null> {
  const journal = new Journal(EMPTY)
  journal.set(systemKeys.parameters, writeParameters(genesis.parameters))
  journal.set(systemKeys.validators, writeValidators(genesis.validators))
  for (const { role, accounts } of genesis.roles) {
    for (const account of accounts) journal.set(systemKeys.role(role, account), 'true')
  }
  for (const contract of genesis.contracts) {
    const outcome = deployContract(runtime, genesis, journal, contract)
    if (outcome.status === 'ok') continue
    throw new GenesisRefused(contract.name, outcome.code, outcome.status === 'failed' ? outcome.message : '')
  }
  return journal.writes()
}

function deployContract(
  runtime: Runtime,
  genesis: Genesis,
  journal: Journal,
  { name, code, init, owner }: Genesis['contracts'][number],
): Outcome {
  if (!CONTRACT_NAME.test(name) || name === SYSTEM) return failed('NAME_INVALID', 0)
  if (readContract(journal, name) !== undefined) return failed('CONTRACT_EXISTS', 0)
  // A mistyped owner could never be corrected. Nobody may be one, and so may any contract of the document.
  const isContract = genesis.contracts.some((other) => contractAccount(other.name) === owner)
  if (owner !== '' && !isContract && !runtime.isAddress(owner)) return failed('OWNER_INVALID', 0)
  const session: Session = {
    runtime,
    block: { height: 0, time: genesis.time },
    transaction: null,
    origin: SYSTEM,
    deployRule: genesis.parameters.deploy,
    skipped: 0,
  }
  const call = {
    kind: 'call' as const,
    contract: SYSTEM,
    method: 'deploy',
    args: '',
    sender: SYSTEM,
    gasLimit: genesis.parameters.transactionGasMax,
  }
  const below = rootFrame(journal)
  const frame = openFrame(below, SYSTEM)
  const gasUsed = systemCallGas(utf8Length(code) + utf8Length(init))
  const running = { session, frame, call, invoke, sender: SYSTEM, args: {}, gasUsed }
  const outcome = deployAs(running, { name, code, init: init === '' ? NO_ARGUMENTS : init, owner })
  if (outcome.status === 'ok') closeFrame(frame, below)
  return outcome
}

export function genesisHeader(genesis: Genesis, stateRoot: string): Header {
  const validatorsHash = epochHash(firstEpoch(genesis))
  return {
    genesisHash: genesisHash(genesis),
    epoch: 0,
    height: 0,
    parentHash: ZERO_HASH,
    batchDigest: ZERO_HASH,
    ...roots([]),
    stateRoot,
    time: genesis.time,
    proposer: ZERO_HASH,
    validatorsHash,
    nextValidatorsHash: validatorsHash,
    epochEnd: 0,
    proposers: new Uint8Array(),
  }
}
