// What a node opens before its parts are joined: files, threads and sockets. What was opened is closed again when a later one fails.
import type { Logger } from 'pino'
import type { CoreOptions } from './consensus/core.ts'
import { type LogRecord, recordCodec } from './consensus/record.ts'
import { verify } from './crypto/signer.ts'
import { createVerifier, type Verifier } from './crypto/verifier.ts'
import type { ExecuteQuestion, ExecutorOptions } from './executor.ts'
import type { Home } from './home/home.ts'
import { type ConsensusLog, openConsensusLog } from './ledger/consensus-log.ts'
import { type Ledger, openLedger } from './ledger/ledger.ts'
import { createTransport, type Transport } from './network/transport.ts'
import type { ExecutedBlock } from './replica.ts'
import { genesisCodec } from './types/epoch.ts'
import { toHex } from './types/hex.ts'
import { decode, encode } from './types/schema.ts'
import { startWorker, type WorkerClient, workerFile } from './worker-client.ts'

export interface Parts {
  executor: WorkerClient<ExecuteQuestion, ExecutedBlock>
  ledger: Ledger
  verifier: Verifier
  transport: Transport
  /** The log of a validator that may vote, or why this node only follows. */
  voting: { log: ConsensusLog; records: LogRecord[] } | { reason: string }
  position: StartPosition
}

type StartPosition = Pick<CoreOptions, 'lastExec' | 'h' | 'certified' | 'uncertified' | 'diverged'>

/** Where the ledger says this node is: what it has executed, and up to where a quorum vouches for that. */
async function readPosition(ledger: Ledger): Promise<StartPosition> {
  const lastExec = ledger.head()?.height ?? 0
  const h = Math.min(ledger.certifiedHeight(), lastExec)
  const uncertified: StartPosition['uncertified'] = []
  for (let height = h + 1; height <= lastExec; height++) {
    const block = await ledger.block(height)
    if (block === undefined) throw new Error(`the ledger has no block ${height} below its head ${lastExec}`)
    uncertified.push({ header: block.header, hash: block.blockHash, batch: block.batch })
  }
  const [header, certificate] = [await ledger.header(h), await ledger.certificate(h)]
  const certified = header === undefined || certificate === undefined ? undefined : { header, certificate }
  const diverged = (await ledger.divergence()) !== undefined
  return { lastExec, h, certified, uncertified, diverged }
}

/** Opens what holds files, threads and sockets. The executor comes first: it locks the ledger and makes block 0. */
export async function openParts(home: Home, logger: Logger, onFatal: (error: unknown) => void): Promise<Parts> {
  const opened: { close(): Promise<void> }[] = []
  try {
    return await openEach(home, logger, onFatal, opened)
  } catch (error) {
    for (const part of opened.reverse()) await part.close()
    throw error
  }
}

async function openEach(
  home: Home,
  logger: Logger,
  onFatal: (error: unknown) => void,
  opened: { close(): Promise<void> }[],
): Promise<Parts> {
  const { genesisHash, config } = home
  const directory = home.paths.ledger
  const { historyBlocks, keepBlocks } = config.ledger
  const workerData: ExecutorOptions = {
    directory,
    genesisHash,
    genesis: encode(genesisCodec, home.genesis),
    historyBlocks,
    keepBlocks,
    imageFolder: home.paths.images,
  }
  const executor = await startWorker<ExecuteQuestion, ExecutedBlock>(
    workerFile('./executor', import.meta.url),
    { workerData, resourceLimits: { stackSizeMb: 32 } },
    onFatal,
  )
  opened.push(executor)
  const ledger = await openLedger({ directory, genesisHash, tree: false })
  opened.push(ledger)
  const validators = new Set(home.genesis.validators.map(({ key }) => key))
  const { listen, announce, bootstrap, mdns } = config.p2p
  const transport = await createTransport({
    genesisHash,
    nodeKeySeed: home.nodeKeySeed,
    listen,
    announce,
    bootstrap,
    mdns,
    addressBookFile: home.paths.addressBook,
    identity: validators.has(toHex(home.validatorKey.publicKey)) ? home.validatorKey : undefined,
    verify,
    isValidator: (key) => validators.has(key),
    logger,
    subscribe: ['transactions'],
  })
  const verifier = createVerifier({ workers: config.workers.verifiers })
  opened.push(verifier)
  const position = await readPosition(ledger)
  return { executor, ledger, verifier, transport, voting: await openVoting(home, logger), position }
}

/** A vote needs a place in the set and the very log that the set names: a node without its own intact log only follows. */
async function openVoting(home: Home, logger: Logger): Promise<Parts['voting']> {
  const entry = home.genesis.validators.find(({ key }) => key === toHex(home.validatorKey.publicKey))
  if (entry === undefined) return { reason: 'its key is not in the validator set' }
  const follow = (reason: string) => {
    logger.warn(`this validator follows and does not vote: ${reason}`)
    return { reason }
  }
  const opened = await openConsensusLog(home.paths.consensusLog)
  if ('fault' in opened) return follow(opened.reason)
  const { log } = opened
  if (log.id !== entry.log) {
    await log.close()
    return follow(`its consensus log has the id ${log.id}, the validator set names ${entry.log}`)
  }
  return { log, records: opened.records.map((record) => decode(recordCodec, record)) }
}
