// `quorate contract`: from source to deployed code.
import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { resolveArguments } from './arguments.ts'
import { define, group, type Run } from './command.ts'
import { checkCommand } from './contract-check.ts'
import { buildChecked } from './contract-gate.ts'
import { checkContractName } from './contract-name.ts'
import { newCommand } from './contract-new.ts'
import { REHEARSED_BLOCKS_MAX, rehearseUpgrade } from './contract-rehearse.ts'
import { rememberHeights } from './heights.ts'
import { wholeNumber } from './number.ts'
import { addSendingOptions, type SendingOptions, sendCall } from './sending.ts'
import { fields, shortHash, table } from './table.ts'

interface ContractDocument {
  name: string
  codeHash: string
  version: number
  owner: string
  deployedHeight: number
  updatedHeight: number
  frozen: boolean
  calls: string[]
  views: string[]
}

interface ContractWithHistory extends ContractDocument {
  history: { version: number; codeHash: string; height: number; sender: string }[]
}

interface CheckOption {
  check: boolean
}

const addCheckOption = (command: Command) =>
  command.option('--no-check', 'only warn of what the check of the source finds')

const CHECK_HELP = `PATH is a folder with index.ts, or one file. The same source gives the same bytes and hash on every machine.
It is checked first: whether it loads as a contract within its gas, uses nothing that a contract does not have, and gives the
same for the calls in the folder's samples.json under other locales, time zones and compilers.`

const SIGNING = ['node', 'keystore', 'from', 'passphrase'] as const

export function contractCommands(run: Run) {
  return group('contract', 'write, build, deploy and look at contracts', [
    newCommand(run),
    buildCommand(run),
    checkCommand(run),
    deployCommand(run),
    upgradeCommand(run),
    listCommand(run),
    showCommand(run),
  ])
}

function buildCommand(run: Run) {
  return define<CheckOption & { out?: string }>(
    run,
    'build <path>',
    'bundle a contract into the one script that is deployed',
    {
      set: (command) =>
        addCheckOption(command)
          .option('--out <file>', 'write the script to a file')
          .addHelpText('after', `\n${CHECK_HELP}`),
      async handle(context, [path], { out, check }) {
        const { code, codeHash, bytes } = (await buildChecked(context, path!, { check })).bundle
        if (out !== undefined) await writeFile(out, code)
        const summary = fields([
          ['code hash', codeHash],
          ['bytes', bytes],
          ['written to', out],
        ])
        context.print({ codeHash, bytes, ...(out === undefined ? { code } : { out }) }, summary)
      },
    },
  )
}

function deployCommand(run: Run) {
  return define<SendingOptions & CheckOption & { name: string; init?: string }>(
    run,
    'deploy <path>',
    'bundle and deploy a contract; the sender becomes its owner',
    {
      needs: [...SIGNING],
      set: (command) =>
        addSendingOptions(
          addCheckOption(command)
            .requiredOption('--name <name>', 'what the contract is called')
            .option('--init <json>', "argument of its init; '@NAME' as in tx send"),
        ),
      async handle(context, [path], options) {
        checkContractName(options.name)
        const init = await resolveArguments(context, options.init)
        const { code } = (await buildChecked(context, path!, options)).bundle
        // The init stands in the arguments as it was typed.
        const args = `{"name":${JSON.stringify(options.name)},"code":${JSON.stringify(code)},"init":${init}}`
        return await sendCall(context, { contract: 'system', method: 'deploy', args }, options)
      },
    },
  )
}

function upgradeCommand(run: Run) {
  return define<SendingOptions & CheckOption & { name: string; migrate?: string; rehearse?: number }>(
    run,
    'upgrade <path>',
    "replace a contract's code; its state stays, and the new code's migration runs over it",
    {
      needs: [...SIGNING],
      set: (command) =>
        addSendingOptions(
          addCheckOption(command)
            .requiredOption('--name <name>', 'the deployed contract; its owner signs')
            .option('--migrate <json>', "argument of the new code's migration; '@NAME' as in tx send")
            .option(
              '--rehearse <blocks>',
              "send nothing: replay the last blocks' calls on the new code and exit with 1 where more than gas differs",
              wholeNumber(1, REHEARSED_BLOCKS_MAX),
            ),
        ),
      async handle(context, [path], options) {
        checkContractName(options.name)
        const { name, rehearse: blocks } = options
        const migrate = await resolveArguments(context, options.migrate)
        const { code, codeHash } = (await buildChecked(context, path!, options)).bundle
        if (blocks !== undefined) return await rehearseUpgrade(context, { name, code, codeHash, migrate, blocks })
        const args = `{"name":${JSON.stringify(name)},"code":${JSON.stringify(code)},"migrate":${migrate}}`
        return await sendCall(context, { contract: 'system', method: 'upgrade', args }, options)
      },
    },
  )
}

function listCommand(run: Run) {
  return define<{ after?: string; limit: number }>(run, 'list', 'list deployed contracts', {
    needs: ['node', 'keystore'],
    set: (command) =>
      command
        .option('--after <name>', 'only names after this one, to go on from the last page')
        .option('--limit <count>', 'how many', wholeNumber(1, 100), 100),
    async handle(context, _, { after, limit }) {
      const nodes = await context.nodes()
      await rememberHeights(context, nodes)
      const answer = (await nodes.read('/v1/contracts', { after, limit })) as { contracts: ContractDocument[] }
      const rows = answer.contracts.map(({ name, version, codeHash, owner }) => [
        name,
        String(version),
        shortHash(codeHash),
        owner,
      ])
      context.print(answer, rows.length === 0 ? 'no contracts' : table(['name', 'version', 'code hash', 'owner'], rows))
    },
  })
}

function showCommand(run: Run) {
  return define<{ code?: boolean }>(run, 'show <name>', 'show one contract', {
    needs: ['node', 'keystore'],
    set: (command) => command.option('--code', 'print its code'),
    async handle(context, [name], { code }) {
      const nodes = await context.nodes()
      await rememberHeights(context, nodes)
      const path = `/v1/contracts/${encodeURIComponent(name!)}`
      if (code) {
        const answer = (await nodes.read(`${path}/code`)) as { code: string }
        return context.print(answer, answer.code)
      }
      const contract = (await nodes.read(path)) as ContractWithHistory
      const history = contract.history.map(({ version, height, codeHash, sender }) => [
        String(version),
        String(height),
        shortHash(codeHash),
        sender,
      ])
      const summary = fields([
        ['name', contract.name],
        ['version', contract.version],
        ['code hash', contract.codeHash],
        ['owner', contract.owner],
        ['deployed at', contract.deployedHeight],
        ['updated at', contract.updatedHeight],
        ['frozen', contract.frozen ? 'yes, its code and owner never change again' : 'no'],
        ['calls', contract.calls.join(', ')],
        ['views', contract.views.join(', ')],
      ])
      context.print(contract, `${summary}\n\n${table(['version', 'since', 'code hash', 'put there by'], history)}`)
    },
  })
}
