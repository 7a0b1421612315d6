// Contract images on the disk: bounded, private, and nothing about them is ever an error of a call.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSandbox, hashCode } from '../src/execution/sandbox/index.ts'
import { openImageFiles, readImageFiles } from '../src/image-files.ts'
import { invocationOf, scriptRunning } from './execution/sandbox/script.ts'

let root: string
let folder: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'quorate-images-'))
  folder = join(root, 'data', 'images')
})
afterEach(() => rmSync(root, { recursive: true }))

const nameOf = (index: number) => String(index).padStart(64, '0')
const bytesOf = (index: number, length = 100) => new Uint8Array(length).fill(index)
const names = () => readdirSync(folder).sort()

describe('image files', () => {
  it('are kept in a folder that is made when needed, for their owner alone', () => {
    const files = openImageFiles(folder, 1_000)
    expect(existsSync(folder)).toBe(false)
    expect(files.get(nameOf(1))).toBeUndefined()
    files.put(nameOf(1), bytesOf(1))
    expect(files.get(nameOf(1))).toEqual(Buffer.from(bytesOf(1)))
    expect(names()).toEqual([nameOf(1)])
    expect(statSync(join(folder, nameOf(1))).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  })

  it('take no more than their bound: the least recently written go', () => {
    const files = openImageFiles(folder, 300)
    for (const index of [1, 2, 3]) files.put(nameOf(index), bytesOf(index))
    expect(names()).toEqual([nameOf(1), nameOf(2), nameOf(3)])
    files.put(nameOf(1), bytesOf(7))
    expect(files.get(nameOf(1))).toEqual(Buffer.from(bytesOf(7)))
    files.put(nameOf(4), bytesOf(4))
    expect(names()).toEqual([nameOf(1), nameOf(3), nameOf(4)])
    files.put(nameOf(5), bytesOf(5, 200))
    expect(names()).toEqual([nameOf(4), nameOf(5)])
  })

  it('are counted, with their age, by the next process, which clears what the last one left half written', () => {
    const before = openImageFiles(folder, 300)
    for (const index of [1, 2, 3]) before.put(nameOf(index), bytesOf(index))
    utimesSync(join(folder, nameOf(2)), 1_000, 1_000)
    writeFileSync(join(folder, `${nameOf(9)}.new`), bytesOf(9))
    const after = openImageFiles(folder, 300)
    expect(names()).toEqual([nameOf(1), nameOf(2), nameOf(3)])
    after.put(nameOf(4), bytesOf(4))
    expect(names()).toEqual([nameOf(1), nameOf(3), nameOf(4)])
    openImageFiles(folder, 150)
    expect(names()).toHaveLength(1)
  })

  it('that cannot be written or read are absent', () => {
    mkdirSync(folder, { recursive: true })
    const files = openImageFiles(folder, 1_000)
    // A folder is in the file's place: the write fails at its last step.
    mkdirSync(join(folder, nameOf(1), 'in-the-way'), { recursive: true })
    files.put(nameOf(1), bytesOf(1))
    expect(files.get(nameOf(1))).toBeUndefined()
    expect(names()).toEqual([nameOf(1)])

    writeFileSync(join(root, 'file'), '')
    const nowhere = openImageFiles(join(root, 'file', 'images'), 1_000)
    nowhere.put(nameOf(2), bytesOf(2))
    expect(nowhere.get(nameOf(2))).toBeUndefined()
  })

  it('are read by others, who write nothing', () => {
    openImageFiles(folder, 1_000).put(nameOf(1), bytesOf(1))
    const reader = readImageFiles(folder)
    expect(reader.get(nameOf(1))).toEqual(Buffer.from(bytesOf(1)))
    reader.put(nameOf(2), bytesOf(2))
    expect(names()).toEqual([nameOf(1)])
  })

  it('serve sandboxes one after another, a damaged one is made again', () => {
    const code = scriptRunning('return ++counter', 'let counter = 1')
    const file = join(folder, hashCode(code))
    const lookAt = () => {
      const sandbox = createSandbox({ imageStore: openImageFiles(folder, 1e9) })
      return [sandbox.run(invocationOf(code)), sandbox.hashRestoredState(code, 0)]
    }
    const first = lookAt()
    expect(first[0]).toMatchObject({ status: 'ok', result: '2' })
    const { ino } = statSync(file)
    expect(lookAt()).toEqual(first)
    expect(statSync(file).ino).toBe(ino)
    writeFileSync(file, 'damaged')
    expect(lookAt()).toEqual(first)
    expect(statSync(file).size).toBeGreaterThan(300_000)
  })
})
