// Imports a file and is killed on the way, at the height given.
import { readFileSync } from 'node:fs'
import { importBlocks } from '../../src/audit/import.ts'
import { genesisCodec } from '../../src/types/epoch.ts'
import { decode } from '../../src/types/schema.ts'

const [directory, file, genesisFile, last] = process.argv.slice(2) as [string, string, string, string]
const genesis = decode(genesisCodec, new Uint8Array(readFileSync(genesisFile)))
const onProgress = ({ height }: { height: number }) => {
  if (height === Number(last)) process.kill(process.pid, 'SIGKILL')
}
await importBlocks({ directory, genesis, file, historyBlocks: 100, workers: 1, onProgress })
