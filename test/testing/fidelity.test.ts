/** What the kit says is what validators compute: the same receipts and the same state as `executeBlock`, always. */
import { describe, expect, it } from 'vitest'
import { genesisHash } from '../../src/crypto/digest.ts'
import { verify } from '../../src/crypto/signer.ts'
import { executeBlock } from '../../src/execution/block.ts'
import { executeGenesis } from '../../src/execution/genesis-block.ts'
import { Journal } from '../../src/execution/journal.ts'
import { createRuntime } from '../../src/execution/runtime.ts'
import { createSandbox } from '../../src/execution/sandbox/index.ts'
import { PARAMETER_DEFAULTS } from '../../src/limits.ts'
import { createCodeLibrary } from '../../src/testing/code-library.ts'
import { genesisOf } from '../../src/testing/genesis.ts'
import { type CallRequest, testChain } from '../../src/testing/index.ts'
import { signTransaction } from '../../src/testing/transaction.ts'
import { COUNTER } from './contracts.ts'

const options = {
  contracts: ['counter', 'second'].map((name) => ({ name, source: { source: COUNTER }, init: { start: 1 } })),
}
/** Five of these fit into a block. */
const GAS = PARAMETER_DEFAULTS.transactionGasMax / 5
const blocks: CallRequest[][] = [
  [
    { contract: 'counter', method: 'add', args: { by: 3 } },
    { contract: 'counter', method: 'grab', args: {} },
    { contract: 'counter', method: 'remove' },
    { contract: 'counter', method: 'through', args: { to: 'second', method: 'add' } },
    { contract: 'counter', method: 'add', args: { by: 4 } },
  ],
  [{ contract: 'counter', method: 'spin', args: { times: 1e9 }, gasLimit: GAS / 10 }],
  [
    { contract: 'counter', method: 'caught', args: { next: 'call' } },
    { contract: 'counter', method: 'caught', args: { next: 'throw' } },
    { contract: 'second', method: 'who' },
  ],
]

/** The blocks by a validator's own path, without the kit's chain. */
async function validatorRun() {
  const genesis = await genesisOf(options, createCodeLibrary())
  const runtime = createRuntime({ sandbox: createSandbox(), verifyEd25519: verify })
  const store = new Journal({ get: () => undefined, scan: () => [] })
  const keep = (writes: Map<string, string | null>) => {
    for (const [key, value] of writes) value === null ? store.delete(key) : store.set(key, value)
  }
  keep(executeGenesis(runtime, genesis))
  const network = genesisHash(genesis)
  let nonce = 0
  const receipts = blocks.flatMap((requests, index) => {
    const transactions = requests.map((request) =>
      signTransaction({ gasLimit: GAS, ...request, from: 'alice', nonce: nonce++ }, network),
    )
    const { parameters } = genesis
    const time = genesis.time + index + 1
    const block = executeBlock({ runtime, store, parameters, height: index + 1, time, transactions })
    keep(block.writes)
    return block.receipts
  })
  return { receipts, store }
}

describe('the kit', () => {
  it('has the receipts and the state of a validator', async () => {
    const { receipts, store } = await validatorRun()
    const chain = await testChain(options)
    const withGas = (requests: CallRequest[]) => requests.map((request) => ({ gasLimit: GAS, ...request }))
    const outcomes = blocks.flatMap((requests) => chain.block(withGas(requests)))
    expect(outcomes.map(({ txId, status, gasUsed, error }) => [txId, status, gasUsed, error?.code ?? ''])).toEqual(
      receipts.map(({ txId, status, gasUsed, code }) => [txId, status, gasUsed, code]),
    )
    for (const contract of ['counter', 'second', 'system']) {
      const expected = store.scan(`${contract}\0`, undefined, 1_000)
      expect(chain.entries(contract)).toEqual(
        expected.map(([key, text]) => [key.slice(contract.length + 1), JSON.parse(text)]),
      )
    }
  })

  it('gives the same outcomes in every run', async () => {
    const run = async () => {
      const chain = await testChain(options)
      return [blocks.map((requests) => chain.block(requests)), chain.entries('system'), chain.gasReport()]
    }
    expect(await run()).toEqual(await run())
  })
})
