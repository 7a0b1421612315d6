// Runs the `quorate` command as a user does: real processes, a temporary folder, loopback.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const command = join(import.meta.dirname, '../../bin/quorate.js')

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

export interface Running {
  readonly process: ChildProcess
  readonly output: () => string
  /** Resolves when the text has been printed; rejects when the process ends before. */
  printed(text: string, timeoutMs?: number): Promise<void>
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

function launch(args: string[], environment: Record<string, string>): Running {
  const child = spawn(process.execPath, [command, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let text = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk
      for (const listener of listeners) listener()
    })
  }
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  return {
    process: child,
    output: () => text,
    printed(expected, timeoutMs = 60_000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => finish(new Error(`"${expected}" was not printed within ${timeoutMs} ms: ${text}`)),
          timeoutMs,
        )
        const check = () => text.includes(expected) && finish()
        const finish = (error?: Error) => {
          clearTimeout(timer)
          listeners.delete(check)
          if (error === undefined) resolve()
          else reject(error)
        }
        listeners.add(check)
        exited.then((code) =>
          finish(text.includes(expected) ? undefined : new Error(`it ended with code ${code}: ${text}`)),
        )
        check()
      })
    },
    async end(signal) {
      // A terminal's Ctrl-C reaches the whole process group, the nodes of a devnet too.
      if (signal === 'SIGINT') process.kill(-child.pid!, signal)
      else child.kill(signal)
      return exited
    },
  }
}

export interface Devnet {
  readonly directory: string
  readonly port: number
  url(index: number, path: string): string
  /** Runs a command to its end against node 0 of this devnet. */
  run(...args: string[]): Promise<Ran>
  json(...args: string[]): Promise<Record<string, never> & { [key: string]: unknown }>
  /** `quorate devnet` on this folder, ready when it resolves. */
  up(): Promise<Running>
  /** `quorate start` of one node of this folder by itself. */
  start(index: number): Running
  /** The process ids of the nodes a devnet runs, node 0 first. */
  pids(devnet: Running): Promise<number[]>
  close(): Promise<void>
}

let portBase = 24_000 + (process.pid % 500) * 60

export async function createDevnet(): Promise<Devnet> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-e2e-'))
  const port = portBase
  portBase += 20
  const folder = join(directory, 'devnet')
  const environment = {
    QUORATE_NODE: `http://127.0.0.1:${port}`,
    QUORATE_KEYSTORE: join(folder, 'keystore'),
    HOME: directory,
  }
  const all: Running[] = []
  const track = (running: Running) => {
    all.push(running)
    return running
  }

  async function run(...args: string[]): Promise<Ran> {
    const child = spawn(process.execPath, [command, ...args], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => (stdout += chunk))
    child.stderr.on('data', (chunk) => (stderr += chunk))
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { code, stdout, stderr }
  }

  return {
    directory: folder,
    port,
    url: (index, path) => `http://127.0.0.1:${port + index}${path}`,
    run,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args, '--json')
      if (code !== 0) throw new Error(`quorate ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`)
      return JSON.parse(stdout)
    },
    async up() {
      const running = track(launch(['devnet', '--dir', folder, '--port', String(port)], environment))
      await running.printed('Ctrl-C')
      return running
    },
    start: (index) => track(launch(['start', '--home', join(folder, `node-${index}`)], environment)),
    async pids(devnet) {
      const { readFile } = await import('node:fs/promises')
      const { pid } = devnet.process
      const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number)
      const homes = await Promise.all(
        children.map(
          async (child) => [/node-(\d+)/.exec(await readFile(`/proc/${child}/cmdline`, 'utf8'))?.[1], child] as const,
        ),
      )
      return homes
        .filter(([index]) => index !== undefined)
        .sort((a, b) => Number(a[0]) - Number(b[0]))
        .map(([, child]) => child)
    },
    async close() {
      await Promise.all(
        all
          .filter(({ process: child }) => child.exitCode === null && child.signalCode === null)
          .map((running) => running.end('SIGTERM')),
      )
      await rm(directory, { recursive: true, force: true })
    },
  }
}
