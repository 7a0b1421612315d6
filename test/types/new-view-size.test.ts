// A NEW-VIEW with as much of everything as there can be stays below the size that the genesis check counts with.
import { describe, expect, it } from 'vitest'
import type { Header } from '../../src/types/block.ts'
import { type Message, messageCodec, newViewBytesMax, type Signed } from '../../src/types/message.ts'
import { quorumOf } from '../../src/types/quorum.ts'
import { encode } from '../../src/types/schema.ts'

const MAX = Number.MAX_SAFE_INTEGER
const hash = 'ff'.repeat(32)
const signature = new Uint8Array(64)
const domain = { genesisHash: hash, epoch: MAX, validatorsHash: hash }

function largest(validators: number, windowBlocks: number): Message {
  const signatures = Array.from({ length: quorumOf(validators) }, (_, at) => ({
    signer: validators - 1 - at,
    signature,
  }))
  const signed = <T extends Signed<'view-change'> | Signed<'new-view'>>(type: T['type'], body: T['body']) =>
    ({ type, body, signer: validators - 1, signature }) as T
  const header: Header = {
    ...{ genesisHash: hash, epoch: MAX, height: MAX, parentHash: hash, batchDigest: hash, txRoot: hash },
    ...{ receiptsRoot: hash, stateRoot: hash, time: MAX, proposer: hash, validatorsHash: hash },
    ...{ nextValidatorsHash: hash, epochEnd: MAX, proposers: new Uint8Array(4096) },
  }
  const viewChange = {
    vote: signed<Signed<'view-change'>>('view-change', {
      ...domain,
      ...{ newView: MAX, h: MAX, certificateHash: hash, preparedHash: hash },
    }),
    header,
    certificate: { height: MAX, blockHash: hash, signatures },
    prepared: Array.from({ length: windowBlocks }, () => ({ view: MAX, seq: MAX, digest: hash, signatures })),
  }
  const vote = signed<Signed<'new-view'>>('new-view', { ...domain, view: MAX, viewChangesHash: hash })
  return { type: 'new-view', newView: { vote, viewChanges: signatures.map(() => viewChange) } }
}

describe('the largest NEW-VIEW', () => {
  it.each([
    [4, 1],
    [4, 32],
    [16, 1_024],
    [100, 24],
  ])('of %i validators and a window of %i blocks is counted with, and not by far', (validators, windowBlocks) => {
    const { length } = encode(messageCodec, largest(validators, windowBlocks))
    const counted = newViewBytesMax(quorumOf(validators), windowBlocks)
    expect(length).toBeLessThanOrEqual(counted)
    expect(length).toBeGreaterThan(0.75 * counted)
  })
})
