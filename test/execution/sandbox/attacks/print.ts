// Runs every attack in a process of its own and prints what became of it: `node [V8 flags] print.ts`.
import { createSandbox } from '../../../../src/execution/sandbox/index.ts'
import { attacks } from './list.ts'
import { pinOf, runAttack } from './run.ts'

const sandbox = createSandbox()
const pins = attacks.map((attack) => [attack.name, pinOf(runAttack(sandbox, attack))])
process.stdout.write(JSON.stringify(Object.fromEntries(pins)))
