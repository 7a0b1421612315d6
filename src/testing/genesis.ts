// The network under test: one validator, the accounts' roles, and what a test chooses of the genesis document.
import { engineHash } from '../execution/engine-hash.ts'
import { PARAMETER_DEFAULTS } from '../limits.ts'
import { type Genesis, type Parameters, PROTOCOL_VERSION } from '../types/epoch.ts'
import { accountOf } from './account.ts'
import type { CodeLibrary, ContractSource } from './code-library.ts'

/** As contracts of a genesis document: deployed in block 0, in this order. `owner` is an account's name; without one, nobody. */
export interface GenesisContract {
  name: string
  source: ContractSource
  init?: unknown
  owner?: string
}

export interface GenesisOptions {
  /** Of block 0, in ms since 1970 or as RFC 3339; 2026-01-01T00:00:00Z unless given. */
  time?: number | string
  /** What differs from a new network's, such as `deploy: 'role:deployer'`. */
  parameters?: Partial<Parameters>
  /** By role, the names of the accounts that have it. */
  roles?: Record<string, string[]>
  contracts?: GenesisContract[]
}

const GENESIS_TIME = Date.UTC(2026, 0, 1)

export async function genesisOf(options: GenesisOptions, library: CodeLibrary): Promise<Genesis> {
  const { publicKey } = accountOf('validator')
  const contracts = []
  for (const { name, source, init, owner } of options.contracts ?? []) {
    const code = await library.load(source, name)
    const initText = init === undefined ? '' : JSON.stringify(init)
    contracts.push({ name, code, init: initText, owner: owner === undefined ? '' : accountOf(owner).address })
  }
  return {
    chainId: 'test',
    protocolVersion: PROTOCOL_VERSION,
    engineHash: engineHash(),
    time: timeOf(options.time),
    validators: [{ name: 'validator', key: publicKey, log: '0'.repeat(64) }],
    parameters: { ...PARAMETER_DEFAULTS, ...options.parameters },
    roles: Object.entries(options.roles ?? {}).map(([role, names]) => ({
      role,
      accounts: names.map((name) => accountOf(name).address),
    })),
    contracts,
  }
}

function timeOf(time: number | string = GENESIS_TIME): number {
  const timeMs = typeof time === 'string' ? Date.parse(time) : time
  if (Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs
  throw new RangeError(`the time ${time} of block 0 is none: give ms since 1970, or RFC 3339 like 2026-01-01T00:00:00Z`)
}
