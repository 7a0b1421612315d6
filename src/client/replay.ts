// What a replay starts from: a proven transaction, and a node's record of the state it needed (`GET /v1/transactions/{id}/replay`).
// Checked here are its place, its parent header, and that its code has the hashes it names; its values are the node's word.
import { blockHash } from '../crypto/digest.ts'
import { sha256 } from '../crypto/hash.ts'
import { ClientError } from '../light/error.ts'
import { readHeader } from '../light/header.ts'
import type { ProvenTransaction } from '../light/transaction.ts'
import type { Header } from '../types/block.ts'
import { toHex } from '../types/hex.ts'

export interface ReplayRecord {
  /** Of the block before: its `stateRoot` is that of the state before the transaction's block. */
  parent: Header
  /** By full state key, JSON texts right before the transaction; undefined where there was no entry. */
  values: Map<string, string | undefined>
  scans: { prefix: string; after: string | undefined; limit: number; keys: string[] }[]
  /** By hash, the code that ran. */
  code: Map<string, string>
}

/** Throws ClientError `BAD_PROOF` where the record is not of this transaction, or is none. */
export function readReplay(document: unknown, { header, index, receipt }: ProvenTransaction): ReplayRecord {
  const given = objectOf(document, 'it')
  if (given.id !== receipt.txId || given.height !== header.height || given.index !== index)
    refuse('it is of another transaction')
  const parent = readHeader(given.parent)
  if (blockHash(parent) !== header.parentHash) refuse('its parent header is not that of the block before')
  const values: ReplayRecord['values'] = new Map()
  for (const entry of listOf(given.state, 'state')) {
    const { contract, key, value } = objectOf(entry, 'a value')
    if (value !== null && !isJson(value)) refuse(`the value of ${contract} ${key} is not JSON`)
    values.set(fullKey(contract, key), (value as string | null) ?? undefined)
  }
  return {
    parent,
    values,
    scans: listOf(given.scans, 'scans').map((scan) => readScan(scan, values)),
    code: readCode(given.code),
  }
}

function readScan(given: unknown, values: ReplayRecord['values']): ReplayRecord['scans'][number] {
  const { contract, prefix, after, limit, keys } = objectOf(given, 'a scan')
  if (!Number.isSafeInteger(limit)) refuse('a scan has no limit')
  const found = listOf(keys, 'the keys of a scan').map((key) => fullKey(contract, key))
  const absent = found.find((key) => values.get(key) === undefined)
  if (absent !== undefined) refuse(`a scan found ${JSON.stringify(absent)}, which has no value`)
  return {
    prefix: fullKey(contract, prefix),
    after: after === null ? undefined : fullKey(contract, after),
    limit: limit as number,
    keys: found,
  }
}

function readCode(given: unknown): ReplayRecord['code'] {
  const code: ReplayRecord['code'] = new Map()
  for (const entry of listOf(given, 'code')) {
    const { codeHash, code: text } = objectOf(entry, 'code')
    if (typeof text !== 'string' || toHex(sha256(new TextEncoder().encode(text))) !== codeHash)
      refuse(`the code ${codeHash} has another hash`)
    code.set(codeHash as string, text as string)
  }
  return code
}

function isJson(value: unknown): boolean {
  try {
    JSON.parse(value as string)
    return typeof value === 'string'
  } catch {
    return false
  }
}

function fullKey(contract: unknown, key: unknown): string {
  if (typeof contract === 'string' && typeof key === 'string') return `${contract}\0${key}`
  return refuse('a key is missing')
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  return refuse(`${name} is no object`)
}

function listOf(value: unknown, name: string): unknown[] {
  return Array.isArray(value) ? value : refuse(`${name} is no list`)
}

function refuse(reason: string): never {
  throw new ClientError(
    'BAD_PROOF',
    `the record to replay the transaction from does not hold: ${reason}; do not believe this server, ask another`,
  )
}
