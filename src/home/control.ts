// How the owner of a home speaks with the node that runs on it: `data/control.json` has the API's address and a secret that only those
// who can read the file know. The node writes it when it starts and removes it when it stops cleanly.
import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'

export interface Control {
  /** Base URL of the API. */
  url: string
  /** 32 random bytes in hexadecimal, new at each start. */
  token: string
}

const TOKEN_BYTES = 32

export const newToken = (): string => randomBytes(TOKEN_BYTES).toString('hex')

export async function writeControl(path: string, { url, token }: Control): Promise<void> {
  const temporary = `${path}.new`
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  try {
    await file.writeFile(`${JSON.stringify({ url: reachable(url), token }, null, 2)}\n`)
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}

/** Undefined where no node has left one, or it is none. */
export async function readControl(path: string): Promise<Control | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    const { url, token } = JSON.parse(text) as Partial<Control>
    return typeof url === 'string' && typeof token === 'string' ? { url, token } : undefined
  } catch {
    return undefined
  }
}

export const removeControl = (path: string): Promise<void> => rm(path, { force: true })

/** Listening on every address is no address to ask at. */
const reachable = (url: string): string => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
