// What every command has: the common options resolved, a way to print, the keystore, and the node to ask.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Nodes } from '../client/nodes.ts'
import type { Signer } from '../client/transaction.ts'
import { CliError, usage } from './error.ts'
import type { Io } from './io.ts'

export const DEVNET_FOLDER = join('.quorate', 'devnet')
export const DEFAULT_NODE = 'http://127.0.0.1:4600'

/** The options that every command knows, as they were given. */
export interface CommonOptions {
  json?: boolean
  debug?: boolean
  node?: string
  keystore?: string
  from?: string
  passphraseFile?: string
}

export interface Context {
  readonly io: Io
  readonly json: boolean
  readonly options: CommonOptions
  /** URLs of the nodes to ask, the preferred one first. */
  readonly endpoints: string[]
  readonly keystore: string
  /** One JSON document with --json, the text otherwise. */
  print(document: unknown, text: string): void
  /** Progress, on stderr. */
  note(text: string): void
  /** Reads from the nodes. */
  nodes(): Promise<Nodes>
  /** The key named by --from, ready to sign. */
  signer(): Promise<Signer & { name: string; address: string }>
}

export function createContext(io: Io, options: CommonOptions): Context {
  const json = options.json ?? false
  const endpoints = (options.node ?? (io.env.QUORATE_NODE || DEFAULT_NODE)).split(',').map((url) => url.trim())
  const keystore = options.keystore ?? (io.env.QUORATE_KEYSTORE || defaultKeystore())
  const context: Context = {
    io,
    json,
    options,
    endpoints,
    keystore,
    print: (document, text) => io.out(`${json ? JSON.stringify(document) : text}\n`),
    note: (text) => io.err(`${text}\n`),
    async nodes() {
      const { createNodes } = await import('../client/nodes.ts')
      return createNodes({ endpoints })
    },
    signer: () => loadSigner(context),
  }
  return context
}

function defaultKeystore(): string {
  const devnet = join(DEVNET_FOLDER, 'keystore')
  return existsSync(devnet) ? devnet : join(homedir(), '.quorate', 'keystore')
}

async function loadSigner({ io, options, keystore }: Context) {
  const name = options.from
  if (name === undefined)
    throw usage('no key was named to sign with: add --from KEYNAME; `quorate keys list` shows the keys')
  const { KeystoreError, loadKey } = await import('../crypto/keystore.ts')
  try {
    return await loadKey(keystore, name)
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error
    if (error.code === 'KEY_UNKNOWN') {
      const mend = 'create it with `quorate keys create`, or name another keystore with --keystore'
      throw new CliError('KEY_UNKNOWN', `there is no key "${name}" in ${keystore}: ${mend}`, { cause: error })
    }
    if (error.code !== 'PASSPHRASE_NEEDED') throw error
  }
  const { askPassphrase } = await import('./passphrase.ts')
  return await loadKey(keystore, name, await askPassphrase({ io, file: options.passphraseFile }, name))
}
