// `quorate account`: one account's nonce and roles.

import { resolveAccount } from './arguments.ts'
import { define, type Run } from './command.ts'
import { fields } from './table.ts'

export function accountCommand(run: Run) {
  return define(run, 'account <address>', "show an account's nonce and roles; @NAME stands for a key's address", {
    needs: ['node', 'keystore'],
    async handle(context, [account]) {
      const address = await resolveAccount(context, account!)
      const nodes = await context.nodes()
      const answer = (await nodes.read(`/v1/accounts/${encodeURIComponent(address)}`)) as Record<string, unknown>
      const roles = answer.roles as string[]
      context.print(
        answer,
        fields([
          ['address', answer.address],
          ['nonce', answer.nonce],
          ['pending nonce', answer.pendingNonce],
          ['roles', roles.length === 0 ? '-' : roles.join(', ')],
        ]),
      )
    },
  })
}
