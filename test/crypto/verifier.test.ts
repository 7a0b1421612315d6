import { afterAll, describe, expect, test } from 'vitest'
import { createLanes } from '../../src/crypto/lanes.ts'
import { createKeyPair } from '../../src/crypto/signer.ts'
import { createVerifier, type SignedItem } from '../../src/crypto/verifier.ts'
import { packItems, unpackItems } from '../../src/crypto/verifier-packing.ts'
import { signatureCases, wrongVerdicts } from './vectors.ts'

const keyPair = createKeyPair(new Uint8Array(32).fill(1))

describe.each([0, 1, 2])('with %i workers', (workers) => {
  const verifier = createVerifier({ workers, undecidedPerLaneMax: 4, waitingMax: 2000 })
  afterAll(() => verifier.close())

  test('gives ZIP-215 verdicts on every vector', async () => {
    expect(wrongVerdicts(await verifier.verifyBatch(signatureCases))).toEqual([])
  })

  test('keeps the order of many items over many chunks', async () => {
    const items = honest(500)
    for (const index of [0, 63, 64, 499]) items[index] = forged(index)
    const verdicts = await verifier.judgeBatch(items)
    const invalid = verdicts.flatMap((verdict, index) => (verdict === 'valid' ? [] : [index]))
    expect(invalid).toEqual([0, 63, 64, 499])
  })

  test('judges few undecided signatures of a lane and refuses the rest, but no good one', async () => {
    const mixed = Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? forged(index) : honest(1)[0]!))
    const verdicts = await verifier.judgeBatch(mixed, 'peer')
    expect(verdicts.filter((_, index) => index % 2 === 1)).toEqual(Array(30).fill('valid'))
    const judged = verdicts.filter((verdict) => verdict === 'invalid').length
    expect(judged).toBeGreaterThanOrEqual(4)
    expect(judged).toBeLessThanOrEqual(5) // One may be under way while four wait.
    expect(verdicts.filter((verdict) => verdict === 'refused')).toHaveLength(30 - judged)
  })

  test('gives a lane its budget back when its work is done', async () => {
    for (let round = 0; round < 3; round++) {
      expect(await verifier.judgeBatch([forged(1), forged(2), forged(3)], 'peer')).toEqual(Array(3).fill('invalid'))
    }
  })

  test('takes malformed items for invalid at once, whatever the budget', async () => {
    const malformed = { ...honest(1)[0]!, signature: new Uint8Array(63) }
    expect(await verifier.judgeBatch(Array(20).fill(malformed), 'peer')).toEqual(Array(20).fill('invalid'))
  })

  test('judges everything without a lane', async () => {
    const verdicts = await verifier.judgeBatch(Array.from({ length: 20 }, (_, index) => forged(index)))
    expect(verdicts).toEqual(Array(20).fill('invalid'))
  })

  test('answers an empty batch', async () => {
    expect(await verifier.verifyBatch([], 'peer')).toEqual([])
  })
})

describe('worker threads', () => {
  test('refuse, without judging, what exceeds the bound on waiting signatures', async () => {
    const verifier = createVerifier({ workers: 1, waitingMax: 100 })
    try {
      const [first, second] = await Promise.all([
        verifier.judgeBatch(honest(80), 'a'),
        verifier.judgeBatch(honest(80), 'b'),
      ])
      expect(first).toEqual(Array(80).fill('valid'))
      expect(second).toEqual(Array(80).fill('refused'))
      expect(await verifier.judgeBatch(honest(80), 'b')).toEqual(Array(80).fill('valid'))
    } finally {
      await verifier.close()
    }
  })

  test("one peer's forgeries hardly delay another's good signatures", async () => {
    const verifier = createVerifier({ workers: 1, undecidedPerLaneMax: 1000 })
    try {
      const good = honest(64)
      await verifier.judgeBatch(good, 'warm up')
      const flood = verifier.judgeBatch(
        Array.from({ length: 800 }, (_, index) => forged(index)),
        'flooder',
      )
      let floodIsOver = false
      void flood.then(() => {
        floodIsOver = true
      })
      for (let round = 0; round < 5; round++) {
        expect(await verifier.verifyBatch(good, 'friend')).toEqual(Array(64).fill(true))
        // The flood needs some 800 slow checks; a friend's batch waits for a few chunks only, however long the flood is.
        expect(floodIsOver).toBe(false)
      }
      expect(await flood).toEqual(Array(800).fill('invalid'))
    } finally {
      await verifier.close()
    }
  })

  test('serve a small batch before the rest of a large one that came first', async () => {
    const verifier = createVerifier({ workers: 1 })
    try {
      const order: string[] = []
      const large = verifier.verifyBatch(honest(3200), 'flooder').then(() => order.push('large'))
      const small = verifier.verifyBatch(honest(16), 'friend').then(() => order.push('small'))
      await Promise.all([large, small])
      expect(order).toEqual(['small', 'large'])
    } finally {
      await verifier.close()
    }
  })

  test('reject what is asked for after, or unanswered at, the end', async () => {
    const verifier = createVerifier({ workers: 1 })
    const unanswered = verifier.verifyBatch(honest(10))
    const rejected = expect(unanswered).rejects.toThrow('closed')
    await verifier.close()
    await rejected
    await expect(verifier.verifyBatch(honest(1))).rejects.toThrow('closed')
  })
})

test('a number of workers that makes no sense is refused', () => {
  expect(() => createVerifier({ workers: -1 })).toThrow('0 or more')
  expect(() => createVerifier({ workers: 1.5 })).toThrow('0 or more')
})

test('items survive the journey to a worker', () => {
  const items = [0, 1, 100, 70_000].map((length) => signed(new Uint8Array(length).fill(length % 251)))
  expect(unpackItems(packItems(items))).toEqual(items)
})

test('lanes take turns, each in its own order', () => {
  const lanes = createLanes<string>()
  for (const work of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) lanes.push(work[0]!, work)
  expect(lanes.waiting('a')).toBe(3)
  const taken = Array.from({ length: 7 }, () => lanes.take())
  expect(taken).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', undefined])
  expect(lanes.waiting('a')).toBe(0)
})

function signed(message: Uint8Array): SignedItem {
  return { publicKey: keyPair.publicKey, message, signature: keyPair.sign(message) }
}

function honest(count: number): SignedItem[] {
  return Array.from({ length: count }, (_, index) => signed(new TextEncoder().encode(`message ${index}`)))
}

function forged(index: number): SignedItem {
  return { ...signed(new TextEncoder().encode(`message ${index}`)), message: new TextEncoder().encode('another') }
}
