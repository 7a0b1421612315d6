// `quorate tx send`: sign, submit, wait for the certified receipt, verify it, print it.
import { ARGUMENTS_HELP, resolveArguments } from './arguments.ts'
import { define, type Run } from './command.ts'
import { addSendingOptions, type SendingOptions, sendCall } from './sending.ts'

const HELP = `
The exit code is 0 when the receipt is ok, 1 when it is not or when none came in time; the transaction may then still run:
look again with \`quorate tx show ID\`. Sent bytes are only ever sent again as they are, so nothing runs twice.

  quorate tx send token transfer '{"to":"@bob","amount":"5"}' --from alice`

export function sendCommand(run: Run) {
  return define<SendingOptions>(
    run,
    'send <contract> <method> [json]',
    'send a call and wait for its certified receipt',
    {
      needs: ['node', 'keystore', 'from', 'passphrase'],
      set: (command) => addSendingOptions(command).addHelpText('after', ARGUMENTS_HELP).addHelpText('after', HELP),
      async handle(context, [contract, method, json], options) {
        const args = await resolveArguments(context, json)
        return await sendCall(context, { contract: contract!, method: method!, args }, options)
      },
    },
  )
}
