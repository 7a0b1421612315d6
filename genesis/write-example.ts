// Writes genesis/example.json: four validators with made-up keys, the shipped token. Run it after a change to the contract engine,
// the parameters or the token; test/genesis/example.test.ts says when.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bundleContract } from '../src/contract/bundle.ts'
import { addressOf } from '../src/crypto/address.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { createKeyPair } from '../src/crypto/signer.ts'
import { engineHash } from '../src/execution/engine-hash.ts'
import { createGenesis, formatGenesis } from '../src/genesis/document.ts'
import { toHex } from '../src/types/hex.ts'

const seedOf = (text: string) => sha256(new TextEncoder().encode(`quorate example ${text}`))

/** Nobody may use these keys for anything: their seeds are the hashes of the texts in this file. */
export async function exampleGenesis(): Promise<string> {
  const validators = ['lisbon', 'nairobi', 'osaka', 'quito'].map((name) => {
    return { name, key: toHex(createKeyPair(seedOf(name)).publicKey), log: toHex(seedOf(`log of ${name}`)) }
  })
  const treasury = addressOf(createKeyPair(seedOf('treasury')).publicKey)
  const { code } = await bundleContract(fileURLToPath(new URL('../contracts/token', import.meta.url)))
  const genesis = createGenesis({
    chainId: 'example',
    engineHash: engineHash(),
    time: Date.UTC(2026, 0, 1),
    validators,
    parameters: { deploy: 'role:deployer' },
    roles: [{ role: 'deployer', accounts: [treasury] }],
    contracts: [
      { name: 'token', code, init: { owner: treasury, balances: { [treasury]: '1000000' } }, owner: treasury },
    ],
  })
  return formatGenesis(genesis)
}

if (import.meta.main) await writeFile(new URL('example.json', import.meta.url), await exampleGenesis())
