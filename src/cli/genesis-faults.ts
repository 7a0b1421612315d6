// What is wrong with a genesis document for the release that looks at it: its fields, and what its contracts do when they are deployed.
import { formatGenesis, parseGenesis } from '../genesis/document.ts'
import { type Fault, fault } from '../genesis/fault.ts'
import type { Genesis } from '../types/epoch.ts'

/** The fault of the first contract that cannot be deployed in block 0: no node could start the network. */
export async function contractFaults(genesis: Genesis): Promise<Fault[]> {
  if (genesis.contracts.length === 0) return []
  const [{ executeGenesis, GenesisRefused }, { createRuntime }, { createSandbox }, { verify }] = await Promise.all([
    import('../execution/genesis-block.ts'),
    import('../execution/runtime.ts'),
    import('../execution/sandbox/index.ts'),
    import('../crypto/signer.ts'),
  ])
  try {
    executeGenesis(createRuntime({ sandbox: createSandbox(), verifyEd25519: verify }), genesis)
    return []
  } catch (error) {
    if (!(error instanceof GenesisRefused)) throw error
    const { contract, code, reason } = error
    const path = `contracts[${genesis.contracts.findIndex(({ name }) => name === contract)}]`
    const got = { words: `${code} of ${contract} (${reason})` }
    return [
      fault('CONTRACT_FAILS', path, { expected: 'a contract that deploys', got, mend: 'correct its code or init' }),
    ]
  }
}

/** The errors of a document that is being made: validators may still be added. */
export async function draftFaults(genesis: Genesis, engineHash: string): Promise<Fault[]> {
  const parsed = parseGenesis(formatGenesis(genesis), { engineHash })
  const faults = (parsed.ok ? [] : parsed.faults).filter(
    ({ severity, code }) => severity === 'error' && code !== 'NO_VALIDATORS',
  )
  return faults.length > 0 ? faults : await contractFaults(genesis)
}
