// A process of its own, run under a file size limit: commits blocks until one cannot be written, and tells what it then found.
import { randomBytes } from 'node:crypto'
import { openLedger } from '../../src/ledger/ledger.ts'
import { createChain, GENESIS } from './chain.ts'

const ledger = await openLedger({ directory: process.argv[2]!, genesisHash: GENESIS, tree: true })
const chain = createChain(ledger)
const attempt = () => chain.commit([['token\0a', JSON.stringify(randomBytes(20_000).toString('hex'))]])
const BLOCKS_MAX = 1_000
let rootBefore = ''
for (let height = 0; height < BLOCKS_MAX; height++) {
  rootBefore = ledger.rootAfter(new Map())
  const failure = await attempt().then(
    () => undefined,
    (error: Error) => error,
  )
  if (failure === undefined) continue
  const second = await attempt().catch((error: Error) => error.message)
  const rootAfterFailure = ledger.rootAfter(new Map())
  process.stdout.write(
    JSON.stringify({ failed: height, message: failure.message, rootBefore, rootAfterFailure, second }),
  )
  break
}
await ledger.close()
