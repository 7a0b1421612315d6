// A process of its own, run under a file size limit: tries to make a backup and tells what it then found.
import { readdir } from 'node:fs/promises'
import { backUp, type Chain } from './support.ts'

const [chain, root] = [JSON.parse(process.argv[2]!) as Chain, process.argv[3]!]
const { code, message } = await backUp(chain, root).then(
  () => new Error('none') as NodeJS.ErrnoException,
  (error: NodeJS.ErrnoException) => error,
)
process.stdout.write(JSON.stringify({ code, message, left: await readdir(root) }))
