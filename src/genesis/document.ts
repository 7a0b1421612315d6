// The genesis document between its readable form, genesis.json, and its canonical one, whose hash is the network's identity.
import { genesisHash } from '../crypto/digest.ts'
import { PARAMETER_DEFAULTS } from '../limits.ts'
import { type Genesis, type Parameters, PROTOCOL_VERSION, type Validator } from '../types/epoch.ts'
import { type CheckContext, checkFields, checkGenesis, checkValidators } from './check.ts'
import { type Fault, fault } from './fault.ts'
import { type GenesisDocument, shapeFaults, TIME, validatorShapeFaults } from './shape.ts'

export type { CheckContext } from './check.ts'
export { checkGenesis } from './check.ts'
export { describeFault, type Fault, type FaultCode } from './fault.ts'

export interface ParsedGenesis {
  ok: true
  genesis: Genesis
  hash: string
  warnings: Fault[]
}
export interface RefusedGenesis {
  ok: false
  faults: Fault[]
}

/** Reads genesis.json and checks all of it. `faults` holds the warnings as well. */
export function parseGenesis(text: string, context: CheckContext = {}): ParsedGenesis | RefusedGenesis {
  const read = readDocument(text)
  if (read.document === undefined) return { ok: false, faults: read.faults }
  const misshapen = misshapenFields(read.faults)
  const faults = [...read.faults]
  if (misshapen.size === 0) faults.push(...checkGenesis(read.document, context))
  else faults.push(...checkFields(read.document, context, misshapen))
  if (faults.some(({ severity }) => severity === 'error')) return { ok: false, faults }
  return { ok: true, genesis: read.document, hash: genesisHash(read.document), warnings: faults }
}

/** Reads a document that may still be incomplete: the shape must be right, the rest is not checked. */
export function readGenesisDraft(text: string): { ok: true; genesis: Genesis } | RefusedGenesis {
  const { document, faults } = readDocument(text)
  return faults.length === 0 ? { ok: true, genesis: document! } : { ok: false, faults }
}

/** The readable form. Reading it gives the same canonical bytes, whatever the contracts' init texts look like. */
export function formatGenesis(genesis: Genesis): string {
  const document: GenesisDocument = {
    ...genesis,
    time: new Date(genesis.time).toISOString(),
    contracts: genesis.contracts.map((contract) => ({ ...contract, init: readableInit(contract.init) })),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** What the organisations agree on; the rest has defaults. `init` is any JSON value. */
export interface GenesisParts {
  chainId: string
  engineHash: string
  /** Milliseconds since 1970. */
  time: number
  validators?: Validator[]
  parameters?: Partial<Parameters>
  roles?: Genesis['roles']
  contracts?: { name: string; code: string; init?: unknown; owner: string }[]
}

/** A document from its parts, unchecked: validators may follow with `addValidator`. */
export function createGenesis(parts: GenesisParts): Genesis {
  return {
    chainId: parts.chainId,
    protocolVersion: PROTOCOL_VERSION,
    engineHash: parts.engineHash,
    time: parts.time,
    validators: parts.validators ?? [],
    parameters: { ...PARAMETER_DEFAULTS, ...parts.parameters },
    roles: parts.roles ?? [],
    contracts: (parts.contracts ?? []).map(({ name, code, init = null, owner }) => {
      return { name, code, init: JSON.stringify(init), owner }
    }),
  }
}

/** The document with one more validator, from the public entry that `quorate init` printed, or what is wrong with the entry. */
export function addValidator(genesis: Genesis, entry: unknown): { ok: true; genesis: Genesis } | RefusedGenesis {
  const path = `validators[${genesis.validators.length}]`
  const misshapen = validatorShapeFaults(entry, path)
  if (misshapen.length > 0) return { ok: false, faults: misshapen }
  const { name, key, log } = entry as Validator
  const validators = [...genesis.validators, { name, key, log }]
  const faults = checkValidators(validators)
  return faults.length > 0 ? { ok: false, faults } : { ok: true, genesis: { ...genesis, validators } }
}

/** The document as far as its shape allows; `document` is absent where the text is not even an object. */
function readDocument(text: string): { document?: Genesis; faults: Fault[] } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const got = { words: (error as Error).message }
    return { faults: [fault('NOT_JSON', '', { expected: 'JSON', got, mend: 'mend it there, or fetch it again' })] }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { faults: shapeFaults(value) }
  const faults = shapeFaults(value)
  const { $schema: _, ...document } = value as GenesisDocument
  const time = readTime(document.time)
  if (time === undefined && typeof document.time === 'string') {
    const expected = 'RFC 3339 in UTC, like 2026-01-31T12:00:00Z'
    faults.push(fault('TIME', 'time', { expected, got: document.time, mend: 'write the time of block 0 so' }))
  }
  const contracts = !misshapenFields(faults).has('contracts')
    ? document.contracts.map((contract) => ({ ...contract, init: initText(contract.init) }))
    : []
  return { document: { ...document, time: time ?? 0, contracts }, faults }
}

/** The fields of the document that cannot be looked into. A field too many is in nobody's way. */
function misshapenFields(faults: Fault[]): Set<string> {
  return new Set(faults.filter(({ code }) => code !== 'UNKNOWN_FIELD').map(({ path }) => path.split(/[.[]/)[0]!))
}

function readTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || !TIME.test(text)) return undefined
  const time = Date.parse(text)
  // The 30th of February would become the 2nd of March.
  const isSame = !Number.isNaN(time) && new Date(time).toISOString().slice(0, 19) === text.slice(0, 19)
  return isSame ? time : undefined
}

/** A string is the JSON text itself; any other value is written as JSON. */
function initText(init: unknown): string {
  return typeof init === 'string' ? init : JSON.stringify(init ?? null)
}

/** The value where it reads back to exactly this text, otherwise the text. A JSON string stays text: it would be taken for one. */
function readableInit(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value !== 'string' && JSON.stringify(value) === text ? value : text
  } catch {
    return text
  }
}
