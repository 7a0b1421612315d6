import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../src/crypto/hash.ts'
import { fromHex, toHex } from '../../src/crypto/hex.ts'
import { isIndexCertain, merklePath, merkleRoot, verifyMerklePath } from '../../src/crypto/merkle.ts'

// The leaves and roots with which implementations of Certificate Transparency test RFC 6962 trees.
const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  fromHex,
)
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const firstPath = [
  '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
  '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
]

const anyLeaves = fc.array(fc.uint8Array({ maxLength: 70 }), { minLength: 1, maxLength: 40 })

test('an index is certain where no tree of another size has the leaf elsewhere by the same path', () => {
  const hashes = Array.from({ length: 20 }, (_, index) => Uint8Array.of(index))
  for (let size = 1; size <= 9; size++) {
    const root = merkleRoot(hashes.slice(0, size))
    for (let index = 0; index < size; index++) {
      const [leaf, path] = [hashes[index]!, merklePath(hashes.slice(0, size), index)]
      const isElsewhere = hashes.some((_, count) =>
        hashes
          .slice(0, count + 1)
          .some((_, other) => other !== index && verifyMerklePath({ leaf, index: other, size: count + 1, path, root })),
      )
      expect(isIndexCertain({ index, size }), `${index} of ${size}`).toBe(!isElsewhere)
    }
  }
})

describe('the root', () => {
  test.each(roots.map((root, size) => [size, root] as const))('of the first %i leaves is published', (size, root) => {
    expect(toHex(merkleRoot(leaves.slice(0, size)))).toBe(root)
  })

  test('is that of the recursive definition', () => {
    fc.assert(
      fc.property(anyLeaves, (some) => {
        expect(merkleRoot(some)).toEqual(treeHash(some))
      }),
    )
  })
})

describe('a path', () => {
  test('of the first of eight leaves is published', () => {
    expect(merklePath(leaves, 0).map(toHex)).toEqual(firstPath)
  })

  test('proves each leaf in trees of every size up to 33', () => {
    for (let size = 1; size <= 33; size++) {
      const some = Array.from({ length: size }, (_, index) => Uint8Array.of(index, size))
      const root = merkleRoot(some)
      some.forEach((leaf, index) => {
        expect(verifyMerklePath({ leaf, index, size, path: merklePath(some, index), root })).toBe(true)
      })
    }
  })

  test('proves nothing about another leaf, index, path or root', () => {
    fc.assert(
      fc.property(anyLeaves, fc.nat(), fc.nat(), (any, chosen, other) => {
        const some = any.map((leaf, position) => Uint8Array.of(position, ...leaf)) // No two are equal.
        const index = chosen % some.length
        const claim = {
          leaf: some[index]!,
          index,
          size: some.length,
          path: merklePath(some, index),
          root: merkleRoot(some),
        }
        const wrongIndex = other % some.length
        expect(verifyMerklePath({ ...claim, leaf: Uint8Array.of(...claim.leaf, 0) })).toBe(false)
        if (wrongIndex !== index) expect(verifyMerklePath({ ...claim, index: wrongIndex })).toBe(false)
        expect(verifyMerklePath({ ...claim, path: [...claim.path, claim.root] })).toBe(false)
        if (claim.path.length > 0) expect(verifyMerklePath({ ...claim, path: claim.path.slice(1) })).toBe(false)
        if (claim.path.length > 0) expect(verifyMerklePath({ ...claim, path: claim.path.slice(0, -1) })).toBe(false)
        expect(verifyMerklePath({ ...claim, root: sha256(claim.root) })).toBe(false)
      }),
    )
  })

  test('cannot pass an inner node off as a leaf', () => {
    const inner = Uint8Array.of(...treeHash(leaves.slice(0, 1)), ...treeHash(leaves.slice(1, 2)))
    const path = [treeHash(leaves.slice(2, 4))]
    const root = merkleRoot(leaves.slice(0, 4))
    expect(verifyMerklePath({ leaf: inner, index: 0, size: 2, path, root })).toBe(false)
  })

  test.each([
    [-1, 8],
    [8, 8],
    [0.5, 8],
    [0, 0],
    [Number.NaN, 8],
    [0, Number.POSITIVE_INFINITY],
    [0, 2 ** 60],
  ])('with index %d in a tree of %d is refused', (index, size) => {
    const path = firstPath.map(fromHex)
    expect(verifyMerklePath({ leaf: leaves[0]!, index, size, path, root: merkleRoot(leaves) })).toBe(false)
  })

  test('with a sibling that is no hash is refused', () => {
    // 31 + 33 bytes would hash to the root if only the whole counted.
    const left = sha256(Uint8Array.of(0, 1))
    const right = sha256(Uint8Array.of(0, 2))
    const root = merkleRoot([Uint8Array.of(1), Uint8Array.of(2)])
    expect(verifyMerklePath({ leaf: Uint8Array.of(1), index: 0, size: 2, path: [right], root })).toBe(true)
    expect(verifyMerklePath({ leaf: Uint8Array.of(1), index: 0, size: 2, path: [right.subarray(1)], root })).toBe(false)
    expect(verifyMerklePath({ leaf: Uint8Array.of(1), index: 0, size: 2, path: [left, right], root })).toBe(false)
  })

  test('with a sibling that is too long is refused, not thrown', () => {
    const claim = { leaf: leaves[0]!, index: 0, size: 8, root: merkleRoot(leaves) }
    const path = [new Uint8Array(33), ...firstPath.slice(1).map(fromHex)]
    expect(verifyMerklePath({ ...claim, path })).toBe(false)
  })

  test('does not prove a leaf between two indices', () => {
    const claim = { leaf: leaves[1]!, size: 8, path: merklePath(leaves, 1), root: merkleRoot(leaves) }
    expect(verifyMerklePath({ ...claim, index: 1 })).toBe(true)
    expect(verifyMerklePath({ ...claim, index: 0.5 })).toBe(false)
  })

  test('of a leaf that is not there cannot be made', () => {
    expect(() => merklePath(leaves, 8)).toThrow('Leaf 8 is not in a tree of 8 leaves')
    expect(() => merklePath([], 0)).toThrow('not in a tree of 0 leaves')
  })
})

/** RFC 6962 section 2.1 word for word: split at the largest power of two below the size. */
function treeHash(some: readonly Uint8Array[]): Uint8Array {
  if (some.length === 1) return sha256(Uint8Array.of(0, ...some[0]!))
  let split = 1
  while (split * 2 < some.length) split *= 2
  return sha256(Uint8Array.of(1, ...treeHash(some.slice(0, split)), ...treeHash(some.slice(split))))
}
