// Snapshots of a stopped node's home: one made of its ledger, or its ledger made of one that came from anywhere. The consensus log is
// left alone on both ways.
import { epochHash, firstEpoch, genesisHash as hashOfGenesis } from './crypto/digest.ts'
import { verify, verifyFast } from './crypto/signer.ts'
import type { HomePaths } from './home/paths.ts'
import { refuseOccupied } from './ledger/builder.ts'
import { placed } from './ledger/errors.ts'
import { openLedger } from './ledger/ledger.ts'
import { settleSwap, swapLedger } from './ledger-swap.ts'
import { createEdge } from './network/edge.ts'
import { restoreLedger } from './restoring.ts'
import { readManifestFile, snapshotFolder } from './snapshot/files.ts'
import { type MadeSnapshot, makeSnapshot } from './snapshot/make.ts'
import { type ManifestRules, readManifest } from './snapshot/verify.ts'
import type { Genesis } from './types/epoch.ts'
import { quorumOf } from './types/quorum.ts'

export class SnapshotInvalid extends Error {
  readonly code = 'SNAPSHOT_INVALID'
  constructor(folder: string, reason: string) {
    super(
      `the snapshot ${folder} cannot be used: ${reason}; take another one, or let the node fetch one from its peers`,
    )
  }
}

export interface RestoredSnapshot {
  height: number
  blockHash: string
  stateRoot: string
  keys: number
}

/** What a manifest must be to be of this network. */
function rulesOf(genesis: Genesis): ManifestRules {
  const epoch = firstEpoch(genesis)
  const genesisHash = hashOfGenesis(genesis)
  const always = () => true
  const { certificateFault } = createEdge({
    genesisHash,
    epoch,
    validatorsHash: epochHash(epoch),
    quorum: quorumOf(epoch.validators.length),
    verify,
    verifyFast,
    mayTakeLong: always,
    mayVerify: always,
    isWanted: always,
  })
  return { genesisHash, certificateFault }
}

/** Makes a snapshot at the highest certified height, in `root` under its height. */
export async function createHomeSnapshot(
  paths: HomePaths,
  genesisHash: string,
  root: string,
): Promise<MadeSnapshot & { folder: string }> {
  const ledger = await openLedger({ directory: paths.ledger, genesisHash, tree: false })
  try {
    const height = Math.min(ledger.certifiedHeight(), ledger.head()?.height ?? 0)
    const [header, certificate] = [await ledger.header(height), await ledger.certificate(height)]
    if (header === undefined || certificate === undefined)
      throw new Error(`the ledger ${paths.ledger} has no certified block yet; start the node and try again later`)
    const view = ledger.stateAt(height)
    const scan = (after: string | undefined, limit: number) => view.scan('', after, limit)
    const made = await makeSnapshot(root, { header, certificate, scan, isStopped: () => false }).catch((error) => {
      throw placed(error, root)
    })
    return { ...made, folder: snapshotFolder(root, height) }
  } finally {
    await ledger.close()
  }
}

/** Makes the ledger of a home that has none out of the snapshot in `folder`. Throws SnapshotInvalid, LedgerOccupied, LedgerLocked. */
export async function restoreHomeSnapshot(
  paths: HomePaths,
  genesis: Genesis,
  folder: string,
): Promise<RestoredSnapshot> {
  await settleSwap(paths)
  await refuseOccupied(paths.ledger)
  const rules = rulesOf(genesis)
  const bytes = await readManifestFile(folder)
  if (bytes === undefined) throw new SnapshotInvalid(folder, 'it has no file `manifest`')
  const manifest = await readManifest(rules, bytes)
  if (typeof manifest === 'string') throw new SnapshotInvalid(folder, `its manifest is wrong: ${manifest}`)
  const { genesisHash } = rules
  const parts = { folder, manifest, directory: paths.ledgerIncoming, genesisHash, evidence: [], isStopped: () => false }
  const keys = await restoreLedger(parts).catch((error: Error & { code?: string }) => {
    if (error.code === 'SNAPSHOT_DAMAGED') throw new SnapshotInvalid(folder, error.message)
    throw error
  })
  // Long after the first look.
  await refuseOccupied(paths.ledger)
  await swapLedger(paths)
  const { height, stateRoot } = manifest.header
  return { height, blockHash: manifest.certificate.blockHash, stateRoot, keys }
}
