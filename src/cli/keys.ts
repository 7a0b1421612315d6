// `quorate keys`: the keystore of accounts that people and programs sign with.
import type { KeyProtection } from '../crypto/keystore.ts'
import { define, group, type Run } from './command.ts'
import type { Context } from './context.ts'
import { CliError, usage } from './error.ts'
import { readTextFile } from './io.ts'
import { fields, table } from './table.ts'

interface ProtectionOptions {
  unencrypted?: boolean
}

export function keysCommands(run: Run) {
  return group('keys', 'create and look at keys', [
    createCommand(run),
    listCommand(run),
    showCommand(run),
    importCommand(run),
    exportCommand(run),
  ])
}

const UNENCRYPTED = 'write the key without a passphrase: whoever reads the file can sign'

function createCommand(run: Run) {
  return define<ProtectionOptions>(run, 'create <name>', 'make a new key', {
    needs: ['keystore', 'passphrase'],
    set: (command) => command.option('--unencrypted', UNENCRYPTED),
    async handle(context, [name], options) {
      const { createKey } = await import('../crypto/keystore.ts')
      await refuseKnown(context, name!)
      const entry = await createKey(context.keystore, name!, await protectionOf(context, name!, options))
      context.print(entry, keyText(entry))
    },
  })
}

function listCommand(run: Run) {
  return define(run, 'list', 'list the keys', {
    needs: ['keystore'],
    async handle(context) {
      const { listKeys } = await import('../crypto/keystore.ts')
      const keys = await listKeys(context.keystore)
      const rows = keys.map(({ name, address }) => [name, address])
      context.print({ keys }, keys.length === 0 ? `no keys in ${context.keystore}` : table(['name', 'address'], rows))
    },
  })
}

function showCommand(run: Run) {
  return define(run, 'show <name>', 'show a key: name, address and public key', {
    needs: ['keystore'],
    async handle(context, [name]) {
      const { showKey } = await import('../crypto/keystore.ts')
      const entry = await knownKey(context, name!, () => showKey(context.keystore, name!))
      context.print(entry, keyText(entry))
    },
  })
}

function importCommand(run: Run) {
  return define<ProtectionOptions & { seedFile?: string }>(
    run,
    'import <name>',
    'take in a key from its 32-byte seed in hexadecimal',
    {
      needs: ['keystore', 'passphrase'],
      set: (command) =>
        command
          .option('--seed-file <file>', 'read the seed from a file; without it, from standard input')
          .option('--unencrypted', UNENCRYPTED)
          .addHelpText(
            'after',
            '\nThe seed is 64 hexadecimal digits, as `quorate keys export` prints it. It is never taken from the command line,\nwhere other users could read it.',
          ),
      async handle(context, [name], options) {
        const { importKey } = await import('../crypto/keystore.ts')
        await refuseKnown(context, name!)
        const seed = await readSeed(context, options.seedFile)
        const entry = await importKey(context.keystore, name!, seed, await protectionOf(context, name!, options))
        context.print(entry, keyText(entry))
      },
    },
  )
}

function exportCommand(run: Run) {
  return define(run, 'export <name>', 'print a key with its secret seed: whoever has it can sign', {
    needs: ['keystore', 'passphrase'],
    async handle(context, [name]) {
      const { exportKey } = await import('../crypto/keystore.ts')
      const passphrase = await passphraseIfSealed(context, name!)
      const entry = await knownKey(context, name!, () => exportKey(context.keystore, name!, passphrase))
      // The seed alone, so that it can be piped into `keys import`.
      context.print(entry, entry.seed)
    },
  })
}

/** Asked before a passphrase is typed, not after. */
async function refuseKnown({ keystore }: Context, name: string): Promise<void> {
  const { KeystoreError, showKey } = await import('../crypto/keystore.ts')
  try {
    await showKey(keystore, name)
  } catch (error) {
    if (error instanceof KeystoreError && error.code === 'KEY_UNKNOWN') return
    throw error
  }
  throw new CliError('KEY_EXISTS', `key "${name}" is in ${keystore} already and was left as it is: choose another name`)
}

async function protectionOf(
  { io, options }: Context,
  name: string,
  { unencrypted }: ProtectionOptions,
): Promise<KeyProtection> {
  if (unencrypted) return { unencrypted: true }
  const { choosePassphrase } = await import('./passphrase.ts')
  return { passphrase: await choosePassphrase({ io, file: options.passphraseFile }, name) }
}

async function passphraseIfSealed(context: Context, name: string): Promise<string | undefined> {
  const { KeystoreError, loadKey } = await import('../crypto/keystore.ts')
  try {
    await loadKey(context.keystore, name)
    return undefined
  } catch (error) {
    if (!(error instanceof KeystoreError) || error.code !== 'PASSPHRASE_NEEDED') return undefined
    const { askPassphrase } = await import('./passphrase.ts')
    return await askPassphrase({ io: context.io, file: context.options.passphraseFile }, name)
  }
}

/** The keystore names the file; people named a key. */
async function knownKey<T>({ keystore }: Context, name: string, look: () => Promise<T>): Promise<T> {
  const { KeystoreError } = await import('../crypto/keystore.ts')
  try {
    return await look()
  } catch (cause) {
    if (!(cause instanceof KeystoreError) || cause.code !== 'KEY_UNKNOWN') throw cause
    const mend = '`quorate keys list` shows the keys, --keystore names another folder'
    throw new CliError('KEY_UNKNOWN', `there is no key "${name}" in ${keystore}: ${mend}`, { cause })
  }
}

async function readSeed({ io }: Context, file: string | undefined): Promise<Uint8Array> {
  if (file === undefined && io.terminal !== undefined)
    throw usage('no seed was given: pipe it in, or name a file with --seed-file')
  const text = (file === undefined ? await io.readInput() : await readTextFile(file)).trim()
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(Buffer.from(text, 'hex'))
  throw new CliError(
    'SEED_INVALID',
    `${file ?? 'standard input'} holds no seed: expected 64 hexadecimal digits, got ${text.length} characters`,
  )
}

function keyText({ name, address, publicKey }: { name: string; address: string; publicKey: string }): string {
  return fields([
    ['name', name],
    ['address', address],
    ['public key', publicKey],
  ])
}
