// The process behind the `quorate` command.
import { processIo, runCli } from './cli/index.ts'

// Not process.exit: output that is still on its way to a pipe must arrive.
process.exitCode = await runCli(process.argv.slice(2), processIo())
