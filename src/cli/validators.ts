// `quorate validators`: who votes.
import { define, type Run } from './command.ts'
import { wholeNumber } from './number.ts'
import { table } from './table.ts'

export function validatorsCommand(run: Run) {
  return define<{ height?: number }>(run, 'validators', 'show who votes', {
    needs: ['node'],
    set: (command) => command.option('--height <height>', 'the set that certifies this height', wholeNumber(0)),
    async handle(context, _, { height }) {
      const nodes = await context.nodes()
      const answer = (await nodes.read('/v1/validators', { height })) as ValidatorsAnswer
      const rows = answer.validators.map(({ name, key }) => [name, key])
      const quorum = answer.quorum === undefined ? '' : `, ${answer.quorum} of ${rows.length} make a quorum`
      context.print(answer, `epoch ${answer.epoch}${quorum}\n${table(['name', 'key'], rows)}`)
    },
  })
}

interface ValidatorsAnswer {
  epoch: number
  quorum?: number
  validators: { name: string; key: string }[]
}
