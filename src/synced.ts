// What is on the disk once the promise resolves, so that a loss of power cannot take it back.
import { open } from 'node:fs/promises'

/** A new file, unless `flag` says otherwise. Its entry in the folder is the folder's. */
export async function writeSynced(
  path: string,
  contents: string | Uint8Array,
  { flag = 'wx', mode = 0o600 }: { flag?: 'wx' | 'w'; mode?: number } = {},
): Promise<void> {
  const file = await open(path, flag, mode)
  try {
    await file.writeFile(contents)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What was written to it without a sync. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A new or renamed file survives a loss of power only once its folder's entry does. */
export async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder, and needs no sync of it.
  if (process.platform !== 'win32') await syncFile(path)
}
