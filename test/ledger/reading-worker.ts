// A thread that reads two values synchronously while another thread writes both in each block; sync-reader.test.ts runs it.
import { parentPort, workerData } from 'node:worker_threads'
import { createSyncReader } from '../../src/ledger/sync-reader.ts'

const reader = await createSyncReader(workerData)
const seen = new Set<string>()
let torn = 0
for (let round = 0; round < 500; round++) {
  const [a, b] = reader.scan('latest', 'token\0', undefined, 10)
  if (a![1] !== b![1]) torn++
  seen.add(a![1])
}
await reader.close()
parentPort!.postMessage({ torn, distinct: seen.size })
