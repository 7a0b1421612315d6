// Arguments of calls and views: JSON as typed, with one convenience. A string that is exactly "@NAME" stands for the address of the
// key NAME in the keystore; "@@NAME" stands for the text "@NAME".
import type { Context } from './context.ts'
import { CliError, usage } from './error.ts'

const STRING_TOKEN = /"(?:[^"\\]|\\.)*"/g
const KEY_REFERENCE = /^"@([a-z0-9][a-z0-9-]{0,63})"$/
const ESCAPED_REFERENCE = /^"@@[a-z0-9][a-z0-9-]{0,63}"$/

export const ARGUMENTS_HELP = `
JSON is the method's argument, {} unless given. A string "@NAME" in it stands for the address of the key NAME in the
keystore, so '{"to":"@bob","amount":"5"}' needs no address looked up; write "@@bob" for the text itself.`

/** The JSON text to send. Everything but the references stays as it was typed, numbers of any length included. */
export async function resolveArguments(context: Context, text: string | undefined): Promise<string> {
  const typed = text ?? '{}'
  try {
    JSON.parse(typed)
  } catch (cause) {
    const reason = (cause as Error).message
    throw usage(`the arguments are not JSON (${reason}): quote them for the shell, like '{"to":"@bob","amount":"5"}'`)
  }
  const names = new Set<string>()
  for (const [token] of typed.matchAll(STRING_TOKEN)) {
    const name = KEY_REFERENCE.exec(token)?.[1]
    if (name !== undefined) names.add(name)
  }
  const addresses = new Map<string, string>()
  for (const name of names) addresses.set(name, await addressOfKey(context, name))
  return typed.replace(STRING_TOKEN, (token) => {
    const name = KEY_REFERENCE.exec(token)?.[1]
    if (name !== undefined) return `"${addresses.get(name)}"`
    return ESCAPED_REFERENCE.test(token) ? `"${token.slice(2)}` : token
  })
}

/** An address as typed, or that of the key @NAME. */
export async function resolveAccount(context: Context, text: string): Promise<string> {
  if (text.startsWith('@')) return await addressOfKey(context, text.slice(1))
  const { isAddress } = await import('../crypto/address.ts')
  if (isAddress(text)) return text
  throw usage(`"${text}" is no address: expected qr1 and 58 more characters with a right checksum, or @NAME of a key`)
}

async function addressOfKey({ keystore }: Context, name: string): Promise<string> {
  const { KeystoreError, showKey } = await import('../crypto/keystore.ts')
  try {
    return (await showKey(keystore, name)).address
  } catch (cause) {
    if (!(cause instanceof KeystoreError) || cause.code !== 'KEY_UNKNOWN') throw cause
    const mend = 'create it, name another keystore with --keystore, or write "@@" for a text that starts with "@"'
    throw new CliError('KEY_UNKNOWN', `@${name} names no key in ${keystore}: ${mend}`, { cause })
  }
}
