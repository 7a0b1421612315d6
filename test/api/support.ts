// A small node in memory: real transactions, receipts, headers and certificates over a ledger of arrays and maps, and a contract or two.
import { createHash } from 'node:crypto'
import type { ApiNode, EvidenceView, ReadyView, StoredBlock } from '../../src/api/port.ts'
import type { Api, ApiOptions } from '../../src/api/server.ts'
import { createApi } from '../../src/api/server.ts'
import { addressOf } from '../../src/crypto/address.ts'
import {
  batchDigest,
  blockHash,
  epochHash,
  firstEpoch,
  genesisHash,
  receiptsRoot,
  transactionId,
  transactionsRoot,
} from '../../src/crypto/digest.ts'
import { createKeyPair, verify } from '../../src/crypto/signer.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import {
  batchCodec,
  type Certificate,
  type Header,
  NULL_BATCH,
  type Receipt,
  ZERO_HASH,
} from '../../src/types/block.ts'
import type { Genesis } from '../../src/types/epoch.ts'
import { fromHex, toHex } from '../../src/types/hex.ts'
import { signedBytes } from '../../src/types/message.ts'
import { decode, encode } from '../../src/types/schema.ts'
import {
  decodeTransaction,
  encodeTransaction,
  type Transaction,
  type UnsignedTransaction,
  unsignedTransactionCodec,
} from '../../src/types/transaction.ts'
import { naivePath, naiveRoot } from '../ledger/naive-tree.ts'

const seed = (name: string) => createHash('sha256').update(name).digest()
export const keyOf = (name: string) => createKeyPair(seed(name))
export const addressOfName = (name: string) => addressOf(keyOf(name).publicKey)
const validatorNames = ['north', 'east', 'south', 'west']
const codeText = 'export const token = "🪙"'
const codeHash = toHex(createHash('sha256').update(codeText).digest())

export const genesis: Genesis = {
  chainId: 'test',
  protocolVersion: 1,
  engineHash: ZERO_HASH,
  time: Date.UTC(2026, 0, 1),
  validators: validatorNames.map((name) => ({ name, key: toHex(keyOf(name).publicKey), log: ZERO_HASH })),
  parameters: PARAMETER_DEFAULTS,
  roles: [{ role: 'deployer', accounts: [addressOfName('alice')] }],
  contracts: [{ name: 'token', code: codeText, init: '{}', owner: addressOfName('alice') }],
}
export const network = genesisHash(genesis)

export function signTransaction(
  name: string,
  nonce: number,
  fields: Partial<UnsignedTransaction> & { json?: string } = {},
) {
  const key = keyOf(name)
  const { json = '{"to":"bob","amount":"5"}', ...rest } = fields
  const transaction: UnsignedTransaction = {
    network,
    sender: toHex(key.publicKey),
    nonce,
    expires: 0,
    gasLimit: 1_000_000,
    contract: 'token',
    method: 'transfer',
    args: Buffer.from(json),
    ...rest,
  }
  const unsigned = encode(unsignedTransactionCodec, transaction)
  const wire = encodeTransaction(unsigned, key.sign(unsigned))
  return { wire, id: transactionId(unsigned), base64: Buffer.from(wire).toString('base64') }
}

const contractRecord = (name: string, views: string[], version = 1) =>
  JSON.stringify({
    name,
    codeHash,
    version,
    owner: addressOfName('alice'),
    deployedHeight: 0,
    updatedHeight: 0,
    frozen: false,
    init: true,
    migrate: false,
    calls: ['transfer'],
    views,
  })

const versionRecord = (version: number) =>
  JSON.stringify({ version, codeHash, height: version - 1, sender: addressOfName('alice') })

function firstState(): Map<string, string> {
  return new Map([
    ['system\0contract/notes', contractRecord('notes', [])],
    ['system\0contract/token', contractRecord('token', ['balanceOf'])],
    ['system\0version/notes/0000000000000001', versionRecord(1)],
    ['system\0version/token/0000000000000001', versionRecord(1)],
    [`system\0code/${codeHash}`, JSON.stringify(codeText)],
    [`system\0role/deployer/${addressOfName('alice')}`, 'true'],
    [`system\0role/deployer/${addressOfName('bob')}`, 'true'],
    ['system\0role/deployer/contract:token', 'true'],
    [`system\0role/deployer/senior/${addressOfName('alice')}`, 'true'],
    [`system\0role/minter/${addressOfName('alice')}`, 'true'],
    ['token\0balance/alice', '"100"'],
    ['token\0balance/bob', '"7"'],
    ['token\0ключ/🪙 ?#%', '{"deep":[1,null]}'],
    ['notes\0a', '1'],
  ])
}

const compareUtf8 = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** What the test contracts do: `fail` throws, `silent` emits nothing, anything else emits two events, one in the name of another. */
function execute(state: Map<string, string>, transaction: Transaction, height: number): Receipt {
  const { sender, nonce, expires, method, contract } = transaction
  const txId = transactionId(transaction.unsigned)
  const base = { txId, sender, nonce, message: '', gasUsed: 0, result: new Uint8Array(), events: [] }
  const key = `system\0nonce/${sender}`
  const next = Number(state.get(key) ?? 0)
  if (nonce < next) return { ...base, status: 'skipped', code: 'NONCE_USED' }
  if (expires !== 0 && height > expires) return { ...base, status: 'skipped', code: 'EXPIRED' }
  if (nonce > next) return { ...base, status: 'skipped', code: 'NONCE_GAP' }
  state.set(key, String(next + 1))
  if (method === 'fail') return { ...base, status: 'reverted', code: 'THROWN', message: 'too poor', gasUsed: 50 }
  if (method === 'burn') return { ...base, status: 'reverted', code: 'OUT_OF_GAS', gasUsed: 99 }
  const event = (from: string, name: string, data: string) => ({ contract: from, name, data: Buffer.from(data) })
  const events =
    method === 'silent' ? [] : [event(contract, 'Transfer', '{"amount":"5"}'), event('notes', 'Noted', `"${nonce}"`)]
  return { ...base, status: 'ok', code: '', gasUsed: 77, result: Buffer.from('{"left":"95"}'), events }
}

export type TestNode = ReturnType<typeof createTestNode>

export function createTestNode() {
  const blocks: StoredBlock[] = []
  const states: Map<string, string>[] = []
  const places = new Map<string, { height: number; index: number; executed: boolean }>()
  const listeners = new Set<(height: number) => void>()
  const pending = new Map<string, Transaction>()
  let certified = 0
  const knobs = {
    ready: { ready: true } as ReadyView,
    oldestState: 0,
    oldestBlock: 0,
    replayRefusal: undefined as 'BUSY' | 'TOO_LARGE' | undefined,
    refusal: undefined as { code: string; message: string } | undefined,
    runs: [] as (() => void)[],
    holdRuns: false,
    blockReads: 0,
    clients: [] as string[],
    evidence: [] as EvidenceView[],
  }

  const validatorsHash = epochHash(firstEpoch(genesis))

  function append(header: Header, batch: Uint8Array, receipts: Receipt[]): void {
    blocks.push({ header, blockHash: blockHash(header), batch, receipts })
  }

  append(
    {
      genesisHash: network,
      epoch: 0,
      height: 0,
      parentHash: ZERO_HASH,
      batchDigest: ZERO_HASH,
      txRoot: transactionsRoot([]),
      receiptsRoot: receiptsRoot([]),
      stateRoot: naiveRoot(firstState()),
      time: genesis.time,
      proposer: ZERO_HASH,
      validatorsHash,
      nextValidatorsHash: validatorsHash,
      epochEnd: 0,
      proposers: new Uint8Array(),
    },
    encode(batchCodec, NULL_BATCH),
    [],
  )
  states.push(firstState())

  function certificateOf(header: Header): Certificate {
    const hash = blockHash(header)
    const domain = { genesisHash: network, epoch: header.epoch, validatorsHash: header.validatorsHash }
    const bytes = signedBytes('exec', { ...domain, height: header.height, blockHash: hash })
    const signatures = [0, 1, 2].map((signer) => ({ signer, signature: keyOf(validatorNames[signer]!).sign(bytes) }))
    return { height: header.height, blockHash: hash, signatures }
  }

  /** Executes a block of these wire forms; certifies it unless told not to. */
  function addBlock(wires: Uint8Array[], { certify: isCertified = true } = {}): StoredBlock {
    const parent = blocks.at(-1)!
    const height = blocks.length
    const batch = { view: 0, proposer: genesis.validators[0]!.key, time: parent.header.time + 1000, txs: wires }
    const state = new Map(states.at(-1)!)
    const receipts = wires.map((wire) => execute(state, decodeTransaction(wire), height))
    for (const [index, { txId, status }] of receipts.entries()) {
      const executed = status !== 'skipped'
      if (executed || !places.has(txId)) places.set(txId, { height, index, executed })
      pending.delete(txId)
    }
    states.push(state)
    append(
      {
        ...parent.header,
        height,
        parentHash: parent.blockHash,
        batchDigest: batchDigest(batch),
        txRoot: transactionsRoot(receipts.map((receipt) => receipt.txId)),
        receiptsRoot: receiptsRoot(receipts),
        stateRoot: naiveRoot(state),
        time: batch.time,
        proposer: batch.proposer,
      },
      encode(batchCodec, batch),
      receipts,
    )
    if (isCertified) certify(height)
    else wake()
    return blocks[height]!
  }

  function certify(height: number): void {
    while (certified < height) {
      certified++
      const block = blocks[certified]!
      block.certificate = certificateOf(block.header)
      for (const listener of [...listeners]) listener(certified)
    }
    wake()
  }

  const waiting = new Set<() => void>()
  function wake(): void {
    for (const check of [...waiting]) check()
  }

  function waitFor(isThere: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (value: boolean) => {
        clearTimeout(timer)
        waiting.delete(check)
        resolve(value)
      }
      const check = () => isThere() && settle(true)
      const timer = setTimeout(() => settle(false), timeoutMs)
      signal?.addEventListener('abort', () => settle(false), { once: true })
      waiting.add(check)
      check()
    })
  }

  function refusalOf(wire: Uint8Array) {
    if (knobs.refusal !== undefined) return { ok: false as const, ...knobs.refusal }
    let transaction: Transaction
    try {
      transaction = decodeTransaction(wire)
    } catch (error) {
      return { ok: false as const, code: 'MALFORMED', message: (error as Error).message }
    }
    const id = transactionId(transaction.unsigned)
    const refuse = (code: string, message: string) => ({ ok: false as const, code, message, id })
    const { sender, nonce, unsigned, signature } = transaction
    if (transaction.network !== network) return refuse('WRONG_NETWORK', 'for another network')
    const next = Number(states.at(-1)!.get(`system\0nonce/${sender}`) ?? 0)
    if (transaction.expires !== 0 && blocks.length > transaction.expires) return refuse('EXPIRED', 'expired')
    if (nonce < next) return refuse('NONCE_USED', 'nonce used')
    if (nonce > next + 1000) return refuse('NONCE_TOO_FAR', 'too far')
    const holder = [...pending.values()].find((other) => other.sender === sender && other.nonce === nonce)
    if (holder !== undefined && transactionId(holder.unsigned) !== id) return refuse('NONCE_TAKEN', 'taken')
    if (!verify(fromHex(sender), unsigned, signature)) return refuse('BAD_SIGNATURE', 'does not verify')
    return { ok: true as const, id, transaction }
  }

  const node: ApiNode = {
    genesis,
    genesisHash: network,
    ledger: {
      certifiedHeight: () => certified,
      async block(height) {
        knobs.blockReads++
        return blocks[height]
      },
      header: async (height) => blocks[height]?.header,
      certificate: async (height) => blocks[height]?.certificate,
      findTransaction: async (id) => places.get(id),
      oldestHeight: () => knobs.oldestBlock,
      async transactionsBy({ sender, contract, beforeHeight = blocks.length, beforeIndex = 0, limit }) {
        const all = [...places].map(([id, place]) => ({ id, ...place }))
        const found = all.filter(({ height, index, executed }) => {
          const receipt = blocks[height]!.receipts[index]!
          const isBefore = height < beforeHeight || (height === beforeHeight && index < beforeIndex)
          return (
            executed &&
            isBefore &&
            (sender === undefined || receipt.sender === sender) &&
            calls(height, index, contract)
          )
        })
        return found.sort((a, b) => b.height - a.height || b.index - a.index).slice(0, limit)
      },
      stateAt(height) {
        const read = () => {
          if (height < knobs.oldestState) {
            throw Object.assign(new Error('pruned'), { code: 'PRUNED', oldestHeight: knobs.oldestState })
          }
          return states[height]!
        }
        return {
          get: async (key) => read().get(key),
          scan: async (prefix, after, limit) =>
            [...read()]
              .filter(([key]) => key.startsWith(prefix) && (after === undefined || compareUtf8(key, after) > 0))
              .sort(([a], [b]) => compareUtf8(a, b))
              .slice(0, limit),
        }
      },
    },
    status: () => ({
      network: 'test',
      genesisHash: network,
      node: { name: 'north', role: 'validator', address: addressOfName('north'), version: '0.1.0' },
      height: blocks.length - 1,
      certifiedHeight: certified,
      oldestHeight: knobs.oldestBlock,
      blockHash: blocks[certified]!.blockHash,
      stateRoot: ZERO_HASH,
      epoch: 0,
      view: 0,
      primary: 'north',
      phase: 'normal',
      voting: true,
      reason: null,
      syncing: null,
      peers: 0,
      mempool: { count: pending.size, bytes: 0 },
    }),
    ready: () => knobs.ready,
    peers: () => [],
    validators: (height = certified) =>
      height > certified + 1 ? undefined : { epoch: 0, validators: genesis.validators, quorum: 3 },
    async submit(wire, client) {
      knobs.clients.push(client)
      const checked = refusalOf(wire)
      if (!checked.ok) return checked
      pending.set(checked.id, checked.transaction)
      return { ok: true, id: checked.id }
    },
    awaitTransaction(id, until, timeoutMs, signal) {
      const isThere = () => {
        const place = places.get(id)
        return place !== undefined && (until === 'executed' || place.height <= certified)
      }
      return waitFor(isThere, timeoutMs, signal)
    },
    pendingNonce: (sender) => [...pending.values()].filter((transaction) => transaction.sender === sender).length,
    async simulate(wire) {
      if (knobs.holdRuns) await new Promise<void>((resolve) => knobs.runs.push(resolve))
      const checked = refusalOf(wire)
      if (!checked.ok) return checked
      const receipt = execute(new Map(states[certified]!), checked.transaction, certified + 1)
      return { ok: true, height: certified + 1, receipt }
    },
    async replay(height, index) {
      if (knobs.holdRuns) await new Promise<void>((resolve) => knobs.runs.push(resolve))
      if (height - 1 < knobs.oldestState)
        throw Object.assign(new Error('pruned'), { code: 'PRUNED', oldestHeight: knobs.oldestState })
      if (knobs.replayRefusal !== undefined) return { ok: false, code: knobs.replayRefusal, message: 'refused' }
      const { sender } = blocks[height]!.receipts[index]!
      const found = 'token\0ключ/🪙 ?#%'
      return {
        ok: true,
        values: new Map([
          [`system\0nonce/${sender}`, undefined],
          [found, states[height - 1]!.get(found)],
        ]),
        scans: [{ prefix: 'token\0ключ', after: 'token\0a', limit: 64, keys: [found] }],
        code: new Map([[codeHash, codeText]]),
      }
    },
    async view(contract, method, args) {
      if (knobs.holdRuns) await new Promise<void>((resolve) => knobs.runs.push(resolve))
      const refuse = (code: string, message = '') => ({ ok: false as const, code, message })
      if (contract !== 'token') return refuse('UNKNOWN_CONTRACT')
      if (method === 'fails') return refuse('THROWN', 'not today')
      if (method === 'echo') return { ok: true, result: args, height: certified, gasUsed: 3 }
      if (method === 'nothing') return { ok: true, result: null, height: certified, gasUsed: 1 }
      if (method === 'crowded') return refuse('BUSY', 'the queue is full')
      if (method === 'strict') return refuse('BAD_ARGUMENTS')
      return refuse('UNKNOWN_METHOD')
    },
    evidence: async () => knobs.evidence,
    awaitHeight: (height, timeoutMs) => waitFor(() => certified >= height, timeoutMs),
    explain: (code) => `explained ${code}`,
    onCertified(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    metrics: async () => '# HELP quorate_height Height.\nquorate_height 1\n',
  }
  const calls = (height: number, index: number, contract: string | undefined) => {
    if (contract === undefined) return true
    return decodeTransaction(wiresAt(height)[index]!).contract === contract
  }
  const wiresAt = (height: number) => wiresOfBlock(blocks[height]!)
  /** The contract as if this code had been deployed; its hash may be another's. */
  function setCode(name: string, code: string, hash = toHex(createHash('sha256').update(code).digest())): void {
    const state = states.at(-1)!
    state.set(`system\0contract/${name}`, contractRecord(name, []).replace(codeHash, hash))
    state.set(`system\0code/${hash}`, JSON.stringify(code))
  }
  /** As so many upgrades leave it. */
  function addUpgrades(name: string, count: number): void {
    const state = states.at(-1)!
    state.set(`system\0contract/${name}`, contractRecord(name, [], 1 + count))
    for (let version = 2; version <= 1 + count; version++) {
      state.set(`system\0version/${name}/${String(version).padStart(16, '0')}`, versionRecord(version))
    }
  }
  /** From the naive tree; a node without one is what it is otherwise. */
  function keepTree(): void {
    node.ledger.proveState = async (height, key) => naivePath(states[height]!, key)
  }
  const signed = (header: Header) => ({ header, certificate: certificateOf(header) })
  return { node, knobs, keepTree, signed, addUpgrades, setCode, addBlock, certify, pending, blocks, listeners }
}

const wiresOfBlock = (block: StoredBlock) => decode(batchCodec, block.batch).txs

interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into documents of every shape.
  body: any
}

export interface Served {
  api: Api
  test: TestNode
  url: string
  get(path: string, init?: RequestInit): Promise<Answer>
  post(path: string, body: unknown, init?: RequestInit): Promise<Answer>
}

export async function serve(options: Partial<ApiOptions> = {}): Promise<Served> {
  const test = createTestNode()
  const api = await createApi({ node: test.node, host: '127.0.0.1', port: 0, ...options })
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(api.url + path, init)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text }
  }
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    })
  return { api, test, url: api.url, get: ask, post }
}

/** Expects a problem document with this code and its status. */
export function problemOf(answer: Answer) {
  if (!answer.headers.get('content-type')?.startsWith('application/problem+json')) {
    throw new Error(`expected a problem document, got ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const { type, title, status, detail, code } = answer.body
  for (const member of [type, title, detail, code])
    if (typeof member !== 'string' || member === '') throw new Error('a member is missing')
  if (status !== answer.status) throw new Error(`status ${status} in the document, ${answer.status} in the answer`)
  return { status, code }
}
