// The one LevelDB object of this thread for each folder, shared by all who open it here.
//
// The binding lets several objects of a process have one database open, but the block cache all of them use belongs to the object that
// was opened first, and is freed when that one is closed: whoever reads on, or a compaction that is running, then uses freed memory. So
// in a thread the first object stays open until the last user is gone; between threads the one that opened first closes last.
import { mkdirSync, realpathSync } from 'node:fs'
import { ClassicLevel } from 'classic-level'

export type Level = ClassicLevel<Buffer, Buffer>

interface Shared {
  level: Level
  users: number
  opening: Promise<void>
  /** Set once its last user is gone. */
  closing: Promise<void> | undefined
}

const shared = new Map<string, Shared>()

/** Rejects as LevelDB's open does. Each one who has it calls `close` once. */
export async function openSharedLevel(directory: string): Promise<{ level: Level; close(): Promise<void> }> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // Threads share a database by the spelling of its path, so there must be one.
  const path = realpathSync(directory)
  for (let before = shared.get(path); before?.closing !== undefined; before = shared.get(path))
    await before.closing.catch(() => undefined)
  const own = shared.get(path) ?? begin(path)
  own.users++
  try {
    await own.opening
  } catch (error) {
    await release(path, own)
    throw error
  }
  let isOpen = true
  return {
    level: own.level,
    async close() {
      if (!isOpen) return
      isOpen = false
      await release(path, own)
    },
  }
}

function begin(path: string): Shared {
  const level: Level = new ClassicLevel(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    multithreading: true,
  })
  const own: Shared = { level, users: 0, opening: level.open(), closing: undefined }
  shared.set(path, own)
  return own
}

async function release(path: string, own: Shared): Promise<void> {
  if (--own.users > 0) return
  own.closing = own.level.close().finally(() => shared.delete(path))
  await own.closing
}
