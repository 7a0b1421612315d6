// The snapshots a node keeps and serves: the newest few, and for a while longer one that somebody is fetching. A damaged one is dropped
// as soon as that shows.
import { rm } from 'node:fs/promises'
import type { SnapshotRequest } from '../types/fetch.ts'
import {
  DamagedSnapshot,
  listSnapshots,
  makingFolder,
  openSnapshot,
  removeSnapshot,
  type StoredSnapshot,
  snapshotFolder,
} from './files.ts'

export interface ShelfOptions {
  root: string
  /** How many are kept. */
  kept: number
  /** A snapshot is not served: it was damaged and is removed, or cannot be read; `reason` says which file. */
  onDropped(height: number, reason: string): void
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

export interface Shelf {
  /** Looks at the folder: takes what is new, removes what is old, damaged or was never finished. */
  refresh(): Promise<void>
  /** Heights, newest first. */
  heights(): number[]
  /** The bytes asked for; empty where there are none such. */
  answer(request: SnapshotRequest): Promise<Uint8Array>
}

/** Whoever fetches asks every few moments; after so long without a question nobody does. */
const IN_USE_MS = 60_000
const NOTHING = new Uint8Array()

export function createShelf({ root, kept, onDropped, now }: ShelfOptions): Shelf {
  const snapshots = new Map<number, StoredSnapshot & { askedAt: number | undefined }>()
  let refreshing: Promise<void> = Promise.resolve()

  const heights = () => [...snapshots.keys()].sort((a, b) => b - a)

  async function drop(height: number, error: unknown): Promise<void> {
    if (!(error instanceof DamagedSnapshot)) throw error
    snapshots.delete(height)
    await removeSnapshot(root, height)
    onDropped(height, error.message)
  }

  async function refresh(): Promise<void> {
    for (const height of await listSnapshots(root)) {
      if (snapshots.has(height)) continue
      await attempt(height, async () => {
        const opened = await openSnapshot(snapshotFolder(root, height))
        snapshots.set(height, { ...opened, askedAt: undefined })
      })
    }
    for (const height of outdated()) {
      snapshots.delete(height)
      await attempt(height, () => removeSnapshot(root, height))
    }
  }

  /** What goes wrong with one snapshot keeps no other from being served or removed. */
  async function attempt(height: number, action: () => Promise<void>): Promise<void> {
    try {
      await action().catch((error) => drop(height, error))
    } catch (error) {
      onDropped(height, `${(error as Error).message}; it is left where it is`)
    }
  }

  /** At most as many again are kept for those who fetch them: strangers cannot fill the disk. */
  function outdated(): number[] {
    const old = heights().slice(kept)
    const inUse = old.filter((height) => now() - (snapshots.get(height)!.askedAt ?? -IN_USE_MS) < IN_USE_MS)
    const spared = new Set(inUse.slice(0, kept))
    return old.filter((height) => !spared.has(height))
  }

  async function answer(request: SnapshotRequest): Promise<Uint8Array> {
    const height = request.height === 0 ? (heights()[0] ?? 0) : request.height
    const snapshot = snapshots.get(height)
    if (snapshot === undefined) return NOTHING
    snapshot.askedAt = now()
    if (request.type === 'manifest') return snapshot.manifestBytes
    if (request.depth !== snapshot.manifest.depth) return NOTHING
    try {
      return (await snapshot.chunk(request.index)) ?? NOTHING
    } catch (error) {
      await drop(height, error)
      return NOTHING
    }
  }

  return {
    refresh() {
      refreshing = refreshing.catch(() => undefined).then(refresh)
      return refreshing
    },
    heights,
    answer,
  }
}

/** What a stopped making left. */
export const removeUnfinished = (root: string): Promise<void> =>
  rm(makingFolder(root), { recursive: true, force: true })
