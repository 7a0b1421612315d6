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
  /** Of the devnet's alice. */
  nextNonce: number
}

/** `accounts` is how many accounts get money. */
export async function makeChain(
  directory: string,
  homes: string[],
  size: { blocks: number; transactions: number; accounts: number },
  say: (text: string) => void,
): Promise<MadeChain> {
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
  const alice = await loadKey(keystoreOf(directory), 'alice')
  const makers = Array.from({ length: MAKERS }, (_, index) => createKeyPair(sha256(Buffer.from(`maker ${index}`))))
  const receivers = Array.from({ length: size.accounts }, (_, index) =>
    addressOf(sha256(Buffer.from(`account ${index}`))),
  )
  const call = (nonce: number, to: string, amount: string) => ({
    network: genesisHash,
    nonce,
    expires: 0,
    gasLimit: 2_000_000,
    contract: 'token',
    method: 'transfer',
    args: JSON.stringify({ to, amount }),
  })
  let sent = 0
  async function next(): Promise<Uint8Array> {
    const maker = makers[sent % MAKERS]!
    const { wire } = await signTransaction(
      maker,
      call(Math.floor(sent / MAKERS), receivers[sent % receivers.length]!, '1'),
    )
    sent++
    return wire
  }

  let certificates: Certificate[] = []
  async function add(height: number, txs: Uint8Array[]): Promise<void> {
    const batch = { view: 0, proposer: epoch.validators[0]!.key, time: genesis.time + height, txs }
    const { blockHash } = await executor.ask({ height, batch: encode(batchCodec, batch) })
    const message = signedBytes('exec', { ...domain, height, blockHash })
    const quorum = signers.slice(0, quorumOf(signers.length))
    const signatures = quorum.map(({ sign }, signer) => ({ signer, signature: sign(message) }))
    certificates.push({ height, blockHash, signatures })
    if (certificates.length < CERTIFICATES_AT_ONCE && height < size.blocks) return
    await ledger.putCertificates(certificates)
    certificates = []
  }

  const since = performance.now()
  try {
    const funds = makers.map(({ publicKey }, nonce) =>
      signTransaction(
        alice,
        call(nonce, addressOf(publicKey), String(Math.ceil((size.blocks * size.transactions) / MAKERS) + 1)),
      ),
    )
    await add(
      1,
      (await Promise.all(funds)).map(({ wire }) => wire),
    )
    for (let height = 2; height <= size.blocks; height++) {
      const txs: Uint8Array[] = []
      for (let n = 0; n < size.transactions; n++) txs.push(await next())
      await add(height, txs)
      if (height % 5_000 === 0) say(`made ${height} blocks`)
    }
    const head = await ledger.receipts(size.blocks)
    const wrong = head?.find(({ status }) => status !== 'ok')
    if (wrong !== undefined) throw new Error(`a made transfer was not executed: ${wrong.code} ${wrong.message}`)
    return { height: size.blocks, seconds: (performance.now() - since) / 1_000, nextNonce: MAKERS }
  } finally {
    await ledger.close()
    await executor.close()
  }
}

export const ledgerOf = (home: string): string => join(home, 'data', 'ledger')
