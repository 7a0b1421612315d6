/** An image from memory, from the store and evaluated anew are the same to the byte, and whatever is wrong in the store counts as absent. */
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { engineHash } from '../../../src/execution/engine-hash.ts'
import { imageGas } from '../../../src/execution/sandbox/gas.ts'
import { bootBaseImage } from '../../../src/execution/sandbox/image.ts'
import { createSandbox, hashCode, type ImageStore } from '../../../src/execution/sandbox/index.ts'
import { LOAD_GAS_MAX } from '../../../src/execution/sandbox/limits.ts'
import { createStoredImages } from '../../../src/execution/sandbox/stored-images.ts'
import { invocationOf, scriptRunning } from './script.ts'

const keeping = (bytes: number) =>
  scriptRunning(
    'return [kept.length, kept[7], ++counter]',
    `let counter = 41; const kept = new Uint8Array(${bytes}).fill(3)`,
  )
const code = keeping(20_000)
const codeHash = hashCode(code)
const other = keeping(30_000)

/** A store over a map that counts: whoever evaluates a contract puts it. */
function memoryStore() {
  const files = new Map<string, Uint8Array>()
  const store = { files, puts: 0, get: (hash: string) => files.get(hash), put }
  function put(hash: string, bytes: Uint8Array): void {
    store.puts++
    files.set(hash, bytes)
  }
  return store
}

const lookAt = (sandbox: ReturnType<typeof createSandbox>) => ({
  hash: sandbox.hashRestoredState(code, 0),
  outcome: sandbox.run(invocationOf(code)),
})
const evaluated = lookAt(createSandbox())

/** The file of `code`, as a sandbox writes it. */
function writtenFile(): Buffer {
  const store = memoryStore()
  createSandbox({ imageStore: store }).run(invocationOf(code))
  return Buffer.from(store.files.get(codeHash)!)
}
const whole = writtenFile()

function sealed(file: Buffer): Buffer {
  file.writeUInt32BE(crc32(file.subarray(4)))
  return file
}

/** `whole` with changes under a right checksum. */
function forged(change: (file: Buffer) => unknown): Buffer {
  const file = Buffer.from(whole)
  const changed = change(file)
  return sealed(changed instanceof Buffer ? changed : file)
}

function flipBit(file: Buffer, at: number): Buffer {
  file.writeUInt8(file.readUInt8(at) ^ (1 << (at % 8)), at)
  return file
}

const store = memoryStore()
const forgetful = createSandbox({ imageCacheBytes: 1, imageStore: store })

/** Runs `code` where only this file is left of its image. */
function run(file: Uint8Array) {
  forgetful.run(invocationOf(other))
  store.files.set(codeHash, file)
  store.puts = 0
  const outcome = forgetful.run(invocationOf(code))
  return { outcome, evaluations: store.puts, isWhole: whole.equals(store.files.get(codeHash)!) }
}
const read = (file: Uint8Array) => ({ ...run(file), hash: forgetful.hashRestoredState(code, 0) })
const again = { ...evaluated, evaluations: 1, isWhole: true }

describe('contract images in a store', () => {
  it('are put when they are made, and the same from memory, from the store and evaluated', () => {
    expect(evaluated.outcome).toMatchObject({ status: 'ok', result: '[20000,3,42]' })
    const store = memoryStore()
    const first = createSandbox({ imageStore: store })
    expect(first.inspect(code, LOAD_GAS_MAX)).toMatchObject({ ok: true })
    expect(whole.equals(store.files.get(codeHash)!)).toBe(true)
    expect(lookAt(first)).toEqual(evaluated)
    expect(lookAt(first)).toEqual(evaluated)
    expect(store.puts).toBe(1)
    const second = createSandbox({ imageStore: store })
    expect(lookAt(second)).toEqual(evaluated)
    expect(lookAt(second)).toEqual(evaluated)
    expect(store.puts).toBe(1)
  })

  it('come back when they left memory, however often', () => {
    const store = memoryStore()
    const sandbox = createSandbox({ imageCacheBytes: 1, imageStore: store })
    for (let round = 0; round < 4; round++) {
      expect(lookAt(sandbox)).toEqual(evaluated)
      expect(sandbox.run(invocationOf(other))).toMatchObject({ status: 'ok', result: '[30000,3,42]' })
    }
    expect(store.puts).toBe(2)
  })

  it('are what runs: bytes under a right checksum are believed', () => {
    const changed = read(forged((file) => flipBit(file, file.length - 1)))
    expect(changed.evaluations).toBe(0)
    expect(changed.hash).not.toBe(evaluated.hash)
  })

  it('with a flipped bit are evaluated anew and written again', () => {
    const body = Array.from({ length: 20 }, (_, step) => 160 + step * Math.floor((whole.length - 161) / 19))
    for (const at of [...Array(160).keys(), ...body, whole.length - 1]) {
      const { outcome, evaluations, isWhole } = run(flipBit(Buffer.from(whole), at))
      expect([outcome, evaluations, isWhole], `byte ${at}`).toEqual([evaluated.outcome, 1, true])
    }
    expect(read(whole)).toEqual({ ...again, evaluations: 0 })
  })

  it('cut short or with more at the end are evaluated anew', () => {
    for (const length of [0, 3, 4, 79, 80, 81, 200, whole.length >> 1, whole.length - 1]) {
      expect(read(whole.subarray(0, length)), `${length} bytes`).toEqual(again)
    }
    expect(read(Buffer.concat([whole, Buffer.alloc(1)]))).toEqual(again)
  })

  it('of other code, another engine, another base image or another version are evaluated anew', () => {
    const base = bootBaseImage()
    const contract = createStoredImages({ get: () => whole, put() {} }, base, engineHash()).get(codeHash)!
    const fileOf = (hash: string, image: typeof base, engine: string) => {
      const store = memoryStore()
      createStoredImages(store, image, engine).put(hash, contract)
      return Buffer.from(store.files.get(hash)!)
    }
    expect(whole.equals(fileOf(codeHash, base, engineHash()))).toBe(true)
    expect(read(fileOf(hashCode(other), base, engineHash()))).toEqual(again)
    expect(read(fileOf(codeHash, base, 'ab'.repeat(32)))).toEqual(again)
    const otherBase = { ...base, bytes: base.bytes.with(1_000, base.bytes[1_000]! ^ 1) }
    expect(read(fileOf(codeHash, otherBase, engineHash()))).toEqual(again)
    expect(read(forged((file) => file.writeUInt32BE(2, 4)))).toEqual(again)
  })

  it('that no program like this wrote are evaluated anew, whatever their checksum', () => {
    const tooManyPages = forged((file) => file.writeUInt32BE(161, 72))
    const tooFewPages = forged((file) => file.writeUInt32BE(17, 72))
    const noImage = forged((file) => file.subarray(0, 80 + file.readUInt32BE(76)))
    const badShape = forged((file) => file.write('}', 80))
    const longShape = forged((file) => file.writeUInt32BE(0xffff_ffff, 76))
    const tooLarge = forged((file) => {
      const larger = Buffer.concat([file, Buffer.alloc(1024 * 1024, 1)])
      larger.writeUInt32BE(160, 72)
      return larger
    })
    for (const [name, file] of Object.entries({ tooManyPages, tooFewPages, noImage, badShape, longShape, tooLarge })) {
      expect(read(file), name).toEqual(again)
    }
  })

  it('do not decide whether code may be deployed', () => {
    const store = memoryStore()
    createSandbox({ imageStore: store }).run(invocationOf(code))
    const refused = createSandbox().inspect(code, 1_000)
    expect(refused).toMatchObject({ ok: false, code: 'OUT_OF_GAS' })
    expect(createSandbox({ imageStore: store }).inspect(code, 1_000)).toEqual(refused)
  })

  it('are not needed: a store that keeps nothing changes nothing', () => {
    const empty: ImageStore = { get: () => undefined, put() {} }
    const sandbox = createSandbox({ imageCacheBytes: 1, imageStore: empty })
    for (let round = 0; round < 2; round++) {
      expect(lookAt(sandbox)).toEqual(evaluated)
      sandbox.run(invocationOf(other))
    }
  })
})

describe('the price of an image', () => {
  it('is one gas for four bytes up to 512 KiB, and five for each byte beyond', () => {
    expect([0, 1, 4, 5].map(imageGas)).toEqual([0, 1, 1, 2])
    expect([524_287, 524_288, 524_289, 1_048_576].map(imageGas)).toEqual([131_072, 131_072, 131_077, 2_752_512])
  })

  it('is what a call pays', () => {
    const store = memoryStore()
    const sandbox = createSandbox({ imageStore: store })
    const [small, large] = [1_000, 500_000].map((bytes) => {
      const script = scriptRunning('return 1', `const kept = new Uint8Array(${String(bytes).padStart(6, ' ')}).fill(3)`)
      const { gasUsed } = sandbox.run(invocationOf(script))
      const file = Buffer.from(store.files.get(hashCode(script))!)
      return { gasUsed, bytes: file.length - 80 - file.readUInt32BE(76) }
    })
    expect(large!.bytes).toBeGreaterThan(800_000)
    expect(large!.gasUsed - small!.gasUsed).toBe(imageGas(large!.bytes) - imageGas(small!.bytes))
  })
})
