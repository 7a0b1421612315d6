// What the ledger can refuse or find broken. Each has a stable `code`; docs/data.md says what an operator does about it.

/** A stored value that is not what was written, or a value that must exist and does not. */
export class LedgerDamaged extends Error {
  readonly code = 'LEDGER_DAMAGED'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LedgerDamaged'
  }
}

/** A write that failed, a full disk above all, does not say itself where: its message then does. */
export function placed(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || !('errno' in error) || 'path' in error) return error
  error.message += ` in ${place}`
  return Object.assign(error, { path: place })
}

/** Another process has the folder open. */
export class LedgerLocked extends Error {
  readonly code = 'LEDGER_LOCKED'
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LedgerLocked'
  }
}

/** The folder holds another network's ledger, or one written in a format this version does not know. */
export class LedgerForeign extends Error {
  readonly code = 'LEDGER_FOREIGN'
  constructor(message: string) {
    super(message)
    this.name = 'LedgerForeign'
  }
}

/** State or a block at this height is no longer kept. */
export class Pruned extends Error {
  readonly code = 'PRUNED'
  /** The lowest height at which the same can be read. */
  readonly oldestHeight: number
  constructor(height: number, oldestHeight: number, thing: 'state' | 'block' = 'state') {
    const mend = thing === 'state' ? 'read at a later height' : 'read a later one'
    super(
      `The ${thing} at height ${height} is pruned: this node keeps it from height ${oldestHeight} on. ` +
        `Ask a node with a longer history, or ${mend}.`,
    )
    this.name = 'Pruned'
    this.oldestHeight = oldestHeight
  }
}

/** State was asked for at a height that is not executed yet. */
export class AboveHead extends Error {
  readonly code = 'ABOVE_HEAD'
  readonly headHeight: number | undefined
  constructor(height: number, headHeight: number | undefined) {
    const head = headHeight === undefined ? 'the ledger is empty' : `the head is at height ${headHeight}`
    super(`The state at height ${height} does not exist yet: ${head}. Wait for that block, or read at the head.`)
    this.name = 'AboveHead'
    this.headHeight = headHeight
  }
}

/** The folder in which a ledger was to be built anew holds something already. */
export class LedgerOccupied extends Error {
  readonly code = 'LEDGER_OCCUPIED'
  constructor(directory: string) {
    super(
      `A ledger cannot be built in ${directory}: the folder is not empty. Move it aside, or remove it if an earlier attempt left it.`,
    )
    this.name = 'LedgerOccupied'
  }
}

/** Blocks that must stay were to be pruned. */
export class PruningRefused extends Error {
  readonly code = 'PRUNING_REFUSED'
  constructor(before: number, highest: number, keepMin: number) {
    super(
      `The blocks below ${before} cannot be pruned: the last ${keepMin} must stay, for the state history and the snapshots this node ` +
        `keeps, so at most those below ${highest} can. Choose that height or a lower one, or shorten ledger.historyBlocks first.`,
    )
    this.name = 'PruningRefused'
  }
}

/** An error of this file as plain data, to cross between threads. */
export interface ErrorData {
  code: string
  message: string
  height?: number
  bound?: number | undefined
}

export function errorToData(error: unknown, height: number): ErrorData {
  if (error instanceof Pruned) return { code: error.code, message: error.message, height, bound: error.oldestHeight }
  if (error instanceof AboveHead) return { code: error.code, message: error.message, height, bound: error.headHeight }
  if (error instanceof Error) {
    return { code: 'code' in error ? String(error.code) : '', message: error.message }
  }
  return { code: '', message: String(error) }
}

export function errorFromData({ code, message, height, bound }: ErrorData): Error {
  switch (code) {
    case 'PRUNED':
      return new Pruned(height!, bound!)
    case 'ABOVE_HEAD':
      return new AboveHead(height!, bound)
    case 'LEDGER_DAMAGED':
      return new LedgerDamaged(message)
    case 'LEDGER_LOCKED':
      return new LedgerLocked(message)
    case 'LEDGER_FOREIGN':
      return new LedgerForeign(message)
    default:
      return new Error(message)
  }
}

/** For reads of what may be damaged and is done without then. */
export function noneIfDamaged(error: unknown): undefined {
  if (!(error instanceof LedgerDamaged)) throw error
  return undefined
}
