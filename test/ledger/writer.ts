// A process of its own that commits blocks until it is killed; ledger.test.ts kills it.
import { openLedger } from '../../src/ledger/ledger.ts'
import { createChain, GENESIS, name } from './chain.ts'

const ledger = await openLedger({
  directory: process.argv[2]!,
  genesisHash: GENESIS,
  tree: true,
  historyBlocks: 5,
  twigLeaves: 2,
})
const chain = createChain(ledger)
const head = ledger.head()
if (head !== undefined) {
  chain.hashes.length = head.height
  chain.hashes.push(head.blockHash)
}
for (;;) {
  const height = chain.hashes.length
  const writes = Array.from({ length: 100 }, (_, n): [string, string] => [`token\0${n}`, String(height)])
  const sent = Array.from({ length: 50 }, (_, n) => ({
    id: name(height * 100 + n),
    sender: name(n),
    nonce: height,
    contract: 'token',
  }))
  await chain.commit(writes, sent)
  if (height === (head?.height ?? -1) + 2) process.stdout.write('committing\n')
}
