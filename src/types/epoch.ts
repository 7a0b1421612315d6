// The epoch record: who votes, under which parameters, from which height on. Headers and votes carry its hash.
import { bytes, hex, list, struct, text, uint, type ValueOf } from './schema.ts'

export const VALIDATORS_MAX = 100

/** `log` is the random id of the validator's consensus log: a vote counts only for the log it is bound to. */
export const validatorCodec = struct('', { name: text(64), key: hex(32), log: hex(32) })
export type Validator = ValueOf<typeof validatorCodec>

/** Times in milliseconds, sizes in bytes, gas in units, windows in blocks. docs/data.md gives each one's meaning and default. */
export const parametersCodec = struct('', {
  blockTransactionsMax: uint(),
  blockBytesMax: uint(),
  blockGasMax: uint(),
  transactionGasMax: uint(),
  batchDelayMs: uint(),
  progressTimeoutMs: uint(),
  timeoutMaxMs: uint(),
  timePastMs: uint(),
  timeAheadMs: uint(),
  heartbeatMs: uint(),
  windowBlocks: uint(),
  inFlightBlocks: uint(),
  snapshotIntervalBlocks: uint(),
  deploy: text(80),
  transact: text(80),
})
export type Parameters = ValueOf<typeof parametersCodec>

export const epochRecordCodec = struct('quorate/epoch/1', {
  epoch: uint(),
  start: uint(),
  validators: list(validatorCodec, VALIDATORS_MAX),
  parameters: parametersCodec,
  proposers: bytes(0, 4096),
})
export type EpochRecord = ValueOf<typeof epochRecordCodec>

/** The genesis document in its canonical form; genesis.json is its readable one. */
export const genesisCodec = struct('quorate/genesis/1', {
  chainId: text(64),
  protocolVersion: uint(),
  engineHash: hex(32),
  time: uint(),
  validators: list(validatorCodec, VALIDATORS_MAX),
  parameters: parametersCodec,
  roles: list(struct('', { role: text(64), accounts: list(text(80), 10_000) }), 1_000),
  contracts: list(
    struct('', { name: text(40), code: text(4 * 1024 * 1024), init: text(1024 * 1024), owner: text(80) }),
    1_000,
  ),
})
export type Genesis = ValueOf<typeof genesisCodec>

export const PROTOCOL_VERSION = 1
