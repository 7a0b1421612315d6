// `quorate peers`: whom one node is connected to.
import { define, type Run } from './command.ts'
import { cell, table } from './table.ts'

export function peersCommand(run: Run) {
  return define(run, 'peers', "show a node's connections, their liveness and lag", {
    needs: ['node'],
    async handle(context) {
      const nodes = await context.nodes()
      const answer = (await nodes.read('/v1/peers')) as { peers: Record<string, unknown>[] }
      const rows = answer.peers.map((peer) => [
        cell(peer.validator ?? 'observer'),
        peer.connected === true ? 'yes' : 'no',
        cell(peer.height),
        cell(peer.certifiedHeight),
        cell(peer.lag),
        cell(peer.lastHeard),
        cell(peer.id),
      ])
      const heading = ['name', 'connected', 'height', 'certified', 'lag', 'last heard', 'peer id']
      context.print(answer, rows.length === 0 ? 'no peers' : table(heading, rows))
    },
  })
}
