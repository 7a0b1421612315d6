// A validator's key and address behind a node that takes no part: it only claims a height, and answers requests in its own way.
import { verify } from '../../src/crypto/signer.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import { type Home, openHome } from '../../src/home/home.ts'
import { createTransport } from '../../src/network/transport.ts'
import { messageCodec } from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { homeOf, type TestNetwork } from './network.ts'

export interface Impostor {
  /** Requests so far. */
  asked(): number
  close(): Promise<void>
}

/** What it has to answer with, from the home of the node it stands in for. */
export interface Pretence {
  height: number
  answer(payload: Uint8Array): Promise<Uint8Array>
  close?(): Promise<void>
}

/** Requests of another kind it refuses. */
export async function createImpostor(
  network: TestNetwork,
  index: number,
  kind: 'blocks' | 'snapshots',
  open: (home: Home) => Promise<Pretence>,
): Promise<Impostor> {
  const home = await openHome(homeOf(network, index), { environment: {}, context: { engineHash: engineHash() } })
  const keys = new Set(home.genesis.validators.map(({ key }) => key))
  const { listen, bootstrap } = home.config.p2p
  const transport = await createTransport({
    genesisHash: home.genesisHash,
    nodeKeySeed: home.nodeKeySeed,
    listen,
    bootstrap,
    mdns: false,
    identity: home.validatorKey,
    verify,
    isValidator: (key) => keys.has(key),
    logger: { debug() {}, info() {}, warn() {} },
  })
  const { height, answer, close } = await open(home)
  const status = encode(messageCodec, { type: 'status', epoch: 0, view: 0, active: true, h: height, lastExec: height })
  const say = setInterval(() => transport.broadcast('consensus', status, 'all'), 200)
  let asked = 0
  transport.onRequest = async (_, payload, asking) => {
    if (asking !== kind) throw new Error(`it has no ${asking} to give`)
    asked++
    return answer(payload)
  }
  await transport.start()
  return {
    asked: () => asked,
    async close() {
      clearInterval(say)
      await transport.stop()
      await close?.()
    },
  }
}
