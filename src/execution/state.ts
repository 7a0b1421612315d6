// The keys and values of the native contract `system`. They are ordinary state, proven like any contract's: JSON text, with fields
// in the order documented here and in docs/data.md.
import type { Parameters, Validator } from '../types/epoch.ts'
import { parametersCodec, validatorCodec } from '../types/epoch.ts'
import { type Codec, decode, encode } from '../types/schema.ts'
import type { StateStore } from './journal.ts'

export const SYSTEM = 'system'

/** The name under which a contract appears to others, as sender or owner; never like an address. */
export const contractAccount = (name: string): string => `contract:${name}`

/** The state key of a contract's own key. */
export const stateKey = (contract: string, key: string): string => `${contract}\0${key}`

/** As many digits as the largest safe integer has, so that byte order is the order of versions. */
const VERSION_DIGITS = 16

/** The key of one version's entry within the system contract's keys. */
const versionKey = (name: string, version: number): string =>
  `version/${name}/${String(version).padStart(VERSION_DIGITS, '0')}`

/** Where the system contract keeps what: full state keys. */
export const systemKeys = {
  /** The sender's next nonce; `sender` is its key in hexadecimal. Absent: 0. */
  nonce: (sender: string) => stateKey(SYSTEM, `nonce/${sender}`),
  /** `true` where the account has the role. */
  role: (role: string, account: string) => stateKey(SYSTEM, `role/${role}/${account}`),
  contract: (name: string) => stateKey(SYSTEM, `contract/${name}`),
  /** Who put which code there, and when; written once for each version, in order of version. */
  version: (name: string, version: number) => stateKey(SYSTEM, versionKey(name, version)),
  /** The code's text, as a JSON string; kept when no contract uses it any more. */
  code: (codeHash: string) => stateKey(SYSTEM, `code/${codeHash}`),
  parameters: stateKey(SYSTEM, 'parameters'),
  validators: stateKey(SYSTEM, 'validators'),
}

/**
 * `version` starts at 1 and grows by one with each upgrade; an empty `owner` is nobody. Of a frozen contract nothing here changes
 * any more, so its `updatedHeight` is the height at which it was frozen.
 */
export interface ContractRecord {
  name: string
  codeHash: string
  version: number
  owner: string
  deployedHeight: number
  updatedHeight: number
  frozen: boolean
  init: boolean
  migrate: boolean
  calls: string[]
  views: string[]
}

export function writeContract(record: ContractRecord): string {
  const { name, codeHash, version, owner, deployedHeight, updatedHeight, frozen, init, migrate, calls, views } = record
  const place = { name, codeHash, version, owner, deployedHeight, updatedHeight, frozen }
  return JSON.stringify({ ...place, init, migrate, calls, views })
}

/** One version of a contract: `sender` is who deployed or upgraded, at block 0 `system`. */
export interface VersionRecord {
  version: number
  codeHash: string
  height: number
  sender: string
}

export function writeVersion({ version, codeHash, height, sender }: VersionRecord): string {
  return JSON.stringify({ version, codeHash, height, sender })
}

export function readContract(state: StateStore, name: string): ContractRecord | undefined {
  const text = state.get(systemKeys.contract(name))
  return text === undefined ? undefined : (JSON.parse(text) as ContractRecord)
}

export function readCode(state: StateStore, name: string, codeHash: string): string {
  const text = state.get(systemKeys.code(codeHash))
  if (text === undefined) {
    throw new Error(
      `the state names code ${codeHash} for contract ${name} but does not hold it: run quorate ledger verify`,
    )
  }
  return JSON.parse(text) as string
}

export function readNonce(state: StateStore, sender: string): number {
  const text = state.get(systemKeys.nonce(sender))
  return text === undefined ? 0 : Number(text)
}

/** Accounts hold no "/", so that a role's name may, and no account passes for the end of another role's name. */
export function hasRole(state: StateStore, account: string, role: string): boolean {
  return !account.includes('/') && state.get(systemKeys.role(role, account)) !== undefined
}

/** Whether the rule `anyone` or `role:NAME` lets the account pass. A rule of any other form lets nobody pass. */
export function isAllowed(state: StateStore, rule: string, account: string): boolean {
  if (rule === 'anyone') return true
  return rule.startsWith('role:') && hasRole(state, account, rule.slice('role:'.length))
}

/** Through the codec, because a caller's object may have its fields in any order. */
const inOrder = <T>(codec: Codec<T>, value: T): T => decode(codec, encode(codec, value))

export const writeParameters = (parameters: Parameters): string => JSON.stringify(inOrder(parametersCodec, parameters))

export const writeValidators = (validators: Validator[]): string =>
  JSON.stringify(validators.map((validator) => inOrder(validatorCodec, validator)))
