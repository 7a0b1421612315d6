// `quorate contract new`: a folder to start from.
import { define, type Run } from './command.ts'
import { checkContractName } from './contract-name.ts'

export function newCommand(run: Run) {
  return define<{ dir?: string }>(run, 'new <name>', 'make a folder with a contract that builds, tests and deploys', {
    set: (command) =>
      command
        .option('--dir <dir>', 'the folder to make (default: the name, in the working directory)')
        .addHelpText(
          'after',
          '\nThe folder holds index.ts, its test, a package.json and a README with the commands. Nothing is overwritten.',
        ),
    async handle(context, [name], { dir }) {
      checkContractName(name!)
      const folder = dir ?? name!
      const { createContractFolder } = await import('../contract/scaffold.ts')
      const files = await createContractFolder(name!, folder)
      const next = `Made ${folder} with ${files.join(', ')}.\nNext: cd ${folder} && npm install && npm test`
      context.print({ name, folder, files }, next)
    },
  })
}
