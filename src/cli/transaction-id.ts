// Ids of transactions, refused before any node is asked.
import { usage } from './error.ts'

export function checkTransactionId(id: string): void {
  if (/^[0-9a-f]{64}$/.test(id)) return
  throw usage(`"${id}" is no transaction id: give 64 lower-case hexadecimal digits`)
}
