// A long chain made quickly: blocks go straight through a node's own executor, without a network, and get real certificates from the keys of
// the devnet's validators. What comes out is a ledger like any other.
import { join } from 'node:path'
import { keystoreOf } from '../src/cli/devnet-folder.ts'
import { signTransaction } from '../src/client/transaction.ts'
import { addressOf } from '../src/crypto/address.ts'
import { epochHash, firstEpoch } from '../src/crypto/digest.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { loadKey, readKeyFile } from '../src/crypto/keystore.ts'
import { createKeyPair } from '../src/crypto/signer.ts'
import type { ExecuteQuestion, ExecutorOptions } from '../src/executor.ts'
import { readGenesisFile } from '../src/home/genesis-file.ts'
import { homePaths } from '../src/home/paths.ts'
import { openLedger } from '../src/ledger/ledger.ts'
import { STATE_HISTORY_BLOCKS } from '../src/limits.ts'
import type { ExecutedBlock } from '../src/replica.ts'
import { batchCodec, type Certificate } from '../src/types/block.ts'
import { genesisCodec } from '../src/types/epoch.ts'
import { signedBytes } from '../src/types/message.ts'
import { quorumOf } from '../src/types/quorum.ts'
import { encode } from '../src/types/schema.ts'
import { startWorker, workerFile } from '../src/worker-client.ts'

const MAKERS = 200
const CERTIFICATES_AT_ONCE = 64

export interface MadeChain {
  height: number
  seconds: number
}

/** Makes blocks of transfers from some senders, who get the money for so many in the first block, to as many accounts as are asked for. */
export async function createMaker(directory: string, homes: string[], transfers: number) {
  const paths = homePaths(homes[0]!)
  const { genesis, hash: genesisHash } = await readGenesisFile(paths.genesis, {}, '')
  const signers = await Promise.all(homes.map((home) => readKeyFile(homePaths(home).validatorKey)))
  const epoch = firstEpoch(genesis)
  const domain = { genesisHash, epoch: epoch.epoch, validatorsHash: epochHash(epoch) }
  const workerData: ExecutorOptions = {
    directory: paths.ledger,
    genesisHash,
    genesis: encode(genesisCodec, genesis),
    historyBlocks: STATE_HISTORY_BLOCKS,
    offline: 'import',
  }
  const executor = await startWorker<ExecuteQuestion, ExecutedBlock>(
    workerFile('../src/executor', import.meta.url),
    { workerData, resourceLimits: { stackSizeMb: 32 } },
    (error) => {
      throw error
    },
  )
  const ledger = await openLedger({ directory: paths.ledger, genesisHash, tree: false })
  const admin = await loadKey(keystoreOf(directory), 'admin')
  const makers = Array.from({ length: MAKERS }, (_, index) => createKeyPair(sha256(Buffer.from(`maker ${index}`))))
  const call = (method: 'mint' | 'transfer', nonce: number, to: string, amount: string) => ({
    network: genesisHash,
    nonce,
    expires: 0,
    gasLimit: 2_000_000,
    contract: 'token',
    method,
    args: JSON.stringify({ to, amount }),
  })
  let sent = 0
  let height = 0
  let certificates: Certificate[] = []

  async function certify(): Promise<void> {
    await ledger.putCertificates(certificates)
    certificates = []
  }

  async function add(txs: Uint8Array[]): Promise<void> {
    height++
    const batch = { view: 0, proposer: epoch.validators[0]!.key, time: genesis.time + height, txs }
    const { blockHash } = await executor.ask({ height, batch: encode(batchCodec, batch) })
    const message = signedBytes('exec', { ...domain, height, blockHash })
    const quorum = signers.slice(0, quorumOf(signers.length))
    const signatures = quorum.map(({ sign }, signer) => ({ signer, signature: sign(message) }))
    certificates.push({ height, blockHash, signatures })
    if (certificates.length >= CERTIFICATES_AT_ONCE) await certify()
  }

  const money = String(Math.ceil(transfers / MAKERS) + 1)
  const funds = makers.map(({ publicKey }, nonce) =>
    signTransaction(admin, call('mint', nonce, addressOf(publicKey), money)),
  )
  await add((await Promise.all(funds)).map(({ wire }) => wire))

  return {
    height: () => height,
    ledger,
    /** The next transfer, to this account. */
    async next(account: number): Promise<Uint8Array> {
      const nonce = Math.floor(sent / MAKERS)
      const to = addressOf(sha256(Buffer.from(`account ${account}`)))
      return (await signTransaction(makers[sent++ % MAKERS]!, call('transfer', nonce, to, '1'))).wire
    },
    /** Executes and certifies a block of these. */
    add,
    /** Certifies what is left, and checks that the last block did what it should. */
    async finish(): Promise<void> {
      await certify()
      const wrong = (await ledger.receipts(height))?.find(({ status }) => status !== 'ok')
      if (wrong !== undefined) throw new Error(`a made transfer was not executed: ${wrong.code} ${wrong.message}`)
    },
    async close(): Promise<void> {
      await ledger.close()
      await executor.close()
    },
  }
}

/** `accounts` is how many accounts get money. */
export async function makeChain(
  directory: string,
  homes: string[],
  size: { blocks: number; transactions: number; accounts: number },
  say: (text: string) => void,
): Promise<MadeChain> {
  const since = performance.now()
  const maker = await createMaker(directory, homes, size.blocks * size.transactions)
  let sent = 0
  try {
    while (maker.height() < size.blocks) {
      const txs: Uint8Array[] = []
      for (let n = 0; n < size.transactions; n++) txs.push(await maker.next(sent++ % size.accounts))
      await maker.add(txs)
      if (maker.height() % 5_000 === 0) say(`made ${maker.height()} blocks`)
    }
    await maker.finish()
    return { height: size.blocks, seconds: (performance.now() - since) / 1_000 }
  } finally {
    await maker.close()
  }
}

export const ledgerOf = (home: string): string => join(home, 'data', 'ledger')
