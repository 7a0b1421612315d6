/**
 * The shipped stream: readings with a time, and their count, sum, least, greatest and mean per window of time, kept as they come.
 * Values are decimal strings of a fixed scale and all arithmetic is on integers. Windows stay; raw readings can be pruned once they
 * are older than the retention.
 * State: `stream/NAME`, `window/NAME/START`, `reading/NAME/TIME`.
 */
import { type CallContext, contract, type ReadableState } from 'quorate/contract'
import { type Access, assertWriter, writersOf } from '../shared/account.ts'
import { fieldsOf, listOf, nameOf, refuse, wholeNumberOf } from '../shared/arguments.ts'
import { ownedThings } from '../shared/owned.ts'
import {
  type Aggregate,
  aggregateOf,
  combine,
  fromStored,
  type StoredAggregate,
  summaryOf,
  toStored,
} from './aggregate.ts'
import { decimalOf, SCALE_MAX, unitsOf } from './decimal.ts'
import { entriesOf, rangeOf, timeKey, timeOf } from './range.ts'

interface Stream extends Access {
  windowMs: number
  /** Decimals of every value. */
  scale: number
  /** How old a reading may be when it comes, and how long it is kept at least, by block time. */
  retentionMs: number
  /** How far the clocks of writers may be ahead of block time. */
  aheadMs: number
}

interface Reading {
  time: number
  units: bigint
}

const DAY_MS = 86_400_000
const WINDOW_MAX_MS = 366 * DAY_MS
const RETENTION_MAX_MS = 36_600 * DAY_MS
const AHEAD_DEFAULT_MS = 60_000

/** Each reading may touch a window and an entry of its own. */
const READINGS_PER_APPEND_MAX = 100
/** All readings of one millisecond are one entry; several writers may meet in it. */
const READINGS_PER_TIME_MAX = 16
/** Windows in one aggregate: one scan. */
const WINDOWS_PER_AGGREGATE_MAX = 1_000
/** A page of readings, or of windows, stays under the 64 KiB of a result. */
const READINGS_PER_PAGE_MAX = 500
const WINDOWS_PER_PAGE_MAX = 100
/** Entries that one prune looks at. */
const PRUNED_MAX = 500

const streams = ownedThings<'stream', Stream>({
  kind: 'stream',
  event: 'StreamChanged',
  nameOf: (value) => nameOf(value, 'stream'),
})
const windowBase = (name: string) => `window/${name}/`
const readingBase = (name: string) => `reading/${name}/`
const windowStart = (time: number, windowMs: number) => time - (time % windowMs)

function readingOf(ctx: CallContext, entry: unknown, label: string, stream: Stream): Reading {
  const { time: given, value } = fieldsOf(entry, ['time', 'value'], label)
  const time = timeOf(given, `${label}.time`)
  const oldest = ctx.block.time - stream.retentionMs
  const newest = ctx.block.time + stream.aheadMs
  if (time < oldest)
    refuse(`${label}.time is ${time}: the stream takes nothing older than ${oldest} any more, so leave it out`)
  if (time > newest)
    refuse(`${label}.time is ${time}: the stream takes nothing later than ${newest} yet, so check the clock`)
  return { time, units: unitsOf(value, `${label}.value`, stream.scale) }
}

/** Each entry is read and written once, however many readings it gets. */
function storeReadings(ctx: CallContext, name: string, readings: Reading[], { scale }: Stream): void {
  const lists = new Map<string, string[]>()
  for (const { time, units } of readings) {
    const key = timeKey(readingBase(name), time)
    const list = lists.get(key) ?? ctx.state.get<string[]>(key) ?? []
    if (list.length === READINGS_PER_TIME_MAX) {
      refuse(
        `stream ${name} has ${READINGS_PER_TIME_MAX} readings at ${time} already: give later ones a time of their own`,
      )
    }
    list.push(decimalOf(units, scale))
    lists.set(key, list)
  }
  for (const [key, list] of lists) ctx.state.set(key, list)
}

function storeAggregates(ctx: CallContext, name: string, readings: Reading[], { scale, windowMs }: Stream): void {
  const windows = new Map<string, Aggregate>()
  for (const { time, units } of readings) {
    const key = timeKey(windowBase(name), windowStart(time, windowMs))
    windows.set(key, combine(windows.get(key) ?? readAggregate(ctx.state, key), aggregateOf(units)))
  }
  for (const [key, aggregate] of windows) ctx.state.set(key, toStored(aggregate, scale))
}

function readAggregate(state: ReadableState, key: string): Aggregate | undefined {
  const stored = state.get<StoredAggregate>(key)
  return stored === undefined ? undefined : fromStored(stored)
}

/** How many windows the range is made of; windows are whole. */
function windowsIn({ from, to }: { from: number; to: number }, windowMs: number): number {
  for (const [label, time] of Object.entries({ from, to })) {
    const start = windowStart(time, windowMs)
    if (start !== time) refuse(`${label} is ${time}, inside a window: give ${start} or ${start + windowMs}`)
  }
  const count = (to - from) / windowMs
  if (count <= WINDOWS_PER_AGGREGATE_MAX) return count
  refuse(`the range has ${count} windows: give at most ${WINDOWS_PER_AGGREGATE_MAX}, and put the parts together`)
}

export default contract({
  calls: {
    /** The sender owns it. All but its owner and writers stays as it is. */
    createStream(
      ctx,
      args: {
        stream: string
        windowMs: number
        scale: number
        retentionMs?: number
        aheadMs?: number
        writers?: string[]
      },
    ) {
      const fields = fieldsOf(args, ['stream', 'windowMs', 'scale', 'retentionMs', 'aheadMs', 'writers'])
      const { retentionMs = DAY_MS, aheadMs = AHEAD_DEFAULT_MS, writers = [] } = fields
      streams.create(ctx, fields.stream, {
        owner: ctx.sender,
        writers: writersOf(ctx, writers),
        windowMs: wholeNumberOf(fields.windowMs, 'windowMs', { min: 1, max: WINDOW_MAX_MS }),
        scale: wholeNumberOf(fields.scale, 'scale', { min: 0, max: SCALE_MAX }),
        retentionMs: wholeNumberOf(retentionMs, 'retentionMs', { min: 0, max: RETENTION_MAX_MS }),
        aheadMs: wholeNumberOf(aheadMs, 'aheadMs', { min: 0, max: DAY_MS }),
      })
    },

    ...streams.calls,

    /** All of the readings or none, in any order. */
    append(ctx, args: { stream: string; readings: { time: number; value: string }[] }) {
      const fields = fieldsOf(args, ['stream', 'readings'])
      const { name, thing: stream, label } = streams.load(ctx, fields.stream)
      assertWriter(ctx, stream, label)
      const entries = listOf(fields.readings, 'readings', { min: 1, max: READINGS_PER_APPEND_MAX })
      const readings = entries.map((entry, index) => readingOf(ctx, entry, `readings[${index}]`, stream))
      storeReadings(ctx, name, readings, stream)
      storeAggregates(ctx, name, readings, stream)
      const times = readings.map(({ time }) => time)
      const [first, last] = [Math.min(...times), Math.max(...times)]
      ctx.emit('Appended', { stream: name, account: ctx.sender, count: readings.length, first, last })
    },

    /** Removes raw readings older than the retention, so many entries at most. Anyone may. */
    prune(ctx, args: { stream: string; limit?: number }) {
      const { stream: given, limit: asked = PRUNED_MAX } = fieldsOf(args, ['stream', 'limit'])
      const { name, thing } = streams.load(ctx, given)
      const limit = wholeNumberOf(asked, 'limit', { min: 1, max: PRUNED_MAX })
      const before = Math.max(0, ctx.block.time - thing.retentionMs)
      const base = readingBase(name)
      const found = entriesOf<string[]>(ctx.state, base, { from: 0, to: before, limit: limit + 1 })
      const pruned = found.slice(0, limit)
      for (const { time } of pruned) ctx.state.delete(timeKey(base, time))
      const count = pruned.reduce((sum, { value }) => sum + value.length, 0)
      if (count > 0) ctx.emit('Pruned', { stream: name, before, count })
      return { pruned: count, more: found.length > limit }
    },
  },

  views: {
    /** Of whole windows. */
    aggregate(ctx, args: { stream: string; from: number; to: number }) {
      const fields = fieldsOf(args, ['stream', 'from', 'to'])
      const { name, thing } = streams.load(ctx, fields.stream)
      const range = rangeOf(fields)
      const limit = windowsIn(range, thing.windowMs)
      const windows = entriesOf<StoredAggregate>(ctx.state, windowBase(name), { ...range, limit })
      let total: Aggregate | undefined
      for (const { value } of windows) total = combine(total, fromStored(value))
      return { ...range, ...summaryOf(total, thing.scale) }
    },

    /** Windows that start in the range and have readings. */
    windows(ctx, args: { stream: string; from: number; to: number; limit?: number }) {
      const { limit: asked = WINDOWS_PER_PAGE_MAX, ...fields } = fieldsOf(args, ['stream', 'from', 'to', 'limit'])
      const { name, thing } = streams.load(ctx, fields.stream)
      const range = rangeOf(fields)
      const limit = wholeNumberOf(asked, 'limit', { min: 1, max: WINDOWS_PER_PAGE_MAX })
      const found = entriesOf<StoredAggregate>(ctx.state, windowBase(name), { ...range, limit: limit + 1 })
      const windows = found.slice(0, limit).map(({ time, value }) => ({
        from: time,
        to: time + thing.windowMs,
        ...summaryOf(fromStored(value), thing.scale),
      }))
      return { windows, next: found[limit]?.time ?? null }
    },

    /** Those of one millisecond stay together, also where they pass the limit. */
    readings(ctx, args: { stream: string; from: number; to: number; limit?: number }) {
      const { limit: asked = READINGS_PER_PAGE_MAX, ...fields } = fieldsOf(args, ['stream', 'from', 'to', 'limit'])
      const { name } = streams.load(ctx, fields.stream)
      const range = rangeOf(fields)
      const limit = wholeNumberOf(asked, 'limit', { min: 1, max: READINGS_PER_PAGE_MAX })
      const found = entriesOf<string[]>(ctx.state, readingBase(name), { ...range, limit: limit + 1 })
      const readings: { time: number; value: string }[] = []
      for (const { time, value: values } of found) {
        if (readings.length > 0 && readings.length + values.length > limit) return { readings, next: time }
        for (const value of values) readings.push({ time, value })
      }
      return { readings, next: null }
    },

    stream(ctx, args: { stream: string }) {
      return streams.find(ctx.state, nameOf(fieldsOf(args, ['stream']).stream, 'stream')) ?? null
    },
  },
})
