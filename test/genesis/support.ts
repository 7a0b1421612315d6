// A sound genesis document with four validators, to be spoiled by tests.
import { addressOf } from '../../src/crypto/address.ts'
import { publicKeyOf } from '../../src/crypto/ed25519.ts'
import { createGenesis, formatGenesis } from '../../src/genesis/document.ts'
import type { Genesis } from '../../src/types/epoch.ts'
import { toHex } from '../../src/types/hex.ts'

const keyOf = (index: number) => publicKeyOf(new Uint8Array(32).fill(index))
export const ENGINE_HASH = 'e1'.repeat(32)
export const ALICE = addressOf(keyOf(101))
export const BOB = addressOf(keyOf(102))

export const validatorOf = (index: number) => {
  return { name: `node-${index}`, key: toHex(keyOf(index)), log: toHex(new Uint8Array(32).fill(index)) }
}

export function soundGenesis(): Genesis {
  return createGenesis({
    chainId: 'harbour',
    engineHash: ENGINE_HASH,
    time: Date.parse('2026-01-31T12:00:00Z'),
    validators: [1, 2, 3, 4].map(validatorOf),
    parameters: { deploy: 'role:deployer' },
    roles: [{ role: 'deployer', accounts: [ALICE, 'contract:token'] }],
    contracts: [
      { name: 'token', code: 'export default {}', init: { owner: ALICE, balances: [['x', 1]] }, owner: ALICE },
    ],
  })
}

/** The readable document as a plain value, changed as told, as text again. */
// biome-ignore lint/suspicious/noExplicitAny: tests spoil the document in ways its type forbids.
export function spoiled(change: (document: any) => void): string {
  const document = JSON.parse(formatGenesis(soundGenesis()))
  change(document)
  return JSON.stringify(document)
}
