// A process of its own that reads a ledger whose table file has one byte flipped, one place after the other, and says what came of it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openLedger } from '../../src/ledger/ledger.ts'
import { GENESIS } from './chain.ts'
import { DAMAGE_STEP } from './damage.ts'

const [directory, whole, from, hash] = process.argv.slice(2) as [string, string, string, string]
const table = readdirSync(whole).find((file) => file.endsWith('.ldb'))!
const bytes = readFileSync(join(whole, table))

async function read(): Promise<string> {
  const ledger = await openLedger({ directory, genesisHash: GENESIS, tree: true })
  try {
    const value = ledger.getState('token\0a')
    const block = await ledger.block(2)
    if ((await ledger.check()).length > 0) return 'noticed'
    const { siblings } = await ledger.proveState(2, 'token\0a')
    return value === '"value 2"' && block?.blockHash === hash && siblings.length === 0 ? 'right' : 'wrong'
  } finally {
    await ledger.close()
  }
}

for (let at = Number(from); at < bytes.length - 60; at += DAMAGE_STEP) {
  const flipped = Buffer.from(bytes)
  flipped[at]! ^= 0x10
  await rm(directory, { recursive: true })
  await cp(whole, directory, { recursive: true })
  writeFileSync(join(directory, table), flipped)
  const verdict = await read().catch((error: { code?: string }) =>
    error.code === 'LEDGER_DAMAGED' ? 'noticed' : `${error}`,
  )
  process.stdout.write(`${JSON.stringify({ at, verdict })}\n`)
}
