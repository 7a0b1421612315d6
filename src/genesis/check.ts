// Every fault of a genesis document at once, so that the organisations mend it in one round.
import { parseAddress } from '../crypto/address.ts'
import { isSafeValidatorKey } from '../crypto/ed25519.ts'
import { PROPOSAL_FRAME_BYTES_MAX } from '../limits.ts'
import { type Genesis, genesisCodec, PROTOCOL_VERSION, VALIDATORS_MAX, type Validator } from '../types/epoch.ts'
import { fromHex } from '../types/hex.ts'
import { newViewBytesMax } from '../types/message.ts'
import { quorumOf } from '../types/quorum.ts'
import { encode } from '../types/schema.ts'
import { CONTRACT_NAME } from '../types/transaction.ts'
import { type Fault, fault, warning } from './fault.ts'
import { checkParameters, RULE, WINDOW_BLOCKS_MAX } from './parameters.ts'
import { type GenesisField, HASH, NAME, ROLE_NAME } from './shape.ts'

/** What the running node knows: the hash of its contract engine, and the time in ms since 1970. What is absent is not compared. */
export interface CheckContext {
  engineHash?: string
  now?: number
}

const ROLES_MAX = 1_000
const ACCOUNTS_MAX = 10_000
const CONTRACTS_MAX = 1_000
const CODE_BYTES_MAX = 4 * 1024 * 1024
const INIT_BYTES_MAX = 1024 * 1024
/** The last millisecond that RFC 3339 can write. */
const TIME_MAX = Date.parse('9999-12-31T23:59:59.999Z')
const CONTRACT_ACCOUNT = 'contract:'
const names = { expected: '1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first' }

/** Errors and warnings; an empty list is a sound document. */
export function checkGenesis(genesis: Genesis, context: CheckContext = {}): Fault[] {
  const faults = checkFields(genesis, context, new Set())
  return faults.some(({ severity }) => severity === 'error') ? faults : [...faults, ...checkEncoding(genesis)]
}

/** As `checkGenesis`, leaving out fields whose shape is wrong already. */
export function checkFields(genesis: Genesis, context: CheckContext, skip: ReadonlySet<string>): Fault[] {
  const checks: Record<GenesisField, () => Fault[]> = {
    chainId: () => checkChainId(genesis),
    protocolVersion: () => checkProtocolVersion(genesis),
    engineHash: () => checkEngineHash(genesis, context),
    time: () => checkTime(genesis, context),
    validators: () => [...checkValidators(genesis.validators), ...countWarnings(genesis.validators.length)],
    parameters: () => [
      ...checkParameters(genesis.parameters),
      ...(skip.has('validators') ? [] : checkWindow(genesis)),
      ...(skip.has('roles') ? [] : checkRuleRoles(genesis)),
    ],
    roles: () => checkRoles(genesis),
    contracts: () => checkContracts(genesis),
  }
  return Object.entries(checks).flatMap(([field, check]) => (skip.has(field) ? [] : check()))
}

function checkChainId({ chainId }: Genesis): Fault[] {
  if (NAME.test(chainId)) return []
  return [fault('CHAIN_ID', 'chainId', { ...names, got: chainId, mend: 'choose a short name for the network' })]
}

function checkProtocolVersion({ protocolVersion }: Genesis): Fault[] {
  if (protocolVersion === PROTOCOL_VERSION) return []
  const mend = 'run the release that the document was made for, or make the document with this one'
  return [fault('PROTOCOL_VERSION', 'protocolVersion', { expected: `${PROTOCOL_VERSION}`, got: protocolVersion, mend })]
}

function checkEngineHash(genesis: Genesis, { engineHash }: CheckContext): Fault[] {
  const got = genesis.engineHash
  if (!HASH.test(got)) {
    const mend = 'take the one that `quorate genesis create` prints'
    return [fault('ENGINE_HASH', 'engineHash', { expected: '64 lower-case hexadecimal digits', got, mend })]
  }
  if (engineHash === undefined || engineHash === got) return []
  const mend = 'run the release whose contract engine the network uses; another would compute other states'
  return [fault('ENGINE_MISMATCH', 'engineHash', { expected: `${engineHash}, the engine of this release`, got, mend })]
}

function checkTime({ time }: Genesis, { now }: CheckContext): Fault[] {
  if (!Number.isSafeInteger(time) || time < 0 || time > TIME_MAX) {
    const expected = 'milliseconds from 1970-01-01 to 9999-12-31, UTC'
    return [fault('TIME', 'time', { expected, got: time, mend: 'set the time of block 0' })]
  }
  if (now === undefined || time <= now) return []
  const got = { words: new Date(time).toISOString() }
  const mend = 'block times start there whatever the clock says; set a time that has come'
  return [warning('TIME_AHEAD', 'time', { expected: `a time up to ${new Date(now).toISOString()}`, got, mend })]
}

/** The faults of the validators themselves; how many there should be is `countWarnings`' matter. */
export function checkValidators(validators: Validator[]): Fault[] {
  const faults: Fault[] = []
  if (validators.length > VALIDATORS_MAX) faults.push(tooMany('validators', validators.length, VALIDATORS_MAX))
  validators.forEach((validator, index) => {
    const path = `validators[${index}]`
    if (!NAME.test(validator.name)) {
      faults.push(fault('NAME', `${path}.name`, { ...names, got: validator.name, mend: 'choose another name' }))
    }
    const key = checkKey(validator.key, `${path}.key`)
    if (key !== undefined) faults.push(key)
    const log = checkLog(validator.log, `${path}.log`)
    if (log !== undefined) faults.push(log)
  })
  const mends = {
    name: ['NAME_TWICE', 'give each validator a name of its own'],
    key: ['KEY_TWICE', 'one key is one vote: run `quorate init` for each validator'],
    log: ['LOG_TWICE', 'a consensus log is never copied: run `quorate init` for each validator'],
  } as const
  for (const field of ['name', 'key', 'log'] as const) {
    const [code, mend] = mends[field]
    const values = validators.map((validator) => validator[field])
    for (const { index, first } of repeats(values)) {
      const expected = `a ${field} other than that of validators[${first}]`
      faults.push(fault(code, `validators[${index}].${field}`, { expected, got: values[index], mend }))
    }
  }
  return faults
}

function checkKey(key: string, path: string): Fault | undefined {
  const mend = "take the key from the validator's public entry, as `quorate init` printed it"
  if (!HASH.test(key)) return fault('KEY', path, { expected: '64 lower-case hexadecimal digits', got: key, mend })
  if (isSafeValidatorKey(fromHex(key))) return undefined
  // Other keys have signatures that some implementations accept and some refuse.
  return fault('KEY', path, { expected: 'a canonical Ed25519 public key of the prime-order group', got: key, mend })
}

function checkLog(log: string, path: string): Fault | undefined {
  if (HASH.test(log) && !/^0+$/.test(log)) return undefined
  const mend = "take the log id from the validator's public entry, as `quorate init` printed it"
  return fault('LOG', path, { expected: '64 lower-case hexadecimal digits, not all zero', got: log, mend })
}

function countWarnings(count: number): Fault[] {
  const got = { words: count }
  if (count === 0) {
    const mend = 'add each with `quorate genesis add-validator`'
    return [fault('NO_VALIDATORS', 'validators', { expected: 'at least one validator', got: { words: 'none' }, mend })]
  }
  if (count >= 4) return []
  const lost = count <= 2 ? '; with every vote needed, one lost consensus log stops the network for good' : ''
  const mend = `with ${count} no fault is tolerated and one lying validator can fork the ledger${lost}; add validators`
  return [warning('FEW_VALIDATORS', 'validators', { expected: 'at least 4 validators', got, mend })]
}

/** A NEW-VIEW grows with the square of the validators and with the window; one that fits in no frame would never arrive. */
function checkWindow({ validators, parameters }: Genesis): Fault[] {
  const quorum = quorumOf(validators.length)
  const fits = (windowBlocks: number) => newViewBytesMax(quorum, windowBlocks) <= PROPOSAL_FRAME_BYTES_MAX
  const { windowBlocks } = parameters
  if (validators.length > VALIDATORS_MAX || windowBlocks > WINDOW_BLOCKS_MAX || fits(windowBlocks)) return []
  let most = windowBlocks
  while (!fits(most)) most--
  const expected = `at most ${most} with ${validators.length} validators, or a change of view outgrows the frame that carries it`
  const mend = 'lower windowBlocks, and inFlightBlocks with it'
  return [fault('PARAMETER_RELATION', 'parameters.windowBlocks', { expected, got: windowBlocks, mend })]
}

function checkRuleRoles({ parameters, roles }: Genesis): Fault[] {
  const faults: Fault[] = []
  for (const name of ['deploy', 'transact'] as const) {
    const role = RULE.exec(parameters[name])?.[2]
    if (role === undefined) continue
    const path = `parameters.${name}`
    const found = roles.find((entry) => entry.role === role)
    if (found === undefined) {
      const mend = `add it to roles: { "role": "${role}", "accounts": […] }`
      faults.push(fault('ROLE_UNKNOWN', path, { expected: 'a role listed in roles', got: parameters[name], mend }))
    } else if (found.accounts.length === 0) {
      const parts = {
        expected: 'a role that somebody has',
        got: parameters[name],
        mend: `add accounts to role ${role}`,
      }
      // Nobody could even send the transaction that gives the role to somebody.
      faults.push(name === 'transact' ? fault('ROLE_EMPTY', path, parts) : warning('ROLE_EMPTY', path, parts))
    }
  }
  return faults
}

function checkRoles({ roles }: Genesis): Fault[] {
  const faults: Fault[] = []
  if (roles.length > ROLES_MAX) faults.push(tooMany('roles', roles.length, ROLES_MAX))
  roles.forEach(({ role, accounts }, index) => {
    const path = `roles[${index}]`
    if (!ROLE_NAME.test(role)) {
      const expected = '1 to 64 lower-case letters, digits and hyphens, a letter first'
      faults.push(fault('ROLE', `${path}.role`, { expected, got: role, mend: 'choose another name' }))
    }
    if (accounts.length > ACCOUNTS_MAX) faults.push(tooMany(`${path}.accounts`, accounts.length, ACCOUNTS_MAX))
    accounts.forEach((account, at) => {
      faults.push(...checkAccount(account, `${path}.accounts[${at}]`))
    })
    for (const { index: at, first } of repeats(accounts)) {
      const expected = `an account other than accounts[${first}]`
      const parts = { expected, got: accounts[at], mend: 'remove one' }
      faults.push(fault('ACCOUNT_TWICE', `${path}.accounts[${at}]`, parts))
    }
  })
  const roleNames = roles.map(({ role }) => role)
  for (const { index, first } of repeats(roleNames)) {
    const parts = {
      expected: `a role other than roles[${first}]`,
      got: roleNames[index],
      mend: 'put the accounts in one',
    }
    faults.push(fault('ROLE_TWICE', `roles[${index}].role`, parts))
  }
  return faults
}

function checkContracts({ contracts }: Genesis): Fault[] {
  const faults: Fault[] = []
  if (contracts.length > CONTRACTS_MAX) faults.push(tooMany('contracts', contracts.length, CONTRACTS_MAX))
  contracts.forEach(({ name, code, init, owner }, index) => {
    const path = `contracts[${index}]`
    if (!CONTRACT_NAME.test(name) || name === 'system') {
      const expected = '2 to 40 lower-case letters, digits and hyphens, a letter first, and not `system`'
      faults.push(fault('CONTRACT_NAME', `${path}.name`, { expected, got: name, mend: 'choose another name' }))
    }
    const codeBytes = Buffer.byteLength(code)
    if (codeBytes === 0 || codeBytes > CODE_BYTES_MAX) {
      const parts = { expected: `a script of 1 to ${CODE_BYTES_MAX} bytes`, got: { words: `${codeBytes} bytes` } }
      faults.push(fault('CODE', `${path}.code`, { ...parts, mend: 'put in what `quorate contract build` made' }))
    }
    faults.push(...checkInit(init, `${path}.init`), ...checkAccount(owner, `${path}.owner`))
  })
  const contractNames = contracts.map(({ name }) => name)
  for (const { index, first } of repeats(contractNames)) {
    const parts = { expected: `a name other than that of contracts[${first}]`, got: contractNames[index] }
    faults.push(fault('CONTRACT_TWICE', `contracts[${index}].name`, { ...parts, mend: 'rename or remove one' }))
  }
  return faults
}

function checkInit(init: string, path: string): Fault[] {
  const bytes = Buffer.byteLength(init)
  if (bytes > INIT_BYTES_MAX) {
    const parts = { expected: `at most ${INIT_BYTES_MAX} bytes of JSON`, got: { words: `${bytes} bytes` } }
    return [fault('INIT', path, { ...parts, mend: 'initialise with less and add the rest by transactions' })]
  }
  try {
    JSON.parse(init)
    return []
  } catch {
    const mend = 'write the value itself; a string here must hold JSON, so a JSON string is quoted twice: "\\"text\\""'
    return [fault('INIT', path, { expected: 'JSON', got: init, mend })]
  }
}

function checkAccount(account: string, path: string): Fault[] {
  const isContract = account.startsWith(CONTRACT_ACCOUNT) && CONTRACT_NAME.test(account.slice(CONTRACT_ACCOUNT.length))
  if (isContract || parseAddress(account) !== undefined) return []
  const parts = { expected: 'an address (qr1…, lower case, its checksum right) or contract:NAME', got: account }
  return [fault('ACCOUNT', path, { ...parts, mend: 'copy it again from `quorate keys show`' })]
}

/** Whatever only the bytes show, such as half a character. */
function checkEncoding(genesis: Genesis): Fault[] {
  try {
    encode(genesisCodec, genesis)
    return []
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    const got = { words: error.message }
    return [fault('UNENCODABLE', '', { expected: 'values that have canonical bytes', got, mend: 'mend that value' })]
  }
}

function tooMany(path: string, count: number, max: number): Fault {
  return fault('TOO_MANY', path, { expected: `at most ${max}`, got: { words: count }, mend: 'remove some' })
}

/** Where a value stands that an earlier position has. */
function repeats(values: string[]): { index: number; first: number }[] {
  const firsts = new Map<string, number>()
  const found: { index: number; first: number }[] = []
  values.forEach((value, index) => {
    const first = firsts.get(value)
    if (first === undefined) firsts.set(value, index)
    else found.push({ index, first })
  })
  return found
}
