// A small chain that real keys certify, without a network: blocks are made by hand, documents by the API's own code.
import { transactionOf, transactionProof, wiresOf } from '../../src/api/blocks.ts'
import type { StoredBlock } from '../../src/api/port.ts'
import { addressOf } from '../../src/crypto/address.ts'
import { blockHash, epochHash, firstEpoch, genesisHash, transactionId } from '../../src/crypto/digest.ts'
import { createKeyPair, type KeyPair } from '../../src/crypto/signer.ts'
import { roots } from '../../src/execution/header.ts'
import { createGenesis } from '../../src/genesis/document.ts'
import { batchCodec, type Header, type Receipt, ZERO_HASH } from '../../src/types/block.ts'
import type { Genesis } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import { signedBytes } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { decodeTransaction } from '../../src/types/transaction.ts'

export const keyOf = (id: number): KeyPair & { address: string } => {
  const pair = createKeyPair(new Uint8Array(32).fill(id))
  return { publicKey: pair.publicKey, sign: pair.sign, address: addressOf(pair.publicKey) }
}

export type Outcome = Partial<Pick<Receipt, 'status' | 'code' | 'message' | 'gasUsed' | 'result' | 'events'>>

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
}

export function createChain(count = 4): Chain {
  const validators = Array.from({ length: count }, (_, index) => createKeyPair(new Uint8Array(32).fill(100 + index)))
  const genesis = createGenesis({
    chainId: 'test',
    engineHash: '11'.repeat(32),
    time: Date.UTC(2026, 0, 1),
    validators: validators.map(({ publicKey }, index) => ({
      name: `node-${index}`,
      key: toHex(publicKey),
      log: `${index + 1}`.padStart(64, '0'),
    })),
    contracts: [{ name: 'token', code: 'code', init: { owner: keyOf(1).address }, owner: keyOf(1).address }],
  })
  const hash = genesisHash(genesis)
  const validatorsHash = epochHash(firstEpoch(genesis))
  const blocks: StoredBlock[] = []

  function append(
    transactions: { wire: Uint8Array; outcome?: Outcome }[],
    signers = [...validators.keys()].slice(0, 3),
  ) {
    const receipts = transactions.map(({ wire, outcome }) => receiptOf(wire, outcome))
    const height = blocks.length + 1
    const header: Header = {
      genesisHash: hash,
      epoch: 0,
      height,
      parentHash: blocks.at(-1)?.blockHash ?? ZERO_HASH,
      batchDigest: ZERO_HASH,
      ...roots(receipts),
      stateRoot: '22'.repeat(32),
      time: genesis.time + height,
      proposer: toHex(validators[0]!.publicKey),
      validatorsHash,
      nextValidatorsHash: validatorsHash,
      epochEnd: 0,
      proposers: new Uint8Array(),
    }
    const certified = blockHash(header)
    const message = signedBytes('exec', { genesisHash: hash, epoch: 0, validatorsHash, height, blockHash: certified })
    const signatures = signers.map((signer) => ({ signer, signature: validators[signer]!.sign(message) }))
    const batch = { view: 0, proposer: header.proposer, time: header.time, txs: transactions.map(({ wire }) => wire) }
    const certificate = { height, blockHash: certified, signatures }
    const block: StoredBlock = { header, blockHash: certified, batch: encode(batchCodec, batch), receipts, certificate }
    blocks.push(block)
    return block
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
  }
}

function receiptOf(wire: Uint8Array, outcome: Outcome = {}): Receipt {
  const { unsigned, sender, nonce } = decodeTransaction(wire)
  const base = { status: 'ok', code: '', message: '', gasUsed: 10, result: new Uint8Array(), events: [] } as const
  return { txId: transactionId(unsigned), sender, nonce, ...base, events: [], ...outcome }
}
