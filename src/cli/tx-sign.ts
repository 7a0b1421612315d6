// `quorate tx sign`: the first of two steps, for keys kept on a machine without a network.

import type { Call } from '../client/send.ts'
import type { Signer, TransactionFields } from '../client/transaction.ts'
import { ARGUMENTS_HELP, resolveArguments } from './arguments.ts'
import { define, type Run } from './command.ts'
import type { Context } from './context.ts'
import { wholeNumber } from './number.ts'
import { connectTo, genesisHashOption } from './sending.ts'

interface SignOptions {
  gas?: number
  expires?: number
  nonce?: number
  genesisHash?: string
}

const HELP = `
With --genesis-hash, --nonce, --gas and --expires nothing is asked of any node; what is missing of them is asked of --node.
The output is the signed transaction in base64, for \`quorate tx submit\`.

  quorate tx sign token transfer '{"to":"qr1…","amount":"5"}' --from alice \\
    --genesis-hash 4b1f… --nonce 0 --gas 3000000 --expires 1000 > signed.txt
  quorate tx submit signed.txt`

export function signCommand(run: Run) {
  return define<SignOptions>(run, 'sign <contract> <method> [json]', 'sign a call and print it, without sending it', {
    needs: ['node', 'keystore', 'from', 'passphrase'],
    set: (command) =>
      command
        .option('--nonce <nonce>', "the sender's nonce", wholeNumber(0))
        .option('--gas <gas>', 'gas limit', wholeNumber(1))
        .option('--expires <height>', 'last height at which it may run', wholeNumber(1))
        .addOption(genesisHashOption())
        .addHelpText('after', ARGUMENTS_HELP)
        .addHelpText('after', HELP),
    async handle(context, [contract, method, json], options) {
      const args = await resolveArguments(context, json)
      const call = { contract: contract!, method: method!, args }
      const key = await context.signer()
      const [{ signTransaction }, { toBase64 }] = await Promise.all([
        import('../client/transaction.ts'),
        import('../light/base64.ts'),
      ])
      const { id, wire } = await signTransaction(key, await fieldsOf(context, key, call, options))
      const tx = toBase64(wire)
      context.print({ id, tx }, tx)
    },
  })
}

async function fieldsOf(context: Context, key: Signer, call: Call, options: SignOptions): Promise<TransactionFields> {
  const { genesisHash: network, nonce, gas: gasLimit, expires } = options
  if (network !== undefined && nonce !== undefined && gasLimit !== undefined && expires !== undefined) {
    return { network, nonce, gasLimit, expires, ...call }
  }
  const { client } = await connectTo(context, network)
  return await client.parts.sender.prepare(key, call, { nonce, gasLimit, expires })
}
