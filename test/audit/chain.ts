// A ledger of real blocks without a network: token transfers with real signatures, executed by the executor's own thread, certified by
// every validator's key. The same arguments give the same blocks.
import { join } from 'node:path'
import { bundleContract } from '../../src/contract/bundle.ts'
import { addressOf } from '../../src/crypto/address.ts'
import { epochHash, firstEpoch, genesisHash as hashOfGenesis } from '../../src/crypto/digest.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { createKeyPair, type KeyPair } from '../../src/crypto/signer.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import type { ExecuteAnswer, ExecuteQuestion, ExecutorOptions } from '../../src/executor.ts'
import { openLedger } from '../../src/ledger/ledger.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { type Batch, batchCodec, type Certificate } from '../../src/types/block.ts'
import { type Genesis, genesisCodec, type Parameters, PROTOCOL_VERSION } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'
import { signedBytes } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { encodeTransaction, unsignedTransactionCodec } from '../../src/types/transaction.ts'
import { startWorker, workerFile } from '../../src/worker-client.ts'

const keysOf = (name: string): KeyPair => createKeyPair(sha256(new TextEncoder().encode(name)))
export const validatorKeys = ['north', 'east', 'south', 'west'].map(keysOf)
const TIME = Date.UTC(2026, 0, 1)

export async function makeGenesis(senders: number, parameters: Partial<Parameters> = {}): Promise<Genesis> {
  const { code } = await bundleContract(join(import.meta.dirname, '../../contracts/token'))
  const addresses = Array.from({ length: senders }, (_, index) => addressOf(keysOf(`sender ${index}`).publicKey))
  const owner = addressOf(keysOf('owner').publicKey)
  const balances = Object.fromEntries(addresses.map((address) => [address, '1000000']))
  return {
    chainId: 'audit',
    protocolVersion: PROTOCOL_VERSION,
    engineHash: engineHash(),
    time: TIME,
    validators: ['north', 'east', 'south', 'west'].map((name, index) => ({
      name,
      key: toHex(validatorKeys[index]!.publicKey),
      log: toHex(sha256(new TextEncoder().encode(`log ${name}`))),
    })),
    parameters: { ...PARAMETER_DEFAULTS, ...parameters },
    roles: [],
    contracts: [{ name: 'token', code, init: JSON.stringify({ owner, balances }), owner }],
  }
}

export interface Made {
  genesis: Genesis
  genesisHash: string
  transactions: number
  height: number
}

export interface MakeOptions {
  directory: string
  blocks: number
  transactionsPerBlock: number
  senders: number
  parameters?: Partial<Parameters>
  historyBlocks?: number
  /** Blocks at the end that get no certificate. */
  uncertified?: number
}

/** The transfers of a block, one of them twice: the one place of the two is skipped, as too early or as run already. */
function createTransfers(genesisHash: string, senders: number) {
  const keys = Array.from({ length: senders }, (_, index) => keysOf(`sender ${index}`))
  const addresses = keys.map(({ publicKey }) => addressOf(publicKey))
  let sent = 0
  return (count: number): Uint8Array[] => {
    const wires: Uint8Array[] = []
    for (let i = 0; i < count; i++, sent++) {
      const at = sent % senders
      const unsigned = encode(unsignedTransactionCodec, {
        network: genesisHash,
        sender: toHex(keys[at]!.publicKey),
        nonce: Math.floor(sent / senders),
        expires: 0,
        gasLimit: 2_000_000,
        contract: 'token',
        method: 'transfer',
        args: new TextEncoder().encode(JSON.stringify({ to: addresses[(at + 1) % senders], amount: '1' })),
      })
      wires.push(encodeTransaction(unsigned, keys[at]!.sign(unsigned)))
    }
    return [wires.at(-1)!, ...wires]
  }
}

export async function makeLedger(options: MakeOptions): Promise<Made> {
  const { directory, blocks, transactionsPerBlock, senders, historyBlocks = 10_000, uncertified = 0 } = options
  const genesis = await makeGenesis(senders, options.parameters)
  const genesisHash = hashOfGenesis(genesis)
  const workerData: ExecutorOptions = {
    directory,
    genesisHash,
    genesis: encode(genesisCodec, genesis),
    historyBlocks,
    offline: 'import',
  }
  const executor = await startWorker<ExecuteQuestion, ExecuteAnswer>(
    workerFile('./executor', new URL('../../src/node.ts', import.meta.url).href),
    { workerData, resourceLimits: { stackSizeMb: 32 } },
    () => {},
  )
  const ledger = await openLedger({ directory, genesisHash, tree: false, isDurable: false })
  const transfers = createTransfers(genesisHash, senders)
  let transactions = 0
  try {
    for (let height = 1; height <= blocks; height++) {
      const txs = transfers(transactionsPerBlock)
      transactions += txs.length
      const batch: Batch = { view: 0, proposer: genesis.validators[height % 4]!.key, time: TIME + height * 100, txs }
      const { blockHash } = await executor.ask({ height, batch: encode(batchCodec, batch) })
      if (height <= blocks - uncertified) await ledger.putCertificates([certify(genesis, height, blockHash)])
    }
  } finally {
    await ledger.close()
    await executor.close()
  }
  return { genesis, genesisHash, transactions, height: blocks }
}

/** By three of the four validators, a quorum; which three changes with the height. */
export function certify(genesis: Genesis, height: number, blockHash: string): Certificate {
  const epoch = firstEpoch(genesis)
  const body = {
    genesisHash: hashOfGenesis(genesis),
    epoch: 0,
    validatorsHash: epochHash(epoch),
    height,
    blockHash,
  }
  const message = signedBytes('exec', body)
  const signatures = [0, 1, 2, 3]
    .filter((signer) => signer !== height % 4)
    .map((signer) => ({ signer, signature: validatorKeys[signer]!.sign(message) }))
  return { height, blockHash, signatures }
}
