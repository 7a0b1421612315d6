// A chain whose validators change twice, and a bundle of each kind from its last epoch (or, where asked, from its first).
import { headerJson } from '../../src/api/json.ts'
import { bundleOf } from '../../src/client/bundle.ts'
import { signTransaction } from '../../src/client/transaction.ts'
import { verify } from '../../src/crypto/signer.ts'
import {
  followEpoch,
  type ProofBundle,
  type TrustedEpoch,
  trustGenesis,
  verifyDocument,
} from '../../src/light/index.ts'
import { type Chain, createChain, keyOf } from '../client/chain.ts'

const text = (value: string) => new TextEncoder().encode(value)

/** As GET /v1/genesis shows it. */
export function shownGenesis({ genesis }: Chain): unknown {
  return JSON.parse(JSON.stringify({ ...genesis, time: new Date(genesis.time).toISOString() }))
}

export interface Samples {
  chain: Chain
  /** Of each epoch, the first one first. */
  trusts: TrustedEpoch[]
  /** Of transactions in the last epoch's first block: ok with events, reverted by the contract, out of gas, skipped. */
  ids: string[]
  headerAt(height: number): unknown
  bundle(kind: ProofBundle['kind'], document: unknown, epoch?: number): ProofBundle
  bundles: Record<'receipt' | 'refusal' | 'explained' | 'value' | 'absence' | 'events', ProofBundle>
}

export async function createSamples(): Promise<Samples> {
  const chain = createChain()
  const trusts = [trustGenesis(shownGenesis(chain), chain.genesisHash)]
  for (let index = 0; index < 40; index++) chain.state.set(`token\0balance/${index}`, `"${index * 5}"`)
  chain.append([])
  const endEpoch = (validators: number[]) => {
    chain.endEpoch(validators)
    trusts.push(followEpoch(trusts.at(-1)!, chain.links().at(-1), verify))
  }
  endEpoch([1, 2, 3, 4])
  chain.append([])
  endEpoch([2, 3, 4, 5, 6])
  const signed = await Promise.all([0, 1, 2, 9].map((nonce) => signTransfer(chain, nonce)))
  const [paid, refused, burnt, skipped] = signed.map(({ wire }) => wire)
  const events = [
    { contract: 'token', name: 'Transfer', data: text('{"from":"a","to":"b"}') },
    { contract: 'notes', name: 'Note', data: text('[7,null,"x"]') },
  ]
  chain.state.set('token\0owner', '{"a":[1,true]}')
  const signers = [4, 2, 0, 1]
  chain.append(
    [
      { wire: paid!, outcome: { result: text('{"left":"4","list":[1,2]}'), events } },
      { wire: refused!, outcome: { status: 'reverted', code: 'THROWN', message: 'insufficient balance' } },
      { wire: burnt!, outcome: { status: 'reverted', code: 'OUT_OF_GAS' } },
      { wire: skipped!, outcome: { status: 'skipped', code: 'NONCE_GAP', gasUsed: 0 } },
    ],
    signers,
  )
  chain.append([], signers)

  const bundle = (kind: ProofBundle['kind'], document: unknown, epoch = trusts.length - 1) =>
    JSON.parse(
      JSON.stringify(
        bundleOf(document, verifyDocument(kind, document, trusts[epoch]!, verify), chain.links().slice(0, epoch)),
      ),
    ) as ProofBundle
  const ids = signed.map(({ id }) => id)
  return {
    chain,
    trusts,
    ids,
    headerAt: (height) => headerJson(chain.blocks[height - 1]!.header),
    bundle,
    bundles: {
      receipt: bundle('transaction', chain.document(ids[0]!)),
      refusal: bundle('transaction', chain.document(ids[1]!)),
      explained: bundle('transaction', chain.document(ids[2]!)),
      value: bundle('state', chain.stateDocument('token', 'owner')),
      absence: bundle('state', chain.stateDocument('token', 'balance/40')),
      events: bundle('events', await chain.rangeDocument(4, 6)),
    },
  }
}

/** A call that the chain's blocks may hold; nothing runs it. */
export function signTransfer({ genesisHash }: Chain, nonce: number) {
  const call = { network: genesisHash, nonce, expires: 9, gasLimit: 99, contract: 'token', method: 'transfer' }
  return signTransaction(keyOf(7), { ...call, args: '{"to":"x","amount":"5"}' })
}
