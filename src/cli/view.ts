// `quorate view`: a read-only handler, run by one node.
import { ARGUMENTS_HELP, resolveArguments } from './arguments.ts'
import { define, type Run } from './command.ts'
import { cell } from './table.ts'

export function viewCommand(run: Run) {
  return define(run, 'view <contract> <method> [json]', 'run a read-only method of a contract', {
    needs: ['node', 'keystore'],
    set: (command) => command.addHelpText('after', ARGUMENTS_HELP),
    async handle(context, [contract, method, json]) {
      const args = await resolveArguments(context, json)
      const { createReader } = await import('../client/reader.ts')
      const { rememberHeights } = await import('./heights.ts')
      const nodes = await context.nodes()
      const heights = await rememberHeights(context, nodes)
      const answer = await createReader(nodes).view(contract!, method!, args)
      await heights.save()
      context.print(answer, cell(answer.result))
    },
  })
}
