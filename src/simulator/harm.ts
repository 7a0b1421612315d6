// Harm that a validator's machine does to honest software: its ledger loses its last blocks while its consensus log is whole, or it executes
// a block otherwise than the others. What such a node signs is true as far as it knows, so it is watched as a correct one is; but it
// counts as faulty, since its disk, or its vote, may be missing when it is needed.
import { blockHash } from '../crypto/digest.ts'
import { sha256 } from '../crypto/hash.ts'
import { toHex } from '../types/hex.ts'
import type { ChainBlock, Execution } from './execution.ts'
import type { LedgerFile } from './ledger.ts'
import type { Fault, Scenario } from './scenario.ts'

export type LostBlocks = Extract<Fault, { type: 'lost-blocks' }>
type WrongExecution = Extract<Fault, { type: 'wrong-execution' }>

/** A node's own execution. */
export interface NodeExecution extends Execution {
  /** Whether the block with this hash, or one below it, came out otherwise than it should. */
  isWrong(hash: string | undefined): boolean
}

export function createNodeExecution(execution: Execution, { faults }: Scenario, node: number): NodeExecution {
  const isHere = (fault: Fault): fault is WrongExecution => fault.type === 'wrong-execution' && fault.node === node
  const due = new Set(faults.filter(isHere))
  const wrong = new Set<string>()

  function execute(parent: ChainBlock, batch: Uint8Array): ChainBlock {
    const block = execution.execute(parent, batch)
    const fault = [...due].find(({ height }) => height === block.header.height)
    if (fault !== undefined && !fault.isLasting) due.delete(fault)
    const made = fault === undefined ? block : withAnotherState(block)
    if (fault !== undefined || wrong.has(parent.blockHash)) wrong.add(made.blockHash)
    return made
  }

  return {
    genesis: execution.genesis,
    execute: due.size === 0 ? execution.execute : execute,
    isWrong: (hash) => hash !== undefined && wrong.has(hash),
  }
}

function withAnotherState(block: ChainBlock): ChainBlock {
  const stateRoot = toHex(sha256(new TextEncoder().encode(`not ${block.header.stateRoot}`)))
  const header = { ...block.header, stateRoot }
  return { ...block, header, blockHash: blockHash(header) }
}

/** The genesis block is made anew at each start, so it cannot be lost. */
export function loseBlocks(ledger: LedgerFile, { blocks, certificates }: Pick<LostBlocks, 'blocks' | 'certificates'>) {
  ledger.blocks.length = Math.max(1, ledger.blocks.length - blocks)
  const highest = Math.min(ledger.certifiedHeight, ledger.blocks.length - 1)
  ledger.certifiedHeight = Math.max(0, highest - certificates)
  for (const height of ledger.certificates.keys())
    if (height > ledger.certifiedHeight) ledger.certificates.delete(height)
}
