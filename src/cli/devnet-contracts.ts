// What a devnet's block 0 deploys: every shipped contract, named as its folder, ready to be tried out by the devnet's keys.
import { fileURLToPath } from 'node:url'
import type { GenesisParts } from '../genesis/document.ts'

type Name = keyof typeof INITS
type AddressOf = (name: 'alice' | 'bob' | 'admin') => string

/** Beside src/ in a checkout and beside dist/ once published. */
const SOURCES = new URL('../../contracts/', import.meta.url)
const ALICE_BALANCE = '1000000'

/** In the order of their deployment: the shop asks the token at its init. Without an owner, anyone may acquire locks. */
const INITS = {
  token: (addressOf: AddressOf) => ({
    owner: addressOf('admin'),
    balances: { [addressOf('alice')]: ALICE_BALANCE },
  }),
  kv: () => null,
  lock: () => null,
  registry: () => null,
  stream: () => null,
  shop: (addressOf: AddressOf) => ({ owner: addressOf('admin'), token: 'token' }),
  escrow: () => null,
  multisig: (addressOf: AddressOf) => ({
    owners: [addressOf('alice'), addressOf('bob'), addressOf('admin')],
    threshold: 2,
  }),
}
const NAMES = Object.keys(INITS) as Name[]

/** The code of each. */
export async function bundleShipped(): Promise<ReadonlyMap<Name, string>> {
  const { bundleContract } = await import('../contract/bundle.ts')
  const bundles = await Promise.all(NAMES.map((name) => bundleContract(fileURLToPath(new URL(name, SOURCES)))))
  return new Map(NAMES.map((name, index) => [name, bundles[index]!.code]))
}

/** As a genesis document has them. They are the admin's to upgrade. */
export function shippedContracts(
  codes: ReadonlyMap<Name, string>,
  addressOf: AddressOf,
): NonNullable<GenesisParts['contracts']> {
  const owner = addressOf('admin')
  return NAMES.map((name) => ({ name, code: codes.get(name)!, init: INITS[name](addressOf), owner }))
}
