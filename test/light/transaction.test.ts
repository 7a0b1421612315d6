// Light verification: genuine documents hold, and no field of them or of their proof can be changed unnoticed.
import { describe, expect, test } from 'vitest'
import { signTransaction } from '../../src/client/transaction.ts'
import { verify } from '../../src/crypto/signer.ts'
import type { TrustedEpoch } from '../../src/light/genesis.ts'
import { trustGenesis, verifyTransaction } from '../../src/light/index.ts'
import { toHex } from '../../src/types/hex.ts'
import { signedBytes } from '../../src/types/message.ts'
import { type Chain, createChain, keyOf } from '../client/chain.ts'
import { shownGenesis } from './samples.ts'
import { tampered } from './tamper.ts'

const text = (value: string) => new TextEncoder().encode(value)

/** Three transactions in one block: one with everything, one that the contract refused, one that was skipped. */
async function sampleChain(): Promise<{ chain: Chain; ids: string[]; trust: TrustedEpoch }> {
  const chain = createChain()
  const sign = (nonce: number, args: string) =>
    signTransaction(keyOf(7), {
      network: chain.genesisHash,
      nonce,
      expires: 9,
      gasLimit: 99,
      contract: 'token',
      method: 'transfer',
      args,
    })
  const signed = [
    await sign(0, '{"to":"x","amount":"5"}'),
    await sign(1, '{"a":[1,{"b":null}]}'),
    await sign(0, 'not JSON'),
  ]
  const events = [
    { contract: 'token', name: 'Transfer', data: text('{"from":"a","to":"b"}') },
    { contract: 'token', name: 'Note', data: text('7') },
  ]
  chain.append([])
  chain.append([
    { wire: signed[0]!.wire, outcome: { result: text('{"left":"4","list":[1,2]}'), events } },
    { wire: signed[1]!.wire, outcome: { status: 'reverted', code: 'THROWN', message: 'insufficient balance' } },
    { wire: signed[2]!.wire, outcome: { status: 'skipped', code: 'NONCE_USED', gasUsed: 0 } },
  ])
  return { chain, ids: signed.map(({ id }) => id), trust: trustGenesis(shownGenesis(chain), chain.genesisHash) }
}

describe('a genuine document', () => {
  test('is proven, with what its bytes say', async () => {
    const { chain, ids, trust } = await sampleChain()
    for (const [index, id] of ids.entries()) {
      const proven = verifyTransaction(chain.document(id), id, trust)
      expect(proven).toMatchObject({ height: 2, index, blockHash: chain.blocks[1]!.blockHash })
      expect(proven.receipt.txId).toBe(id)
    }
  })

  test('may list names of objects in another order and carry more than is known', async () => {
    const { chain, ids, trust } = await sampleChain()
    const document = { ...chain.document(ids[0]!), args: { amount: '5', to: 'x' }, novelty: 1 }
    expect(() => verifyTransaction(document, ids[0]!, trust)).not.toThrow()
  })

  test('is not that of another id', async () => {
    const { chain, ids, trust } = await sampleChain()
    expect(() => verifyTransaction(chain.document(ids[0]!), ids[1]!, trust)).toThrow(/asked for was/)
  })
})

describe('a changed document is refused:', () => {
  /** What no proof shows: a code's explanation, and how many leaves a tree has that is one short of full. */
  const words = ['at its end', 'at its start', 'in its middle'].map((where) => `error.message changed ${where}`)
  const unproven = [['proof.count raised'], ['proof.count raised'], [...words, 'error.message lengthened']]
  /** And the order of signatures says nothing. */
  const order = 'proof.certificate.signatures reversed'

  test.each([0, 1, 2])('every field of transaction %i', async (which) => {
    const { chain, ids, trust } = await sampleChain()
    const id = ids[which]!
    const document = chain.document(id)
    const accepted: string[] = []
    let count = 0
    for (const [place, changed] of tampered(document)) {
      count++
      try {
        verifyTransaction(changed, id, trust, verify)
        accepted.push(place)
      } catch (error) {
        expect(error, place).toMatchObject({ code: 'BAD_PROOF' })
      }
    }
    expect(count).toBeGreaterThan(40)
    expect(accepted.filter((place) => place !== order)).toEqual(unproven[which])
  })
})

describe('a receipt is that of its transaction:', () => {
  const sign = (network: string, args: string, nonce = 0) => {
    const call = { network, nonce, expires: 9, gasLimit: 99, contract: 'token', method: 'transfer', args }
    return signTransaction(keyOf(7), call)
  }

  test('not of another one that its sender signed with the same nonce', async () => {
    const { chain, ids, trust } = await sampleChain()
    const { wire } = await sign(chain.genesisHash, '{"to":"x","amount":"500"}')
    const document = structuredClone(chain.document(ids[0]!))
    document.args = { to: 'x', amount: '500' }
    document.proof.transaction = Buffer.from(wire).toString('base64')
    expect(() => verifyTransaction(document, ids[0]!, trust)).toThrow(/another id than its receipt/)
  })

  // No correct validator signs such blocks.
  test('not of one for another network, nor of another sender or nonce', async () => {
    const { chain, trust } = await sampleChain()
    const foreign = await sign('ab'.repeat(32), '{}', 3)
    chain.append([{ wire: foreign.wire }])
    expect(() => verifyTransaction(chain.document(foreign.id), foreign.id, trust)).toThrow(/for another network/)
    for (const [nonce, lie] of [
      [4, { nonce: 5 }],
      [6, { sender: 'ab'.repeat(32) }],
    ] as const) {
      const { wire, id } = await sign(chain.genesisHash, '{}', nonce)
      chain.append([{ wire, outcome: lie }])
      expect(() => verifyTransaction(chain.document(id), id, trust)).toThrow(/its receipt is not of its transaction/)
    }
  })
})

describe('a certificate counts', () => {
  const provenBy = async (signers: number[]) => {
    const { chain, ids, trust } = await sampleChain()
    const { wire } = await signTransaction(keyOf(8), {
      network: chain.genesisHash,
      nonce: 0,
      expires: 0,
      gasLimit: 1,
      contract: 'token',
      method: 'x',
      args: '{}',
    })
    const block = chain.append([{ wire }], signers)
    return { id: block.receipts[0]!.txId, chain, ids, trust }
  }

  test.each([[[0, 1, 2]], [[3, 1, 0]], [[0, 1, 2, 3]]])('with signers %j', async (signers) => {
    const { chain, id, trust } = await provenBy(signers)
    expect(() => verifyTransaction(chain.document(id), id, trust)).not.toThrow()
  })

  test.each([
    [[0, 1], /2 signatures, a quorum is 3/],
    [[0, 1, 1], /counts node-1 twice/],
    [[], /0 signatures/],
  ])('not with signers %j', async (signers, reason) => {
    const { chain, id, trust } = await provenBy(signers)
    expect(() => verifyTransaction(chain.document(id), id, trust)).toThrow(reason)
  })

  test('not with votes of another kind, nor with another validator’s key', async () => {
    const { chain, id, trust } = await provenBy([0, 1, 2])
    const { header, blockHash, certificate } = chain.blocks.at(-1)!
    const { genesisHash, epoch, validatorsHash } = header
    const commit = signedBytes('commit', {
      genesisHash,
      epoch,
      validatorsHash,
      view: 0,
      seq: header.height,
      digest: blockHash,
    })
    const document = structuredClone(chain.document(id))
    document.proof.certificate!.signatures[2]!.signature = toHex(chain.validators[2]!.sign(commit))
    expect(() => verifyTransaction(document, id, trust)).toThrow(/not node-2's/)
    document.proof.certificate!.signatures[2] = { signer: 3, signature: toHex(certificate!.signatures[2]!.signature) }
    expect(() => verifyTransaction(document, id, trust)).toThrow(/not node-3's/)
    document.proof.certificate!.signatures[2]!.signer = 4
    expect(() => verifyTransaction(document, id, trust)).toThrow(/validator 4 of 4/)
  })

  test('only for the network that is trusted', async () => {
    const { chain, ids } = await sampleChain()
    const other = trustGenesis({ ...(shownGenesis(chain) as object), chainId: 'other' })
    expect(() => verifyTransaction(chain.document(ids[0]!), ids[0]!, other)).toThrow(/its header is of network/)
    expect(() => trustGenesis(shownGenesis(chain), other.genesisHash)).toThrow(
      expect.objectContaining({ code: 'WRONG_NETWORK' }),
    )
    expect(() => trustGenesis(null)).toThrow(expect.objectContaining({ code: 'BAD_ANSWER' }))
  })
})
