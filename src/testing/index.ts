/**
 * `quorate/testing`: contracts under test, in the sandbox and by the execution code of a validator, without network, disk or clock.
 * The same test gives the same receipts, gas and times on every machine.
 */
export type { CallError, SourceFrame, SourcePosition } from '../diagnosis/failure.ts'
export type { Log } from '../diagnosis/observer.ts'
export { type Account, accountOf as account } from './account.ts'
export { type TestChain, type TestChainOptions, testChain } from './chain.ts'
export type { ContractSource } from './code-library.ts'
export { CallFailed, TransactionRefused } from './failure.ts'
export { formatGasReport, type GasRow } from './gas-report.ts'
export type { GenesisContract } from './genesis.ts'
export type { CallOutcome, Change, EmittedEvent, ViewOutcome } from './outcome.ts'
export type { CallRequest, SendOptions } from './transaction.ts'
