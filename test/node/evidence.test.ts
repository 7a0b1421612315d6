// A real node that hears a twin: somebody who has a validator's key, and with it signs other votes than the validator itself.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { trustGenesis, verifyEvidence } from '../../src/client/index.ts'
import { verify } from '../../src/crypto/signer.ts'
import { evidenceHashes } from '../../src/crypto/view-change-rules.ts'
import { engineHash } from '../../src/execution/engine-hash.ts'
import { openHome } from '../../src/home/home.ts'
import { createTransport, type Transport } from '../../src/network/transport.ts'
import {
  type Body,
  type BodyType,
  type Message,
  messageCodec,
  type Signed,
  signedBytes,
} from '../../src/types/message.ts'
import { encode } from '../../src/types/schema.ts'
import { createNetwork, getJson, type TestNetwork, until } from './network.ts'

const TWIN = 3
let network: TestNetwork
let twin: Transport

beforeAll(async () => {
  network = await createNetwork({ validators: 4 })
  await network.start(0)
})
afterAll(async () => {
  await twin?.stop()
  await network?.close()
  expect(network.fatal).toEqual([])
})

const evidence = async () => {
  const { body } = await getJson(network.url(0, '/v1/evidence'))
  return body.evidence as unknown as { kind: string; validator: string; view: number; height: number }[]
}

it('keeps what the twin signed, over restarts, and anyone can check it with the genesis document alone', async () => {
  const { body: given } = await getJson(network.url(0, '/v1/genesis'))
  const trust = trustGenesis(given.genesis, network.genesisHash)
  const home = await openHome(join(network.directory, `node-${TWIN}`), {
    environment: {},
    context: { engineHash: engineHash() },
  })
  twin = await createTransport({
    genesisHash: network.genesisHash,
    nodeKeySeed: new Uint8Array(32).fill(7),
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [network.nodes[0]!.addresses[0]!],
    mdns: false,
    identity: home.validatorKey,
    verify,
    isValidator: (key) => trust.validators.some((validator) => validator.key === key),
    logger: { debug: () => {}, info: () => {}, warn: () => {} },
  })
  await twin.start()
  const zero = trust.validators[0]!.key
  await until(
    'the twin’s connection',
    () => twin.connectedValidators().has(zero),
    (is) => is,
  )

  const domain = { genesisHash: trust.genesisHash, epoch: 0, validatorsHash: trust.validatorsHash }
  const sign = <T extends BodyType>(type: T, fields: Omit<Body<T>, keyof typeof domain>) => {
    const body = { ...domain, ...fields } as unknown as Body<T>
    return { type, body, signer: TWIN, signature: home.validatorKey.sign(signedBytes(type, body)) } as Signed<T>
  }
  const say = (message: Message) => twin.sendToValidator(zero, 'consensus', encode(messageCodec, message))
  const contents = { header: null, certificate: null, prepared: [] }
  for (const digest of ['11'.repeat(32), '22'.repeat(32), '33'.repeat(32)]) {
    say({ type: 'prepare', vote: sign('prepare', { view: 0, seq: 1, digest }) })
    say({ type: 'commit', vote: sign('commit', { view: 0, seq: 2, digest }) })
    say({ type: 'exec', vote: sign('exec', { height: 3, blockHash: digest }) })
  }
  say({
    type: 'view-change',
    change: { vote: sign('view-change', { newView: 1, h: 0, ...evidenceHashes(contents) }), ...contents },
  })
  const kinds = ['amnesia', 'commit', 'exec', 'prepare']
  const held = await until('the evidence', evidence, ({ length }) => length === kinds.length)
  expect(held.map(({ kind }) => kind).sort()).toEqual(kinds)
  for (const entry of held) {
    expect(entry.validator).toBe(`node-${TWIN}`)
    expect(verifyEvidence(entry, trust).validator).toEqual(trust.validators[TWIN])
  }
  const metrics = await (await fetch(network.url(0, '/metrics'))).text()
  expect(metrics).toContain('quorate_evidence_total{kind="amnesia"} 1')
  // Each of the three votes was another one, and only the first contradiction is kept.
  expect(metrics).toContain('quorate_evidence_total{kind="exec"} 2')

  await network.stop(0)
  await network.start(0)
  expect(await evidence()).toEqual(held)
}, 60_000)
