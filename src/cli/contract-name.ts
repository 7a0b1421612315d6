// Names of contracts, refused before anything is built, signed or made.
import { CONTRACT_NAME } from '../types/transaction.ts'
import { usage } from './error.ts'

export function checkContractName(name: string): void {
  if (CONTRACT_NAME.test(name) && name !== 'system') return
  throw usage(
    `"${name}" cannot name a contract: use 2 to 40 lower-case letters, digits and hyphens, a letter first, and not "system"`,
  )
}
