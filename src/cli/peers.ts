// `quorate peers`: every validator as one node hears it, and whoever else it is connected to.
import type { PeerView } from '../api/port.ts'
import { define, type Run } from './command.ts'
import { cell, table } from './table.ts'

export function peersCommand(run: Run) {
  return define(run, 'peers', "show a node's connections, their liveness and lag", {
    needs: ['node'],
    async handle(context) {
      const nodes = await context.nodes()
      const answer = (await nodes.read('/v1/peers')) as { peers: PeerView[] }
      const rows = answer.peers.map((peer) => [
        cell(peer.validator ?? 'observer'),
        peer.state,
        cell(peer.suspectedSince),
        peer.connected ? 'yes' : 'no',
        cell(peer.height),
        cell(peer.certifiedHeight),
        cell(peer.lag),
        cell(peer.view),
        cell(peer.phase),
        cell(peer.lastHeard),
        cell(peer.id),
      ])
      context.print(answer, rows.length === 0 ? 'no peers' : table(HEADING, rows))
    },
  })
}

const HEADING = [
  'name',
  'state',
  'since',
  'connected',
  'height',
  'certified',
  'lag',
  'view',
  'phase',
  'last heard',
  'peer id',
]
