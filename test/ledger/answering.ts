// Asks a ledger everything in a process of its own, as LevelDB may end the process over a damaged block: prints what was answered
// otherwise than by the model, and what was refused.
import { readFile } from 'node:fs/promises'
import { openWholeLedger } from '../../src/ledger/opening.ts'
import { differences, imageOf, refusals } from './image.ts'

const [directory, genesisHash, modelFile] = process.argv.slice(2)
const { head, answers } = JSON.parse(await readFile(modelFile!, 'utf8'))
const model = { head, answers: new Map(answers) as never }
const ledger = await openWholeLedger({ directory: directory!, genesisHash: genesisHash!, tree: true })
const found = await imageOf(ledger, model)
process.stdout.write(JSON.stringify({ differences: differences(model, found), refusals: refusals(found) }))
await ledger.close()
