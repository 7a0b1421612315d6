// A small chain that real keys certify, without a network: blocks are made by hand, documents by the API's own code.
import { transactionOf, transactionProof, wiresOf } from '../../src/api/blocks.ts'
import { certificateJson, type headerJson } from '../../src/api/json.ts'
import type { StoredBlock } from '../../src/api/port.ts'
import { problemDocument } from '../../src/api/problem.ts'
import { epochLinkJson, rangeDocument, stateProof } from '../../src/api/proofs.ts'
import { addressOf } from '../../src/crypto/address.ts'
import { blockHash, epochHash, firstEpoch, genesisHash, transactionId } from '../../src/crypto/digest.ts'
import { createKeyPair, type KeyPair } from '../../src/crypto/signer.ts'
import { roots } from '../../src/execution/header.ts'
import { createGenesis } from '../../src/genesis/document.ts'
import { batchCodec, type Certificate, type Header, type Receipt, ZERO_HASH } from '../../src/types/block.ts'
import type { EpochRecord, Genesis } from '../../src/types/epoch.ts'
import { fromHex, toHex } from '../../src/types/hex.ts'
import { parseOrText } from '../../src/types/json.ts'
import { signedBytes } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'
import { naivePath, naiveRoot } from '../ledger/naive-tree.ts'

export const keyOf = (id: number): KeyPair & { address: string } => {
  const pair = createKeyPair(new Uint8Array(32).fill(id))
  return { publicKey: pair.publicKey, sign: pair.sign, address: addressOf(pair.publicKey) }
}

export type Outcome = Partial<
  Pick<Receipt, 'sender' | 'nonce' | 'status' | 'code' | 'message' | 'gasUsed' | 'result' | 'events'>
>

export interface Chain {
  genesis: Genesis
  genesisHash: string
  validators: KeyPair[]
  blocks: StoredBlock[]
  /** Certifies a block of these transactions; `signers` are validators' positions. */
  append(transactions: { wire: Uint8Array; outcome?: Outcome }[], signers?: number[]): StoredBlock
  /** As `GET /v1/transactions/{id}?prove=true` answers. */
  document(id: string): ReturnType<typeof transactionOf> & { proof: ReturnType<typeof transactionProof> }
  has(id: string): boolean
  height(): number
  /** By full state key, JSON texts: what the next block commits to. */
  state: Map<string, string>
  /** Ends the epoch with an empty block; the validators of the next are made from their numbers. */
  endEpoch(validators: number[]): StoredBlock
  /** Whatever header, signed by a quorum of the validators there are now. */
  certify(header: ReturnType<typeof headerJson>): { header: unknown; certificate: unknown }
  /** As `GET /v1/epochs` lists them. */
  links(): ReturnType<typeof epochLinkJson>[]
  /** As `GET /v1/contracts/{name}/state/{key}?prove=true` answers at the latest height: a value, or the problem document of its absence. */
  stateDocument(contract: string, key: string): Record<string, unknown>
  /** As `GET /v1/events/range` answers. */
  rangeDocument(from: number, to: number): ReturnType<typeof rangeDocument>
}

const validatorOf = (number: number) => createKeyPair(new Uint8Array(32).fill(100 + number))
const entryOf = (number: number) => ({
  name: `node-${number}`,
  key: toHex(validatorOf(number).publicKey),
  log: `${number + 1}`.padStart(64, '0'),
})

export function createChain(count = 4): Chain {
  const first = Array.from({ length: count }, (_, index) => index)
  const validators = first.map(validatorOf)
  const genesis = createGenesis({
    chainId: 'test',
    engineHash: '11'.repeat(32),
    time: Date.UTC(2026, 0, 1),
    validators: first.map(entryOf),
    contracts: [{ name: 'token', code: 'code', init: { owner: keyOf(1).address }, owner: keyOf(1).address }],
  })
  const hash = genesisHash(genesis)
  const blocks: StoredBlock[] = []
  const state = new Map<string, string>()
  /** What the state was after each block, for documents about the latest one. */
  let certifiedState = new Map<string, string>()
  const links: ReturnType<typeof epochLinkJson>[] = []
  let record = firstEpoch(genesis)
  let keys = validators

  function certificateOf(header: Header, signers: number[]): Certificate {
    const { epoch, height, validatorsHash } = header
    const certified = blockHash(header)
    const message = signedBytes('exec', { genesisHash: hash, epoch, validatorsHash, height, blockHash: certified })
    const signatures = signers.map((signer) => ({ signer, signature: keys[signer]!.sign(message) }))
    return { height, blockHash: certified, signatures }
  }

  function append(
    transactions: { wire: Uint8Array; outcome?: Outcome }[],
    signers = [...keys.keys()].slice(0, 3),
    next?: EpochRecord,
  ) {
    const { epoch } = record
    const validatorsHash = epochHash(record)
    const receipts = transactions.map(({ wire, outcome }) => receiptOf(wire, outcome))
    const height = blocks.length + 1
    const header: Header = {
      genesisHash: hash,
      epoch,
      height,
      parentHash: blocks.at(-1)?.blockHash ?? ZERO_HASH,
      batchDigest: ZERO_HASH,
      ...roots(receipts),
      stateRoot: naiveRoot(state),
      time: genesis.time + height,
      proposer: toHex(validators[0]!.publicKey),
      validatorsHash,
      nextValidatorsHash: next === undefined ? validatorsHash : epochHash(next),
      epochEnd: next === undefined ? 0 : height,
      proposers: new Uint8Array(),
    }
    const certified = blockHash(header)
    const batch = { view: 0, proposer: header.proposer, time: header.time, txs: transactions.map(({ wire }) => wire) }
    const certificate = certificateOf(header, signers)
    const block: StoredBlock = { header, blockHash: certified, batch: encode(batchCodec, batch), receipts, certificate }
    blocks.push(block)
    certifiedState = new Map(state)
    return block
  }

  function endEpoch(numbers: number[]): StoredBlock {
    const next = { ...record, epoch: record.epoch + 1, start: blocks.length + 1, validators: numbers.map(entryOf) }
    const block = append([], undefined, next)
    links.push(epochLinkJson({ ...block, record: next }))
    record = next
    keys = numbers.map(validatorOf)
    return block
  }

  function stateDocument(contract: string, key: string): Record<string, unknown> {
    const stateKey = `${contract}\0${key}`
    const value = certifiedState.get(stateKey)
    const proof = stateProof(blocks.at(-1)!, stateKey, value, naivePath(certifiedState, stateKey))
    const found = { key, height: blocks.length, proof }
    return value === undefined
      ? problemDocument('UNKNOWN_KEY', 'no value', found)
      : { ...found, value: parseOrText(value) }
  }

  function place(id: string): { block: StoredBlock; index: number } | undefined {
    for (const block of blocks) {
      const index = block.receipts.findIndex((receipt) => receipt.txId === id)
      if (index >= 0) return { block, index }
    }
    return undefined
  }

  return {
    genesis,
    genesisHash: hash,
    validators,
    blocks,
    append,
    document(id) {
      const { block, index } = place(id)!
      const wires = wiresOf(block)
      const explain = (code: string) => `explained ${code}`
      return { ...transactionOf({ explain }, block, index, wires), proof: transactionProof(block, index, wires) }
    },
    has: (id) => place(id) !== undefined,
    height: () => blocks.length,
    state,
    endEpoch,
    certify(header) {
      const signed = { ...header, time: Date.parse(header.time), proposers: fromHex(header.proposers) }
      return { header, certificate: certificateJson(certificateOf(signed, [...keys.keys()])) }
    },
    links: () => links,
    stateDocument,
    rangeDocument: (from, to) =>
      rangeDocument(async (height) => blocks[height - 1]!, { from, to }, { blocks: 256, bytes: 1 << 20 }),
  }
}

function receiptOf(wire: Uint8Array, outcome: Outcome = {}): Receipt {
  const { unsigned, sender, nonce } = decodeTransaction(wire)
  const base = { status: 'ok', code: '', message: '', gasUsed: 10, result: new Uint8Array(), events: [] } as const
  return { txId: transactionId(unsigned), sender, nonce, ...base, events: [], ...outcome }
}
