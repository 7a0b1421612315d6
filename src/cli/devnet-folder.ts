// The folder of a devnet: made once, resumed afterwards, and deleted again only as far as it was made here.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readPublicEntry } from '../crypto/key-file.ts'
import { createKey, showKey } from '../crypto/keystore.ts'
import { nodeIdOf } from '../crypto/node-id.ts'
import type { GenesisParts } from '../genesis/document.ts'
import type { Validator } from '../types/epoch.ts'
import { fromHex } from '../types/hex.ts'
import { P2P_PORT_OFFSET } from './devnet.ts'
import { bundleShipped, shippedContracts } from './devnet-contracts.ts'
import { CliError } from './error.ts'

/** What DIR/devnet.json says: that this folder is a devnet's, and what was made in it. */
export interface Devnet {
  format: typeof FORMAT
  chainId: string
  genesisHash: string
  validators: number
  observers: number
  keys: { name: string; address: string }[]
}

export interface DevnetNode {
  name: string
  role: 'validator' | 'observer'
  home: string
  log: string
  apiPort: number
  p2pPort: number
}

const FORMAT = 'quorate-devnet-1'
const MARKER = 'devnet.json'
/** Stands in for the marker until everything is made. */
const UNFINISHED = 'devnet.unfinished'
const LOCK = 'devnet.pid'
const KEYSTORE = 'keystore'
const KEYS = ['alice', 'bob', 'admin']
const VALIDATORS_DEFAULT = 4

/** One devnet at a time in a folder. */
export async function lockFolder(dir: string): Promise<{ release(): Promise<void> }> {
  await mkdir(dir, { recursive: true })
  const path = join(dir, LOCK)
  const running = await readFile(path, 'utf8').catch(() => undefined)
  const pid = Number(running)
  if (running !== undefined && Number.isSafeInteger(pid) && pid > 0 && isAlive(pid)) {
    const mend = `stop it, use another --dir, or delete ${path} if process ${pid} is something else`
    throw new CliError('DEVNET_RUNNING', `a devnet runs in ${dir} already, as process ${pid}: ${mend}`)
  }
  await rm(path, { force: true })
  const file = await open(path, 'wx').catch((cause) => {
    throw new CliError(
      'DEVNET_RUNNING',
      `another devnet is just starting in ${dir}: wait for it, or use another --dir`,
      { cause },
    )
  })
  await file.writeFile(`${process.pid}\n`)
  await file.close()
  return { release: () => rm(path, { force: true }) }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Deletes what a devnet made in the folder, and nothing else. */
export async function resetFolder(dir: string): Promise<void> {
  const entries = await readdir(dir)
  if (entries.every((entry) => entry === LOCK)) return
  const isDevnet = existsSync(join(dir, UNFINISHED)) || (await readMarker(dir)) !== undefined
  if (!isDevnet) {
    throw new CliError(
      'NOT_A_DEVNET',
      `${dir} was not made by a devnet and was left as it is: choose another --dir, or empty it yourself`,
    )
  }
  for (const entry of entries) if (isOurs(entry)) await rm(join(dir, entry), { recursive: true, force: true })
}

const isOurs = (entry: string): boolean =>
  /^(node|observer)-\d+$/.test(entry) || [KEYSTORE, 'genesis.json', 'heights.json', MARKER, UNFINISHED].includes(entry)

export interface Size {
  validators: number
  observers: number
}

/** How many nodes the folder's devnet has, or would have. Throws CliError where it has another number than asked for. */
export async function sizeOf(dir: string, options: Partial<Size>): Promise<Size> {
  const existing = existsSync(join(dir, UNFINISHED)) ? undefined : await readMarker(dir)
  const asked = { validators: options.validators ?? VALIDATORS_DEFAULT, observers: options.observers ?? 0 }
  if (existing === undefined) return asked
  for (const kind of ['validators', 'observers'] as const) {
    if (options[kind] === undefined || options[kind] === existing[kind]) continue
    const mend = 'leave the option out to resume it, use another --dir, or begin anew with --reset'
    const message = `the devnet in ${dir} has ${existing[kind]} ${kind}, asked for were ${options[kind]}: ${mend}`
    throw new CliError('DEVNET_DIFFERS', message)
  }
  return { validators: existing.validators, observers: existing.observers }
}

/** The devnet of the folder: the one that is there, or a new one of that size. */
export async function prepareFolder(
  dir: string,
  size: Size,
  port: number,
  note: (text: string) => void,
): Promise<Devnet> {
  if (existsSync(join(dir, UNFINISHED))) await resetFolder(dir)
  const existing = await readMarker(dir)
  if (existing === undefined) return await makeDevnet(dir, size, port, note)
  note(`resuming the devnet in ${dir}`)
  return existing
}

async function readMarker(dir: string): Promise<Devnet | undefined> {
  const path = join(dir, MARKER)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    const marker = JSON.parse(text) as Devnet
    if (marker.format === FORMAT) return marker
  } catch {
    // Told below, as any other content.
  }
  throw new CliError('NOT_A_DEVNET', `${path} is not a devnet's: choose another --dir, or remove what is there`)
}

async function makeDevnet(
  dir: string,
  { validators, observers }: Size,
  port: number,
  note: (text: string) => void,
): Promise<Devnet> {
  const strangers = (await readdir(dir)).filter((entry) => entry !== LOCK)
  if (strangers.length > 0) {
    const shown = strangers.slice(0, 5).join(', ')
    throw new CliError(
      'NOT_A_DEVNET',
      `${dir} holds something else (${shown}) and was left as it is: choose an empty --dir`,
    )
  }
  note(`making a devnet of ${validators} validators and ${observers} observers in ${dir}`)
  await writeFile(join(dir, UNFINISHED), '')
  const chainId = `devnet-${randomBytes(4).toString('hex')}`
  const homes = homeNames(validators, observers)
  const [keys, entries, codes] = await Promise.all([makeKeys(dir), makeHomes(dir, homes, port), bundleShipped()])
  const contracts = shippedContracts(codes, (name) => keys.find((key) => key.name === name)!.address)
  const genesisHash = await writeGenesis(dir, { chainId, validators: entries.slice(0, validators), contracts })
  await Promise.all(homes.map((name) => copyFile(join(dir, 'genesis.json'), join(dir, name, 'genesis.json'))))
  const devnet: Devnet = { format: FORMAT, chainId, genesisHash, validators, observers, keys }
  const temporary = join(dir, `${MARKER}.tmp`)
  await writeFile(temporary, `${JSON.stringify(devnet, null, 2)}\n`)
  await rename(temporary, join(dir, MARKER))
  await rm(join(dir, UNFINISHED))
  return devnet
}

function homeNames(validators: number, observers: number): string[] {
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  return [...names('node', validators), ...names('observer', observers)]
}

async function makeKeys(dir: string): Promise<Devnet['keys']> {
  const keystore = join(dir, KEYSTORE)
  for (const name of KEYS) await createKey(keystore, name, { unencrypted: true })
  return await Promise.all(
    KEYS.map(async (name) => {
      const { address } = await showKey(keystore, name)
      return { name, address }
    }),
  )
}

/** Each home knows its ports and its neighbours', so that `quorate start` runs any one of the nodes by itself. */
async function makeHomes(dir: string, names: string[], port: number): Promise<Validator[]> {
  const { initHome } = await import('../home/home.ts')
  const addresses = names.map((_, index) => `/ip4/127.0.0.1/tcp/${port + P2P_PORT_OFFSET + index}`)
  return await Promise.all(
    names.map((name, index) => {
      const settings = {
        'api.port': port + index,
        'p2p.listen': [addresses[index]],
        'p2p.bootstrap': addresses.filter((address) => address !== addresses[index]),
        'p2p.mdns': false,
      }
      return initHome({ home: join(dir, name), name, settings })
    }),
  )
}

async function writeGenesis(
  dir: string,
  parts: Pick<GenesisParts, 'chainId' | 'validators' | 'contracts'>,
): Promise<string> {
  const [{ createGenesis, formatGenesis, parseGenesis }, { engineHash }] = await Promise.all([
    import('../genesis/document.ts'),
    import('../execution/engine-hash.ts'),
  ])
  const genesis = createGenesis({ ...parts, engineHash: engineHash(), time: Date.now() })
  const text = formatGenesis(genesis)
  const parsed = parseGenesis(text)
  if (!parsed.ok) throw new Error(`the devnet's own genesis document is faulty: ${JSON.stringify(parsed.faults)}`)
  await writeFile(join(dir, 'genesis.json'), text)
  return parsed.hash
}

/** Where each node is, in the order of their ports. */
export function nodesOf({ validators, observers }: Size, dir: string, port: number): DevnetNode[] {
  return homeNames(validators, observers).map((name, index) => ({
    name,
    role: index < validators ? 'validator' : 'observer',
    home: join(dir, name),
    log: resolve(dir, name, 'node.log'),
    apiPort: port + index,
    p2pPort: port + P2P_PORT_OFFSET + index,
  }))
}

export const keystoreOf = (dir: string): string => join(dir, KEYSTORE)

/** The node's full P2P address, its id included. */
export async function p2pAddressOf({ home, p2pPort }: DevnetNode): Promise<string> {
  const { publicKey } = await readPublicEntry(join(home, 'keys', 'node.json'))
  return `/ip4/127.0.0.1/tcp/${p2pPort}/p2p/${nodeIdOf(fromHex(publicKey))}`
}
