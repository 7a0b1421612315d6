// GET /v1/accounts/{address}.
import { parseAddress } from '../../crypto/address.ts'
import { toHex } from '../../types/hex.ts'
import { awaitAskedHeight, type Routes } from '../context.ts'
import { ACCOUNT_ROLES_MAX } from '../limits.ts'
import type { StateReader } from '../port.ts'
import { address, answers, listOf, object, path, READ_CODES, readQuery } from '../schemas.ts'
import { badAddress } from './transactions.ts'

const nonceSchema = { type: 'integer', minimum: 0 }

export const accountRoutes: Routes = (app, context) => {
  const { node, gates } = context

  app.get<{ Params: { address: string } }>('/v1/accounts/:address', {
    preHandler: awaitAskedHeight(context),
    schema: {
      summary: 'One account',
      description: '`nonce` is the next by certified state, `pendingNonce` the next when what is pending here has run.',
      params: path({ address }),
      querystring: readQuery(),
      response: answers(
        { 200: object({ address, nonce: nonceSchema, pendingNonce: nonceSchema, roles: listOf({ type: 'string' }) }) },
        ...READ_CODES,
      ),
    },
    handler: ({ params }) => gates.reads.run(() => readAccount(params.address)),
  })

  async function readAccount(account: string) {
    const key = parseAddress(account)
    if (key === undefined) throw badAddress(account)
    const sender = toHex(key)
    const state = node.ledger.stateAt(node.ledger.certifiedHeight())
    const nonce = Number((await state.get(`system\0nonce/${sender}`)) ?? 0)
    const pendingNonce = Math.max(nonce, node.pendingNonce(sender))
    return { address: account, nonce, pendingNonce, roles: await rolesOf(state, account) }
  }
}

const ROLES = 'system\0role/'

/**
 * Roles are kept as role/ROLE/ACCOUNT, so this goes from role to role instead of over every holder. Accounts begin with `contract:`
 * or `qr1`; what follows those in a role's keys may be roles whose names continue this one's after a slash.
 */
async function rolesOf(state: StateReader, account: string): Promise<string[]> {
  const roles: string[] = []
  let after: string | undefined
  for (let visited = 0; visited < ACCOUNT_ROLES_MAX; visited++) {
    const [entry] = await state.scan(ROLES, after, 1)
    if (entry === undefined) break
    const [key] = entry
    const slash = key.lastIndexOf('/')
    const role = key.slice(ROLES.length, slash)
    const holder = key.slice(slash + 1)
    if (!roles.includes(role) && (await state.get(`${ROLES}${role}/${account}`)) !== undefined) roles.push(role)
    const rest = ['contract:', 'qr1'].find((start) => holder.startsWith(start))
    after = rest === undefined ? key : `${key.slice(0, slash + 1)}${rest}${LAST}`
  }
  return roles.sort()
}

/** Sorts after every character an account may have. */
const LAST = '\u{10ffff}'
