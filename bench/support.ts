// What the benchmarks share: a devnet of real processes, signed transfers, and what the processes cost.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { keystoreOf } from '../src/cli/devnet-folder.ts'
import { signTransaction } from '../src/client/transaction.ts'
import { addressOf } from '../src/crypto/address.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { loadKey } from '../src/crypto/keystore.ts'
import { createKeyPair, verify } from '../src/crypto/signer.ts'

export const quorate = join(import.meta.dirname, '../bin/quorate.js')

export interface Devnet {
  directory: string
  /** The API of each validator. */
  urls: string[]
  genesisHash: string
  /** Process ids of the validators. */
  pids: number[]
  stop(): Promise<void>
}

export async function startDevnet(validators: number, port: number): Promise<Devnet> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'))
  const child = spawn(
    process.execPath,
    [quorate, 'devnet', '--dir', directory, '--port', String(port), '--validators', String(validators)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  async function stop(): Promise<void> {
    child.kill('SIGINT')
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await new Promise<void>((resolve, reject) => {
      let text = ''
      child.stdout.on('data', (chunk) => {
        text += chunk
        if (text.includes('Ctrl-C')) resolve()
      })
      child.on('exit', (code) => reject(new Error(`the devnet ended with code ${code}`)))
    })
    const urls = Array.from({ length: validators }, (_, index) => `http://127.0.0.1:${port + index}`)
    const { genesisHash } = await get<{ genesisHash: string }>(`${urls[0]}/v1/status`)
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    return { directory, urls, genesisHash, pids: children.trim().split(' ').map(Number), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

export async function get<T>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T
}

/** Posts transactions, base64 each; throws on any answer but 200 and 202. */
export async function post<T>(url: string, txs: string[], query = '?wait=certified&timeout=60000'): Promise<T> {
  const response = await fetch(`${url}/v1/transactions${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ txs }),
  })
  if (response.status >= 300) throw new Error(`${response.status} ${(await response.text()).slice(0, 300)}`)
  return (await response.json()) as T
}

export const base64 = (wire: Uint8Array): string => Buffer.from(wire).toString('base64')

export interface Transfers {
  /** The next signed transfers, in the order of their senders' nonces. */
  next(count: number): Promise<string[]>
}

/** Transfers in a ring of senders, to whom the devnet's alice gives what they need; `firstNonce` is her next one. */
export async function createTransfers(
  { directory, urls, genesisHash }: Pick<Devnet, 'directory' | 'urls' | 'genesisHash'>,
  senderCount: number,
  firstNonce = 0,
): Promise<Transfers> {
  const alice = await loadKey(keystoreOf(directory), 'alice')
  const senders = Array.from({ length: senderCount }, (_, index) =>
    createKeyPair(sha256(Buffer.from(`sender ${index}`))),
  )
  const call = (nonce: number, to: string, amount: string) => ({
    network: genesisHash,
    nonce,
    expires: 0,
    gasLimit: TRANSFER_GAS_LIMIT,
    contract: 'token',
    method: 'transfer',
    args: JSON.stringify({ to, amount }),
  })
  const funding = await Promise.all(
    senders.map((sender, index) =>
      signTransaction(alice, call(firstNonce + index, addressOf(sender.publicKey), '1000')),
    ),
  )
  await post(
    urls[0]!,
    funding.map(({ wire }) => base64(wire)),
  )
  let sent = 0
  return {
    async next(count) {
      const txs: string[] = []
      for (let i = 0; i < count; i++, sent++) {
        const to = addressOf(senders[(sent + 1) % senderCount]!.publicKey)
        const { wire } = await signTransaction(
          senders[sent % senderCount]!,
          call(Math.floor(sent / senderCount), to, '1'),
        )
        txs.push(base64(wire))
      }
      return txs
    },
  }
}
const TRANSFER_GAS_LIMIT = 2_000_000

/** Verifications per second of one core, over messages as long as a transfer. */
export function measureVerify(): number {
  const { publicKey, sign } = createKeyPair(sha256(Buffer.from('bench')))
  const message = new Uint8Array(230)
  const signature = sign(message)
  const start = performance.now()
  let done = 0
  while (performance.now() - start < 500) for (let i = 0; i < 100; i++, done++) verify(publicKey, message, signature)
  return (done / (performance.now() - start)) * 1000
}

/** CPU seconds a process has used, its threads included. */
export async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export async function residentMiB(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** The value at a share of all, of numbers in any order. */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

/** LevelDB sorts what was filled in for a while yet. */
export async function settled(ledger: { approximateSize(): Promise<number> }): Promise<void> {
  const SAME_SIZES = 6
  for (let same = 0, size = -1; same < SAME_SIZES; ) {
    await sleep(500)
    const now = await ledger.approximateSize()
    same = now === size ? same + 1 : 0
    size = now
  }
}
