// Where everything of a node lies in its home.
import { join, resolve } from 'node:path'

export interface HomePaths {
  home: string
  config: string
  genesis: string
  keys: string
  validatorKey: string
  nodeKey: string
  data: string
  /** LevelDB's folder; the ledger makes it. */
  ledger: string
  /** A ledger made of a snapshot, before it takes the place of `ledger`; what it replaced, while that is removed; and the mark of the change. */
  ledgerIncoming: string
  ledgerReplaced: string
  ledgerSwap: string
  snapshots: string
  /** A snapshot that is being fetched. */
  snapshotIncoming: string
  /** Memory images of contracts; may be deleted at any time. */
  images: string
  consensusLog: string
  /** Where other nodes were reached; the network makes it. */
  addressBook: string
  /** How to speak with the node that runs on the home. */
  control: string
  backups: string
}

export function homePaths(home: string): HomePaths {
  const root = resolve(home)
  return {
    home: root,
    config: join(root, 'config.toml'),
    genesis: join(root, 'genesis.json'),
    keys: join(root, 'keys'),
    validatorKey: join(root, 'keys', 'validator.json'),
    nodeKey: join(root, 'keys', 'node.json'),
    data: join(root, 'data'),
    ledger: join(root, 'data', 'ledger'),
    ledgerIncoming: join(root, 'data', 'ledger-incoming'),
    ledgerReplaced: join(root, 'data', 'ledger-replaced'),
    ledgerSwap: join(root, 'data', 'ledger-swap'),
    snapshots: join(root, 'data', 'snapshots'),
    snapshotIncoming: join(root, 'data', 'snapshot-incoming'),
    images: join(root, 'data', 'images'),
    consensusLog: join(root, 'data', 'consensus.log'),
    addressBook: join(root, 'data', 'peers.json'),
    control: join(root, 'data', 'control.json'),
    backups: join(root, 'backups'),
  }
}
