// Contract images on the disk, one file for each code hash. They are a cache: any file may be missing, old or damaged, and what reads them
// checks (src/execution/sandbox/stored-images.ts). So nothing is synced, and a disk that is full or broken only makes contracts load slower.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageStore } from './execution/sandbox/index.ts'

const TEMPORARY = '.new'

/** Undefined where the disk refuses. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** Reads what another thread writes there, and writes nothing itself. */
export function readImageFiles(folder: string): ImageStore {
  return {
    get: (codeHash) => attempt(() => readFileSync(join(folder, codeHash))),
    put() {},
  }
}

/** The folder's one writer. Past so many bytes the least recently written files are dropped. */
export function openImageFiles(folder: string, bytesMax: number): ImageStore {
  const sizes = new Map<string, number>()
  let total = 0

  function note(name: string, size: number): void {
    total += size - (sizes.get(name) ?? 0)
    // A map iterates in order of insertion, so inserting again makes it the newest.
    sizes.delete(name)
    sizes.set(name, size)
  }

  function dropOldest(): void {
    for (const [name, size] of sizes) {
      if (total <= bytesMax) return
      remove(name)
      sizes.delete(name)
      total -= size
    }
  }

  const remove = (name: string) => attempt(() => rmSync(join(folder, name), { force: true }))

  for (const { name, size } of filesIn(folder)) {
    if (name.endsWith(TEMPORARY)) remove(name)
    else note(name, size)
  }
  dropOldest()

  return {
    ...readImageFiles(folder),
    put(codeHash, bytes) {
      const temporary = `${codeHash}${TEMPORARY}`
      const written = attempt(() => {
        mkdirSync(folder, { recursive: true, mode: 0o700 })
        writeFileSync(join(folder, temporary), bytes, { mode: 0o600 })
        renameSync(join(folder, temporary), join(folder, codeHash))
        return true
      })
      if (written !== true) return void remove(temporary)
      note(codeHash, bytes.length)
      dropOldest()
    },
  }
}

/** The files there are, oldest first. */
function filesIn(folder: string): { name: string; size: number }[] {
  const names = attempt(() => readdirSync(folder)) ?? []
  return names
    .flatMap((name) => {
      const found = attempt(() => statSync(join(folder, name)))
      return found?.isFile() ? [{ name, size: found.size, writtenMs: found.mtimeMs }] : []
    })
    .sort((left, right) => left.writtenMs - right.writtenMs)
}
