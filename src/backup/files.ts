// Files of a backup, hashed as they lie on the disk.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FiledPart } from './manifest.ts'

/** The names of all files in the folder and in those directly in it, sorted. */
export async function filesIn(folder: string): Promise<string[]> {
  const names: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) names.push(entry.name)
    else for (const name of await readdir(join(folder, entry.name))) names.push(`${entry.name}/${name}`)
  }
  return names.sort()
}

/** Name, length and hash of a file, read in pieces; `onRead` is told each piece's bytes. */
export async function describeFile(
  folder: string,
  name: string,
  onRead: (bytes: number) => void = () => {},
): Promise<FiledPart> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of createReadStream(join(folder, name), { highWaterMark: 1024 * 1024 })) {
    hash.update(piece as Buffer)
    bytes += (piece as Buffer).length
    onRead((piece as Buffer).length)
  }
  return { name, bytes, sha256: hash.digest('hex') }
}
