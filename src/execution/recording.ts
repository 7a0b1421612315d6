// What one run needs of the state, kept by key, so that the same run can be made again on a machine that has no ledger.
import type { StateStore } from './journal.ts'
import type { Runtime } from './runtime.ts'
import { systemKeys } from './state.ts'
import { compareUtf8, utf8Length } from './utf8.ts'

export interface StateRecord {
  /** Before the run, by full state key, in byte order; undefined where there was no entry. */
  values: Map<string, string | undefined>
  /** As they were asked of the store; their values are among `values`. */
  scans: RecordedScan[]
  /** By its hash, the code that ran. */
  code: Map<string, string>
}

export interface RecordedScan {
  prefix: string
  after: string | undefined
  limit: number
  keys: string[]
}

export interface Recorder {
  readonly store: StateStore
  readonly runtime: Runtime
  /** Keys that were asked for one by one so far; a scan asks the store for more than its contract sees. */
  readonly lookedUp: ReadonlySet<string>
  /** What was needed so far; undefined where that is more than the bytes allowed. */
  record(): StateRecord | undefined
}

/** What an entry counts beside its texts: many small ones make a large document too. */
const ENTRY_BYTES = 64

export function recordReads(inner: StateStore, runtime: Runtime, bytesMax: number): Recorder {
  const values: StateRecord['values'] = new Map()
  const scans = new Map<string, RecordedScan>()
  const code: StateRecord['code'] = new Map()
  const lookedUp = new Set<string>()
  let bytes = 0
  let isLoading = false

  /** Past the bound nothing more is kept, since the record will not be used. */
  function keep(texts: string[], put: () => void): void {
    if (bytes > bytesMax) return
    bytes += texts.reduce((sum, text) => sum + utf8Length(text), ENTRY_BYTES)
    if (bytes <= bytesMax) put()
  }
  const keepValue = (key: string, value: string | undefined) => {
    if (!values.has(key)) keep([key, value ?? ''], () => values.set(key, value))
  }

  return {
    lookedUp,
    store: {
      get(key) {
        const value = inner.get(key)
        if (!isLoading) {
          keepValue(key, value)
          if (values.has(key)) lookedUp.add(key)
        }
        return value
      },
      scan(prefix, after, limit) {
        const entries = inner.scan(prefix, after, limit)
        const keys = entries.map(([key]) => key)
        for (const [key, value] of entries) keepValue(key, value)
        const question = questionOf(prefix, after, limit)
        if (!scans.has(question)) keep([prefix, ...keys], () => scans.set(question, { prefix, after, limit, keys }))
        return entries
      },
    },
    runtime: {
      ...runtime,
      code(codeHash, load) {
        // Whether running code is read from the state depends on what is in memory, so it is kept by its hash instead.
        isLoading = true
        try {
          const text = runtime.code(codeHash, load)
          if (!code.has(codeHash)) keep([text], () => code.set(codeHash, text))
          return text
        } finally {
          isLoading = false
        }
      },
    },
    record() {
      if (bytes > bytesMax) return undefined
      return {
        values: new Map([...values].sort(([a], [b]) => compareUtf8(a, b))),
        scans: [...scans.values()],
        code: new Map(code),
      }
    },
  }
}

export interface Playback {
  readonly store: StateStore
  /** What was asked for and is not in the record: the run is another one from there on. */
  readonly missing: ReadonlySet<string>
}

export function playBack({ values, scans, code }: StateRecord): Playback {
  const missing = new Set<string>()
  const known = new Map([
    ...[...code].map(([hash, text]) => [systemKeys.code(hash), JSON.stringify(text)] as const),
    ...values,
  ])
  const answers = new Map(scans.map((scan) => [questionOf(scan.prefix, scan.after, scan.limit), scan.keys]))
  return {
    missing,
    store: {
      get(key) {
        if (!known.has(key)) missing.add(key)
        return known.get(key)
      },
      scan(prefix, after, limit) {
        const keys = answers.get(questionOf(prefix, after, limit))
        if (keys === undefined) missing.add(`${prefix}…`)
        return (keys ?? []).map((key) => [key, known.get(key) ?? 'null'])
      },
    },
  }
}

const questionOf = (prefix: string, after: string | undefined, limit: number) =>
  JSON.stringify([prefix, after ?? null, limit])
