// Evidence as it is stored: by epoch and validator.
import { type Evidence, evidenceCodec } from '../types/evidence.ts'
import { decode, encode } from '../types/schema.ts'
import { evidenceKey, kindRange } from './keys.ts'
import type { Operation, Store } from './store.ts'

export const evidenceOperation = (evidence: Evidence): Operation => ({
  type: 'put',
  key: evidenceKey(evidence),
  value: encode(evidenceCodec, evidence),
})

export async function readEvidence(store: Store): Promise<Evidence[]> {
  const found: Evidence[] = []
  const cursor = store.cursor(kindRange('evidence'))
  try {
    for (let entry = await cursor.next(); entry !== undefined; entry = await cursor.next())
      found.push(decode(evidenceCodec, entry[1]))
  } finally {
    await cursor.close()
  }
  return found
}
