import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  encodeFrames,
  FRAME_BYTES_MAX,
  HEADER_BYTES,
  MARKER_BYTES,
  readLog,
} from '../../src/ledger/consensus-frames.ts'
import { type ConsensusLog, createConsensusLog, openConsensusLog } from '../../src/ledger/consensus-log.ts'

const id = new Uint8Array(32).fill(7)
const record = (n: number, length = 10): Uint8Array => new Uint8Array(length).fill(n)

describe('consensus log', () => {
  let folder: string
  let path: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'quorate-log-'))
    path = join(folder, 'consensus.log')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  async function opened(): Promise<{ log: ConsensusLog; records: Uint8Array[] }> {
    const result = await openConsensusLog(path)
    if ('fault' in result) throw new Error(result.reason)
    return result
  }

  /** Three frames, of two, one and three records; where each ends. */
  async function written() {
    await createConsensusLog(path, id)
    const { log } = await opened()
    const groups = [[record(1), record(2, 0)], [record(3, 30)], [record(4), record(5, 1), record(6)]]
    const ends = [log.bytes()]
    for (const group of groups) {
      log.append(group)
      await log.sync()
      ends.push(log.bytes())
    }
    await log.close()
    return { bytes: readFileSync(path), groups, ends, records: groups.flat() }
  }

  it('gives back what was synced, in order, and nothing that was not', async () => {
    await createConsensusLog(path, id)
    const first = await opened()
    expect(first.log.id).toBe('07'.repeat(32))
    expect(first.records).toEqual([])
    first.log.append([record(1)])
    first.log.append([record(2), record(3, 1000)])
    await first.log.sync()
    const size = first.log.bytes()
    expect(statSync(path).size).toBe(size)
    await first.log.sync()
    expect(first.log.bytes()).toBe(size)
    first.log.append([record(4)])
    await first.log.close()
    const second = await opened()
    expect(second.records).toEqual([record(1), record(2), record(3, 1000)])
    expect(second.log.bytes()).toBe(size)
    await second.log.close()
  })

  it('keeps the order of syncs that overlap', async () => {
    await createConsensusLog(path, id)
    const { log } = await opened()
    const syncs = Array.from({ length: 20 }, (_, n) => {
      log.append([record(n)])
      return log.sync()
    })
    await Promise.all(syncs)
    await log.close()
    const again = await opened()
    expect(again.records).toEqual(Array.from({ length: 20 }, (_, n) => record(n)))
    await again.log.close()
  })

  it('is private, and never replaced', async () => {
    await createConsensusLog(path, id)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const before = readFileSync(path)
    await expect(createConsensusLog(path, record(9, 32))).rejects.toThrow('never replaced')
    expect(readFileSync(path)).toEqual(before)
    await expect(createConsensusLog(`${path}2`, record(1, 31))).rejects.toThrow('32 bytes')
    expect(await openConsensusLog(`${path}3`)).toMatchObject({ fault: 'MISSING' })
  })

  it('cut at any length: keeps the whole frames and truncates the rest; without a whole header it is damaged', async () => {
    const { bytes, groups, ends } = await written()
    for (let length = 0; length <= bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length))
      const result = await openConsensusLog(path)
      if (length < HEADER_BYTES) {
        expect(result).toMatchObject({ fault: 'DAMAGED' })
        expect(statSync(path).size).toBe(length)
        continue
      }
      if ('fault' in result) throw new Error(`cut at ${length}: ${result.reason}`)
      const frames = ends.filter((end) => end <= length).length - 1
      expect(result.records).toEqual(groups.slice(0, frames).flat())
      expect(statSync(path).size).toBe(ends[frames])
      result.log.append([record(99)])
      await result.log.sync()
      await result.log.close()
      const again = await opened()
      expect(again.records).toEqual([...groups.slice(0, frames).flat(), record(99)])
      await again.log.close()
    }
  })

  it('any byte flipped: damage before the last frame is reported and left alone, in the last frame it is a torn write', async () => {
    const { bytes, groups, ends } = await written()
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const flipped = Buffer.from(bytes)
        flipped[at]! ^= mask
        writeFileSync(path, flipped)
        const result = await openConsensusLog(path)
        if (at < ends[2]!) {
          expect(result).toMatchObject({ fault: 'DAMAGED' })
          expect(readFileSync(path)).toEqual(flipped)
          continue
        }
        if ('fault' in result) throw new Error(`flipped ${at}: ${result.reason}`)
        expect(result.records).toEqual(groups.slice(0, 2).flat())
        await result.log.close()
      }
    }
  })

  it('reports frames that are whole but not in their order', async () => {
    const { bytes, ends } = await written()
    const frame = (n: number) => bytes.subarray(ends[n - 1], ends[n])
    for (const order of [[2, 1, 3], [1, 3], [3], [1, 1, 2, 3]]) {
      writeFileSync(path, Buffer.concat([bytes.subarray(0, HEADER_BYTES), ...order.map(frame)]))
      expect(await openConsensusLog(path)).toMatchObject({
        fault: 'DAMAGED',
        reason: expect.stringContaining('does not follow'),
      })
    }
  })

  it('is not fooled by a frame inside a record that is torn', async () => {
    const { bytes, groups, ends } = await written()
    // What somebody without the file can plant: a frame that is right in all but the marker.
    const planted = encodeFrames(record(0, MARKER_BYTES), new Uint8Array(32), [record(1)]).frames[0]!
    writeFileSync(path, bytes)
    const { log } = await opened()
    // More of the record follows, so that the cut below leaves the planted frame whole.
    log.append([Buffer.concat([planted, record(2)])])
    await log.sync()
    await log.close()
    const torn = readFileSync(path).subarray(0, -1)
    writeFileSync(path, torn)
    const again = await opened()
    expect(again.records).toEqual(groups.flat())
    expect(again.log.bytes()).toBe(ends[3])
    await again.log.close()
    // With the file's own marker it would have been taken for a later frame: the marker is what protects.
    const marker = bytes.subarray(8 + 32, 8 + 32 + MARKER_BYTES)
    const known = encodeFrames(marker, new Uint8Array(32), [record(1)]).frames[0]!
    expect(readLog(Buffer.concat([bytes, Buffer.of(0), known]))).toMatchObject({ fault: 'DAMAGED' })
  })

  it('is rewritten whole, under the same id, and goes on', async () => {
    const { records } = await written()
    const { log } = await opened()
    log.append([record(50)])
    await expect(log.rewrite([])).rejects.toThrow('not synced')
    await log.sync()
    const before = log.bytes()
    const rewriting = log.rewrite([records[0]!, record(60)])
    log.append([record(61)])
    await rewriting
    await log.sync()
    expect(log.bytes()).toBeLessThan(before)
    expect(log.bytes()).toBe(statSync(path).size)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await log.close()
    const again = await opened()
    expect(again.log.id).toBe('07'.repeat(32))
    expect(again.records).toEqual([records[0], record(60), record(61)])
    await again.log.rewrite([])
    await again.log.close()
    const emptied = await opened()
    expect(emptied.records).toEqual([])
    await emptied.log.close()
    expect(readdirSync(folder)).toEqual(['consensus.log'])
  })

  it('ignores a rewrite that did not come to its end', async () => {
    const { bytes, records } = await written()
    writeFileSync(`${path}.new`, bytes.subarray(0, 100))
    const { log, records: found } = await opened()
    expect(found).toEqual(records)
    expect(readdirSync(folder)).toEqual(['consensus.log'])
    await log.close()
  })

  it('splits what one frame cannot hold, and refuses what none can', async () => {
    await createConsensusLog(path, id)
    const { log } = await opened()
    const large = [record(1, FRAME_BYTES_MAX - 4), record(2, FRAME_BYTES_MAX / 2), record(3)]
    log.append(large)
    await log.sync()
    await log.close()
    const again = await opened()
    expect(again.records.map((one) => [one[0], one.length])).toEqual(large.map((one) => [one[0], one.length]))
    expect(() => again.log.append([record(1, FRAME_BYTES_MAX - 3)])).toThrow('at most')
    await again.log.close()
  })

  it('refuses all further use after an error', async () => {
    await createConsensusLog(path, id)
    const { log } = await opened()
    // The rewritten file cannot be made where a folder stands.
    const blocked = `${path}.new`
    mkdirSync(join(blocked, 'in the way'), { recursive: true })
    await expect(log.rewrite([record(1)])).rejects.toThrow()
    expect(() => log.append([record(1)])).toThrow('stop the process')
    await expect(log.sync()).rejects.toThrow('stop the process')
    await expect(log.rewrite([])).rejects.toThrow('stop the process')
    await log.close()
    rmSync(blocked, { recursive: true })
    const again = await opened()
    expect(again.records).toEqual([])
    await again.log.close()
  })
})
