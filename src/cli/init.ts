// `quorate init`: a node's home with its keys and an empty consensus log.
import { collect, define, type Run } from './command.ts'
import { assignments } from './settings.ts'
import { fields } from './table.ts'

export function initCommand(run: Run) {
  return define<{ home: string; name?: string; genesis?: string; set: string[] }>(
    run,
    'init',
    "make a node's home; never overwrites one",
    {
      set: (command) =>
        command
          .requiredOption('--home <dir>', 'the folder to make')
          .option('--name <name>', 'what the node is called')
          .option('--genesis <file>', "the network's genesis document, if there is one yet")
          .option(
            '--set <setting=value>',
            'a setting of config.toml, like api.port=4700; may be given more than once',
            collect,
          )
          .addHelpText(
            'after',
            "\nPrints the validator's public entry: its name, its key and the id of its consensus log. Hand it to whoever builds the\ngenesis document (`quorate genesis add-validator`). The keys never leave the home.",
          ),
      async handle(context, _, { home, name, genesis, set }) {
        const { initHome } = await import('../home/home.ts')
        const entry = await initHome({ home, name, genesisFile: genesis, settings: assignments(set ?? []) })
        const text = fields([
          ['name', entry.name],
          ['key', entry.key],
          ['log', entry.log],
        ])
        context.print(entry, text)
      },
    },
  )
}
