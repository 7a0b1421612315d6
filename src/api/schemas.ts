// JSON schemas of the routes: what requests are checked against, and what /openapi.json says of the answers. Answers are written as
// they are, never cut or converted to fit a schema.
import { API_PAGE_MAX } from '../limits.ts'
import { CONTRACT_NAME } from '../types/transaction.ts'
import { API_CODES, type ApiCode } from './codes.ts'
import { KEY_BYTES_MAX, KEY_SEGMENT_MAX } from './limits.ts'

export interface Schema {
  [member: string]: unknown
}

const PAGE_DEFAULT = 20
const safeInteger = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
export const height = { ...safeInteger, description: 'A block height.' }
const limit = {
  type: 'integer',
  minimum: 1,
  maximum: API_PAGE_MAX,
  default: PAGE_DEFAULT,
  description: 'Items at most.',
}
export const hash = { type: 'string', pattern: '^[0-9a-f]{64}$', description: '32 bytes, lower-case hexadecimal.' }
export const address = {
  type: 'string',
  maxLength: 100,
  description: 'An account: bech32m of its public key, prefix qr.',
}
const contractName = { type: 'string', pattern: CONTRACT_NAME.source, description: 'A contract’s name.' }
export const time = { type: 'string', format: 'date-time' }
const text = { type: 'string' }
export const anyJson = { description: 'Any JSON value.' }

export const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] })
export const listOf = (items: Schema): Schema => ({ type: 'array', items })
/** Every property is present, and there may be more: clients must ignore what they do not know. */
export const object = (properties: Record<string, Schema>, description?: string): Schema => ({
  type: 'object',
  ...(description === undefined ? {} : { description }),
  required: Object.keys(properties),
  properties,
})

export const parameters = {
  height,
  limit,
  contractName,
  text: { type: 'string', maxLength: KEY_BYTES_MAX },
  key: {
    type: 'string',
    minLength: 1,
    maxLength: KEY_SEGMENT_MAX,
    description: 'A state key, one percent-encoded segment.',
  },
  epoch: { ...safeInteger, description: 'An epoch’s number, from 0 on.' },
  prove: { type: 'boolean', default: false, description: 'Whether to add a proof.' },
  waitMs: { type: 'integer', minimum: 1, description: 'Milliseconds to wait at most.' },
}

const readParameters = {
  minHeight: { ...safeInteger, description: 'Waits, for a few seconds, until this height is certified here.' },
  consistency: {
    type: 'string',
    enum: ['certified', 'linearizable'],
    default: 'certified',
    description: 'linearizable: first asks a quorum of validators how far they are, and waits for that height.',
  },
}

/** A query that refuses what it does not know: a misspelt parameter would otherwise silently give another answer. */
export const query = (properties: Record<string, Schema> = {}): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
})
/** The query of a read, with what every read takes. */
export const readQuery = (properties: Record<string, Schema> = {}): Schema =>
  query({ ...properties, ...readParameters })

export const path = (properties: Record<string, Schema>): Schema => ({
  ...query(properties),
  required: Object.keys(properties),
})

const problem = {
  ...object({ type: text, title: text, status: { type: 'integer' }, code: text, detail: text }),
  description: 'A problem document (RFC 9457).',
}

export const problemAnswer = (description: string): Schema => ({
  description,
  content: { 'application/problem+json': { schema: problem } },
})

/** The answers of a route: the good one, and the problems it may end with, by status. */
export function answers(good: Record<number, Schema>, ...codes: ApiCode[]): Schema {
  const byStatus = new Map<number, ApiCode[]>()
  for (const code of new Set<ApiCode>([...codes, 'INTERNAL'])) {
    const { status } = API_CODES[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const problems = [...byStatus].map(([status, listed]) => [status, problemAnswer(listed.join(', '))])
  return { ...good, ...Object.fromEntries(problems) }
}
/** What any read may end with. */
export const READ_CODES: ApiCode[] = ['BAD_PARAMETER', 'TOO_BUSY', 'TIMEOUT', 'NOT_SUPPORTED']

export const header = object({
  genesisHash: hash,
  epoch: safeInteger,
  height,
  parentHash: hash,
  batchDigest: hash,
  txRoot: hash,
  receiptsRoot: hash,
  stateRoot: hash,
  time,
  proposer: hash,
  validatorsHash: hash,
  nextValidatorsHash: hash,
  epochEnd: safeInteger,
  proposers: { type: 'string', description: 'Bytes, lower-case hexadecimal.' },
})

export const certificate = nullable(
  object({
    height,
    blockHash: hash,
    signatures: listOf(object({ signer: safeInteger, signature: { type: 'string', pattern: '^[0-9a-f]{128}$' } })),
  }),
)

export const block = object({ height, hash, header, transactions: listOf(hash), certificate })

const base64 = { type: 'string', contentEncoding: 'base64' }
const proof = object(
  {
    header: { ...header, description: 'Every field: its canonical bytes hash to the certificate’s blockHash.' },
    certificate,
    receipt: { ...base64, description: 'The receipt’s canonical bytes, a leaf of the receipts tree (RFC 6962).' },
    receiptPath: { ...listOf(hash), description: 'Siblings from that leaf up to header.receiptsRoot.' },
    transaction: { ...base64, description: 'The wire form; the SHA-256 of the signed bytes in it is the id.' },
    transactionPath: { ...listOf(hash), description: 'Siblings from the id’s leaf up to header.txRoot.' },
    index: { ...safeInteger, description: 'The leaf’s index in both trees.' },
    count: { ...safeInteger, description: 'The number of leaves in each tree.' },
  },
  'That the receipt is this transaction’s, in a block that a quorum signed.',
)

const event = object({ contract: contractName, name: text, data: anyJson })
const transactionProperties = {
  id: hash,
  height,
  index: safeInteger,
  sender: address,
  nonce: safeInteger,
  expires: { ...safeInteger, description: 'The last height at which it may run; 0: never expires.' },
  gasLimit: safeInteger,
  contract: text,
  method: text,
  args: { description: 'The arguments’ JSON value, or their text where it is not JSON.' },
  status: { type: 'string', enum: ['ok', 'reverted', 'skipped'] },
  gasUsed: safeInteger,
  result: anyJson,
  error: nullable(object({ code: text, message: text })),
  events: listOf(event),
}
export const receipt = object(transactionProperties)
const provable = object(transactionProperties)
export const transaction: Schema = { ...provable, properties: { ...transactionProperties, proof } }

const stateKey = { contract: text, key: text }
export const replay = object({
  id: hash,
  height,
  index: safeInteger,
  time: { ...time, description: 'Of its block; what the contract sees.' },
  parent: {
    ...header,
    description:
      'The header before its block: its hash is the `parentHash` that the block’s proof proves, its `stateRoot` that of the state before the block.',
  },
  parameters: { type: 'object', description: 'The network’s parameters at this height, as in the genesis document.' },
  state: listOf(
    object(
      {
        ...stateKey,
        value: { ...nullable(text), description: 'The JSON text as it was stored; null: there was no entry.' },
      },
      'Right before this transaction, after those before it in its block.',
    ),
  ),
  scans: listOf(
    object(
      {
        contract: text,
        prefix: text,
        after: nullable(text),
        limit: safeInteger,
        keys: { ...listOf(text), description: 'All that the scan gave; `state` has their values.' },
      },
      'As the execution asked the state: it reads ahead, so a contract may have seen fewer.',
    ),
  ),
  code: listOf(object({ codeHash: { ...hash, description: 'SHA-256 of the code’s UTF-8 bytes.' }, code: text })),
})

const contractProperties = {
  name: contractName,
  codeHash: hash,
  version: safeInteger,
  owner: text,
  deployedHeight: height,
  updatedHeight: height,
  frozen: { type: 'boolean', description: 'Whether its code and its owner never change again.' },
  init: { type: 'boolean' },
  migrate: { type: 'boolean', description: 'Whether its code has a migration, which an upgrade to it runs.' },
  calls: listOf(text),
  views: listOf(text),
}
const contractVersion = object({ version: safeInteger, codeHash: hash, height, sender: text })
export const contract = object(contractProperties)
export const contractWithHistory = object({
  ...contractProperties,
  history: {
    ...listOf(contractVersion),
    description: `Its last ${API_PAGE_MAX} versions, oldest first: which code, since when, and who put it there.`,
  },
})

export const statePath = {
  type: 'object',
  description:
    'That the value is, or that no value is, under this key in the state that the certified header commits to.',
  required: ['header', 'certificate', 'key', 'value', 'siblings'],
  properties: {
    header,
    certificate,
    key: { type: 'string', description: 'The full state key: contract, U+0000, key.' },
    value: { ...nullable(text), description: 'The value’s JSON text as the contract made it; null: absent.' },
    siblings: listOf(hash),
    other: object({ path: hash, valueHash: hash }, 'The leaf that stands where the absent key’s would.'),
    next: object({ header, certificate }, 'With block 0, which nobody signs: block 1, its child.'),
  },
}

export const validator = object({ name: text, key: hash, address, log: hash })

export const eventRange = object({
  from: height,
  to: height,
  blocks: listOf(
    object({
      header,
      receipts: listOf({ ...base64, description: 'Canonical bytes, in the order of the block’s transactions.' }),
    }),
  ),
  certificate: { ...certificate, description: 'Of the last header; each other one is the parent of the next.' },
  next: { ...height, description: 'The height after `to`.' },
})

export const epochLink = object({
  header: { ...header, description: 'The epoch’s last: its height is its own epochEnd.' },
  certificate,
  record: { ...base64, description: 'The next epoch’s record; its SHA-256 is header.nextValidatorsHash.' },
})
