// `quorate status`: where one node is.
import { define, type Run } from './command.ts'
import { cell, fields } from './table.ts'

export function statusCommand(run: Run) {
  return define(run, 'status', 'show where a node is: height, view, primary, peers', {
    needs: ['node'],
    async handle(context) {
      const nodes = await context.nodes()
      const status = (await nodes.read('/v1/status')) as Record<string, unknown> & StatusParts
      const { node, mempool, syncing } = status
      context.print(
        status,
        fields([
          ['network', status.network],
          ['genesis hash', status.genesisHash],
          ['node', `${node.name} (${node.role}, version ${node.version})`],
          ['address', node.address ?? undefined],
          ['height', status.height],
          ['certified', status.certifiedHeight],
          ['oldest block', status.oldestHeight],
          ['block hash', status.blockHash],
          ['state root', status.stateRoot],
          ['epoch, view', `${status.epoch}, ${status.view}`],
          ['primary', status.primary],
          ['phase', status.phase],
          ['votes', status.voting === true ? 'yes' : `no: ${cell(status.reason)}`],
          ['syncing', syncing === null ? 'no' : `from ${syncing.from} to ${syncing.to}, by ${syncing.by}`],
          ['peers', status.peers],
          ['mempool', `${mempool.count} transactions, ${mempool.bytes} bytes`],
        ]),
      )
    },
  })
}

interface StatusParts {
  node: { name: string; role: string; address: string | null; version: string }
  mempool: { count: number; bytes: number }
  syncing: { from: number; to: number; by: string } | null
}
