// Headers: what validators sign about an executed block (docs/protocol.md, "Identities").
import { batchDigest, blockHash, receiptsRoot, transactionsRoot } from '../crypto/digest.ts'
import { type Batch, type Header, type Receipt, ZERO_HASH } from '../types/block.ts'

/** The part of a header that epochs decide, not execution. */
export type EpochFields = Pick<Header, 'epoch' | 'validatorsHash' | 'nextValidatorsHash' | 'epochEnd' | 'proposers'>

/** Time moves on by at least 1 ms a block. It follows from the batch alone, never from votes; a null batch proposes none. */
export function blockTime(parentTime: number, batch: Batch): number {
  return batch.proposer === ZERO_HASH ? parentTime + 1 : Math.max(parentTime + 1, batch.time)
}

export interface HeaderInput extends EpochFields {
  parent: Header
  batch: Batch
  /** Of the executed block, in order. */
  receipts: Receipt[]
  /** The root of the state tree after the block's writes. */
  stateRoot: string
  /** Where the caller knows it already; else it is computed. */
  batchDigest?: string
  parentHash?: string
}

export function buildHeader(input: HeaderInput): Header {
  const { parent, batch, receipts, stateRoot, epoch, validatorsHash, nextValidatorsHash, epochEnd, proposers } = input
  return {
    genesisHash: parent.genesisHash,
    epoch,
    height: parent.height + 1,
    parentHash: input.parentHash ?? blockHash(parent),
    batchDigest: input.batchDigest ?? batchDigest(batch),
    ...roots(receipts),
    stateRoot,
    time: blockTime(parent.time, batch),
    proposer: batch.proposer,
    validatorsHash,
    nextValidatorsHash,
    epochEnd,
    proposers,
  }
}

/** Receipts carry the ids, so both trees have the same leaves in the same order. */
export function roots(receipts: Receipt[]): Pick<Header, 'txRoot' | 'receiptsRoot'> {
  return { txRoot: transactionsRoot(receipts.map((receipt) => receipt.txId)), receiptsRoot: receiptsRoot(receipts) }
}
