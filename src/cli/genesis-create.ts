// `quorate genesis create`: a document from its parts. Paths are input only: the document holds the contracts' code itself.
import { readFile } from 'node:fs/promises'
import type { GenesisParts } from '../genesis/document.ts'
import { resolveAccount, resolveArguments } from './arguments.ts'
import { collect, define, type Run } from './command.ts'
import type { Context } from './context.ts'
import { CliError, usage } from './error.ts'
import { readEntry, writeDocument } from './genesis-file.ts'

interface CreateOptions {
  chainId: string
  time?: string
  validator?: string[]
  parameter?: string[]
  role?: string[]
  contract?: string[]
  owner?: string[]
  init?: string[]
  out?: string
}

const HELP = `
The parts that name something are NAME=VALUE and may be given more than once:

  quorate genesis create --chain-id example --validator org1.json --validator org2.json \\
    --contract token=contracts/token --owner token=@admin --init token='{"owner":"@admin"}' \\
    --parameter batchDelayMs=50 --role deployer=@admin --out genesis.json`

export function createCommand(run: Run) {
  return define<CreateOptions>(run, 'create', 'make a genesis document from its parts', {
    needs: ['keystore'],
    set: (command) =>
      command
        .requiredOption('--chain-id <name>', 'the name of the network')
        .option('--time <time>', 'time of block 0, RFC 3339 in UTC (default: now)')
        .option(
          '--validator <entry>',
          "a validator's public entry, as `quorate init --json` printed it: a file or the JSON",
          collect,
        )
        .option('--parameter <name=value>', 'a parameter other than its default', collect)
        .option('--role <role=account>', 'gives an account a role', collect)
        .option('--contract <name=path>', 'a contract deployed in block 0: its folder or file', collect)
        .option('--owner <name=account>', 'who may upgrade that contract', collect)
        .option('--init <name=json>', "the argument of that contract's init", collect)
        .option('--out <file>', 'write the document there; without it, to standard output')
        .addHelpText('after', HELP),
    async handle(context, _, options) {
      const [{ addValidator, createGenesis, describeFault }, { draftFaults }, { engineHash }] = await Promise.all([
        import('../genesis/document.ts'),
        import('./genesis-faults.ts'),
        import('../execution/engine-hash.ts'),
      ])
      let genesis = createGenesis({
        chainId: options.chainId,
        engineHash: engineHash(),
        time: timeOf(options.time),
        parameters: parametersOf(options.parameter ?? []),
        roles: await rolesOf(context, options.role ?? []),
        contracts: await contractsOf(context, options),
      })
      for (const given of options.validator ?? []) {
        const added = addValidator(genesis, await readEntry(context, given))
        if (!added.ok) throw new CliError('GENESIS_INVALID', `${given}: ${added.faults.map(describeFault).join('; ')}`)
        genesis = added.genesis
      }
      const faults = await draftFaults(genesis, engineHash())
      if (faults.length > 0)
        throw new CliError('GENESIS_INVALID', `no document was made: ${faults.map(describeFault).join('; ')}`)
      await writeDocument(context, genesis, options.out)
    },
  })
}

function timeOf(text: string | undefined): number {
  const time = text === undefined ? Date.now() : /Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw usage(`--time "${text}" is no time: write RFC 3339 in UTC, like 2026-01-31T12:00:00Z`)
}

function parametersOf(given: string[]): GenesisParts['parameters'] {
  const values = given.map((text) => {
    const [name, value] = splitPair('--parameter', text)
    return [name, /^\d+$/.test(value) ? Number(value) : value]
  })
  return Object.fromEntries(values) as GenesisParts['parameters']
}

async function rolesOf(context: Context, given: string[]): Promise<{ role: string; accounts: string[] }[]> {
  const roles = new Map<string, string[]>()
  for (const text of given) {
    const [role, account] = splitPair('--role', text)
    roles.set(role, [...(roles.get(role) ?? []), await accountOf(context, account)])
  }
  return [...roles].map(([role, accounts]) => ({ role, accounts }))
}

async function contractsOf(
  context: Context,
  { contract = [], owner = [], init = [] }: CreateOptions,
): Promise<GenesisParts['contracts']> {
  const owners = new Map(owner.map((text) => splitPair('--owner', text)))
  const inits = new Map(init.map((text) => splitPair('--init', text)))
  const contracts: NonNullable<GenesisParts['contracts']> = []
  for (const text of contract) {
    const [name, path] = splitPair('--contract', text)
    const account = owners.get(name)
    if (account === undefined) throw usage(`contract ${name} has no owner: add --owner ${name}=ACCOUNT`)
    const { code } = path.endsWith('.js') ? { code: await readFile(path, 'utf8') } : await bundle(path)
    const json = inits.get(name)
    contracts.push({
      name,
      code,
      owner: await accountOf(context, account),
      init: json === undefined ? undefined : JSON.parse(await resolveArguments(context, json)),
    })
    owners.delete(name)
    inits.delete(name)
  }
  const [stray] = [...owners.keys(), ...inits.keys()]
  if (stray !== undefined)
    throw usage(`--owner or --init names contract ${stray}, which no --contract gives: add --contract ${stray}=PATH`)
  return contracts
}

async function bundle(path: string) {
  const { bundleContract } = await import('../contract/bundle.ts')
  return await bundleContract(path)
}

/** A contract may own things too. */
function accountOf(context: Context, text: string): string | Promise<string> {
  return text.startsWith('contract:') ? text : resolveAccount(context, text)
}

function splitPair(option: string, text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)]
  throw usage(`${option} "${text}" is no NAME=VALUE: write both, with = between them`)
}
