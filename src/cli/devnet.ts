// `quorate devnet`: a whole network on this machine, for development.
import { define, type Run } from './command.ts'
import { DEVNET_FOLDER } from './context.ts'
import type { DevnetNode } from './devnet-folder.ts'
import { CliError, EXIT_FAILED, EXIT_OK } from './error.ts'
import { wholeNumber } from './number.ts'
import { untilStopped } from './stopping.ts'
import { table } from './table.ts'

interface DevnetOptions {
  validators?: number
  observers?: number
  dir: string
  port: number
  reset?: boolean
}

const HELP = `
Makes keys and a genesis document where there are none, starts each node as a process of its own on 127.0.0.1, waits until
they agree and runs until Ctrl-C. Node i (from 0) has its API on PORT+i and its P2P address on PORT+100+i. The same DIR
resumes the same ledger. Demo keys alice, bob and admin are in DIR/keystore, NOT encrypted: never use them elsewhere. The
shipped contracts are deployed, for admin to upgrade: token (alice has a balance), kv, lock, registry, stream, shop, escrow
and multisig.

  quorate tx send token transfer '{"to":"@bob","amount":"5"}' --from alice
  quorate view token balanceOf '{"account":"@bob"}'`

/** P2P ports lie this far above the API ports, so there is room for so many nodes. */
export const P2P_PORT_OFFSET = 100
const NODES_MAX = P2P_PORT_OFFSET

export function devnetCommand(run: Run) {
  return define<DevnetOptions>(run, 'devnet', 'run a whole network on this machine', {
    set: (command) =>
      command
        .option(
          '--validators <count>',
          'nodes that vote (default: 4, or as many as DIR has)',
          wholeNumber(1, NODES_MAX),
        )
        .option(
          '--observers <count>',
          'nodes that follow without a vote (default: 0, or as many as DIR has)',
          wholeNumber(0, NODES_MAX - 1),
        )
        .option('--dir <dir>', 'where everything is kept', DEVNET_FOLDER)
        .option('--port <port>', "the first node's API port", wholeNumber(1, 65_535), 4600)
        .option('--reset', 'first delete what an earlier devnet made in DIR')
        .addHelpText('after', HELP),
    async handle(context, _, options) {
      const folder = await import('./devnet-folder.ts')
      const stopped = untilStopped()
      const lock = await folder.lockFolder(options.dir)
      try {
        if (options.reset) await folder.resetFolder(options.dir)
        const size = await folder.sizeOf(options.dir, options)
        refuseTooMany(size.validators + size.observers, options.port)
        const nodes = folder.nodesOf(size, options.dir, options.port)
        const { refusePortsInUse, startProcesses } = await import('./devnet-processes.ts')
        await refusePortsInUse(nodes)
        const devnet = await folder.prepareFolder(options.dir, size, options.port, context.note)
        const processes = await startProcesses(nodes, context.note)
        try {
          const { untilAgreed } = await import('./devnet-agreement.ts')
          const agreed = await Promise.race([untilAgreed(nodes, processes), stopped])
          if (agreed === undefined) return EXIT_OK
          const { describeDevnet } = await import('./devnet-agreement.ts')
          const document = await describeDevnet(devnet, nodes, agreed, options.dir)
          context.print(document, devnetText(document))
          const isAlone = await Promise.race([stopped, processes.allGone])
          if (isAlone !== 'all gone') return EXIT_OK
          throw new CliError(
            'DEVNET_ENDED',
            `every node of the devnet in ${options.dir} has ended by itself: see node.log in their folders`,
          )
        } finally {
          context.note('stopping the nodes')
          const killed = await processes.stop()
          if (killed.length > 0) context.note(`${killed.join(', ')} did not stop in time and had to be killed`)
          else context.note('every node has stopped')
        }
      } finally {
        await lock.release()
      }
    },
  })
}

function refuseTooMany(count: number, port: number): void {
  const last = port + P2P_PORT_OFFSET + count - 1
  if (count <= NODES_MAX && last <= 65_535) return
  const reason =
    count > NODES_MAX
      ? `${count} nodes are more than ${NODES_MAX}`
      : `port ${last} would be needed, the last one is 65535`
  throw new CliError('DEVNET_TOO_LARGE', `this devnet cannot run: ${reason}; ask for fewer nodes or a lower --port`, {
    exitCode: EXIT_FAILED,
  })
}

export interface DevnetDocument {
  dir: string
  network: string
  genesisHash: string
  height: number
  blockHash: string
  nodes: (Pick<DevnetNode, 'name' | 'role' | 'home'> & { api: string; p2p: string; height: number })[]
  /** Null while the nodes serve no explorer. */
  explorer: string | null
  keystore: string
  keys: { name: string; address: string }[]
}

function devnetText({ nodes, network, genesisHash, explorer, keystore, keys }: DevnetDocument): string {
  const rows = nodes.map(({ name, api, p2p, height }) => [name, api, p2p, String(height)])
  const lines = [
    table(['node', 'API', 'P2P address', 'height'], rows),
    '',
    `network   ${network}, genesis hash ${genesisHash}`,
    ...(explorer === null ? [] : [`explorer  ${explorer}`]),
    `API docs  ${nodes[0]!.api}/docs`,
    `keys      ${keys.map(({ name }) => name).join(', ')} in ${keystore} (not encrypted: for development only)`,
    '',
    'Ctrl-C stops every node.',
  ]
  return lines.join('\n')
}
