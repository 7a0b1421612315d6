// What the API proves beyond receipts: values and their absence, all events of a range, changes of the validators. Every document is
// checked by what clients check it with.
import { afterEach, describe, expect, it } from 'vitest'
import { epochHash, firstEpoch } from '../../src/crypto/digest.ts'
import { followEpoch, itemsOf, trustGenesis, verifyEventRange, verifyState } from '../../src/light/index.ts'
import type { EpochRecord } from '../../src/types/epoch.ts'
import { genesis, network, problemOf, type Served, serve, signTransaction } from './support.ts'

let served: Served
afterEach(() => served.api.close())
const start = async (options = {}) => {
  served = await serve(options)
  return served
}
const trust = trustGenesis({ ...genesis, time: new Date(genesis.time).toISOString() }, network)

/** Blocks 1 to `count`, each with one transaction that emits two events. */
function addBlocks({ test }: Served, count: number): void {
  for (let nonce = 0; nonce < count; nonce++) test.addBlock([signTransaction('alice', nonce).wire])
}

describe('a value', () => {
  it('is proven, and so is that there is none', async () => {
    const { get, test } = await start()
    test.keepTree()
    addBlocks(served, 2)
    const key = `nonce/${test.blocks[1]!.receipts[0]!.sender}`
    const path = (name: string) => `/v1/contracts/system/state/${encodeURIComponent(name)}?prove=true`
    const found = verifyState((await get(path(key))).body, { contract: 'system', key }, trust)
    expect(found).toMatchObject({ height: 2, value: '2', signers: ['north', 'east', 'south'] })
    const earlier = verifyState((await get(`${path(key)}&height=1`)).body, { contract: 'system', key }, trust)
    expect(earlier).toMatchObject({ height: 1, value: '1' })
    const answer = await get(path('none'))
    expect(problemOf(answer)).toEqual({ status: 404, code: 'UNKNOWN_KEY' })
    expect(verifyState(answer.body, { contract: 'system', key: 'none' }, trust)).toMatchObject({ value: undefined })
  })
})

describe('a value of block 0, which nobody signs,', () => {
  const path = '/v1/contracts/system/state/none?prove=true&height=0'
  const asked = { contract: 'system', key: 'none' }
  const refusal = (document: unknown) => {
    try {
      verifyState(document, asked, trust)
    } catch (error) {
      return (error as Error).message
    }
  }

  it('is proven by the block that follows on it', async () => {
    const { get, test } = await start()
    test.keepTree()
    const alone = (await get(path)).body
    expect(refusal(alone)).toMatch(/block 1, by which block 0 is proven, is missing/)
    addBlocks(served, 2)
    const { body } = await get(path)
    const proven = verifyState(body, asked, trust)
    expect(proven).toMatchObject({ height: 0, value: undefined, blockHash: test.blocks[0]!.blockHash })
    expect(proven.time).toBe(test.blocks[0]!.header.time)
    expect(proven.signers).toHaveLength(3)
    const changed = (change: (proof: typeof body.proof) => unknown) => {
      const document = structuredClone(body)
      change(document.proof)
      return refusal(document)
    }
    expect(changed((proof) => Object.assign(proof.header, { stateRoot: '11'.repeat(32) }))).toMatch(/does not follow/)
    expect(changed((proof) => Object.assign(proof, { next: test.signed(test.blocks[2]!.header) }))).toBeDefined()
    expect(changed((proof) => proof.next.certificate.signatures.pop())).toMatch(/a quorum is 3/)
    expect(changed((proof) => Object.assign(proof, { certificate: proof.next.certificate }))).toMatch(/nobody signs/)
  })
})

describe('a range of events', () => {
  const range = async (query: string) => (await served.get(`/v1/events/range?${query}`)).body

  it('is complete', async () => {
    await start()
    addBlocks(served, 4)
    const proven = verifyEventRange(await range('from=2&to=3'), { from: 2, to: 3 }, trust)
    expect(proven).toMatchObject({ from: 2, to: 3, height: 3 })
    const names = proven.blocks.flatMap(itemsOf).map((item) => (item.type === 'event' ? item.name : item.type))
    expect(names).toEqual(['block', 'transaction', 'Transfer', 'Noted', 'block', 'transaction', 'Transfer', 'Noted'])
    expect(verifyEventRange(await range('from=1'), { from: 1 }, trust).to).toBe(4)
    // Genesis is linked by what follows on it, as nobody certifies it.
    expect(verifyEventRange(await range('from=0'), { from: 0 }, trust).blocks).toHaveLength(5)
  })

  it('has the places of the stream', async () => {
    await start()
    addBlocks(served, 2)
    const stream = await fetch(`${served.url}/v1/events?from=1`)
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"height":2,"index":0,"id"') || !text.includes('Noted","data":"1"')) {
      text += (await reader.read()).value
    }
    await reader.cancel()
    const streamed = [...text.matchAll(/^id: (\d+)-(\d+)\nevent: (\w+)\ndata: (.*)$/gm)].map(
      ([, height, position, , json]) => {
        const { method, ...item } = JSON.parse(json!)
        // What was called stands in the transaction, not in its receipt.
        if (method !== undefined) delete item.contract
        return { ...item, height: Number(height), position: Number(position) }
      },
    )
    const { blocks } = verifyEventRange(await range('from=1&to=2'), { from: 1 }, trust)
    expect(blocks.flatMap(itemsOf)).toEqual(streamed)
  })

  it('ends where a document is full, and says where to go on', async () => {
    await start({ limits: { rangeBlocksMax: 3 } })
    addBlocks(served, 5)
    const first = verifyEventRange(await range('from=1&to=5'), { from: 1, to: 5 }, trust)
    expect(first.to).toBe(3)
    expect(verifyEventRange(await range('from=4&to=5'), { from: 4, to: 5 }, trust).to).toBe(5)
    await served.api.close()
    await start({ limits: { pageBytes: 1 } })
    addBlocks(served, 2)
    expect(await range('from=1&to=2')).toMatchObject({ from: 1, to: 1, next: 2 })
  })

  it('is of certified blocks that are here, and of nothing else', async () => {
    const { get, test } = await start({ limits: { heightWaitMs: 20 } })
    addBlocks(served, 3)
    test.addBlock([], { certify: false })
    const refusal = async (query: string) => problemOf(await get(`/v1/events/range?${query}`))
    expect(await refusal('from=4')).toEqual({ status: 404, code: 'UNKNOWN_HEIGHT' })
    expect((await range('from=2')).to).toBe(3)
    expect(await range('from=1&to=4')).toMatchObject({ to: 3, next: 4 })
    expect(await refusal('from=3&to=2')).toEqual({ status: 400, code: 'BAD_PARAMETER' })
    expect(await refusal('to=2')).toEqual({ status: 400, code: 'BAD_PARAMETER' })
    test.knobs.oldestBlock = 2
    const pruned = await get('/v1/events/range?from=1')
    expect([problemOf(pruned), pruned.body.oldestHeight]).toEqual([{ status: 410, code: 'PRUNED' }, 2])
    expect(await refusal('from=4&minHeight=4')).toEqual({ status: 504, code: 'TIMEOUT' })
  })

  it('waits for a height that is not there yet', async () => {
    const { test } = await start()
    addBlocks(served, 1)
    const waiting = range('from=2&minHeight=2')
    test.addBlock([])
    expect(await waiting).toMatchObject({ from: 2, to: 2 })
  })
})

describe('epochs', () => {
  it('are none where the first validators are the only ones', async () => {
    const { get } = await start()
    expect((await get('/v1/epochs')).body).toEqual({ epochs: [], next: null })
    expect(problemOf(await get('/v1/epochs?from=0'))).toEqual({ status: 400, code: 'BAD_PARAMETER' })
  })

  it('are listed in pages, each with what its predecessor certified', async () => {
    const { get, test } = await start({ limits: { epochLinksMax: 2 } })
    const records: EpochRecord[] = [firstEpoch(genesis)]
    for (const epoch of [1, 2, 3]) records.push({ ...records[0]!, epoch, start: epoch })
    const links = [1, 2, 3].map((epoch) => {
      const [before, record] = [records[epoch - 1]!, records[epoch]!]
      const ids = { epoch: epoch - 1, validatorsHash: epochHash(before), nextValidatorsHash: epochHash(record) }
      return { ...test.signed({ ...test.blocks[0]!.header, ...ids, height: epoch, epochEnd: epoch }), record }
    })
    test.node.ledger.epochLinks = async (from, limit) => links.slice(from - 1, from - 1 + limit)
    const first = (await get('/v1/epochs')).body
    expect([first.epochs.length, first.next]).toEqual([2, 3])
    const second = (await get('/v1/epochs?from=3')).body
    expect([second.epochs.length, second.next]).toEqual([1, null])
    const last = [...first.epochs, ...second.epochs].reduce((known, link) => followEpoch(known, link), trust)
    expect(last).toMatchObject({ epoch: 3, start: 3, validatorsHash: epochHash(records[3]!) })
  })
})
