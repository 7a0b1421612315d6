import { describe, expect, it } from 'vitest'
import { findDifference } from '../../src/divergence/find.ts'
import { writesDigest } from '../../src/execution/writes.ts'
import { effectAnswerCodec, effectsAnswerCodec } from '../../src/types/divergence.ts'
import { decode, encode, tagOf } from '../../src/types/schema.ts'
import { answersOf, asking, type Blocks, createNode, type Effect, type Handler, nameOf } from './world.ts'

const effect = (key: string, value: string | null = '1'): Effect => ({ writes: [[`token\0${key}`, value]] })
const first = [effect('a'), effect('b')]
const right: Blocks = [
  first,
  [
    effect('c'),
    {
      writes: [
        ['token\0d', '1'],
        ['token\0e', '2'],
      ],
    },
    effect('f'),
  ],
  [effect('g')],
]
const withSecond = (second: readonly Effect[]): Blocks => [first, second, right[2]!]
const quorum = createNode(right)

function find(blocks: Blocks, peers: Record<string, Handler>, height = 2, change = {}) {
  return findDifference(asking(createNode(blocks, change), peers), { height, hash: quorum.hashes[height]! })
}
const three = () => ({ a: answersOf(quorum), b: answersOf(quorum), c: answersOf(quorum) })

describe('the first difference', () => {
  const wrong = withSecond([
    right[1]![0]!,
    {
      writes: [
        ['token\0d', '1'],
        ['token\0e', '3'],
      ],
    },
    effect('f', '9'),
  ])

  it('is found in the writes: transaction and key, with both values', async () => {
    const found = await find(wrong, three())
    expect(found).toEqual({
      isWhole: true,
      difference: {
        height: 2,
        ours: createNode(wrong).hashes[2],
        theirs: quorum.hashes[2],
        fields: ['stateRoot'],
        transaction: { index: 1, id: nameOf(2, 1), contract: 'token', method: 'method-1' },
        isProven: false,
        receipt: [],
        key: { contract: 'token', key: 'e', ours: '3', theirs: '2' },
        confirmedBy: ['a', 'b', 'c'],
        answered: 3,
        note: '',
      },
    })
  })

  it.each<[string, Effect['writes'], object]>([
    ['not written here', [['token\0d', '1']], { key: 'e', ours: '(not written)', theirs: '2' }],
    [
      'deleted here',
      [
        ['token\0d', null],
        ['token\0e', '2'],
      ],
      { key: 'd', ours: null, theirs: '1' },
    ],
    [
      'written only here',
      [
        ['a\0z', '7'],
        ['token\0d', '1'],
        ['token\0e', '2'],
      ],
      { contract: 'a', key: 'z', ours: '7', theirs: '(not written)' },
    ],
  ])('is a key that is %s', async (_, writes, key) => {
    const found = await find(withSecond([right[1]![0]!, { writes }, right[1]![2]!]), three())
    expect(found?.difference).toMatchObject({ transaction: { index: 1 }, key })
  })

  it('shows of long values the part that differs', async () => {
    const [before, after] = [Array.from({ length: 300 }, (_, at) => at).join(), Array.from({ length: 9 }).join('😀x')]
    const of = (middle: string) => withSecond([effect('c', `${before}${middle}${after}`), ...right[1]!.slice(1)])
    const node = createNode(of('"right"'))
    const hash = node.hashes[2]!
    const found = await findDifference(asking(createNode(of('"wrong"')), { a: answersOf(node) }), { height: 2, hash })
    expect(found?.difference.key?.ours).toMatch(/^….{20,}"wrong"/)
    expect(found?.difference.key?.theirs).toMatch(/^….{20,}"right"/)
  })

  it('is proven where receipts differ, and is what comes first of receipts and writes', async () => {
    const receipt = { status: 'reverted' as const, code: 'THROWN', gasUsed: 6 }
    const byReceipt = await find(withSecond([{ ...right[1]![0]!, receipt }, effect('x'), right[1]![2]!]), three())
    expect(byReceipt?.difference).toMatchObject({
      fields: ['receiptsRoot', 'stateRoot'],
      transaction: { index: 0 },
      isProven: true,
      receipt: ['status: reverted here, ok there', 'code: THROWN here,  there', 'gasUsed: 6 here, 5 there'],
      key: null,
      note: expect.stringContaining('writes the same'),
    })
    const byWrites = await find(withSecond([effect('x'), { ...right[1]![1]!, receipt }, right[1]![2]!]), three())
    expect(byWrites?.difference).toMatchObject({ transaction: { index: 0 }, isProven: false, key: { key: 'c' } })
  })

  it('is looked for below the block that was contradicted', async () => {
    const found = await find(wrong, three(), 3)
    expect(found?.difference).toMatchObject({ height: 2, transaction: { index: 1 }, key: { key: 'e' } })
  })

  it('says so where the batch is another one, and where this machine does not repeat itself', async () => {
    const otherBatch = { batchDigest: 'cd'.repeat(32) }
    const node = createNode([right[0]!], otherBatch)
    const found = await findDifference(asking(createNode([right[0]!]), { a: answersOf(node) }), {
      height: 1,
      hash: node.hashes[1]!,
    })
    expect(found?.difference).toMatchObject({ fields: ['batchDigest'], transaction: null })
    expect(found?.difference.note).toContain('another batch')

    const flipped = { writes: effect('c', '5').writes, again: right[1]![0]!.writes }
    const once = await find(withSecond([flipped, right[1]![1]!, right[1]![2]!]), three())
    expect(once?.difference).toMatchObject({ transaction: { index: 0 }, key: null })
    expect(once?.difference.note).toContain('a fault of this machine')
  })

  it('names no transaction where digests are gone, and the transaction without its key where the state is', async () => {
    const old = createNode(right)
    old.forget()
    const none = await find(wrong, { a: answersOf(old) })
    expect(none).toMatchObject({
      isWhole: true,
      difference: { transaction: null, note: expect.stringContaining('digests') },
    })
    const pruned = createNode(wrong)
    pruned.writes = async () => {
      throw new Error('PRUNED')
    }
    const found = await findDifference(asking(pruned, three()), { height: 2, hash: quorum.hashes[2]! })
    expect(found?.difference).toMatchObject({ transaction: { index: 1 }, key: null })
    expect(found?.difference.note).toContain('its state before it is gone')
  })

  describe('is not led astray', () => {
    const honest = { key: { key: 'e', theirs: '2' }, transaction: { index: 1 } }
    type Forge = (tag: string, answer: Uint8Array) => Uint8Array
    const liar =
      (forge: Forge): Handler =>
      async (payload) =>
        forge(tagOf(payload)!, await answersOf(quorum)(payload))
    const ofBlock =
      (change: (effects: ReturnType<typeof decodeBlock>) => object): Forge =>
      (tag, answer) => {
        if (tag !== 'quorate/effects/1') return answer
        const effects = decodeBlock(answer)
        return encode(effectsAnswerCodec, { ...effects, ...change(effects) })
      }
    const decodeBlock = (answer: Uint8Array) => decode(effectsAnswerCodec, answer)
    const ofTransaction =
      (writes: { key: string; value: string | null }[]): Forge =>
      (tag, answer) => {
        if (tag !== 'quorate/effect/1') return answer
        return encode(effectAnswerCodec, { ...decode(effectAnswerCodec, answer), writes })
      }
    const digestsOf = (...values: string[]) => Buffer.concat(values.map((value) => writesDigest([['x', value]])))

    // Its word does not prove itself: it counts as no answer.
    it.each<[string, Forge]>([
      ['bytes that are no answer', () => new Uint8Array([1, 2, 3])],
      ['another header', ofBlock(({ header }) => ({ header: { ...header, time: 77 } }))],
      ['receipts that its header does not name', ofBlock(() => ({ receipts: new Uint8Array(96) }))],
      ['half a receipt', ofBlock(({ receipts }) => ({ receipts: receipts.subarray(0, 80) }))],
      ['too many digests', ofBlock(() => ({ writes: new Uint8Array(128) }))],
    ])('by %s', async (_, forge) => {
      const found = await find(wrong, { ...three(), liar: liar(forge) })
      expect(found?.difference).toMatchObject({ ...honest, answered: 3, confirmedBy: ['a', 'b', 'c'] })
      expect(await find(wrong, { liar: liar(forge) })).toBeUndefined()
    })

    // It says what it likes of the writes: fewer confirm that than the truth.
    it.each<[string, Forge]>([
      ['other digests', ofBlock(() => ({ writes: digestsOf('1', '2', '3') }))],
      ['writes that its digests do not name', ofTransaction([{ key: 'token\0a', value: '1' }])],
    ])('by %s', async (_, forge) => {
      const found = await find(wrong, { liar: liar(forge), ...three() })
      expect(found?.difference).toMatchObject({ ...honest, answered: 4, confirmedBy: ['a', 'b', 'c'] })
      const alone = await find(wrong, { liar: liar(forge) })
      expect(alone?.difference.key).toBeNull()
    })
  })

  it('is asked for again of peers that are busy or were asked too soon', async () => {
    const refusal = Object.assign(new Error('busy'), { code: 'FAILED' })
    const busy = (times: number): Handler => {
      let left = times
      return (payload) => (left-- > 0 ? Promise.reject(refusal) : answersOf(quorum)(payload))
    }
    expect((await find(wrong, { a: busy(2) }))?.difference).toMatchObject({ key: { key: 'e' }, confirmedBy: ['a'] })
    expect(await find(wrong, { a: busy(3) })).toBeUndefined()
  })

  it('is not there while no peer with that block answers, and without its key while none tells the writes', async () => {
    const silent: Handler = () => Promise.reject(new Error('TIMEOUT'))
    expect(await find(wrong, { a: silent, b: answersOf(createNode(wrong)) })).toBeUndefined()
    const half: Handler = (payload) =>
      tagOf(payload) === 'quorate/effect/1' ? silent(payload) : answersOf(quorum)(payload)
    expect(await find(wrong, { a: half, b: half })).toMatchObject({
      isWhole: false,
      difference: { transaction: { index: 1 }, key: null, confirmedBy: ['a', 'b'] },
    })
  })
})
